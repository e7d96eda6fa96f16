"""The snapshots of an agent; where there are many, each is read once for each version.

Part of the cache. A decision about an agent with a thousand old releases reads a thousand heads, whether it
is about the rollout or about one of the releases.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.core.release.snapshot import Snapshot

FEW: Final = 4
"""If an agent has at most this many snapshots, each pass reads them: keeping them would take 5 KiB each."""
REMEMBERED: Final = 4096
"""Snapshots that are kept as read, of 5 KiB each."""


class Heads:
    """The newest version of each snapshot.

    Args:
        manifest_of: The manifest of an object; None if there is none.
    """

    def __init__(self, manifest_of: Callable[[Ref], Manifest | None]) -> None:
        self._manifest_of = manifest_of
        self._read: OrderedDict[Ref, tuple[int, Snapshot | None]] = OrderedDict()

    def of(self, versions: Mapping[Ref, int]) -> Iterator[Snapshot]:
        """Those of these ConfigMaps, each with its version, that can be read as snapshots."""
        are_few = len(versions) <= FEW
        for key, version in versions.items():
            snapshot = self._head(key) if are_few else self._remembered(key, version)
            if snapshot is not None:
                yield snapshot

    def _head(self, key: Ref) -> Snapshot | None:
        manifest = self._manifest_of(key)
        return Snapshot.read(manifest) if manifest else None

    def _remembered(self, key: Ref, version: int) -> Snapshot | None:
        cached = self._read.get(key)
        if cached is None or cached[0] != version:
            if cached is None and len(self._read) >= REMEMBERED:
                self._read.popitem(last=False)
            cached = version, self._head(key)
            self._read[key] = cached
        return cached[1]
