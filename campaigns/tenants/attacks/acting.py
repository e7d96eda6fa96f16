"""A tenant that orders its own rollouts back without end: every order is urgent, and each gets an answer."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from campaigns.tenants.attacks.client import Request, sending
from campaigns.tenants.manifests import STABLE, action, namespace, release, rollout
from campaigns.tenants.row import Row
from campaigns.tenants.stage import Stage

ATTACKER: Final = "attacker"
ROLLOUTS: Final = 50
BRIEF_ROLLOUTS: Final = 10
PERSON: Final = "mallory@example.com"
RATE: Final = 100.0
"""Actions a second."""
WARMING_SECONDS: Final = 5.0


@asynccontextmanager
async def acting(stage: Stage) -> AsyncIterator[None]:
    """The rollouts exist, and the actions come."""
    names = [f"mine-{index:02}" for index in range(BRIEF_ROLLOUTS if stage.is_brief else ROLLOUTS)]
    await stage.make(namespace(ATTACKER))
    await stage.make(release(ATTACKER, name, STABLE) for name in names)
    await stage.make(rollout(ATTACKER, name) for name in names)
    async with sending(_requests(stage, names), RATE):
        await asyncio.sleep(WARMING_SECONDS)
        yield


def _requests(stage: Stage, names: list[str]) -> Iterator[Request]:
    for number, name in enumerate(itertools.cycle(names)):
        yield partial(stage.server.create_as, PERSON, *action(ATTACKER, name, PERSON, number))


ROW: Final = Row(
    "acting",
    f"{RATE:g} actions a second order {ROLLOUTS} rollouts back that have nowhere to go",
    acting,
)
