"""The API server: the few calls that the page makes, and no other.

Each has the credentials of the reader, so the API server decides what they may see and do. On their machine,
`kubectl proxy` adds them; in the cluster, they come with the request.
"""

import json
import os
import re
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp

from agentrollouts.api.model.nested import read_json
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
_NAME: Final = "[a-z0-9][-a-z0-9.]*"
PERMITTED: Final = re.compile(
    "|".join(
        (
            f"GET {re.escape(OURS)}(/namespaces/{_NAME})?/agentr[a-z]+(/{_NAME})?",
            f"GET /api/v1/namespaces/{_NAME}/configmaps/{_NAME}",
            f"POST {re.escape(OURS)}/namespaces/{_NAME}/agentrolloutactions",
            f"POST {re.escape(ACCESS_REVIEWS)}",
            f"POST {re.escape(SELF_REVIEWS)}",
        )
    )
)
"""Pairs of method and path that are sent; names come from addresses that someone can write by hand."""
WHOLE: Final = "application/json"
NAMES_ONLY: Final = "application/json;as=PartialObjectMetadata{};g=meta.k8s.io;v=v1"
"""For objects of which only the version matters."""


ABSENT: Final = frozenset({404})
HIDDEN: Final = ABSENT | {403}
"""Answers that show no object."""


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
    """The API server, as one reader sees it.

    Args:
        session: The connections.
        token: What proves who the reader is; None if the proxy adds that.
    """

    def __init__(self, session: aiohttp.ClientSession, token: str | None = None) -> None:
        self._session = session
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def get(self, path: str, *, accept: str = WHOLE, **query: str) -> Manifest:
        """An object or a list. Raises `ApiError`."""
        return await self._call("GET", path, query=query, accept=accept)

    async def find(self, path: str, absent: Collection[int] = HIDDEN) -> Manifest | None:
        """An object; None if there is none, or by default if the reader may not see it. Raises `ApiError`."""
        try:
            return await self.get(path)
        except ApiError as error:
            if error.code in absent:
                return None
            raise

    async def create(self, path: str, manifest: Manifest) -> Manifest:
        """Create an object: an action or a review. Raises `ApiError`."""
        return await self._call("POST", path, manifest)

    async def watch(
        self, path: str, version: str, *, accept: str = WHOLE, **query: str
    ) -> AsyncIterator[Manifest]:
        """The events after a version, until the watch ends. Raises `ApiError`."""
        query |= {"watch": "1", "resourceVersion": version, "timeoutSeconds": str(WATCH_SECONDS)}
        endless = aiohttp.ClientTimeout(total=None, sock_read=WATCH_SECONDS + CALL_SECONDS)
        async with self._sent("GET", path, accept, params=query, timeout=endless) as response:
            buffer = bytearray()
            async for chunk in response.content.iter_any():
                buffer += chunk
                while b"\n" in buffer:
                    line, _, buffer = buffer.partition(b"\n")
                    yield read_json(bytes(line))

    async def _call(
        self,
        method: str,
        path: str,
        body: Manifest | None = None,
        query: dict[str, str] | None = None,
        accept: str = WHOLE,
    ) -> Manifest:
        async with self._sent(method, path, accept, json=body, params=query) as response:
            answer: Manifest = await response.json(content_type=None, loads=read_json)
            return answer

    @asynccontextmanager
    async def _sent(
        self,
        method: str,
        path: str,
        accept: str,
        **options: Any,  # noqa: ANN401 those of aiohttp
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """An answer that is not a refusal. A redirect is one: it would lead past the permitted pairs."""
        if not PERMITTED.fullmatch(f"{method} {path}"):
            raise ApiError(f"The page does not send {method} {path}", 403)
        headers = {**self._headers, "Accept": accept}
        try:
            async with self._session.request(
                method, path, headers=headers, allow_redirects=False, **options
            ) as response:
                await _checked(response)
                yield response
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise _unanswered(error) from error


@asynccontextmanager
async def proxied(socket: Path) -> AsyncIterator[Api]:
    """The API server behind the socket of `kubectl proxy`."""
    limit = aiohttp.ClientTimeout(total=CALL_SECONDS)
    connector = aiohttp.UnixConnector(path=str(socket))
    async with aiohttp.ClientSession("http://localhost", connector=connector, timeout=limit) as session:
        yield Api(session)


async def _checked(response: aiohttp.ClientResponse) -> None:
    """Raise what the API server says about a refusal."""
    if response.status < 300:  # noqa: PLR2004 a success
        return
    text = await response.text(errors="replace")
    try:
        sentence = str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        sentence = text.strip() or (response.reason or "")
    raise ApiError(sentence, response.status)


def _unanswered(error: Exception) -> ApiError:
    """What a person reads; the error of the library names parts of this program."""
    if isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno or 0
        why = f": {os.strerror(number)}" if number > 0 else ""
        return ApiError(f"The API server cannot be reached{why}")
    if isinstance(error, TimeoutError):
        return ApiError("The API server did not answer in time")
    return ApiError(f"The API server did not answer: {str(error) or type(error).__name__}")
