"""Figure: a breach in a scraped sample, of one attempt or of fifty; how long until the route is 100/0.

The breach is one violation, which is judged by the first sample that shows it, so that the time is the
operator's alone: from that sample's time in Prometheus to the route's arrival at an onlooker's watch, with a
question every second.
"""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.rig.crowd import NAMESPACE, NEXT, ROUTES, Crowd, is_back
from bench.rig.exporting import export
from bench.rig.report import Check, Result, Series
from sandbox.people.apiserver import ApiServer, Onlooker
from sandbox.stack import Stack

ALONE: Final = 15
TOGETHER: Final = 50
MEDIAN_SECONDS: Final = 0.8
"""The same for both: many at once wait no longer than one alone."""

_SCRAPE_SECONDS: Final = 1
_SETTLED_SECONDS: Final = 5
"""Long enough for a few samples and answers of every attempt."""
_SPEC: Final = {
    "analysis": {"intervalSeconds": 1, "warmupSeconds": 0, "staleAfterSeconds": 60},
    "gates": [{"name": "violations", "template": "violations"}],
}


async def measure(stack: Stack, server: ApiServer) -> Result:
    """First some one after the other, each alone; then many by the same scrape."""
    crowd = Crowd(server, ALONE + TOGETHER, spec=_SPEC)
    breached = await asyncio.to_thread(export, stack, crowd, _SCRAPE_SECONDS)
    await crowd.settle()
    async with Onlooker(server, ROUTES) as routes:
        alone = [await _breach(stack, crowd, routes, breached, (name,)) for name in crowd.names[:ALONE]]
        together = await _breach(stack, crowd, routes, breached, crowd.names[ALONE:])
    one = Series("one alone", "s", (tuple(seconds for (seconds,) in alone),))
    many = Series(f"{TOGETHER} at once", "s", (tuple(together),))
    return Result(
        "Breach in a scraped sample → route 100/0, asked every second",
        (one, many),
        tuple(
            Check(
                f"{series.what}: median ≤ {MEDIAN_SECONDS} s",
                f"{series.median:.2f} s",
                series.median <= MEDIAN_SECONDS,
            )
            for series in (one, many)
        ),
    )


async def _breach(
    stack: Stack, crowd: Crowd, routes: Onlooker, breached: Path, names: Sequence[str]
) -> list[float]:
    """Seconds from the first sample that shows it to the route, for each of these agents."""
    await crowd.begin_canaries(names)
    await asyncio.sleep(_SETTLED_SECONDS)
    began = time.monotonic()
    breached.write_text("\n".join(names))  # noqa: ASYNC240 a name or fifty
    seen = [await routes.until(NAMESPACE, name, is_back, since=began, seconds=30) for name in names]
    epoch = time.time() - time.monotonic()
    shown = await asyncio.to_thread(_first_samples, stack)
    breached.unlink()  # noqa: ASYNC240
    return [at + epoch - shown[name] for name, at in zip(names, seen, strict=True)]


def _first_samples(stack: Stack) -> dict[str, float]:
    """By agent, the time of the first sample that shows its canary's violation, in seconds since 1970."""
    return {
        series["metric"]["agent"]: min(at for at, value in series["values"] if float(value))
        for series in stack.query(f'agent_violations_total{{release=~".*-{NEXT}"}}[1m]')
        if any(float(value) for _, value in series["values"])
    }
