"""Work for rollouts on a few tasks: namespaces take turns, and a rollout is served by one task at a time."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from agentrollouts.adapters.cluster.resources import Ref
from agentrollouts.adapters.cluster.slots import CALLER, Caller
from agentrollouts.turns import Turns

logger = logging.getLogger(__name__)

PAUSE_FIRST: Final = 1.0
PAUSE_LAST: Final = 60.0


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
            turn = self._turns.take(lambda *_: True, lambda key: key not in self._busy)
            if turn is None:
                self._came.clear()
                await self._came.wait()
                continue
            await self._serve_one(turn.item)

    async def _serve_one(self, key: Ref) -> None:
        self._busy.add(key)
        CALLER.set(Caller(key.namespace, is_urgent=False))
        pause: float | None = PAUSE_LAST
        try:
            pause = await self._serve(key)
        except Exception:  # a bug; the next try may fare better
            logger.exception("Failed to record %s", key)
        finally:
            self._busy.discard(key)
            self._came.set()
        if pause is not None:
            self._timers[key] = asyncio.get_running_loop().call_later(pause, self._again, key)

    def _again(self, key: Ref) -> None:
        self._timers.pop(key, None)
        self.add(key)
