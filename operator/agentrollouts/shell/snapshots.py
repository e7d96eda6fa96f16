"""The snapshots of an agent, read once for each version of them.

Between the cache and the observers: a decision about an agent with a thousand old releases reads a thousand
heads.
"""

from collections import OrderedDict
from typing import Final

from agentrollouts.adapters.cluster.resources import Ref
from agentrollouts.core.release.snapshot import Snapshot
from agentrollouts.shell.cache import Cache

REMEMBERED: Final = 4096
"""Snapshots that are kept as read, of 2 KiB each."""


class Snapshots:
    """Heads of the snapshots in a cache."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._read: OrderedDict[Ref, tuple[int, Snapshot | None]] = OrderedDict()
        """The newest version of each, as read."""

    def of(self, namespace: str, agent: str) -> tuple[Snapshot, ...]:
        """All ConfigMaps of an agent, whether or not they contain what their name says."""
        versions = self._cache.snapshots_of(namespace, agent)
        return tuple(snapshot for entry in versions.items() if (snapshot := self._head(*entry)))

    def _head(self, key: Ref, version: int) -> Snapshot | None:
        cached = self._read.get(key)
        if cached is None or cached[0] != version:
            manifest = self._cache.get(key)
            if cached is None and len(self._read) >= REMEMBERED:
                self._read.popitem(last=False)
            cached = version, Snapshot.read(manifest) if manifest else None
            self._read[key] = cached
        return cached[1]
