"""A tenant that orders its own rollouts back without end: every order is urgent, and each gets an answer."""

import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from campaigns.tenants.attacks.client import Request, sending
from campaigns.tenants.manifests import action
from campaigns.tenants.row import Row
from campaigns.tenants.stage import Stage

ATTACKER: Final = "attacker"
ROLLOUTS: Final = 50
BRIEF_ROLLOUTS: Final = 10
PERSON: Final = "mallory@example.com"
RATE: Final = 100.0
"""Actions a second."""


@asynccontextmanager
async def acting(stage: Stage) -> AsyncIterator[None]:
    """The rollouts exist, and the actions come."""
    names = await stage.make_rollouts(ATTACKER, ROLLOUTS, BRIEF_ROLLOUTS)
    async with sending(_requests(stage, names), RATE):
        yield


def _requests(stage: Stage, names: list[str]) -> Iterator[Request]:
    for number, name in enumerate(itertools.cycle(names)):
        yield partial(stage.server.create_as, PERSON, *action(ATTACKER, name, PERSON, number))


ROW: Final = Row(
    "acting",
    f"{RATE:g} actions a second order {ROLLOUTS} rollouts back that have nowhere to go",
    acting,
)
