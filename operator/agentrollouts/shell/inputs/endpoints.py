"""Follows the endpoints of the Services that attempts with traffic depend on; an input like any other.

Between the API server and the queue. A decision names the Services (`follow`); what is known of them is read
by `observe`, and what changes marks their rollouts dirty. Many Services share a stream, so that a thousand
attempts need a handful of connections, and at rest there is none. A stream that breaks makes its Services
unknown, which decides nothing, until they are listed again.
"""

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import aclosing, suppress
from contextvars import Context
from typing import Final, NamedTuple, Protocol

from agentrollouts.adapters.cluster.errors import ClusterError, ForbiddenError
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.adapters.cluster.watch import Change
from agentrollouts.core.traffic.endpoints import has_ready_endpoint

logger = logging.getLogger(__name__)

KIND: Final = "EndpointSlice"
SERVICE_LABEL: Final = "kubernetes.io/service-name"

SELECTOR_MAX: Final = 6_000
"""Characters of the names in a selector; proxies before an API server take request lines of 8 KiB."""
GATHERING: Final = 0.05
"""Seconds for which further Services are waited for before a stream begins: attempts begin in crowds."""
GATHERING_LAST: Final = 1.0
"""The same where Services keep coming, up to this: each beginning lists all of the stream's Services, and
what one tenant begins must not keep listing those of others."""
STREAM_SECONDS: Final = (25, 35)
"""How long a stream lasts, at random between the two; a stall cannot last longer unnoticed."""
PAUSE_FIRST: Final = 0.25
PAUSE_LAST: Final = 1.0
"""Seconds before a broken stream is begun again; twice as long each time, up to this."""
PAUSE_FORBIDDEN: Final = 30.0
"""The same where the right to watch is missing, which a moment does not cure."""


class Place(NamedTuple):
    """A Service."""

    namespace: str
    service: str


class Slices(Protocol):
    """The API server as needed here; `adapters.cluster.watch.WatchingCluster` implements it."""

    async def listing(self, kind: str, namespace: str | None, selector: str) -> tuple[list[Manifest], str]:
        """The objects that the selector matches, and the version to watch from. Raises `ClusterError`."""

    def changes(
        self, kind: str, namespace: str | None, selector: str, *, version: str, seconds: int
    ) -> AsyncGenerator[Change, None]:
        """What changes after that version. Raises `ClusterError`."""


class EndpointWatch:
    """The Services that are followed, and whether each has a ready endpoint.

    Args:
        cluster: API server to watch.
        changed: Called for every rollout whose Services have changed.
        namespaces: Those of the settings, each watched separately; if empty, all are watched together.
    """

    def __init__(
        self, cluster: Slices, changed: Callable[[Ref], None], namespaces: tuple[str, ...] = ()
    ) -> None:
        self._cluster = cluster
        self._changed = changed
        self._is_scoped = bool(namespaces)
        self._followed: dict[Ref, frozenset[Place]] = {}
        self._users: dict[Place, set[Ref]] = {}
        self._streams: dict[Place, _Stream] = {}
        self._open: list[_Stream] = []

    def readiness(self, namespace: str, services: Iterable[str]) -> dict[str, bool | None]:
        """What is known of these Services; without those that were not listed yet."""
        places = (Place(namespace, service) for service in services)
        return {
            place.service: stream.ready[place]
            for place in places
            if (stream := self._streams.get(place)) and place in stream.ready
        }

    def follow(self, key: Ref, services: frozenset[str]) -> None:
        """Follow these Services for the rollout from now on; to say the same again changes nothing."""
        before = self._followed.get(key, frozenset())
        after = frozenset(Place(key.namespace, service) for service in services)
        if before == after:
            return
        self._followed[key] = after
        if not after:
            del self._followed[key]
        for place in after - before:
            self._enter(place, key)
        for place in before - after:
            self._leave(place, key)

    def close(self) -> None:
        """Stop watching."""
        for key in tuple(self._followed):
            self.follow(key, frozenset())

    def _enter(self, place: Place, key: Ref) -> None:
        self._users.setdefault(place, set()).add(key)
        if place in self._streams:
            return
        scope = place.namespace if self._is_scoped else None
        stream = next((candidate for candidate in self._open if candidate.has_room(scope, place)), None)
        if stream is None:
            stream = _Stream(self._cluster, scope, self._tell)
            self._open.append(stream)
        self._streams[place] = stream
        stream.enter(place)

    def _leave(self, place: Place, key: Ref) -> None:
        self._users[place].discard(key)
        if not self._users[place]:
            del self._users[place]
            stream = self._streams.pop(place)
            if not stream.leave(place):
                self._open.remove(stream)

    def _tell(self, place: Place) -> None:
        for key in self._users.get(place, ()):
            self._changed(key)


class _Stream:
    """One list and watch after the other, for as many Services as a selector can name."""

    def __init__(self, cluster: Slices, scope: str | None, changed: Callable[[Place], None]) -> None:
        self.ready: dict[Place, bool | None] = {}
        """Whether each Service has a ready endpoint; None if that is not known now."""
        self._cluster = cluster
        self._scope = scope
        self._changed = changed
        self._places: set[Place] = set()
        self._slices: dict[tuple[str, str], tuple[Place, bool]] = {}
        """Of each slice, by namespace and name: its Service, and whether it has a ready endpoint."""
        self._entered = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def has_room(self, scope: str | None, place: Place) -> bool:
        """Whether one more Service can be followed by this stream."""
        names = {place.service, *(other.service for other in self._places)}
        return scope == self._scope and sum(len(name) + 3 for name in names) <= SELECTOR_MAX

    def enter(self, place: Place) -> None:
        """Follow one more Service; it is known once it was listed."""
        self._places.add(place)
        self._entered.set()
        if self._task is None:
            name, nobodys = f"endpoints in {self._scope or 'all'}", Context()  # it serves many namespaces
            self._task = asyncio.create_task(self._run(), name=name, context=nobodys)

    def leave(self, place: Place) -> bool:
        """Follow a Service no longer; the last one ends the stream. Whether any is left."""
        self._places.discard(place)
        self.ready.pop(place, None)
        if not self._places and self._task is not None:
            self._task.cancel()
            self._task = None
        return bool(self._places)

    async def _run(self) -> None:
        pause, gathering, loop = PAUSE_FIRST, GATHERING, asyncio.get_running_loop()
        while True:
            try:
                await asyncio.sleep(gathering)
                self._entered.clear()
                selector, began = self._selector(), loop.time()
                version = await self._list(selector)
                pause = PAUSE_FIRST
                await self._watch_until_entered(selector, version)
                is_calm = loop.time() > began + GATHERING_LAST
                gathering = GATHERING if is_calm else min(2 * gathering, GATHERING_LAST)
            except ClusterError as error:
                logger.info("Endpoints are unknown for now: %s", error)
                self._lose()
                await asyncio.sleep(PAUSE_FORBIDDEN if isinstance(error, ForbiddenError) else pause)
                pause = min(2 * pause, PAUSE_LAST)
            except Exception:  # a bug; what is not known decides nothing
                logger.exception("Failed to watch endpoints")
                self._lose()
                await asyncio.sleep(PAUSE_LAST)

    def _selector(self) -> str:
        names = sorted({place.service for place in self._places})
        return f"{SERVICE_LABEL} in ({','.join(names)})"

    async def _list(self, selector: str) -> str:
        followed = set(self._places)
        slices, version = await self._cluster.listing(KIND, self._scope, selector)
        self._slices = {}
        for manifest in slices:
            self._keep(manifest)
        self._settle(followed & self._places)
        return version

    async def _watch_until_entered(self, selector: str, version: str) -> None:
        """Apply changes until another Service must be watched as well."""
        watching = asyncio.create_task(self._watch(selector, version))
        entered = asyncio.create_task(self._entered.wait())
        try:
            await asyncio.wait({watching, entered}, return_when=asyncio.FIRST_COMPLETED)
            if watching.done():
                watching.result()
        finally:
            for task in (watching, entered):
                task.cancel()
                with suppress(asyncio.CancelledError, ClusterError):
                    await task

    async def _watch(self, selector: str, version: str) -> None:
        while True:
            seconds = random.randint(*STREAM_SECONDS)
            begun = version
            stream = self._cluster.changes(KIND, self._scope, selector, version=version, seconds=seconds)
            async with aclosing(stream):
                async for verb, manifest in stream:
                    version = str(manifest["metadata"]["resourceVersion"])
                    if verb != "BOOKMARK":
                        self._settle(self._drop(manifest) if verb == "DELETED" else self._keep(manifest))
            if version == begun:
                await asyncio.sleep(PAUSE_FIRST)  # not faster than that, where streams end at once

    def _keep(self, manifest: Manifest) -> set[Place]:
        """Take in a slice; the answer are the Services that it was and is of."""
        metadata = manifest["metadata"]
        place = Place(metadata["namespace"], (metadata.get("labels") or {}).get(SERVICE_LABEL, ""))
        touched = self._drop(manifest) | {place}
        if place not in self._places:  # of the same name in a namespace that does not matter
            return touched
        self._slices[metadata["namespace"], metadata["name"]] = place, has_ready_endpoint(manifest)
        return touched

    def _drop(self, manifest: Manifest) -> set[Place]:
        metadata = manifest["metadata"]
        dropped = self._slices.pop((metadata["namespace"], metadata["name"]), None)
        return {dropped[0]} if dropped else set()

    def _settle(self, touched: Iterable[Place]) -> None:
        """Find out again whether these Services have a ready endpoint, and tell where that is news."""
        places = {place for place in touched if place in self._places}
        ready = {place for place in self._ready_places() if place in places}
        for place in places:
            news = place in ready
            if place not in self.ready or self.ready[place] is not news:
                self.ready[place] = news
                self._changed(place)

    def _ready_places(self) -> Iterator[Place]:
        return (place for place, is_ready in self._slices.values() if is_ready)

    def _lose(self) -> None:
        """Nothing is known; no decision is needed for that."""
        self.ready = dict.fromkeys(self._places)
