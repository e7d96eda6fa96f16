"""The answer to a watch, whose changes are taken in as they are read; kopf gets their versions alone.

kopf starts a task for each change of an object, and reads the next change a turn of the event loop later. A
turn has a step of each pass that is in progress. So while one tenant changed 200 objects a second, the change
of another waited for up to a second. kopf still opens the stream, keeps it alive and begins again where it
broke; for that, it needs to know how far it has come.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
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


class Stream:
    """An answer as far as kopf looks at it.

    Args:
        response: The answer of the API server.
        take_in: Where the changes go.
    """

    def __init__(self, response: aiohttp.ClientResponse, take_in: TakeIn) -> None:
        self._response = response
        self._take_in = take_in

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
        async for chunk in self._response.content.iter_chunked(size):
            began = loop.time()
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield self._taken(line) + b"\n"
                if loop.time() - began > SLICE_SECONDS:
                    await asyncio.sleep(0)
                    began = loop.time()
        yield rest

    def _taken(self, line: bytes) -> bytes:
        """A bookmark for a change; any other line as it is, also one that makes no sense: kopf reports it."""
        try:
            event = read_json(line)
            verb, manifest = event["type"], event["object"]
            version = str(manifest["metadata"]["resourceVersion"])
        except (ValueError, KeyError, TypeError):
            return line
        if verb not in CHANGES:
            return line
        try:
            self._take_in(verb, manifest)
        except Exception:  # a bug; the next change of the object, or the next list, may fare better
            logger.exception("Failed to take in a change of %s", manifest["metadata"].get("name"))
        return json.dumps({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": version}}}).encode()
