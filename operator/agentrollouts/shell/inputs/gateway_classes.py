"""The classes of Gateways, read in the background, so that no decision waits for one.

Used only if the settings name classes. A result is kept for a minute. An outdated one is used until the new
one is there, and a change triggers a new decision.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple, Protocol

from agentrollouts.adapters.cluster.errors import ClusterError
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.core.rollout.permits import NOT_YET, Unread

GATEWAY: Final = "Gateway"
KEPT_SECONDS: Final = 60.0
WAIT_SECONDS: Final = 1.0
"""How long the first decision about a new Gateway waits for its class."""
MOST: Final = 1_000
"""Names of Gateways that are remembered; a tenant can name any number that do not exist."""
RETRY_SECONDS: Final = 10.0
"""When a Gateway that could not be read is read again."""


class Reader(Protocol):
    """The API server as needed here; `adapters.cluster.client.Cluster` implements it."""

    async def get(self, ref: Ref) -> Manifest | None:
        """The object, or None when there is none. Raises `ClusterError`."""


class _Cached(NamedTuple):
    value: str | Unread
    due: float


class GatewayClasses:
    """The class of each Gateway that a rollout names.

    Args:
        cluster: Where Gateways are read.
        mark: Called with each rollout whose decision could be another one now.
    """

    def __init__(self, cluster: Reader, mark: Callable[[Ref], None]) -> None:
        self._cluster = cluster
        self._mark = mark
        self._cached: dict[Ref, _Cached] = {}
        self._askers: defaultdict[Ref, set[Ref]] = defaultdict(set)
        self._tried: defaultdict[Ref, asyncio.Event] = defaultdict(asyncio.Event)
        self._tasks: dict[Ref, asyncio.Task[None]] = {}

    def find(self, gateway: Ref, asker: Ref) -> str | Unread:
        """The class as last read; where that is out of date, it is read, and a change marks the asker."""
        cached, now = self._cached.get(gateway), asyncio.get_running_loop().time()
        self._askers[gateway].add(asker)
        if gateway not in self._tasks and (cached is None or cached.due <= now):
            self._tasks[gateway] = asyncio.create_task(self._read(gateway), name=f"class of {gateway}")
        return NOT_YET if cached is None else cached.value

    async def first(self, gateways: Iterable[Ref], asker: Ref) -> None:
        """Wait until each has been tried once, or for as long as a decision may wait."""
        unknown = [gateway for gateway in gateways if self.find(gateway, asker) is NOT_YET]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WAIT_SECONDS):
                for gateway in unknown:
                    await self._tried[gateway].wait()

    def close(self) -> None:
        """Stop reading."""
        for task in self._tasks.values():
            task.cancel()

    async def _read(self, gateway: Ref) -> None:
        """Read until there is a result, for as long as a rollout needs it."""
        try:
            while askers := self._askers.pop(gateway, None):
                before, value = self._cached.get(gateway), await self._class_of(gateway)
                self._remember(gateway, value)
                if isinstance(value, Unread) or before is None or before.value != value:
                    for asker in askers:
                        self._mark(asker)
                if isinstance(value, str):
                    break
                await asyncio.sleep(RETRY_SECONDS)
        finally:
            del self._tasks[gateway]

    def _remember(self, gateway: Ref, value: str | Unread) -> None:
        """Take in a class. Of too many names, the one that was read longest ago is forgotten."""
        self._cached.pop(gateway, None)
        self._cached[gateway] = _Cached(value, asyncio.get_running_loop().time() + KEPT_SECONDS)
        self._tried[gateway].set()
        if len(self._cached) > MOST:
            oldest = next(name for name in self._cached if name not in self._tasks or name == gateway)
            del self._cached[oldest], self._tried[oldest]

    async def _class_of(self, gateway: Ref) -> str | Unread:
        cached = self._cached.get(gateway)
        try:
            manifest = await self._cluster.get(gateway)
        except ClusterError as error:
            if cached is not None and isinstance(cached.value, str):
                return cached.value  # an API server that does not answer says nothing about the class
            return Unread(f"cannot be read ({error})")
        if manifest is None:
            return Unread("does not exist")
        return str((manifest.get("spec") or {}).get("gatewayClassName") or "")
