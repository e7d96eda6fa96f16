"""A tenant whose rollouts are asked forward and back without end: all its work is urgent."""

import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from campaigns.tenants.attacks.client import Request, sending
from campaigns.tenants.manifests import NEXT, STABLE, path
from campaigns.tenants.row import Row
from campaigns.tenants.stage import Stage

ATTACKER: Final = "waverer"
ROLLOUTS: Final = 250
BRIEF_ROLLOUTS: Final = 40
RATE: Final = 100.0
"""Requests a second."""


@asynccontextmanager
async def wavering(stage: Stage) -> AsyncIterator[None]:
    """The rollouts exist, and the client changes its mind."""
    names = await stage.make_rollouts(ATTACKER, ROLLOUTS, BRIEF_ROLLOUTS, NEXT)
    async with sending(_requests(stage, names), RATE):
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
