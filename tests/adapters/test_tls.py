"""Inputs: a server with TLS on loopback, and its `caFile`. Outputs: what each adapter makes of that.

The adapters are those of webhooks, of Alertmanager and of Prometheus. Each sentence has the path of the field
that someone must correct, and a server that is not trusted gets no request.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from agentrollouts.adapters.alertmanager.client import Client as AlertmanagerClient
from agentrollouts.adapters.alertmanager.client import Outcome
from agentrollouts.adapters.prometheus.client import Prometheus
from agentrollouts.adapters.prometheus.envelope import QueryError, QueryErrorKind
from agentrollouts.adapters.webhook.client import Client as WebhookClient
from agentrollouts.core.recovery.hooks.response import Call, CallKey
from agentrollouts.settings.alerts import Alertmanager
from agentrollouts.settings.hooks import Endpoint
from agentrollouts.settings.sources import PrometheusSource
from tests.adapters.certificates import Authority
from tests.adapters.server import answer, serving

AT: Final = datetime(2026, 11, 30, 12, tzinfo=UTC)
SECONDS: Final = 60.0
OK: Final = answer(
    200,
    b'{"status":"success","data":{"resultType":"vector","result":[]}}',
    "Content-Type: application/json",
    "Connection: close",
)
NO_PEM: Final = "contains no certificates in PEM format"
BLANK: Final = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"

Ask = Callable[[], Awaitable[str]]
"""One request; what is wrong, empty if nothing is."""


@asynccontextmanager
async def webhook(folder: Path, url: str, ca_file: Path | None) -> AsyncIterator[Ask]:
    """The adapter of webhooks."""
    secret = folder / "secret"
    secret.write_text("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    endpoint = Endpoint(name="crm", url=url, secret_file=secret, ca_file=ca_file)
    client = WebhookClient()

    async def ask() -> str:
        return (await client.send(endpoint, Call(CallKey("key", 1), "crm", "{}", SECONDS))).text

    yield ask
    client.close()


@asynccontextmanager
async def alertmanager(_: Path, url: str, ca_file: Path | None) -> AsyncIterator[Ask]:
    """The adapter of Alertmanager."""
    server = Alertmanager(name="default", url=url, ca_file=ca_file, timeout_seconds=SECONDS)
    client = AlertmanagerClient()

    async def ask() -> str:
        result = await client.post(server, b"[]")
        assert result.outcome is (Outcome.UNREACHABLE if result.problem else Outcome.ACCEPTED)
        return result.problem

    yield ask
    client.close()


@asynccontextmanager
async def prometheus(_: Path, url: str, ca_file: Path | None) -> AsyncIterator[Ask]:
    """The adapter of Prometheus."""
    source = PrometheusSource(
        name="default", url=url, ca_file=ca_file, timeout_seconds=SECONDS, flavor="Prometheus"
    )
    client = Prometheus(source)

    async def ask() -> str:
        outcome = await client.query("up", AT)
        if not isinstance(outcome, QueryError):
            return ""
        assert outcome.kind is QueryErrorKind.UNREACHABLE
        return outcome.message.removeprefix("Prometheus source default: ")

    yield ask
    client.close()


class Adapter(NamedTuple):
    """An adapter, and its sentences."""

    opened: Callable[[Path, str, Path | None], AbstractAsyncContextManager[Ask]]
    section: str
    reached: str = ""
    called: str = ""
    advice: str = ""

    def unreached(self, problem: str) -> str:
        """The sentence about a server."""
        what, remedy = problem.replace("FIELD", self.section).split("; ")
        return f"{self.reached}{what}; {self.advice}{remedy}"

    def unusable(self, problem: str) -> str:
        """The sentence about the file."""
        return f"{self.called}{self.section}.caFile {problem}; {self.advice}correct it"


ADAPTERS: Final = (
    Adapter(
        webhook,
        "hooks.endpoints[]",
        "could not be reached: ",
        "was not called: ",
        "ask the administrator to ",
    ),
    Adapter(alertmanager, "alertmanagers[]"),
    Adapter(prometheus, "prometheus[]"),
)
adapters = pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda each: each.opened.__name__)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """An authority that no system knows."""
    return Authority(tmp_path, "ours")


@adapters
async def test_a_server_of_the_right_authority_is_used(
    adapter: Adapter, authority: Authority, tmp_path: Path
) -> None:
    """A scheme in capitals is the same one."""
    async with serving(OK, authority.server()) as server:
        for url in (server.url, server.url.replace("https", "HTTPS")):
            async with adapter.opened(tmp_path, url, authority.file) as ask:
                assert await ask() == ""
        assert len(server.requests) == 2


@adapters
@pytest.mark.parametrize(
    ("fields", "ca", "problem"),
    [
        ({}, "theirs", "FIELD.caFile does not trust its certificate; correct one of them"),
        ({}, None, "the system does not trust its certificate; set FIELD.caFile"),
        ({"days": -1}, "ours", "its certificate has expired; renew it"),
        (
            {"host": "DNS:elsewhere.example"},
            "ours",
            "its certificate is for another host; correct FIELD.url or the certificate",
        ),
        (
            {"host": "IP:127.0.0.2"},
            "ours",
            "its certificate is for another host; correct FIELD.url or the certificate",
        ),
    ],
    ids=["another authority", "no caFile", "expired", "another name", "another address"],
)
async def test_a_server_that_is_not_trusted_gets_no_request(
    adapter: Adapter, tmp_path: Path, fields: dict[str, Any], ca: str | None, problem: str
) -> None:
    """The sentence says why, and names the field. One request makes one connection."""
    ours, theirs = Authority(tmp_path, "ours"), Authority(tmp_path, "theirs")
    file = {"ours": ours.file, "theirs": theirs.file, None: None}[ca]
    async with (
        serving(OK, ours.server(**fields)) as server,
        adapter.opened(tmp_path, server.url, file) as ask,
    ):
        assert await ask() == adapter.unreached(problem)
        assert server.requests == []


BAD_REQUEST: Final = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
ALERT: Final = b"\x15\x03\x03\x00\x02\x02\x28"
"""A record of TLS: the server shares no cipher with the client."""


@adapters
@pytest.mark.parametrize(
    ("response", "problem", "remedy"),
    [
        (BAD_REQUEST, "it does not speak TLS", "correct FIELD.url"),
        (ALERT, "TLS failed (", "check FIELD.url and the server"),
    ],
    ids=["no TLS", "no cipher"],
)
async def test_a_server_that_fails_the_handshake_is_named_so(
    adapter: Adapter, authority: Authority, tmp_path: Path, response: bytes, problem: str, remedy: str
) -> None:
    """A web server without TLS, and one with another TLS, which is told in the words of OpenSSL."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(response)
        await reader.read()
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with adapter.opened(tmp_path, url, authority.file) as ask:
            said, expected = await ask(), adapter.unreached(f"{problem}; {remedy}")
    begin, end = expected.split(problem)
    assert (said.startswith(begin + problem), said.endswith(end)) == (True, True), said


@adapters
@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "cannot be read: No such file or directory"),
        ("", NO_PEM),
        ("no certificate", NO_PEM),
        (BLANK, NO_PEM),
    ],
    ids=["missing", "empty", "not PEM", "not a certificate"],
)
async def test_a_file_that_breaks_while_the_operator_runs_is_named(
    adapter: Adapter, authority: Authority, tmp_path: Path, content: str | None, problem: str
) -> None:
    """Nothing is sent meanwhile. Once the file is good again, so are the requests."""
    good = authority.file.read_bytes()
    async with (
        serving(OK, authority.server()) as server,
        adapter.opened(tmp_path, server.url, authority.file) as ask,
    ):
        authority.file.unlink()
        if content is not None:
            authority.file.write_text(content)
        assert (await ask(), server.requests) == (adapter.unusable(problem), [])
        authority.file.write_bytes(good)
        assert await ask() == ""


@adapters
async def test_a_renewed_authority_counts_at_once(
    adapter: Adapter, authority: Authority, tmp_path: Path
) -> None:
    """The server has its new certificate first; once the file follows, requests arrive without a restart."""
    new = Authority(tmp_path, "new")
    context = authority.server()
    async with (
        serving(OK, context) as server,
        adapter.opened(tmp_path, server.url, authority.file) as ask,
    ):
        assert await ask() == ""
        new.certify(context)
        untrusted = adapter.unreached("FIELD.caFile does not trust its certificate; correct one of them")
        assert await ask() == untrusted
        authority.file.write_bytes(authority.file.read_bytes() + new.file.read_bytes())
        assert await ask() == ""
        authority.file.write_bytes(new.file.read_bytes())
        assert await ask() == ""
        assert len(server.requests) == 3


@pytest.mark.parametrize("adapter", ADAPTERS[:2], ids=["webhook", "alertmanager"])
async def test_a_server_with_tls_that_is_called_without_it_gives_a_hint(
    adapter: Adapter, authority: Authority, tmp_path: Path
) -> None:
    """The address begins with http by mistake, and the server ends the connection."""
    async with serving(OK, authority.server()) as server:
        async with adapter.opened(tmp_path, server.url.replace("https", "http"), None) as ask:
            said = await ask()
        assert said.endswith(f"; if it uses TLS, begin {adapter.section}.url with https"), said
        assert server.requests == []
