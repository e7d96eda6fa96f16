"""A thousand releases as large as they may be, in one namespace and without a rollout; then a restart.

The memory limit of the chart is enforced from before the first release on.
"""

import asyncio
import random
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
BRIEF_LIMIT: Final = 16 * 2**20
LIMIT_MIB: Final = 512
START_SECONDS: Final = 120.0

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
        print(f"  ready again after {time.monotonic() - began:.1f} s with {family_mib(_pid(stage)):.0f} MiB")
        yield


async def are_refused_by_name(stage: Stage) -> Sequence[str]:
    """What exceeds the bytes of the settings is `LimitExceeded`; nothing else is wrong with any release."""
    found = await stage.server.get(f"{GROUP}/namespaces/{ATTACKER}/agentreleases?limit=1000")
    reasons = [
        next(
            (
                each["reason"]
                for each in one.get("status", {}).get("conditions", ())
                if each["type"] == "Ready"
            ),
            "",
        )
        for one in found["items"]
    ]
    odd = sorted({*reasons} - {"Materialized", "LimitExceeded", ""})
    counts = {reason: reasons.count(reason) for reason in ("Materialized", "LimitExceeded", "")}
    print(f"  releases: {counts}")
    return [f"a release says {reason}" for reason in odd]


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
    also=are_refused_by_name,
)
