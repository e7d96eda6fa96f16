"""A proxy between an operator and the API server, on which a campaign plays the network.

The operator's kubeconfig points here. Every call passes through the `Network` of the moment: a calm one hands
it on, a disturbed one may hold it, answer it itself, end the operator before or after it, or change what a
watch tells. The proxy itself knows no fault, only how calls, answers and watch events travel.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, Self

import aiohttp
from aiohttp import web

WRITES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_KEPT: Final = ("Authorization", "Content-Type", "Accept", "User-Agent")
_LONGEST: Final = 1 << 23
"""Bytes of the longest line of a watch, which is one event."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request of the operator."""

    method: str
    path: str
    """With the query."""
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_write(self) -> bool:
        """Whether it changes something."""
        return self.method in WRITES

    @property
    def is_watch(self) -> bool:
        """Whether the answer is a stream of events."""
        return "watch=true" in self.path

    def __str__(self) -> str:
        return f"{self.method} {self.path.partition('?')[0]}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What comes back for a call that is no watch."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    then: Callable[[], None] = lambda: None
    """Done once the last byte of it was handed to the operator's connection."""


class Severed(Exception):  # noqa: N818  # an event of the network, not an error of ours
    """The connection breaks; the operator gets no answer."""


Send = Callable[[], Awaitable[Answer]]
"""Hands a call on to the API server."""
Event = dict[str, Any]
"""One event of a watch: `type` and `object`."""


class Network:
    """How calls fare; this one is calm, and others are made from it."""

    lasts: float = 0.0
    """Seconds by which it may delay the end of a course; more than 0 if it touches open connections."""

    async def carry(self, call: Call, send: Send) -> Answer:
        """Bring a call to the API server and its answer back.

        Raises:
            Severed: the operator gets none.
        """
        del call
        return await send()

    async def tell(self, call: Call, events: AsyncIterator[Event]) -> AsyncIterator[Event]:
        """Bring a watch's events to the operator; where this ends, the watch ends.

        Raises:
            Severed: the connection breaks.
        """
        del call
        async for event in events:
            yield event


def failure(code: HTTPStatus, *, retry_after: int | None = None) -> Answer:
    """The API server's own form of an error."""
    status = {
        "apiVersion": "v1",
        "kind": "Status",
        "status": "Failure",
        "message": f"the campaign answers {code.value}",
        "reason": code.phrase.replace(" ", ""),
        "code": code.value,
    }
    headers = {"Content-Type": "application/json"}
    headers |= {"Retry-After": str(retry_after)} if retry_after is not None else {}
    return Answer(code.value, json.dumps(status).encode(), headers)


class ApiProxy:
    """One proxy for one operator; used as an async context.

    Args:
        upstream: address of the API server.
        ca_file: whom to trust there.
        port: where to listen on loopback.
    """

    def __init__(self, upstream: str, ca_file: Path, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.network = Network()
        self.writes: list[str] = []
        """The changes that the operator asked for, in their order; cleared by whoever begins to count."""
        self._upstream = upstream
        self._ca_file = ca_file
        self._port = port
        self._open: set[asyncio.Transport] = set()

    async def __aenter__(self) -> Self:
        trust = ssl.create_default_context(cafile=str(self._ca_file))
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=trust, limit=0),
            timeout=aiohttp.ClientTimeout(total=None),
            read_bufsize=_LONGEST,
            auto_decompress=True,
        )
        application = web.Application(client_max_size=1 << 24)
        application.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0)
        await self._runner.setup()
        await self.listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.cut()
        await self._runner.cleanup()
        await self._session.close()

    async def listen(self) -> None:
        """Take connections, again after `refuse`."""
        self._site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await self._site.start()

    async def refuse(self) -> None:
        """Take no connections, and cut those that are open."""
        await self._site.stop()
        self.cut()

    def cut(self) -> None:
        """Break all connections, watches among them."""
        for connection in tuple(self._open):
            connection.abort()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        headers = {name: request.headers[name] for name in _KEPT if name in request.headers}
        call = Call(request.method, request.path_qs, headers, await request.read())
        if call.is_write:
            self.writes.append(str(call))
        connection = request.transport
        if connection is None:
            return web.Response(status=HTTPStatus.BAD_GATEWAY)  # gone already
        self._open.add(connection)
        try:
            return await (self._watch(call, request) if call.is_watch else self._exchange(call, request))
        except (Severed, aiohttp.ClientError, ConnectionError):
            connection.abort()
            return web.Response(status=HTTPStatus.BAD_GATEWAY)
        finally:
            self._open.discard(connection)

    async def _exchange(self, call: Call, request: web.Request) -> web.StreamResponse:
        upstream = await self.network.carry(call, lambda: self.send(call))
        response = web.Response(status=upstream.status, body=upstream.body, headers=upstream.headers)
        await response.prepare(request)
        await response.write_eof()
        upstream.then()
        return response

    async def send(self, call: Call) -> Answer:
        """Hand a call on to the API server, past the network of the moment."""
        url = f"{self._upstream}{call.path}"
        async with self._session.request(
            call.method, url, data=call.body or None, headers=call.headers
        ) as response:
            kept = {
                name: response.headers[name]
                for name in ("Content-Type", "Retry-After")
                if name in response.headers
            }
            return Answer(response.status, await response.read(), kept)

    async def _watch(self, call: Call, request: web.Request) -> web.StreamResponse:
        url = f"{self._upstream}{call.path}"
        async with self._session.get(url, headers=call.headers) as upstream:
            response = web.StreamResponse(
                status=upstream.status, headers={"Content-Type": "application/json"}
            )
            if upstream.status != HTTPStatus.OK:
                return web.Response(status=upstream.status, body=await upstream.read())
            await response.prepare(request)
            async for event in self.network.tell(call, _events(upstream)):
                await response.write(json.dumps(event).encode() + b"\n")
            await response.write_eof()
            return response


async def _events(response: aiohttp.ClientResponse) -> AsyncIterator[Event]:
    async for line in response.content:
        yield json.loads(line)
