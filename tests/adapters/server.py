"""A real HTTP server on loopback whose answers are written byte by byte, so that it can misbehave in any way.

Inputs of a test: what the server does with a request. Outputs: what the adapter returned, and what the server
received. Nothing is mocked: the adapters' own sockets, threads and deadlines are at work.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

Behavior = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True)
class Request:
    """A request as it came."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Server:
    """A server on 127.0.0.1; `behavior` may be changed between requests."""

    port: int
    behavior: Behavior
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    scheme: str = "http"

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{self.scheme}://127.0.0.1:{self.port}"


def answer(status: int = 200, body: bytes = b"", *headers: str) -> Behavior:
    """A whole answer that keeps the connection."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", *headers, "", ""]

    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write("\r\n".join(lines).encode() + body)
        await writer.drain()

    return behave


async def hang(_: asyncio.StreamWriter) -> None:
    """No answer, ever."""
    await asyncio.Event().wait()


@asynccontextmanager
async def serving(behavior: Behavior, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """A server for as long as the context lasts, with TLS if it has a certificate."""
    state = Server(0, behavior, scheme="https" if tls else "http")
    tasks: set[asyncio.Task[None] | None] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        state.connections += 1
        # The client may go away at any time, and the server too: both are what tests are about.
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while True:
                state.requests.append(await _request(reader))
                await state.behavior(writer)
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    state.port = server.sockets[0].getsockname()[1]
    try:
        yield state
    finally:
        server.close()
        for task in filter(None, tasks):
            task.cancel()


async def _request(reader: asyncio.StreamReader) -> Request:
    line, *rest = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
    headers = {name.lower(): value for name, value in (text.split(": ", 1) for text in rest)}
    return Request(line, headers, await reader.readexactly(int(headers.get("content-length", "0"))))
