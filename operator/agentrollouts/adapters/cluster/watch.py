"""The API server's stream of changes, for what is watched by need and not by kopf.

Beside the calls of `cluster`, with its credentials and errors but on connections of its own, since a stream
keeps its connection for as long as it lasts. A stream is bounded in time: one that stalls is noticed.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator
from http import HTTPStatus
from typing import Final, NamedTuple
from urllib.parse import urlencode

import aiohttp

from agentrollouts.adapters.cluster.calls import Call, Response, content_of
from agentrollouts.adapters.cluster.client import Cluster
from agentrollouts.adapters.cluster.credentials import bearer_token, transport_of
from agentrollouts.adapters.cluster.errors import NotFoundError, UnavailableError, error_of
from agentrollouts.adapters.cluster.pages import PAGE
from agentrollouts.adapters.cluster.resources import KINDS, Manifest, Ref
from agentrollouts.api.model.nested import read_json
from agentrollouts.api.names import FIELD_MANAGER

_MARGIN_SECONDS: Final = 5.0
"""How much longer than requested a stream can take to end."""
_LONGEST_LINE: Final = 16 * 2**20
"""Bytes of one change at the most; the API server itself stores no object of a tenth of it."""


class Change(NamedTuple):
    """One change of an object that is watched; a bookmark has nothing but a version."""

    verb: str
    """ADDED, MODIFIED, DELETED or BOOKMARK."""
    manifest: Manifest


class WatchingCluster(Cluster):
    """A connection to one API server that can also be watched."""

    _streams: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Closes all connections; requests and streams in progress fail."""
        if self._streams is not None:
            await self._streams.close()
        await super().close()

    async def text(self, ref: Ref) -> bytes | None:
        """The object as it is on the wire, for who reads it elsewhere; None when there is none.

        Raises:
            ClusterError: it could not be read.
        """
        call = Call("get", ref.kind, str(ref), "GET", ref.path)
        response = await self._exchanged(call)
        if response.status < HTTPStatus.MULTIPLE_CHOICES:
            return response.body
        with contextlib.suppress(NotFoundError):
            content_of(call, response)  # raises, as no good answer has such a status
        return None

    async def version(self, kind: str, namespace: str | None, selector: str = "") -> str:
        """The version from which to watch a kind, so that what is listed after this call misses no change.

        Raises:
            ClusterError: the API server did not respond.
        """
        path, target = KINDS[kind].path(namespace), f"{kind} in {namespace or 'all namespaces'}"
        query = {"limit": "1"} | ({"labelSelector": selector} if selector else {})
        page = await self._send(Call("list", kind, target, "GET", path, query))
        return str((page.get("metadata") or {}).get("resourceVersion") or "")

    async def listing(self, kind: str, namespace: str | None, selector: str) -> tuple[list[Manifest], str]:
        """All objects of a kind that a label selector finds, and the version from which to watch on.

        Raises:
            ClusterError: they could not be listed.
        """
        path, target = KINDS[kind].path(namespace), f"{kind} in {namespace or 'all namespaces'}"
        query, items = {"limit": str(PAGE), "labelSelector": selector}, list[Manifest]()
        while True:
            page = await self._send(Call("list", kind, target, "GET", path, query))
            items += page.get("items") or []
            metadata = page.get("metadata") or {}
            if not metadata.get("continue"):
                return items, str(metadata.get("resourceVersion") or "")
            query["continue"] = metadata["continue"]

    async def changes(
        self, kind: str, namespace: str | None, selector: str, *, version: str, seconds: int
    ) -> AsyncGenerator[Change, None]:
        """What changes after a version, for at most so many seconds; then the stream just ends.

        Raises:
            ClusterError: it broke or stalled, or the version is too old. What is known may be out of date.
        """
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "labelSelector": selector,
            "resourceVersion": version,
            "timeoutSeconds": str(seconds),
        }
        where = f"{kind} in {namespace or 'all namespaces'}"
        call = Call("watch", kind, where, "GET", KINDS[kind].path(namespace), query)
        try:
            response = await self._open(call)
            try:
                async for line in _lines(response, seconds + _MARGIN_SECONDS):
                    yield _change(call, line)
            finally:
                response.close()
        except TimeoutError:
            raise UnavailableError(f"{call.what}: the stream stalled") from None
        except (aiohttp.ClientError, OSError) as error:
            raise UnavailableError(f"{call.what}: the stream broke ({type(error).__name__})") from None

    async def _open(self, call: Call) -> aiohttp.ClientResponse:
        """The answer whose body is the stream; counted as a call that lasts until its first byte."""
        started, code = time.monotonic(), "unreachable"
        try:
            response = await self._authorized(call)
            code = str(response.status)
        except TimeoutError:
            code = "timeout"
            raise
        finally:
            self._on_call(call.verb, call.kind, code, time.monotonic() - started)
        if response.status < HTTPStatus.MULTIPLE_CHOICES:
            return response
        try:
            async with asyncio.timeout(self._timeout_seconds):
                body = await response.read()
        finally:
            response.close()
        failure = Response(response.status, response.headers.get("Retry-After"), body)
        content_of(call, failure)  # raises, as no good answer has such a status
        raise UnavailableError(f"{call.what}: HTTP {response.status}")

    async def _authorized(self, call: Call) -> aiohttp.ClientResponse:
        """The answer; a token that has expired is renewed once."""
        token = await bearer_token(self._configuration)
        response = await self._opened(call, token)
        if response.status == HTTPStatus.UNAUTHORIZED and await self._renew(token):
            response.close()
            response = await self._opened(call, await bearer_token(self._configuration))
        return response

    async def _opened(self, call: Call, token: str | None) -> aiohttp.ClientResponse:
        headers = {"Accept": "application/json"} | ({"Authorization": token} if token else {})
        url = f"{self._configuration.host}{call.path}?{urlencode(call.query or {})}"
        async with asyncio.timeout(self._timeout_seconds):
            return await self._open_session().get(url, headers=headers, allow_redirects=False, **self._route)

    def _open_session(self) -> aiohttp.ClientSession:
        if self._streams is None:
            trust, _ = transport_of(self._configuration)
            self._streams = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ssl=trust),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": FIELD_MANAGER},
                timeout=aiohttp.ClientTimeout(total=None),
            )
        return self._streams


async def _lines(response: aiohttp.ClientResponse, seconds: float) -> AsyncIterator[bytes]:
    """The lines of a body as they come. Raises `TimeoutError` where it does not end in time."""
    rest, end = b"", asyncio.get_running_loop().time() + seconds
    while True:
        async with asyncio.timeout_at(end):
            chunk = await response.content.readany()
        if not chunk:
            return
        *whole, rest = (rest + chunk).split(b"\n")
        if len(rest) > _LONGEST_LINE:
            raise aiohttp.ClientPayloadError("a change is too long")
        for line in filter(None, whole):
            yield line


def _change(call: Call, line: bytes) -> Change:
    """One line of the stream. Raises `ClusterError` for an error in it, or if it is not a change."""
    try:
        content = read_json(line)
        verb, manifest = content["type"], content["object"]
    except (ValueError, KeyError, TypeError):
        raise UnavailableError(f"{call.what}: the stream holds something else") from None
    if verb == "ERROR":
        raise error_of(call.what, int(manifest.get("code") or HTTPStatus.GONE), manifest, None)
    return Change(verb, manifest)
