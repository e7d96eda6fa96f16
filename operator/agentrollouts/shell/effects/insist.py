"""The write of a rollback is repeated while it has no answer: what holds it up may be gone for the next one.

An admission webhook can hold a call for as long as calls may take. Someone who removes it should not have to
wait for that call to end, nor should someone who looks at the rollout meanwhile.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Final, Generic, TypeVar

from agentrollouts.adapters.cluster.errors import UnavailableError

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)

AGAIN_SECONDS: Final = 1.5
"""After so long without an answer, the same write is sent once more."""
LOUD_SECONDS: Final = 3.0
"""After so long without an answer, the rollout says so."""


class Insistence(Generic[K]):
    """Sends writes that must get through, at most three at a time for each object."""

    def __init__(self) -> None:
        self._left: dict[K, object] = {}
        """Calls that no one waits for: the last one of a write without an answer, for a slow API server."""

    async def send(self, key: K, call: Callable[[], Awaitable[T]]) -> T:
        """The first answer, good or bad.

        Args:
            key: The object.
            call: Does the write, which can be done twice; bounded in time.

        Raises:
            UnavailableError: there was none within `LOUD_SECONDS`. A call is still on its way.
        """
        first = asyncio.ensure_future(call())
        tries, loop = [first], asyncio.get_running_loop()
        deadline = loop.time() + LOUD_SECONDS
        try:
            while (left := deadline - loop.time()) > 0:
                pause = min(AGAIN_SECONDS, left)
                done, _ = await asyncio.wait(tries, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
                if done:
                    return done.pop().result()
                for late in tries[1:]:
                    late.cancel()
                tries = [first, asyncio.ensure_future(call())]
            self._leave(key, tries.pop())
        finally:
            for each in tries:
                each.cancel()
            await asyncio.gather(*tries, return_exceptions=True)
        text = f"Failed to write {key}: the API server has not responded for {LOUD_SECONDS:g} s"
        raise UnavailableError(f"{text}; does an admission webhook hang?")

    def _leave(self, key: K, call: "asyncio.Future[T]") -> None:
        """Let a call end by itself, unless one does already."""
        if key in self._left:
            call.cancel()
        else:
            self._left[key] = call
        call.add_done_callback(lambda done: self._end(key, done))

    def _end(self, key: K, call: "asyncio.Future[T]") -> None:
        if self._left.get(key) is call:
            del self._left[key]
        if not call.cancelled():
            call.exception()  # it was reported that there was no answer
