"""One client that re-applies 400 rollouts with a new release each, 200 objects a second, again and again."""

import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from campaigns.tenants.attacks.client import Request, sending
from campaigns.tenants.manifests import release, rollout
from campaigns.tenants.row import Row
from campaigns.tenants.stage import Stage

ATTACKER: Final = "attacker"
ROLLOUTS: Final = 400
BRIEF_ROLLOUTS: Final = 60
RATE: Final = 200.0
"""Objects a second: a release and a rollout in turn."""


@asynccontextmanager
async def reapplying(stage: Stage) -> AsyncIterator[None]:
    """The rollouts exist, and the client is at it."""
    names = await stage.make_rollouts(ATTACKER, ROLLOUTS, BRIEF_ROLLOUTS)
    async with sending(_requests(stage, names), RATE):
        yield


def _requests(stage: Stage, names: list[str]) -> Iterator[Request]:
    for version in (f"2.{minor}.0" for minor in itertools.count()):
        for name in names:
            yield partial(stage.server.apply, *release(ATTACKER, name, version))
            yield partial(stage.server.apply, *rollout(ATTACKER, name, version))


ROW: Final = Row(
    "reapplying",
    f"one client re-applies {ROLLOUTS} rollouts with a new release each, {RATE:g} objects/s",
    reapplying,
)
