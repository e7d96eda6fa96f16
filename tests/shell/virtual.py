"""An event loop whose time is a number: it leaps to the next timer as soon as nothing else is left to do.

So hours pass in a moment, always in the same order, and a test may wait without ever sleeping. For code that
waits for timers and other tasks only, not for threads or sockets.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Leaping(selectors.SelectSelector):
    """Instead of waiting for a file, lets that much time have passed."""

    elapsed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("everything waits for something that will never come")
        if not ready and timeout is not None:
            self.elapsed += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop with such a clock, which starts at 0."""

    def __init__(self) -> None:
        self._leaping = _Leaping()
        super().__init__(self._leaping)

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._leaping.elapsed


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a test's coroutine in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)


def now() -> float:
    """Virtual seconds."""
    return asyncio.get_running_loop().time()


async def pass_time(seconds: float) -> None:
    """Let so much virtual time pass, and all that falls into it happen."""
    await asyncio.sleep(seconds)
