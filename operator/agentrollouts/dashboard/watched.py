"""The objects of one kind that the reader may see, kept current by one watch, however many tabs are open."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple

from agentrollouts.dashboard.api import NAMES_ONLY, OURS, WHOLE, Api, ApiError, Manifest

SHORTEST_SECONDS: Final = 0.5
LONGEST_SECONDS: Final = 10.0
"""Between two tries while the API server does not answer."""


class Name(NamedTuple):
    """Where an object is."""

    namespace: str
    name: str


class Selection(NamedTuple):
    """What is watched."""

    kind: str
    """The plural, such as `agentrollouts`."""
    namespace: str | None = None
    """None for all that the reader may see."""
    name: str | None = None
    """None for all."""


class Problem(NamedTuple):
    """Why what is shown may be old."""

    since: datetime
    sentence: str
    code: int


class Watched:
    """All objects of one kind of ours.

    Args:
        api: The API server.
        selection: Which.
        news: Notified of each change; shared by all that a page shows.
        fallback: The namespace if the reader may not see all; None if they get the refusal.
        is_whole: Whether the objects are needed; if not, they have metadata alone.
    """

    def __init__(
        self,
        api: Api,
        selection: Selection,
        news: asyncio.Condition,
        *,
        fallback: str | None = None,
        is_whole: bool = True,
    ) -> None:
        self._api = api
        self._kind, self._namespace, name = selection
        self._query = {"fieldSelector": f"metadata.name={name}"} if name else {}
        self._is_whole = is_whole
        self._fallback = fallback
        self._objects: dict[Name, Manifest] = {}
        self._news = news
        self.is_read = False
        """Whether the objects were read once."""
        self.problem: Problem | None = None
        """Why they may be old; None while the watch stands."""

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
                if error.code == 403 and self._namespace is None and self._fallback:  # noqa: PLR2004 Forbidden
                    self._namespace = self._fallback
                    continue
                if error.code != 410:  # noqa: PLR2004 Gone: the version is too old, so all is read again
                    await self._is_down(error)
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, LONGEST_SECONDS)

    async def _read(self) -> str:
        """Everything as it is now, and its version."""
        accept = WHOLE if self._is_whole else NAMES_ONLY.format("List")
        listed = await self._api.get(path_of(self._kind, self._namespace), accept=accept, **self._query)
        async with self._news:
            self._objects = {_name(each): each for each in listed.get("items") or ()}
            self.is_read, self.problem = True, None
            self._news.notify_all()
        return str(listed["metadata"]["resourceVersion"])

    async def _follow(self, version: str) -> None:
        accept = WHOLE if self._is_whole else NAMES_ONLY.format("")
        path = path_of(self._kind, self._namespace)
        async for event in self._api.watch(path, version, accept=accept, **self._query):
            manifest = event["object"]
            if event["type"] == "ERROR":
                raise ApiError(str(manifest.get("message")), int(manifest.get("code") or 500))
            async with self._news:
                if event["type"] == "DELETED":
                    self._objects.pop(_name(manifest), None)
                else:
                    self._objects[_name(manifest)] = manifest
                self._news.notify_all()

    async def _is_down(self, error: ApiError) -> None:
        async with self._news:
            if not self.problem or self.problem.code != error.code:
                since = self.problem.since if self.problem else datetime.now(UTC)
                self.problem = Problem(since, str(error), error.code)
                self._news.notify_all()


async def until(news: asyncio.Condition, is_due: Callable[[], bool], seconds: float) -> bool:
    """Wait for something to become true of what is watched; False after so many seconds."""
    async with news:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await news.wait_for(is_due)
        return is_due()


def path_of(kind: str, namespace: str | None) -> str:
    """Where the objects of a kind are: those of a namespace, or None for all."""
    return f"{OURS}/namespaces/{namespace}/{kind}" if namespace else f"{OURS}/{kind}"


def _name(manifest: Manifest) -> Name:
    return Name(manifest["metadata"]["namespace"], manifest["metadata"]["name"])
