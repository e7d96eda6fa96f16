"""One client that re-applies 400 rollouts with a new release each, 200 objects a second, again and again."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from campaigns.tenants.manifests import STABLE, namespace, release, rollout
from campaigns.tenants.row import Row
from campaigns.tenants.stage import Stage

ATTACKER: Final = "attacker"
ROLLOUTS: Final = 400
BRIEF_ROLLOUTS: Final = 60
RATE: Final = 200.0
"""Objects a second: a release and a rollout in turn."""
WARMING_SECONDS: Final = 5.0
"""For a queue to become deep."""


@asynccontextmanager
async def reapplying(stage: Stage) -> AsyncIterator[None]:
    """The rollouts exist and are healthy, and the client is at it."""
    names = [f"mine-{index:03}" for index in range(BRIEF_ROLLOUTS if stage.is_brief else ROLLOUTS)]
    await stage.make(namespace(ATTACKER))
    await stage.make(release(ATTACKER, name, STABLE) for name in names)
    await stage.make(rollout(ATTACKER, name) for name in names)
    task = asyncio.create_task(_reapply(stage, names))
    try:
        await asyncio.sleep(WARMING_SECONDS)
        yield
        if task.done():
            task.result()
    finally:
        task.cancel()


async def _reapply(stage: Stage, names: list[str]) -> None:
    """One object after the other at the rate, several requests at once where the API server is slow."""
    began, count = time.monotonic(), itertools.count()
    places = asyncio.Semaphore(32)

    async def apply(path: str, manifest: dict[str, object]) -> None:
        try:
            await stage.server.apply(path, manifest)
        finally:
            places.release()

    async with asyncio.TaskGroup() as group:
        for patch, name in itertools.product(itertools.count(1), names):
            version = f"2.{patch}.0"
            for found in (release(ATTACKER, name, version), rollout(ATTACKER, name, version)):
                await asyncio.sleep(max(0.0, began + next(count) / RATE - time.monotonic()))
                await places.acquire()
                group.create_task(apply(*found))


ROW: Final = Row(
    "reapplying",
    f"one client re-applies {ROLLOUTS} rollouts with a new release each, {RATE:g} objects/s",
    reapplying,
)
