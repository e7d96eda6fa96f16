"""An endpoint as the task of a webhook sees it: a request in, a response out, within a hard deadline.

Requests are rare, so each has a connection of its own: nothing is kept, and nothing has to be closed. No
text of an exception is used, since it can repeat addresses.
"""

import asyncio
import io
import os
import socket
import ssl
import time
from pathlib import Path
from typing import Final, Protocol

import aiohttp

from agentrollouts.adapters.connections import Connections
from agentrollouts.adapters.tls import TrustError, advice_of, trouble_of, trust_of
from agentrollouts.adapters.webhook.signing import SecretError, keys_of, signed
from agentrollouts.core.recovery.hooks.response import MAX_BODY, Call, Response, quoted

THREADS: Final = 8
SECTION: Final = "hooks.endpoints[]"
"""Path of endpoints in the settings."""
READ_SECONDS: Final = 5.0
"""Limit for the body of a refusal; without it, the status code says enough."""
_HEADERS: Final = {
    "Accept-Encoding": "identity",  # the limit counts bytes as they come
    "Content-Type": "application/json",
    "User-Agent": "agentrollouts",
}


class Endpoint(Protocol):
    """An endpoint as an administrator describes it; `settings.hooks.Endpoint` is one."""

    @property
    def url(self) -> str:
        """Its address."""

    @property
    def secret_file(self) -> Path:
        """File of the secret."""

    @property
    def ca_file(self) -> Path | None:
        """Certificates to trust instead of the system's."""


class Client(Connections):
    """Calls all endpoints."""

    def __init__(self) -> None:
        super().__init__(THREADS, "webhook")

    async def send(self, endpoint: Endpoint, call: Call) -> Response:
        """Make a request. Nothing that an endpoint does raises."""
        body = call.body.encode()
        if len(body) > MAX_BODY:
            return Response(text=f"was not called: the input of the hook is longer than {MAX_BODY} bytes")
        try:
            async with asyncio.timeout(call.seconds):
                keys, trust = await self.run(_read, endpoint)
                headers = _HEADERS | signed(keys, call.key.id, int(time.time()), body)
                return await self._post(endpoint.url, headers, body, trust)
        except TimeoutError:
            return Response(text=f"did not respond within {call.seconds:g} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Response(text=_cause(error, endpoint))

    async def _post(
        self, url: str, headers: dict[str, str], body: bytes, trust: ssl.SSLContext | None
    ) -> Response:
        async with (
            self.session(trust) as session,
            session.post(url, data=io.BytesIO(body), headers=headers, allow_redirects=False) as response,
        ):
            return Response(response.status, "" if response.ok else await _beginning(response))


async def _beginning(response: aiohttp.ClientResponse) -> str:
    """What the body of a refusal begins with; empty if it does not come."""
    body = b""
    try:
        async with asyncio.timeout(READ_SECONDS):
            while len(body) < MAX_BODY and (part := await response.content.read(MAX_BODY - len(body))):
                body += part
    except (TimeoutError, aiohttp.ClientError, OSError):
        pass
    return quoted(body)


def _read(endpoint: Endpoint) -> tuple[tuple[bytes, ...], ssl.SSLContext | None]:
    """Keys, read for each request since they rotate, and whom to trust.

    Raises:
        SecretError: its secret cannot be read or used.
        TrustError: its certificates cannot.
    """
    try:
        keys = keys_of(endpoint.secret_file.read_text(errors="replace"))
    except OSError as error:
        raise SecretError(f"{SECTION}.secretFile cannot be read: {error.strerror}") from None
    return keys, trust_of(endpoint.url, endpoint.ca_file)


def _cause(error: Exception, endpoint: Endpoint) -> str:
    """What went wrong, without paths and addresses, as tenants read it."""
    if isinstance(error, SecretError):
        return f"was not called: {error}; ask the administrator to correct it"
    if trouble := trouble_of(error, SECTION, endpoint.ca_file):
        what = "was not called" if isinstance(error, TrustError) else "could not be reached"
        return f"{what}: {trouble.problem}; ask the administrator to {trouble.remedy}"
    if isinstance(getattr(error, "os_error", error), socket.gaierror):
        return "could not be reached: its name is unknown"
    if isinstance(error, OSError) and error.errno:
        return f"could not be reached: {os.strerror(error.errno)}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "could not be reached: the connection was closed"
    return f"gave no valid response ({type(error).__name__}){advice_of(endpoint.url, SECTION)}"
