"""The API server behind `kubectl proxy`: the few calls that the page makes, and no other.

The proxy adds the credentials of the reader, so the API server decides what they may see and do.
"""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final, Self

import aiohttp

from agentrollouts.api.names import API_VERSION

Manifest = dict[str, Any]

OURS: Final = f"/apis/{API_VERSION}"
ACCESS_REVIEWS: Final = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
SELF_REVIEWS: Final = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
CALL_SECONDS: Final = 10.0
"""Hard limit of one request; a watch has none, since it ends by itself."""
WATCH_SECONDS: Final = 300
"""After that time a watch begins again, so that a right that was revoked ends."""
ACCEPTED: Final = (
    rf"^{OURS.replace('.', '[.]')}/",
    "^/api/v1/namespaces/[^/]+/configmaps/[^/]+$",
    f"^{ACCESS_REVIEWS.replace('.', '[.]')}$",
    f"^{SELF_REVIEWS.replace('.', '[.]')}$",
)
"""Paths that the proxy lets through."""


class ApiError(Exception):
    """The API server refused, or did not answer; the text is its sentence.

    Args:
        sentence: What it said.
        code: The status of its answer; 503 if there was none.
    """

    def __init__(self, sentence: str, code: int = 503) -> None:
        super().__init__(sentence)
        self.code = code


class Api:
    """The API server, by the socket of the proxy."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    async def __aenter__(self) -> Self:
        limit = aiohttp.ClientTimeout(total=CALL_SECONDS)
        connector = aiohttp.UnixConnector(path=str(self._socket))
        self._session = aiohttp.ClientSession("http://localhost", connector=connector, timeout=limit)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def get(self, path: str, **query: str) -> Manifest:
        """An object or a list. Raises `ApiError`."""
        return await self._call("GET", path, query=query)

    async def find(self, path: str) -> Manifest | None:
        """An object; None if there is none, or if the reader may not see it. Raises `ApiError`."""
        try:
            return await self.get(path)
        except ApiError as error:
            if error.code in {403, 404}:
                return None
            raise

    async def create(self, path: str, manifest: Manifest) -> Manifest:
        """Create an object: an action or a review. Raises `ApiError`."""
        return await self._call("POST", path, manifest)

    async def watch(self, path: str, version: str) -> AsyncIterator[Manifest]:
        """The events after a version, until the watch ends. Raises `ApiError`."""
        query = {"watch": "1", "resourceVersion": version, "timeoutSeconds": str(WATCH_SECONDS)}
        endless = aiohttp.ClientTimeout(total=None, sock_read=WATCH_SECONDS + CALL_SECONDS)
        try:
            async with self._session.get(path, params=query, timeout=endless) as response:
                await _checked(response)
                buffer = bytearray()
                async for chunk in response.content.iter_any():
                    buffer += chunk
                    while b"\n" in buffer:
                        line, _, buffer = buffer.partition(b"\n")
                        yield json.loads(line)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise _unanswered(error) from error

    async def _call(
        self, method: str, path: str, body: Manifest | None = None, query: dict[str, str] | None = None
    ) -> Manifest:
        try:
            async with self._session.request(method, path, json=body, params=query) as response:
                await _checked(response)
                answer: Manifest = await response.json(content_type=None)
                return answer
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise _unanswered(error) from error


async def _checked(response: aiohttp.ClientResponse) -> None:
    """Raise what the API server says about a refusal."""
    if response.ok:
        return
    text = await response.text(errors="replace")
    try:
        sentence = str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        sentence = text.strip() or (response.reason or "")
    raise ApiError(sentence, response.status)


def _unanswered(error: Exception) -> ApiError:
    return ApiError(f"The API server did not answer: {str(error) or type(error).__name__}")
