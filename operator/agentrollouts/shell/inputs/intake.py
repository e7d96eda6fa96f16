"""The one door through which the world comes in: into the cache, and what it touches is marked dirty.

Used alike by the watch, by the lists at start, and by `act` for the answers to our own writes.
"""

from collections.abc import Callable, Iterable

from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.core.rollout.snapshots.facts import with_own_facts
from agentrollouts.shell.cache import Cache, version_of
from agentrollouts.shell.index.groups import Woken
from agentrollouts.shell.relations import ACTION, FREEZE, RELEASE, ROLLOUT, frozen, is_answered, rollout_of
from agentrollouts.shell.workqueue import WorkQueue


class Intake:
    """Feeds the cache and the queue.

    Args:
        cache: What is known.
        queue: What has to be looked at next.
    """

    def __init__(self, cache: Cache, queue: WorkQueue[Ref]) -> None:
        self._cache = cache
        self._queue = queue
        self._followers: list[Callable[[str], None]] = []

    def follow(self, changed: Callable[[str], None]) -> None:
        """Call this with the namespace of each change from now on."""
        self._followers.append(changed)

    def put(self, manifest: Manifest) -> None:
        """An object as in `manifest`; no effect if that is not news."""
        manifest = with_own_facts(manifest)
        key = Ref.of(manifest)
        beside, wish, claim = self._cache.beside(manifest), self._cache.wish(key), self._cache.claim(key)
        freeze = self._cache.get(key) if key.kind == FREEZE else None
        if key.kind == ACTION and is_answered(manifest):
            self._cache.answered.add(manifest)
        if self._cache.put(manifest):
            urgent = key if wish is not None and wish != self._cache.wish(key) else None
            if key.kind == ACTION:
                urgent = Ref(ROLLOUT, key.namespace, rollout_of(manifest))
            self._mark(manifest, beside, urgent, is_claim_new=claim != self._cache.claim(key))
            if key.kind == FREEZE and (freeze is None or freeze.get("spec") != manifest.get("spec")):
                self._mark_frozen(*(each for each in (freeze, manifest) if each))
        if key.kind == ROLLOUT and self._cache.version(key) == version_of(manifest):
            self._wake(self._cache.groups.put(key, manifest))

    def put_unseen(self, manifest: Manifest) -> None:
        """An object was read by name that the watch does not show, as it has lost our label."""
        if self._cache.put_unseen(manifest):
            self._mark(manifest, ())

    def drop(self, manifest: Manifest) -> None:
        """An object is gone."""
        beside, freeze = self._cache.beside(manifest, is_gone=True), self._cache.get(Ref.of(manifest))
        if manifest["kind"] == ACTION:
            self._cache.answered.remove(manifest)
        if self._cache.drop(manifest):
            self._mark(manifest, beside)
            self._wake(self._cache.groups.remove(Ref.of(manifest)))
            if manifest["kind"] == FREEZE:
                self._mark_frozen(freeze or manifest)

    def look_at_all(self) -> None:
        """Something that every rollout and release depends on has changed, such as the settings."""
        for kind in (ROLLOUT, RELEASE):
            for key in self._cache.versions(kind, None):
                self._queue.mark(key)

    def _wake(self, siblings: Woken) -> None:
        """Mark the other members of a group, at once if one of them has rolled back."""
        for key in siblings.keys:
            self._queue.mark(key, is_urgent=siblings.is_urgent)

    def _mark_frozen(self, *versions: Manifest) -> None:
        """Mark what a freeze was about, and is about now; what is at rest has no business with it."""
        for key in {
            key for freeze in versions for key in frozen(freeze, self._cache.keys_of, self._cache.home)
        }:
            self._queue.mark(key)

    def _mark(
        self,
        manifest: Manifest,
        beside: Iterable[Ref],
        urgent: Ref | None = None,
        *,
        is_claim_new: bool = True,
    ) -> None:
        """Mark everything that is touched; a rollout of which a person wants something new is urgent."""
        for key in (*self._cache.touched_by(manifest, is_claim_new=is_claim_new), *beside):
            self._queue.mark(key, is_urgent=key == urgent)
        for changed in self._followers:
            changed(manifest["metadata"]["namespace"])
