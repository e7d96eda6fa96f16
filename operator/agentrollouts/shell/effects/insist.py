"""The write of a rollback is repeated while it has no answer: what holds it up may be gone for the next one.

An admission webhook can hold a call for as long as calls may take. Someone who removes it should not have to
wait for that call to end.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

T = TypeVar("T")

AGAIN_SECONDS: Final = 2.0
"""After so long without an answer, the same write is sent once more."""


async def insisted(send: Callable[[], Awaitable[T]]) -> T:
    """The first answer, good or bad. At most two calls wait: the first, for a slow server, and the newest.

    Args:
        send: Does the write, which can be done twice; bounded in time.
    """
    first = asyncio.ensure_future(send())
    tries = [first]
    try:
        while True:
            done, _ = await asyncio.wait(tries, timeout=AGAIN_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if done:
                return done.pop().result()
            for late in tries[1:]:
                late.cancel()
            tries = [first, asyncio.ensure_future(send())]
    finally:
        for each in tries:
            each.cancel()
        await asyncio.gather(*tries, return_exceptions=True)
