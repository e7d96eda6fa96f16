"""Names looked up in threads of the caller, for adapters that connect to servers of the settings."""

import socket
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

Lookup = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[Any, ...]]


class Resolver(AbstractResolver):
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
