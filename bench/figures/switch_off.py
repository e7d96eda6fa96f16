"""Figure: someone switches an agent off; how long from the request to the route to the fallback.

One half of the agents is at rest, and the other has a canary. Prometheus does not answer meanwhile. Then each
is switched on again. Others are switched off in each state of an attempt, after their releases were deleted.
The routes are those that arrive at an onlooker's watch.
"""

import asyncio
import time
from typing import Final

from bench.rig.crowd import NAMESPACE, ROUTES, Crowd, is_back
from bench.rig.report import Check, Result, Series
from bench.rig.states import arranged
from sandbox.people.apiserver import ApiServer, Manifest, Onlooker
from sandbox.programs.process import Process

SAMPLES: Final = 25
"""Of each half."""
EACH: Final = 3
"""Samples of each state."""
MEDIAN_MS: Final = 25
PAUSE_SECONDS: Final = 0.3
"""Between two requests: one does not wait for what the other left to do, and the status shows the detour."""
QUEUE: Final = "human-queue"


FALLBACK: Final = {"fallback": {"service": {"name": QUEUE, "port": 8080}}}


async def measure(server: ApiServer, prometheus: Process, size: int) -> Result:
    """One agent after the other; needs the operator to run."""
    crowd = Crowd(server, size, spec=FALLBACK)
    await crowd.settle(seconds=600)
    states = await arranged(server, EACH, FALLBACK)
    resting, trying = crowd.names[:SAMPLES], crowd.names[SAMPLES : 2 * SAMPLES]
    await crowd.begin_canaries(trying)
    prometheus.pause()
    async with Onlooker(server, ROUTES) as routes:
        at_rest = [await _sample(crowd, routes, name) for name in resting]
        on_trial = [await _sample(crowd, routes, name) for name in trying]
        by_state = {
            state: tuple([await _sample_gone(crowd, routes, name, state) for name in names])
            for state, names in states.items()
        }
    off, on = (
        Series(what, "ms", tuple(tuple(one[index] for one in half) for half in (at_rest, on_trial)))
        for index, what in enumerate(
            ("POST of SwitchOff → route to the fallback", "POST of SwitchOn → route back")
        )
    )
    anywhere = Series("the same in each state, release gone", "ms", tuple(by_state.values()))
    slowest = max(by_state, key=lambda state: max(by_state[state]))
    return Result(
        f"An agent is switched off without Prometheus, {len(crowd.names)} rollouts",
        (off, on, anywhere),
        (
            Check(f"median ≤ {MEDIAN_MS} ms", f"{off.median:.1f} ms", off.median <= MEDIAN_MS),
            Check(
                f"in each of {len(states)} states: median ≤ {MEDIAN_MS} ms",
                f"{anywhere.median:.1f} ms",
                anywhere.median <= MEDIAN_MS,
            ),
        ),
        (f"States: {', '.join(states)}; the slowest one was {slowest}.",),
    )


async def _sample(crowd: Crowd, routes: Onlooker, name: str) -> tuple[float, float]:
    """Milliseconds from each of the two requests to its route."""
    began = time.monotonic()
    await crowd.switch_off(name)
    off = await routes.until(NAMESPACE, name, _is_off, since=began, seconds=30)
    await asyncio.sleep(PAUSE_SECONDS)
    began_on = time.monotonic()
    await crowd.switch_on(name)
    on = await routes.until(NAMESPACE, name, _is_on, since=began_on, seconds=30)
    await asyncio.sleep(PAUSE_SECONDS)
    return 1000 * (off - began), 1000 * (on - began_on)


async def _sample_gone(crowd: Crowd, routes: Onlooker, name: str, state: str) -> float:
    """Milliseconds from SwitchOff to its route, where the releases of an agent in that state are deleted."""
    await crowd.forget_releases([name])
    await asyncio.sleep(PAUSE_SECONDS)
    found = (await crowd.get(name))["status"]["attempt"]["state"]
    if found != state:
        raise RuntimeError(f"{name} is {found}, not {state}")
    began = time.monotonic()
    await crowd.switch_off(name)
    off = await routes.until(NAMESPACE, name, _is_off, since=began, seconds=30)
    await asyncio.sleep(PAUSE_SECONDS)
    return 1000 * (off - began)


def _is_off(route: Manifest) -> bool:
    return [ref["name"] for ref in route["spec"]["rules"][0]["backendRefs"]] == [QUEUE]


def _is_on(route: Manifest) -> bool:
    return is_back(route) and not _is_off(route)
