"""A hundred releases of one agent, as large as they may be, made while neighbors are rolled back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from campaigns.tenants.attacks.heaps import BYTES, prose
from campaigns.tenants.manifests import STABLE, namespace, release, rollout
from campaigns.tenants.row import Bars, Row
from campaigns.tenants.stage import Stage

ATTACKER: Final = "attacker"
RELEASES: Final = 100
BRIEF_RELEASES: Final = 8


@asynccontextmanager
async def old_releases(stage: Stage) -> AsyncIterator[None]:
    """Their rollout is Healthy, and they come one after the other."""
    await stage.make(namespace(ATTACKER))
    await stage.make([release(ATTACKER, "old", STABLE), rollout(ATTACKER, "old")])
    making = asyncio.create_task(_make(stage, BRIEF_RELEASES if stage.is_brief else RELEASES))
    try:
        yield
        await making
    finally:
        making.cancel()


async def _make(stage: Stage, count: int) -> None:
    for index in range(count):
        await stage.make([release(ATTACKER, "old", f"2.0.{index}", prose(BYTES, index))])


ROW: Final = Row(
    "old-releases",
    f"{RELEASES} releases of {BYTES >> 10} KiB of one agent",
    old_releases,
    Bars(rss=300, lag=0.25),
)
