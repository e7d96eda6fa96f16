"""Figure: a person asks for the stable release again; how long until the route sends nothing to the canary.

From just before the PATCH of `spec.releaseRef` is sent, to the arrival of the route at an onlooker's watch:
so the API server's work on the PATCH, both watches and the write are in it. In the same run, turn by turn,
another rollout is rolled back by an action, with all policies in force, and a bare kopf loop does the least
that could be done.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from bench.floor import bare_loop
from bench.rig import meters
from bench.rig.crowd import NAMESPACE, ROUTES, Crowd, is_back
from bench.rig.report import Check, Result, Series
from sandbox.operator import OperatorProcess
from sandbox.people.apiserver import ApiServer, Manifest, Onlooker
from sandbox.programs.process import Process
from sandbox.stack import Stack

RUNS: Final = 3
SAMPLES: Final = 50
"""Of each run, and as many other attempts that are under way all the time; fewer in a small crowd."""
PAUSE_SECONDS: Final = 0.05
"""Between two samples, so that one does not wait for what the other left to do."""

MEDIAN_MS: Final = 25
P99_MS: Final = 100
ACTION_MS: Final = 20
TIMES_BARE: Final = 3
TIMES_BESIDE: Final = 1.05
"""How much longer it may take beside something that must not delay it."""

_CANARY: Final = 5
Sample = tuple[float, float, float, float]
"""Milliseconds: from our PATCH sent and answered, for the bare loop from its PATCH, and from a POST."""
_WHATS: Final = (
    "PATCH sent → route 100/0",
    "PATCH answered → route 100/0",
    "bare kopf loop: PATCH sent → route",
    "POST of an action sent → route 100/0",
)
"""The columns of a sample."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a run has measured."""

    samples: Sequence[Sample]
    spent: Sequence[float]
    """Processor time of the operator and of the bare loop for each sample, in milliseconds."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A crowd of which some are rolled back in each run, while as many other attempts are under way."""

    server: ApiServer
    routes: Onlooker
    crowd: Crowd
    operator: Process
    loop: Process
    """The bare loop."""
    size: int
    """Of each run."""

    async def run(self, number: int) -> Run:
        """One run, with a number of its own."""
        sampled = self.crowd.names[: self.size]
        first = self.size * (2 + number)  # others each time: an action puts its release in quarantine
        by_action = self.crowd.names[first : first + self.size]
        await self.crowd.begin_canaries((*sampled, *by_action))
        await _wish(self.server, self.routes, sampled)
        pairs = zip(sampled, by_action, strict=True)
        before = _processor_ms(self.operator, self.loop)
        samples = [await _sample(self.server, self.routes, self.crowd, *names) for names in pairs]
        after = _processor_ms(self.operator, self.loop)
        await self.crowd.at_rest(sampled)
        return Run(samples, [(b - a) / self.size for a, b in zip(before, after, strict=True)])


@asynccontextmanager
async def prepared(
    stack: Stack, server: ApiServer, crowd: Crowd, operator: OperatorProcess, runs: int = RUNS
) -> AsyncIterator[Trial]:
    """Attempts are under way, and the bare loop runs; needs the operator to run and a settled crowd."""
    size = min(SAMPLES, len(crowd.names) // (2 + runs))
    loop = stack.add_process(
        "bare-loop",
        [sys.executable, "-m", "bench.floor.bare_loop"],
        environment={"KUBECONFIG": str(stack.kubeconfig)},
    )
    async with Onlooker(server, ROUTES) as routes:
        await _prepare_bare(server, crowd)
        await asyncio.to_thread(loop.start)
        await crowd.begin_canaries(crowd.names[size : 2 * size])
        yield Trial(server, routes, crowd, operator.process, loop, size)
    await asyncio.to_thread(loop.stop)


async def measure(stack: Stack, server: ApiServer, crowd: Crowd, operator: OperatorProcess) -> Result:
    """Three runs over some of the rollouts; needs the operator to run and the crowd to be settled.

    Beside the time that passes, it reads the processor time of both programs, which tells more on a machine
    that has other work. The operator's is also that of the attempts under way.
    """
    async with prepared(stack, server, crowd, operator) as trial:
        runs = [await trial.run(number) for number in range(RUNS)]
    return result(f"{len(crowd.names)} rollouts, {trial.size} attempts under way", runs)


def result(sizes: str, runs: Sequence[Run]) -> Result:
    """The figure of some runs."""
    series = (
        Series(what, "ms", tuple(tuple(one[index] for one in run.samples) for run in runs))
        for index, what in enumerate(_WHATS)
    )
    return _result(
        sizes,
        *series,
        Series("processor time of the operator, two rollbacks", "ms", tuple((run.spent[0],) for run in runs)),
        Series("processor time of the bare loop, one write", "ms", tuple((run.spent[1],) for run in runs)),
    )


def beside(title: str, usual: Result, burdened: Result, what: str) -> Result:
    """Two results of rollouts alike: what a burden costs, and how far the machine itself differed."""
    series, checks = list[Series](), list[Check]()
    for index, how in ((0, "by releaseRef"), (3, "by an action")):
        bare, full = usual.series[index], burdened.series[index]
        series += [
            Series(f"{how}, {name}", "ms", each.runs) for name, each in (("plain", bare), (what, full))
        ]
        for name, ratio in (("median", full.median / bare.median), ("p99", full.p99 / bare.p99)):
            target = f"{how}: {name} with {what} ≤ {TIMES_BESIDE} x that without"
            checks.append(Check(target, f"{ratio:.2f} x", ratio <= TIMES_BESIDE))
    drift = burdened.series[2].median / usual.series[2].median
    note = f"The bare kopf loop took {drift:.2f} x as long in the runs with {what}."
    return Result(title, tuple(series), tuple(checks), (note,))


def _processor_ms(*processes: Process) -> list[float]:
    return [1000 * meters.cpu_seconds(meters.pid_of(process)) for process in processes]


def _result(
    sizes: str, ours: Series, answered: Series, theirs: Series, acted: Series, *spent: Series
) -> Result:
    ratio, by_action = ours.median / theirs.median, acted.median / ours.median
    checks = (
        Check(f"median ≤ {MEDIAN_MS} ms", f"{ours.median:.1f} ms", ours.median <= MEDIAN_MS),
        Check(f"p99 ≤ {P99_MS} ms", f"{ours.p99:.1f} ms", ours.p99 <= P99_MS),
        Check(f"median ≤ {TIMES_BARE} x the bare loop's", f"{ratio:.2f} x", ratio <= TIMES_BARE),
        Check(f"by action: median ≤ {ACTION_MS} ms", f"{acted.median:.1f} ms", acted.median <= ACTION_MS),
        Check(f"by action: p99 ≤ {P99_MS} ms", f"{acted.p99:.1f} ms", acted.p99 <= P99_MS),
        Check("by action: median ≤ that by releaseRef", f"{by_action:.2f} x", by_action <= 1),
    )
    return Result(
        f"Asking to go back → route written, {sizes}", (ours, answered, theirs, acted, *spent), checks
    )


async def _sample(server: ApiServer, routes: Onlooker, crowd: Crowd, name: str, other: str) -> Sample:
    sent, answered, seen = await _timed(lambda: crowd.ask_back(name), routes, NAMESPACE, name)
    await asyncio.sleep(PAUSE_SECONDS)
    wish = {"spec": {"canary": 0}}
    bare_sent, _, bare_seen = await _timed(
        lambda: server.merge(bare_loop.path_of(name), wish), routes, bare_loop.NAMESPACE, name
    )
    await asyncio.sleep(PAUSE_SECONDS)
    acted, _, back = await _timed(lambda: crowd.act_back(other), routes, NAMESPACE, other)
    await asyncio.sleep(PAUSE_SECONDS)
    return (
        1000 * (seen - sent),
        1000 * (seen - answered),
        1000 * (bare_seen - bare_sent),
        1000 * (back - acted),
    )


async def _timed(
    request: Callable[[], Awaitable[None]], routes: Onlooker, namespace: str, name: str
) -> tuple[float, float, float]:
    """When the wish was sent, when it was answered, and when the route was seen to follow it."""
    sent = time.monotonic()
    await request()
    answered = time.monotonic()
    return sent, answered, await routes.until(namespace, name, is_back, since=sent, seconds=30)


async def _prepare_bare(server: ApiServer, crowd: Crowd) -> None:
    metadata = {"name": bare_loop.NAMESPACE}
    await server.apply(
        f"/api/v1/namespaces/{bare_loop.NAMESPACE}",
        {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata},
    )
    crd = bare_loop.crd()
    await server.apply(
        f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{crd['metadata']['name']}", crd
    )
    await _until_served(server)
    await server.apply_all({bare_loop.path_of(name): bare_loop.wish(name, _CANARY) for name in crowd.names})


async def _until_served(server: ApiServer) -> None:
    """An API server needs a moment until it serves a new kind."""
    async with asyncio.timeout(30):
        while True:
            if await server.is_served(bare_loop.path_of("").rstrip("/")):
                return
            await asyncio.sleep(PAUSE_SECONDS)


async def _wish(server: ApiServer, routes: Onlooker, names: Iterable[str]) -> None:
    """Bring the bare loop's routes where ours are: at a canary's share."""
    names = tuple(names)
    for name in names:
        await server.merge(bare_loop.path_of(name), {"spec": {"canary": _CANARY}})

    def has_canary(route: Manifest) -> bool:
        return not is_back(route)

    for name in names:
        await routes.until(bare_loop.NAMESPACE, name, has_canary)
