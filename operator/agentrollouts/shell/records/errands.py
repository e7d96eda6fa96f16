"""Work for rollouts on a few tasks: namespaces take turns, and a rollout is served by one task at a time.

One namespace never has all of the tasks: a webhook of its own can make each of its errands take seconds.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable
from typing import Final

from agentrollouts.adapters.cluster.resources import Ref
from agentrollouts.adapters.cluster.slots import CALLER, Caller
from agentrollouts.turns import Turns

logger = logging.getLogger(__name__)

PAUSE_FIRST: Final = 1.0
PAUSE_LAST: Final = 60.0
OF_NAMESPACE: Final = 3
"""Rollouts of one namespace that are served at a time."""


def pause_after(failures: int) -> float:
    """Seconds until the next try: twice as long after each failure."""
    return float(min(PAUSE_LAST, PAUSE_FIRST * 2 ** min(failures - 1, 10)))


class Errands:
    """Rollouts for which something is due.

    Args:
        serve: Does it; the answer is the pause until it is due again, or None.
    """

    def __init__(self, serve: Callable[[Ref], Awaitable[float | None]]) -> None:
        self._serve = serve
        self._turns: Turns[Ref] = Turns()
        self._busy: set[Ref] = set()
        self._used: Counter[Hashable] = Counter()
        self._timers: dict[Ref, asyncio.TimerHandle] = {}
        self._came = asyncio.Event()

    def add(self, key: Ref) -> None:
        """Have a rollout served; one that waits after a failure continues to wait."""
        if key not in self._timers:
            self._turns.add(key, key.namespace, is_urgent=False)
            self._came.set()

    def drop(self, key: Ref) -> None:
        """There is nothing to do for it anymore."""
        self._turns.remove(key, key.namespace, is_urgent=False)
        if timer := self._timers.pop(key, None):
            timer.cancel()

    async def work(self) -> None:
        """Serve rollouts, indefinitely; several tasks can."""
        while True:
            turn = self._turns.take(self._may, lambda key: key not in self._busy)
            if turn is None:
                self._came.clear()
                await self._came.wait()
                continue
            await self._serve_one(turn.item)

    async def _serve_one(self, key: Ref) -> None:
        self._busy.add(key)
        self._used[key.namespace] += 1
        CALLER.set(Caller(key.namespace, is_urgent=False))
        pause: float | None = PAUSE_LAST
        try:
            pause = await self._serve(key)
        except Exception:  # a bug; the next try may fare better
            logger.exception("Failed to record %s", key)
        finally:
            self._busy.discard(key)
            self._used -= Counter([key.namespace])
            self._came.set()
        if pause is not None:
            self._timers[key] = asyncio.get_running_loop().call_later(pause, self._again, key)

    def _may(self, namespace: Hashable, _is_urgent: bool) -> bool:  # noqa: FBT001 the signature is that of `Turns`
        return self._used[namespace] < OF_NAMESPACE

    def _again(self, key: Ref) -> None:
        self._timers.pop(key, None)
        self.add(key)
