"""Alertmanager as the task of alerts sees it: a body in, an outcome out, within a hard deadline.

There is one request a minute and after a change, so each has a connection of its own: nothing is kept, and
nothing has to be closed. No text of an exception or of a response is used, since it can repeat addresses and
headers. What can block (files, names, and what the caller adds) has a few threads of its own.
"""

import asyncio
import io
import ssl
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from pathlib import Path
from typing import Final, Protocol

import aiohttp

from agentrollouts.adapters.connections import Connections
from agentrollouts.adapters.headers import Headed, headers_of
from agentrollouts.adapters.tls import advice_of, trouble_of, trust_of

THREADS: Final = 4
"""If names that are not found occupy all of them, posts fail."""

SECTION: Final = "alertmanagers[]"
"""Path of Alertmanagers in the settings."""
_PATH: Final = "/api/v2/alerts"
_HEADERS: Final = {"Content-Type": "application/json", "User-Agent": "agentrollouts"}


class Server(Headed, Protocol):
    """An Alertmanager as an administrator describes it; `settings.Alertmanager` is one."""

    @property
    def name(self) -> str:
        """What it is called; appears in errors."""

    @property
    def url(self) -> str:
        """Address of the server, without `/api/v2`."""

    @property
    def ca_file(self) -> Path | None:
        """Certificates to trust instead of the system's."""

    @property
    def timeout_seconds(self) -> float:
        """The hard limit of a post, with everything."""


class Outcome(StrEnum):
    """What became of a post."""

    ACCEPTED = "Accepted"
    REFUSED = "Refused"
    TIMEOUT = "Timeout"
    UNREACHABLE = "Unreachable"


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of a post, and what is wrong, for people; empty if nothing is."""

    outcome: Outcome
    problem: str = ""


class Client(Connections):
    """Posts to all Alertmanagers."""

    def __init__(self) -> None:
        super().__init__(THREADS, "alertmanager")

    async def post(self, server: Server, body: bytes) -> Result:
        """Post alerts. Nothing that a server does raises."""
        seconds = server.timeout_seconds
        try:
            async with asyncio.timeout(seconds):
                headers, trust = await self.run(_read, server)
                status = await self._send(server, body, headers, trust)
        except TimeoutError:
            return Result(Outcome.TIMEOUT, f"no response within {seconds:g} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Result(Outcome.UNREACHABLE, _cause(error, server))
        if status == HTTPStatus.OK:
            return Result(Outcome.ACCEPTED)
        return Result(Outcome.REFUSED, f"it answered {status}")

    async def _send(
        self, server: Server, body: bytes, headers: dict[str, str], trust: ssl.SSLContext | None
    ) -> int:
        """The status of the answer. Its body is not read."""
        url = f"{server.url}{_PATH}"
        async with (
            self.session(trust) as session,
            session.post(url, data=io.BytesIO(body), headers=headers, allow_redirects=False) as response,
        ):
            return response.status


def _read(server: Server) -> tuple[dict[str, str], ssl.SSLContext | None]:
    """Headers with secrets, and whom to trust. Raises `OSError`, `TrustError`."""
    return {**_HEADERS, **headers_of(server)}, trust_of(server.url, server.ca_file)


def _cause(error: Exception, server: Server) -> str:
    """What the operating system says of it, or the kind of error."""
    if trouble := trouble_of(error, SECTION, server.ca_file):
        return str(trouble)
    if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError) and error.filename:
        return f"cannot read {error.filename}: {error.strerror}"
    if isinstance(error, OSError) and error.strerror:
        return f"no connection: {error.strerror}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "no connection: it was closed"
    if isinstance(error, ValueError):
        return "a header has an invalid value; check the settings and their files"
    return f"no answer ({type(error).__name__}){advice_of(server.url, SECTION)}"
