"""The answer to a watch, whose changes are taken in as they are read; kopf gets their versions alone.

kopf starts a task for each change of an object, and reads the next change a turn of the event loop later. A
turn has a step of each pass that is in progress. So while one tenant changed 200 objects a second, the change
of another waited for up to a second. kopf still opens the stream, keeps it alive and begins again where it
broke; for that, it needs to know how far it has come.

Of errors in a stream, kopf survives one, that a version is too old: then it lists again. It reads that one
for every other error, and for what is not JSON, as half a line of a stream that a proxy has cut.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from http import HTTPStatus
from typing import Any, Final, Self

import aiohttp

from agentrollouts.adapters.cluster.resources import Manifest
from agentrollouts.api.model.nested import read_json

logger = logging.getLogger(__name__)

TakeIn = Callable[[str, Manifest], None]
"""Takes in one change: ADDED, MODIFIED or DELETED, and the object."""

CHANGES: Final = {"ADDED", "MODIFIED", "DELETED"}
SLICE_SECONDS: Final = 0.005
"""For how long changes that have arrived together are taken in before the event loop has a turn."""
SHORTEST_SECONDS: Final = 1.0
"""Time between the beginnings of two streams at the least: kopf opens the next one at once."""
EXPIRED: Final = json.dumps({"type": "ERROR", "object": {"code": HTTPStatus.GONE}}).encode()
"""What makes kopf list everything again, and watch from there."""


class Expired:
    """An answer to a watch, as far as kopf looks at it, after which it lists everything again."""

    status: Final = HTTPStatus.OK

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """There is no connection to give back."""

    @property
    def content(self) -> Self:
        """What kopf reads lines from."""
        return self

    async def iter_chunked(self, _size: int) -> AsyncIterator[bytes]:
        """The lines of the answer."""
        yield EXPIRED + b"\n"

    def close(self) -> None:
        """There is no connection to close."""


class Stream:
    """An answer as far as kopf looks at it.

    Args:
        response: The answer of the API server.
        take_in: Where the changes go.
    """

    def __init__(self, response: aiohttp.ClientResponse, take_in: TakeIn) -> None:
        self._response = response
        self._take_in = take_in
        self._opened = asyncio.get_running_loop().time()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 everything else that an answer has
        return getattr(self._response, name)

    async def __aenter__(self) -> Self:
        await self._response.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._response.__aexit__(None, None, None)

    @property
    def content(self) -> Self:
        """What kopf reads lines from."""
        return self

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        """The lines of the answer, with bookmarks instead of changes."""
        loop, rest = asyncio.get_running_loop(), b""
        try:
            async for chunk in self._response.content.iter_chunked(size):
                began = loop.time()
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    yield self._taken(line) + b"\n"
                    if loop.time() - began > SLICE_SECONDS:
                        await asyncio.sleep(0)
                        began = loop.time()
            yield self._taken(rest)
        except aiohttp.ClientError:
            await self._rest()
            raise
        await self._rest()

    async def _rest(self) -> None:
        """Wait until the next stream may begin."""
        await asyncio.sleep(self._opened + SHORTEST_SECONDS - asyncio.get_running_loop().time())

    def _taken(self, line: bytes) -> bytes:
        """A bookmark for a change, `EXPIRED` for an error or what makes no sense, any other line as it is."""
        if not line.strip():
            return line
        try:
            event = read_json(line)
            verb, manifest = event["type"], event["object"]
            if verb == "ERROR":
                return _expired(manifest.get("code"))
            version = str(manifest["metadata"]["resourceVersion"])
        except (ValueError, KeyError, TypeError, AttributeError):
            return _expired("a line that is not a change")
        if verb not in CHANGES:
            return line
        try:
            self._take_in(verb, manifest)
        except Exception:  # a bug; the next change of the object, or the next list, may fare better
            logger.exception("Failed to take in a change of %s", manifest["metadata"].get("name"))
        return json.dumps({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": version}}}).encode()


def _expired(why: object) -> bytes:
    if why != HTTPStatus.GONE:
        logger.warning("A watch ended (%s); its objects are listed again", why)
    return EXPIRED
