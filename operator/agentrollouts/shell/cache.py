"""The last known state of every object that we watch, which `observe` reads instead of asking.

Between the watch and the queue. Watch events, the answers to our own writes, and the lists at start all end
here; the newest resource version wins, so their order does not matter, and a write of ours is seen by the
next decision even if its watch event is late.

Objects are kept packed: ten thousand rollouts with everything that belongs to them are small then, the
garbage collector has nothing of them to walk through, and what `get` gives is the caller's own.

What a tenant makes is bounded here. Only what decisions read is remembered; of an object that is still large,
or of one more than its namespace has room for, only an outline, and the object is read where it is needed.
"""

from collections import Counter, OrderedDict
from collections.abc import Hashable, Iterable, Iterator
from itertools import islice
from typing import Final

from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.core.release.snapshot import Snapshot
from agentrollouts.core.traffic.conflicts import NAMED
from agentrollouts.core.traffic.manifests import ROUTES
from agentrollouts.core.traffic.routers import table
from agentrollouts.shell.ages import Ages
from agentrollouts.shell.answered import AnsweredActions
from agentrollouts.shell.index.groups import Groups
from agentrollouts.shell.relations import (
    ACTION,
    CLAIM,
    CONFIG_MAP,
    RELEASE,
    ROLLOUT,
    concerned,
    door_numbers,
    is_answered,
    lasting,
    touched,
)
from agentrollouts.shell.remembered import NAMESPACE_BYTES, Stored, claimed, packed, unpacked
from agentrollouts.shell.snapshots import Heads

TOMBSTONES: Final = 10_000
"""How many deletions are remembered, so that a late event cannot bring an object back."""

LIMITED: Final = {RELEASE, ROLLOUT}
"""Kinds of which the settings limit how many a namespace may have."""

NEIGHBORS: Final = NAMED + 1
"""How many routes at one door are looked at: enough to name them, or to say that there are more. All rollouts
of a namespace may use one hostname, and looking at all of them each time would not end."""


class Cache:
    """Objects by key, with an index of what belongs together."""

    def __init__(self, home: str | None = None) -> None:
        self.home = home  # namespace of the operator, whose freezes are about others; None if it has none
        self._objects: dict[Ref, Stored] = {}
        self._gone: OrderedDict[Ref, int] = OrderedDict()
        self._index: dict[Hashable, Ref | set[Ref]] = {}
        """A set only where there are several: ten thousand sets of one are two megabytes."""
        self._used: Counter[str] = Counter()
        """Packed bytes by namespace."""
        self._bundles: Counter[str] = Counter()
        """Bytes of all bundles by namespace."""
        self._heads = Heads(self.get)
        self.unserved: set[str] = set()
        """Kinds that the API server did not know at the last request."""
        self.ages, self.answered, self.groups = Ages(), AnsweredActions(), Groups()

    def get(self, key: Ref) -> Manifest | None:
        """What is remembered of the object, or None if none is known."""
        return unpacked(self._objects[key]) if key in self._objects else None

    def version(self, key: Ref) -> int | None:
        """The version of the object that is remembered, or None if none is known."""
        return self._objects[key].version if key in self._objects else None

    def is_outline(self, key: Ref) -> bool:
        """Whether only the outline of an object is remembered, so that it has to be read."""
        return key in self._objects and self._objects[key].is_outline

    def is_urgent(self, key: Ref) -> bool:
        """Whether a look at an object cannot wait; settling a rollout that is gone cannot."""
        return self._objects[key].is_urgent if key in self._objects else key.kind == ROLLOUT

    def wish(self, key: Ref) -> int | None:
        """What people ask of a rollout, as a number that changes with it; None if it is not known."""
        return self._objects[key].wish if key in self._objects else None

    def claim(self, key: Ref) -> object:
        """What of a rollout concerns other rollouts, for comparison; None if it is not known."""
        stored = self._objects.get(key)
        return None if stored is None else (stored.claim, lasting(stored.entries))

    def put(self, manifest: Manifest) -> bool:
        """Take in an object; False if nothing has changed in it that decisions read."""
        key, version = Ref.of(manifest), version_of(manifest)
        stored = self._objects.get(key)
        if (stored is not None and stored.version >= version) or self._gone.get(key, 0) >= version:
            return False
        if key.kind == ACTION and is_answered(manifest):  # no decision reads more of it than `answered` has
            return stored is not None and self.drop(manifest)
        self._remove(key)
        self._gone.pop(key, None)
        news = packed(key, version, manifest, NAMESPACE_BYTES - self._used[key.namespace])
        self._objects[key] = news
        self._used[key.namespace] += len(news.packed)
        self._bundles[key.namespace] += news.size
        if key.kind in LIMITED:
            self.ages.add(key, news.made)
        for entry in news.entries:
            self._note(entry, key)
        return stored is None or news.is_outline or stored.packed != news.packed

    def put_unseen(self, manifest: Manifest) -> bool:
        """Take in an object that was read by name, though the watch called it gone when it lost our label."""
        key = Ref.of(manifest)
        if self._gone.get(key) == version_of(manifest):
            del self._gone[key]
        return self.put(manifest)

    def drop(self, manifest: Manifest) -> bool:
        """Take in that an object is gone; False if a newer one of that name is known."""
        key, version = Ref.of(manifest), version_of(manifest)
        stored = self._objects.get(key)
        if stored is not None and stored.version > version:
            return False
        self._remove(key)
        self._gone[key] = max(version, self._gone.pop(key, 0))
        if len(self._gone) > TOMBSTONES:
            self._gone.popitem(last=False)
        return True

    def versions(self, kind: str, namespace: str | None) -> dict[Ref, int]:
        """The versions of all objects of a kind, in one namespace or in all."""
        known = ((key, stored.version) for key, stored in self._objects.items() if key.kind == kind)
        return {key: version for key, version in known if namespace in {None, key.namespace}}

    def gone(self, kind: str) -> dict[Ref, int]:
        """The versions in which objects of a kind are gone."""
        return {key: at for key, at in self._gone.items() if key.kind == kind}

    def go_back(self, keys: Iterable[Ref]) -> None:
        """Take whatever comes of these for news: the API server was restored, and its versions are lower."""
        for key in keys:
            self._gone.pop(key, None)
            if key in self._objects:
                self._objects[key] = self._objects[key]._replace(version=1)

    def touched_by(self, manifest: Manifest, *, is_claim_new: bool = True) -> Iterator[Ref]:
        """The rollouts and releases that have to be looked at when this object changes."""
        yield from touched(manifest, self.keys_of, is_claim_new=is_claim_new)
        ref = Ref.of(manifest)
        for name in table.made_for(ref.kind, ref.name):  # whatever its labels say by now
            if (owner := Ref(ROLLOUT, ref.namespace, name)) in self._objects:
                yield owner

    def beside(self, manifest: Manifest, *, is_gone: bool = False) -> tuple[Ref, ...]:
        """Rollouts at the doors that a route comes to or leaves, a few each; of a rollout, `concerned`."""
        if manifest["kind"] == ROLLOUT:
            return concerned(manifest, self, is_gone=is_gone)
        if manifest["kind"] not in ROUTES:
            return ()
        key = Ref.of(manifest)
        stored = self._objects.get(key)
        before = {entry for entry in (stored.entries if stored else ()) if isinstance(entry, int)}
        changed = before ^ (set() if is_gone else {*door_numbers(manifest)})
        refs = {ref for entry in changed for ref in self._some(entry, key)}
        owners = (Ref(ROLLOUT, ref.namespace, ref.name) for ref in refs)
        return tuple(owner for owner in owners if owner in self._objects)

    def routes_beside(self, route: Manifest) -> list[Manifest]:
        """Other routes that may share a hostname and a parent with this one, a few for each door."""
        doors, key = door_numbers(route), Ref.of(route)
        return [unpacked(self._objects[ref]) for ref in {r for door in doors for r in self._some(door, key)}]

    def sends_to(self, namespace: str, service: str) -> bool:
        """Whether a known route of a namespace has a Service as a backend with a weight."""
        return f"{namespace}/{service}" in self._index

    def _some(self, door: int, but: Ref) -> Iterator[Ref]:
        indexed = self._index.get(door, ())
        refs = (indexed,) if isinstance(indexed, Ref) else indexed
        return islice((ref for ref in refs if ref != but), NEIGHBORS)

    def others_of_agent(self, namespace: str, name: str, agent: str) -> list[Manifest]:
        """The other rollouts of an agent in its namespace, as `claim_of` has them."""
        return [
            claimed(self._objects[key]) for key in self.keys_of(ROLLOUT, namespace, agent) if key.name != name
        ]

    def made(self, key: Ref) -> str | None:
        """When an object was made, in a form that sorts; None if it is not known."""
        stored = self._objects.get(key)
        return None if stored is None else stored.made

    def rollouts_naming(self, ref: Ref) -> list[Manifest]:
        """The rollouts that set weights in an object of another owner, as `claim_of` has them."""
        return [claimed(self._objects[key]) for key in self.keys_of(ref)]

    def objects_claimed_by(self, rollout: Ref) -> list[Manifest]:
        """The objects of other owners in which a rollout has set something."""
        return [unpacked(self._objects[key]) for key in self.keys_of(CLAIM, rollout)]

    def snapshots_of(self, namespace: str, agent: str) -> tuple[Snapshot, ...]:
        """All snapshot ConfigMaps of an agent, whether or not they contain what their name says."""
        keys = self.keys_of(CONFIG_MAP, namespace, agent)
        return tuple(self._heads.of({key: self._objects[key].version for key in keys}))

    def bundle_bytes(self, namespace: str) -> int:
        """Bytes of all bundles of a namespace."""
        return self._bundles[namespace]

    def _remove(self, key: Ref) -> None:
        stored = self._objects.pop(key, None)
        if stored is None:
            return
        if key.kind in LIMITED:
            self.ages.remove(key, stored.made)
        for counted, size in ((self._used, len(stored.packed)), (self._bundles, stored.size)):
            counted[key.namespace] -= size
            if not counted[key.namespace]:
                del counted[key.namespace]
        for entry in stored.entries:
            indexed = self._index.get(entry)
            if isinstance(indexed, set):
                indexed.discard(key)
            if not isinstance(indexed, set) or not indexed:
                self._index.pop(entry, None)  # a route may name one door twice

    def _note(self, entry: Hashable, key: Ref) -> None:
        indexed = self._index.setdefault(entry, key)
        if isinstance(indexed, set):
            indexed.add(key)
        elif indexed != key:
            self._index[entry] = {indexed, key}

    def keys_of(self, *entry: Hashable) -> tuple[Ref, ...]:
        """The known objects under one of the `entries`, given as its parts."""
        indexed = self._index.get(entry)
        if indexed is None:
            return ()
        return (indexed,) if isinstance(indexed, Ref) else tuple(indexed)


def version_of(manifest: Manifest) -> int:
    """Resource versions grow and may be compared as numbers since Kubernetes 1.35."""
    return int(manifest["metadata"].get("resourceVersion") or 0)
