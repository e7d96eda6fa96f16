"""Figure: what idle rollouts request if hooks, a group, drills, cohorts and requirements surround them.

All of them are Healthy. First there are plain ones alone, then as many with all of it beside them. Requests
are counted by the API server and by Prometheus themselves; watches, which stay open, do not count.
"""

import asyncio
from collections import Counter
from contextlib import suppress
from itertools import pairwise
from typing import Any, Final

from bench.rig import meters
from bench.rig.crowd import STABLE, Crowd, is_known
from bench.rig.report import Check, Result, Series
from sandbox.people.apiserver import ApiServer
from sandbox.programs import web
from sandbox.stack import Stack

SECONDS: Final = 60
QUIET_SECONDS: Final = 10
"""After so long without a request, what the last change of a plan left to do is over."""
PATIENCE_SECONDS: Final = 900
MEMBERS: Final = 5
"""Of each group."""
YEAR: Final = 366 * 24 * 3600
PERIOD: Final = 6
"""Parts of the measured time, each a sample."""
SURROUNDED: Final[dict[str, Any]] = {
    "hooks": [
        {"name": "keep", "at": "BeforeTraffic", "job": {"cronJob": "keep"}},
        {"name": "repair", "at": "AfterRollback", "job": {"cronJob": "repair"}},
    ],
    "drill": {"everySeconds": YEAR},
    "traffic": {
        "httpRoute": {
            "cohorts": [
                {"name": "testers", "headers": [{"name": "x-tester", "value": "yes"}], "gets": "Canary"}
            ]
        }
    },
    "metrics": {"labels": {"cohort": "cohort"}},
}
"""Beside the group. The first hook would delay the first release, so all of it comes after that."""


async def measure(stack: Stack, server: ApiServer, size: int) -> Result:
    """A minute of nothing, twice; needs the operator to run with limits that permit twice that size.

    Args:
        stack: whose Prometheus is the operator's.
        server: its API server.
        size: how many rollouts of each kind.
    """
    plain = Crowd(server, size)
    await plain.settle(seconds=1800)
    alone = await _requests(stack, server)
    required = {"agent": plain.names[0], "versions": f">={STABLE},<2.0.0"}
    crowd = Crowd(server, size, prefix="surrounded", requires=[required])
    await crowd.settle(seconds=1800)
    for index, name in enumerate(crowd.names):
        await crowd.change(name, {**SURROUNDED, "group": f"group-{index // MEMBERS}"})
    await crowd.all(crowd.names, is_known, seconds=600)
    await _settled(stack, server)
    both = await _requests(stack, server)
    requested = sum(both, Counter[str]())
    named = ((f"{size} plain", alone), (f"{size} plain, {size} with all of it", both))
    series = (
        Series(name, f"in {SECONDS / PERIOD:.0f} s", (tuple(float(part.total()) for part in found),))
        for name, found in named
    )
    listed = ", ".join(f"{count} {what}" for what, count in sorted(requested.items())) or "none"
    return Result(
        f"At rest with hooks, groups, drills, cohorts and requires, {size} rollouts",
        tuple(series),
        (Check("0 requests a minute", f"{requested.total() * 60 / SECONDS:.0f}", not requested.total()),),
        (f"Requests to the API server and to Prometheus; in the second minute: {listed}.",),
    )


async def _requests(stack: Stack, server: ApiServer) -> list[Counter[str]]:
    """What was requested in each part of the measured time."""
    readings = [await _read(stack, server)]
    for _ in range(PERIOD):
        await asyncio.sleep(SECONDS / PERIOD)
        readings.append(await _read(stack, server))
    return [after - before for before, after in pairwise(readings)]


async def _settled(stack: Stack, server: ApiServer) -> None:
    """Wait until nothing is requested; an operator that never rests is measured all the same."""
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_SECONDS):
            before = await _read(stack, server)
            while True:
                await asyncio.sleep(QUIET_SECONDS)
                after = await _read(stack, server)
                if after == before:
                    return
                before = after


async def _read(stack: Stack, server: ApiServer) -> Counter[str]:
    metrics = await asyncio.to_thread(web.get, f"{stack.prometheus_url}/metrics")
    return await meters.api_requests(server) + Counter({"queries": int(meters.queries(metrics))})
