"""A thousand releases as large as they may be, in one namespace and without a rollout; then a restart.

The memory limit of the chart is enforced from before the first release on.
"""

import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from campaigns.tenants.cage import caged, family_mib
from campaigns.tenants.manifests import GROUP, namespace, release
from campaigns.tenants.row import Bars, Row
from campaigns.tenants.stage import Stage

ATTACKER: Final = "attacker"
RELEASES: Final = 1000
BRIEF_RELEASES: Final = 40
BYTES: Final = 860 * 1024
ROOM: Final = 16 * 2**20
"""Bytes that the settings give the bundles of a namespace: those of nineteen of these releases."""
LIMIT_MIB: Final = 512
START_SECONDS: Final = 120.0
REFUSAL_SECONDS: Final = 600.0
"""The bundles are examined one after the other, at the lowest priority of the machine."""

_WORDS: Final = [f"{head}{tail}" for head in ("ask", "bill", "call", "deal") for tail in ("ing", "er", "s")]


def prose(size: int, seed: int) -> str:
    """Text as people write it, other than that of any other seed."""
    chosen = random.Random(seed)
    return " ".join(chosen.choices(_WORDS, k=size // 6))[:size]


@asynccontextmanager
async def heaps(stage: Stage) -> AsyncIterator[None]:
    """They are there, and the operator was killed and is ready again."""
    await stage.make(namespace(ATTACKER))
    count = BRIEF_RELEASES if stage.is_brief else RELEASES
    async with caged(_pid(stage), LIMIT_MIB):
        for first in range(0, count, 10):
            await stage.make(
                release(ATTACKER, "heap", f"1.0.{index}", prose(BYTES, index))
                for index in range(first, min(count, first + 10))
            )
        if not stage.operator.process.running:
            raise RuntimeError("The operator was killed for its memory")
        await asyncio.to_thread(stage.operator.kill)
    stage.operator.process.launch()
    async with caged(_pid(stage), LIMIT_MIB):
        began = time.monotonic()
        await asyncio.to_thread(stage.operator.start, START_SECONDS)
        took, memory = time.monotonic() - began, family_mib(_pid(stage))
        print(f"  ready again after {took:.1f} s with {memory:.0f} MiB", file=sys.stderr)
        yield


async def are_refused_by_name(stage: Stage) -> Sequence[str]:
    """What exceeds the bytes of the settings is `LimitExceeded`; nothing else is wrong with any release."""
    end = time.monotonic() + REFUSAL_SECONDS
    while "LimitExceeded" not in (reasons := await _reasons(stage)):
        if time.monotonic() > end:
            return [f"no release is refused after {REFUSAL_SECONDS:g} s"]
        await asyncio.sleep(1)
    counts = {reason: reasons.count(reason) for reason in sorted({*reasons})}
    print(f"  releases: {counts}", file=sys.stderr)
    return [f"a release says {reason}" for reason in counts.keys() - {"Materialized", "LimitExceeded", ""}]


async def _reasons(stage: Stage) -> list[str]:
    """What each release says of itself; empty for one that was not looked at yet."""
    releases = await stage.server.get(f"{GROUP}/namespaces/{ATTACKER}/agentreleases")
    conditions = [one.get("status", {}).get("conditions", ()) for one in releases["items"]]
    return [next((each["reason"] for each in of if each["type"] == "Ready"), "") for of in conditions]


def _pid(stage: Stage) -> int:
    pid = stage.operator.process.pid
    if pid is None:
        raise RuntimeError("The operator does not run")
    return pid


ROW: Final = Row(
    "heaps",
    f"{RELEASES} releases of {BYTES >> 10} KiB in one namespace, within {LIMIT_MIB} MiB",
    heaps,
    Bars(rss=LIMIT_MIB, lag=None),
    settings={"limits": {"releaseBytesPerNamespace": ROOM}},
    also=are_refused_by_name,
)
