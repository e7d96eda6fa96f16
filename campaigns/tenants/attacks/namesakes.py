"""Hundreds of rollouts that name one agent and are annotated without end: each concerns all others."""

import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from campaigns.tenants.attacks.client import Request, sending
from campaigns.tenants.manifests import STABLE, namespace, path, release, rollout
from campaigns.tenants.row import Row
from campaigns.tenants.stage import Stage

ATTACKER: Final = "namesakes"
AGENT: Final = "agent"
ROLLOUTS: Final = 800
BRIEF_ROLLOUTS: Final = 80
RATE: Final = 50.0
"""Requests a second."""


@asynccontextmanager
async def namesakes(stage: Stage) -> AsyncIterator[None]:
    """The rollouts exist, and the client annotates one after the other."""
    names = [f"mine-{index:03}" for index in range(BRIEF_ROLLOUTS if stage.is_brief else ROLLOUTS)]
    await stage.make(namespace(ATTACKER))
    await stage.make([release(ATTACKER, AGENT, STABLE)])
    _, shared = rollout(ATTACKER, AGENT)
    for name in names:
        metadata = {"name": name, "namespace": ATTACKER}
        await stage.make([(path("agentrollouts", ATTACKER, name), {**shared, "metadata": metadata})])
    async with sending(_requests(stage, names), RATE):
        yield


def _requests(stage: Stage, names: list[str]) -> Iterator[Request]:
    for number in itertools.count():
        note = {"metadata": {"annotations": {"example.com/note": str(number)}}}
        for name in names:
            yield partial(stage.server.merge, path("agentrollouts", ATTACKER, name), note)


ROW: Final = Row(
    "namesakes",
    f"{ROLLOUTS} rollouts name one agent and are annotated, {RATE:g} requests/s",
    namesakes,
)
