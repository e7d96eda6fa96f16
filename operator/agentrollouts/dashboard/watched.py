"""The objects of one kind that the reader may see, kept current by one watch, however many tabs are open."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple

from agentrollouts.dashboard.api import OURS, Api, ApiError, Manifest

SHORTEST_SECONDS: Final = 0.5
LONGEST_SECONDS: Final = 10.0
"""Between two tries while the API server does not answer."""


class Name(NamedTuple):
    """Where an object is."""

    namespace: str
    name: str


class Watched:
    """All objects of one kind of ours.

    Args:
        api: The API server.
        kind: The plural, such as `agentrollouts`.
        namespace: The only namespace to look at, or None for all that the reader may see.
        fallback: The namespace if the reader may not see all.
        news: Notified of each change; shared by all that a page shows.
    """

    def __init__(
        self, api: Api, kind: str, namespace: str | None, fallback: str, news: asyncio.Condition
    ) -> None:
        self._api = api
        self._kind = kind
        self._namespace = namespace
        self._fallback = fallback
        self._objects: dict[Name, Manifest] = {}
        self._news = news
        self.is_read = False
        """Whether the objects were read once."""
        self.problem = ""
        """Why they may be old, with the time since when; empty while the watch stands."""

    @property
    def objects(self) -> Mapping[Name, Manifest]:
        """The newest version of each."""
        return self._objects

    @property
    def scope(self) -> str | None:
        """The namespace that is looked at; None for all."""
        return self._namespace

    async def run(self) -> None:
        """Read and watch until this is canceled."""
        pause = SHORTEST_SECONDS
        while True:
            try:
                version = await self._read()
                pause = SHORTEST_SECONDS
                await self._follow(version)
                await asyncio.sleep(SHORTEST_SECONDS)  # if the API server ends each watch at once
            except ApiError as error:
                if error.code == 403 and self._namespace is None:  # noqa: PLR2004 Forbidden
                    self._namespace = self._fallback
                    continue
                if error.code != 410:  # noqa: PLR2004 Gone: the version is too old, so all is read again
                    await self._is_down(str(error))
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, LONGEST_SECONDS)

    async def _read(self) -> str:
        """Everything as it is now, and its version."""
        listed = await self._api.get(_path(self._kind, self._namespace))
        async with self._news:
            self._objects = {_name(each): each for each in listed.get("items") or ()}
            self.is_read, self.problem = True, ""
            self._news.notify_all()
        return str(listed["metadata"]["resourceVersion"])

    async def _follow(self, version: str) -> None:
        async for event in self._api.watch(_path(self._kind, self._namespace), version):
            manifest = event["object"]
            if event["type"] == "ERROR":
                raise ApiError(str(manifest.get("message")), int(manifest.get("code") or 500))
            async with self._news:
                if event["type"] == "DELETED":
                    self._objects.pop(_name(manifest), None)
                else:
                    self._objects[_name(manifest)] = manifest
                self._news.notify_all()

    async def _is_down(self, sentence: str) -> None:
        async with self._news:
            if not self.problem:
                self.problem = f"no answer since {datetime.now(UTC):%H:%M:%S} UTC: {sentence}"
                self._news.notify_all()


async def until(news: asyncio.Condition, is_due: Callable[[], bool], seconds: float) -> bool:
    """Wait for something to become true of what is watched; False after so many seconds."""
    async with news:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await news.wait_for(is_due)
        return is_due()


def _path(kind: str, namespace: str | None) -> str:
    return f"{OURS}/namespaces/{namespace}/{kind}" if namespace else f"{OURS}/{kind}"


def _name(manifest: Manifest) -> Name:
    return Name(manifest["metadata"]["namespace"], manifest["metadata"]["name"])
