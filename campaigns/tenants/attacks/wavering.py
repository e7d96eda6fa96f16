"""A tenant whose rollouts are asked forward and back without end: all its work is urgent."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from campaigns.tenants.attacks.client import Request, sending
from campaigns.tenants.manifests import NEXT, STABLE, namespace, path, release, rollout
from campaigns.tenants.row import Row
from campaigns.tenants.stage import Stage

ATTACKER: Final = "waverer"
ROLLOUTS: Final = 250
BRIEF_ROLLOUTS: Final = 40
RATE: Final = 100.0
"""Requests a second."""
WARMING_SECONDS: Final = 5.0


@asynccontextmanager
async def wavering(stage: Stage) -> AsyncIterator[None]:
    """The rollouts exist, and the client changes its mind."""
    names = [f"mine-{index:03}" for index in range(BRIEF_ROLLOUTS if stage.is_brief else ROLLOUTS)]
    await stage.make(namespace(ATTACKER))
    await stage.make(release(ATTACKER, name, version) for name in names for version in (STABLE, NEXT))
    await stage.make(rollout(ATTACKER, name) for name in names)
    async with sending(_requests(stage, names), RATE):
        await asyncio.sleep(WARMING_SECONDS)
        yield


def _requests(stage: Stage, names: list[str]) -> Iterator[Request]:
    for version in itertools.cycle((NEXT, STABLE)):
        for name in names:
            wish = {"spec": {"releaseRef": {"name": f"{name}-{version}"}}}
            yield partial(stage.server.merge, path("agentrollouts", ATTACKER, name), wish)


ROW: Final = Row(
    "wavering",
    f"{ROLLOUTS} rollouts are asked forward and back, {RATE:g} requests/s",
    wavering,
)
