"""The limits that concern releases: how many a namespace may have, and how large all their bundles may be."""

from typing import NamedTuple

from agentrollouts.adapters.cluster.resources import Ref
from agentrollouts.core.effects import Problem
from agentrollouts.core.release.permits import too_many
from agentrollouts.settings.settings import Settings
from agentrollouts.shell.cache import Cache
from agentrollouts.shell.permits.waiting import Mark, Places, Rooms
from agentrollouts.shell.relations import RELEASE


class ReleasePermit(NamedTuple):
    """What a release without a snapshot may have."""

    refused: Problem | None
    """Why it may have none; None if it may."""
    room: int
    """Bytes that its bundle can have."""
    limit: str
    """What limits these bytes, in words."""


class ReleasePermits:
    """How many releases a tenant may have, and of what size.

    Args:
        settings: As last found good.
        cache: Knows all releases and snapshots of a namespace.
        mark: Has a release looked at.
    """

    def __init__(self, settings: Settings, cache: Cache, mark: Mark) -> None:
        self._limits = settings.limits
        self._cache = cache
        self._places = Places(RELEASE, cache, mark, settings.limits.releases_per_namespace)
        self.rooms = Rooms(RELEASE, cache, mark, self._room)

    def replace(self, settings: Settings) -> None:
        """Use these settings from now on."""
        self._limits = settings.limits
        self._places.replace(settings.limits.releases_per_namespace)
        self.rooms.give_all()

    def examine(self, key: Ref) -> ReleasePermit:
        """What stands against one more release. One that has no place is looked at once it has."""
        refused = None
        if not self._places.take(key):
            most = self._limits.releases_per_namespace
            refused = too_many(RELEASE, "releasesPerNamespace", key.namespace, most)
        largest = self._limits.release_bytes_per_namespace
        limit = f"limits.releaseBytesPerNamespace in the operator's settings is {largest:,}"
        return ReleasePermit(refused, self._room(key.namespace), limit)

    def leave(self, key: Ref) -> None:
        """A release is gone."""
        self._places.leave(key)
        self.rooms.leave(key)
        self.rooms.end_turn(key)

    def give(self, namespace: str) -> None:
        """Something has changed in a namespace: look at the releases for which there is a place, or room."""
        self._places.give(namespace)
        self.rooms.give(namespace)

    def _room(self, namespace: str) -> int:
        return self._limits.release_bytes_per_namespace - self._cache.bundle_bytes(namespace)
