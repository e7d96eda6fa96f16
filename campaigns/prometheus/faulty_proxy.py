"""A real HTTP server between the operator and Prometheus: one door for each source of the settings.

Every door passes requests on until its fault is switched on. It lets nobody in without the source's token, so
that the campaign's search for leaked tokens is one for tokens that were really sent.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from aiohttp import ClientError, ClientSession, ClientTimeout, web

from campaigns.prometheus.faults import Fault, Place
from campaigns.prometheus.misbehavior import Visit
from sandbox.stack import Stack

TIMEOUT_SECONDS: Final = 2
"""What the sources' settings allow a query."""
TENANT: Final = "X-Scope-OrgID"
NO_NAME: Final = "http://prometheus.invalid:9090"
"""An address whose host never resolves (RFC 2606)."""
MANAGER_FILES: Final = "controller_manager/kube-controller-manager"
"""The certificate of another server of the sandbox, and its key, by their name without the ending."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """What the sources send, and nobody may see; each in a file that the settings name."""

    token: Path
    tenant: Path

    @property
    def texts(self) -> tuple[str, str]:
        """The values."""
        return self.token.read_text(), self.tenant.read_text()


@dataclass(frozen=True, slots=True)
class Certificates:
    """What a TLS server of the sandbox shows, rightly and wrongly."""

    authority: Path
    right: ssl.SSLContext
    wrong: ssl.SSLContext

    @classmethod
    def of(cls, stack: Stack) -> Self:
        """Those of the API server and of the controller manager, as both exist."""
        ca = stack.ca_file
        return cls(ca, _serving(ca.with_suffix("")), _serving(ca.parent / MANAGER_FILES))


def _serving(files: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(f"{files}.crt", f"{files}.key")
    return context


@dataclass
class Doors:
    """All doors, and the server behind them.

    Args:
        upstream: Prometheus.
        secrets: what a request must carry.
        certificates: for the doors with TLS.
        sink: address of a server that nobody may connect to.
    """

    session: ClientSession
    upstream: str
    secrets: Secrets
    certificates: Certificates
    sink: str
    doors: dict[str, "Door"] = field(default_factory=dict)

    @classmethod
    @asynccontextmanager
    async def to(cls, stack: Stack, secrets: Secrets, sink: str) -> AsyncIterator[Self]:
        """No door yet; all that were added are shut at the end."""
        async with ClientSession(timeout=ClientTimeout(total=None)) as session:
            doors = cls(session, stack.prometheus_url, secrets, Certificates.of(stack), sink)
            try:
                yield doors
            finally:
                for door in doors.doors.values():
                    await door.shut()

    async def add(self, fault: Fault) -> None:
        """A door for this fault, which is not on yet."""
        door = self.doors[fault.name] = Door(self, fault)
        await door.open()

    def settings(self, *, broken: bool = False) -> list[dict[str, Any]]:
        """The sources as an administrator writes them; `broken` once somebody mistyped an address."""
        return [door.source(broken=broken) for door in self.doors.values()]


class Door:
    """One source."""

    def __init__(self, doors: Doors, fault: Fault) -> None:
        self._doors = doors
        self._fault = fault
        self._is_broken = False
        self._port = 0
        self._runner: web.AppRunner | None = None

    def source(self, *, broken: bool) -> dict[str, Any]:
        """Its entry in the settings."""
        url = f"{'https' if self._fault.is_tls else 'http'}://127.0.0.1:{self._port}"
        if broken and self._fault.place is Place.NO_NAME:
            url = NO_NAME
        return {
            "name": self._fault.name,
            "url": url,
            "timeoutSeconds": TIMEOUT_SECONDS,
            "bearerTokenFile": str(self._doors.secrets.token),
            "headerFiles": {TENANT: str(self._doors.secrets.tenant)},
        } | ({"caFile": str(self._doors.certificates.authority)} if self._fault.is_tls else {})

    async def open(self) -> None:
        """Listen, at the same port as ever."""
        certificates = self._doors.certificates
        context = certificates.wrong if self._is_broken else certificates.right
        wants_tls = self._fault.is_tls and not (self._is_broken and self._fault.place is Place.NO_TLS)
        app = web.Application(client_max_size=1 << 20)
        app.router.add_route("*", "/{path:.*}", self._visited)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        where = ("127.0.0.1", self._port)
        await web.TCPSite(self._runner, *where, ssl_context=context if wants_tls else None).start()
        self._port = self._runner.addresses[0][1]

    async def shut(self) -> None:
        """Listen no more and end all connections."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def break_down(self) -> None:
        """Switch the fault on; connections from before do not outlive it."""
        await self._switch(is_broken=True)

    async def heal(self) -> None:
        """Switch the fault off."""
        await self._switch(is_broken=False)

    async def _switch(self, *, is_broken: bool) -> None:
        self._is_broken = is_broken
        if self._fault.place in {Place.NOBODY, Place.CERTIFICATE, Place.NO_TLS}:
            await self.shut()
            if self._fault.place is not Place.NOBODY or not is_broken:
                await self.open()

    async def _visited(self, request: web.Request) -> web.StreamResponse:
        token, tenant = self._doors.secrets.texts
        if request.headers.get("Authorization") != f"Bearer {token}" or request.headers.get(TENANT) != tenant:
            return web.Response(status=401)
        form = await request.read()

        async def forward() -> bytes:
            headers = {"Content-Type": request.content_type}
            async with self._doors.session.post(
                f"{self._doors.upstream}{request.path}", data=form, headers=headers
            ) as response:
                return await response.read()

        try:
            if self._is_broken and self._fault.manner is not None:
                return await self._fault.manner(Visit(request, forward, self._doors.sink))
            return web.Response(body=await forward(), content_type="application/json")
        except ClientError:  # Prometheus itself is away
            return web.Response(status=502)


@dataclass
class Sink:
    """A server that counts who comes."""

    url: str
    connections: int = 0

    @classmethod
    @asynccontextmanager
    async def listening(cls) -> AsyncIterator[Self]:
        """On a port of its own."""
        sink = cls("")

        async def came(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            sink.connections += 1
            with suppress(OSError):
                writer.close()

        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(await asyncio.start_server(came, "127.0.0.1", 0))
            sink.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            yield sink
