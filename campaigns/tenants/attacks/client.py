"""A client that sends one request after the other at a rate, however long each takes to be answered."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Final

AT_ONCE: Final = 8
"""Requests on the wire at a time."""
WARMING_SECONDS: Final = 5.0
"""For a queue to become deep."""

Request = Callable[[], Awaitable[None]]


@asynccontextmanager
async def sending(requests: Iterator[Request], rate: float) -> AsyncIterator[None]:
    """So many requests a second, from some seconds before the context begins until it ends.

    Args:
        requests: What to send; endless.
        rate: Requests a second.
    """
    task = asyncio.create_task(_send(requests, rate))
    try:
        await asyncio.sleep(WARMING_SECONDS)
        yield
        if task.done():
            task.result()
    finally:
        task.cancel()


async def _send(requests: Iterator[Request], rate: float) -> None:
    places, began, count = asyncio.Semaphore(AT_ONCE), time.monotonic(), itertools.count()

    async def send(request: Request) -> None:
        try:
            await request()
        finally:
            places.release()

    async with asyncio.TaskGroup() as group:
        for request in requests:
            await asyncio.sleep(max(0.0, began + next(count) / rate - time.monotonic()))
            await places.acquire()
            group.create_task(send(request))
