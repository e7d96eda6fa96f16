"""Figure: a member of a group is rolled back; how long from its route to that of the last other member.

All members have a canary. A person rolls back that of the first one by an action, and the others follow from
its status. Each run is about a group of its own, as a release that was rolled back is in quarantine. The
routes are those that arrive at an onlooker's watch.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bench.rig.crowd import NAMESPACE, ROUTES, Crowd, is_back
from bench.rig.report import Check, Result, Series
from sandbox.people.apiserver import ApiServer, Onlooker

P99_MS: Final = 500


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured."""

    rollouts: int = 1_000
    """All rollouts, most of them in no group."""
    members: int = 5
    """Of each group."""
    runs: int = 20


async def measure(server: ApiServer, sizes: Sizes) -> Result:
    """One group after the other; needs the operator to run."""
    crowd = Crowd(server, max(sizes.rollouts, sizes.members * sizes.runs))
    await crowd.settle(seconds=600)
    firsts, lasts = [], []
    async with Onlooker(server, ROUTES) as routes:
        for run in range(sizes.runs):
            names = crowd.names[run * sizes.members : (run + 1) * sizes.members]
            for name in names:
                await crowd.join(name, f"group-{run}")
            await crowd.begin_canaries(names)
            first, last = await _rolled_back(crowd, routes, names)
            firsts.append(first)
            lasts.append(last)
    action = Series("POST of an action → first route 100/0", "ms", (tuple(firsts),))
    group = Series("first route → last route", "ms", (tuple(lasts),))
    return Result(
        f"A group of {sizes.members} rolls back, {len(crowd.names)} rollouts",
        (action, group),
        (Check(f"p99 ≤ {P99_MS} ms", f"{group.p99:.1f} ms", group.p99 <= P99_MS),),
    )


async def _rolled_back(crowd: Crowd, routes: Onlooker, names: Sequence[str]) -> tuple[float, float]:
    """Milliseconds from the request to the first route, and from there to the last one."""
    began = time.monotonic()
    await crowd.act_back(names[0])
    first, *others = [await routes.until(NAMESPACE, name, is_back, since=began, seconds=30) for name in names]
    return 1000 * (first - began), 1000 * (max(others) - first)
