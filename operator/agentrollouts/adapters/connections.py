"""Connections to servers of the settings that get few requests: each request has one, and nothing is kept.

What can block, files and names, has a few threads of its own.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

P = ParamSpec("P")
T = TypeVar("T")


class Connections:
    """What a client of such servers connects with; ended by `close`.

    Args:
        threads: How many there are. A name that is not found occupies one until the resolver of the system
            gives up.
        name: What the threads are called.
    """

    def __init__(self, threads: int, name: str) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)

    def close(self) -> None:
        """Start nothing anymore."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function in one of the threads."""
        call = partial(function, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    def session(self, trust: ssl.SSLContext | None) -> aiohttp.ClientSession:
        """For one request: no proxy, no cookies, and bodies as they come."""
        connector = aiohttp.TCPConnector(ssl=trust or True, force_close=True, resolver=_Resolver(self.run))
        return aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False, auto_decompress=False
        )


Lookup = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[Any, ...]]


class _Resolver(AbstractResolver):
    """Looks names up in our threads: nothing ends a lookup, and the loop's own threads are few."""

    def __init__(self, run: Callable[..., Awaitable[list[Lookup]]]) -> None:
        self._run = run

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """All addresses of a name. Raises `OSError` if it has none."""
        found = await self._run(socket.getaddrinfo, host, port, family, socket.SOCK_STREAM)
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=int(address[1]),
                family=kind,
                proto=protocol,
                flags=socket.AI_NUMERICHOST,
            )
            for kind, _, protocol, _, address in found
        ]

    async def close(self) -> None:
        """Nothing is kept."""
