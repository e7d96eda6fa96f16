"""The last known state of every object that we watch, which `observe` reads instead of asking.

Between the watch and the queue. Watch events, the answers to our own writes, and the lists at start all end
here; the newest resource version wins, so their order does not matter, and a write of ours is seen by the
next decision even if its watch event is late.

Objects are kept packed: ten thousand rollouts with everything that belongs to them are small then, the
garbage collector has nothing of them to walk through, and what `get` gives is the caller's own. To unpack all
that one decision reads takes a tenth of a millisecond.
"""

import marshal
import zlib
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from itertools import islice
from typing import Final, NamedTuple

from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.names import FIELD_MANAGER, LABEL_RELEASE
from agentrollouts.core.traffic.conflicts import NAMED
from agentrollouts.core.traffic.routers import table
from agentrollouts.shell.relations import CLAIM, CONFIG_MAP, ROLLOUT, ROUTE, door_numbers, entries, touched
from agentrollouts.shell.urgency import is_urgent, wish_of

TOMBSTONES: Final = 10_000
"""How many deletions are remembered, so that a late event cannot bring an object back."""

NEIGHBORS: Final = NAMED + 1
"""How many routes at one door are looked at: enough to name them, or to say that there are more. All rollouts
of a namespace may use one hostname, and looking at all of them each time would not end."""

_FASTEST: Final = 1
"""zlib's level: nearly as small as the default, in half the time."""


class _Known(NamedTuple):
    version: int
    entries: tuple[Hashable, ...]
    """Its keys in the index."""
    packed: bytes
    made: str = ""
    """When the API server made it, in a form that sorts."""
    is_urgent: bool = False
    wish: int = 0
    """What people ask of a rollout, as a number that changes with it."""


class Cache:
    """Objects by key, with an index of what belongs together."""

    def __init__(self) -> None:
        self._objects: dict[Ref, _Known] = {}
        self._gone: OrderedDict[Ref, int] = OrderedDict()
        self._index: dict[Hashable, Ref | set[Ref]] = {}
        """A set only where there are several: ten thousand sets of one are two megabytes."""

    def get(self, key: Ref) -> Manifest | None:
        """The object without its managed fields, or None if none is known."""
        known = self._objects.get(key)
        return None if known is None else _unpacked(known.packed)

    def is_urgent(self, key: Ref) -> bool:
        """Whether a look at an object cannot wait; settling a rollout that is gone cannot."""
        known = self._objects.get(key)
        return key.kind == ROLLOUT if known is None else known.is_urgent

    def wish(self, key: Ref) -> int | None:
        """What people ask of a rollout, as a number that changes with it; None if it is not known."""
        known = self._objects.get(key)
        return None if known is None else known.wish

    def put(self, manifest: Manifest) -> bool:
        """Take in an object; False if what is known is as new or newer."""
        key, version = Ref.of(manifest), version_of(manifest)
        known = self._objects.get(key)
        if (known is not None and known.version >= version) or self._gone.get(key, 0) >= version:
            return False
        self._remove(key)
        self._gone.pop(key, None)
        made = str(manifest["metadata"].get("creationTimestamp") or "")
        found = tuple(entries(key, manifest))
        news = _Known(version, found, _packed(manifest), made, is_urgent(manifest), wish_of(manifest))
        self._objects[key] = news
        for entry in news.entries:
            self._note(entry, key)
        return True

    def found(self, manifest: Manifest) -> bool:
        """Take in an object that was read by name, though the watch called it gone when it lost our label."""
        key = Ref.of(manifest)
        if self._gone.get(key) == version_of(manifest):
            del self._gone[key]
        return self.put(manifest)

    def drop(self, manifest: Manifest) -> bool:
        """Take in that an object is gone; False if a newer one of that name is known."""
        key, version = Ref.of(manifest), version_of(manifest)
        known = self._objects.get(key)
        if known is not None and known.version > version:
            return False
        self._remove(key)
        self._gone[key] = max(version, self._gone.pop(key, 0))
        if len(self._gone) > TOMBSTONES:
            self._gone.popitem(last=False)
        return True

    def versions(self, kind: str, namespace: str | None) -> dict[Ref, int]:
        """The versions of all objects of a kind, in one namespace or in all."""
        return {
            key: known.version
            for key, known in self._objects.items()
            if key.kind == kind and namespace in {None, key.namespace}
        }

    def touched_by(self, manifest: Manifest) -> Iterator[Ref]:
        """The rollouts and releases that have to be looked at when this object changes."""
        yield from touched(manifest, self._found)
        ref = Ref.of(manifest)
        for name in table.made_for(ref.kind, ref.name):  # whatever its labels say by now
            if (owner := Ref(ROLLOUT, ref.namespace, name)) in self._objects:
                yield owner

    def beside(self, manifest: Manifest, *, is_gone: bool = False) -> tuple[Ref, ...]:
        """The rollouts at the doors that a route is about to come to or to leave, a few for each door."""
        if manifest["kind"] != ROUTE:
            return ()
        key = Ref.of(manifest)
        known = self._objects.get(key)
        before = {entry for entry in (known.entries if known else ()) if isinstance(entry, int)}
        changed = before ^ (set() if is_gone else {*door_numbers(manifest)})
        found = {ref for entry in changed for ref in self._some(entry, key)}
        owners = (Ref(ROLLOUT, ref.namespace, ref.name) for ref in found)
        return tuple(owner for owner in owners if owner in self._objects)

    def routes_beside(self, route: Manifest) -> list[Manifest]:
        """Other routes that may share a hostname and a parent with this one, a few for each door."""
        found = {ref for entry in door_numbers(route) for ref in self._some(entry, Ref.of(route))}
        return [_unpacked(self._objects[key].packed) for key in found]

    def _some(self, door: int, but: Ref) -> Iterator[Ref]:
        known = self._index.get(door, ())
        found = (known,) if isinstance(known, Ref) else known
        return islice((ref for ref in found if ref != but), NEIGHBORS)

    def others_of_agent(self, namespace: str, name: str, agent: str) -> list[Manifest]:
        """The other rollouts of an agent in its namespace."""
        found = self._found(ROLLOUT, namespace, agent)
        return [_unpacked(self._objects[key].packed) for key in found if key.name != name]

    def is_beyond(self, rollout: Ref, most: int) -> bool:
        """Whether a namespace has at least so many rollouts that are older; of one age, by name."""
        known = self._index.get((ROLLOUT, rollout.namespace), set())
        found = {known} if isinstance(known, Ref) else known
        if len(found) <= most:
            return False
        ages = {key: (self._objects[key].made, key.name) for key in found}
        return rollout in ages and sum(age < ages[rollout] for age in ages.values()) >= most

    def rollouts_naming(self, ref: Ref) -> list[Manifest]:
        """The rollouts that set weights in an object of another owner."""
        return [_unpacked(self._objects[key].packed) for key in self._found(ref)]

    def objects_claimed_by(self, rollout: Ref) -> list[Manifest]:
        """The objects of other owners in which a rollout has set something."""
        return [_unpacked(self._objects[key].packed) for key in self._found(CLAIM, rollout)]

    def snapshots_of(self, namespace: str, agent: str) -> list[Manifest]:
        """The snapshot ConfigMaps of an agent."""
        found = self._found(CONFIG_MAP, namespace, agent)
        return [_unpacked(self._objects[key].packed) for key in found]

    def _remove(self, key: Ref) -> None:
        known = self._objects.pop(key, None)
        for entry in known.entries if known is not None else ():
            found = self._index.get(entry)
            if isinstance(found, set):
                found.discard(key)
            if not isinstance(found, set) or not found:
                self._index.pop(entry, None)  # a route may name one door twice

    def _note(self, entry: Hashable, key: Ref) -> None:
        found = self._index.setdefault(entry, key)
        if isinstance(found, set):
            found.add(key)
        elif found != key:
            self._index[entry] = {found, key}

    def _found(self, *entry: Hashable) -> tuple[Ref, ...]:
        return self._under(entry)

    def _under(self, entry: Hashable) -> tuple[Ref, ...]:
        found = self._index.get(entry)
        if found is None:
            return ()
        return (found,) if isinstance(found, Ref) else tuple(found)


def _packed(manifest: Manifest) -> bytes:
    """As bytes that never leave this process; without what only the API server needs, half of an object."""
    metadata = {key: value for key, value in manifest["metadata"].items() if key != "managedFields"}
    if manifest["kind"] in {ROUTE, CONFIG_MAP} and (others := _others(manifest)):
        metadata["managedFields"] = others  # the writer of our weights is reported
    return zlib.compress(marshal.dumps({**manifest, "metadata": metadata}), _FASTEST)


def _others(manifest: Manifest) -> list[Manifest]:
    """What is noted of writers other than gateways, which write the status; of us, only that we wrote.

    Of a snapshot, nothing.
    """
    if LABEL_RELEASE in (manifest["metadata"].get("labels") or {}):
        return []
    noted: list[Manifest] = []
    for found in manifest["metadata"].get("managedFields") or ():
        if found.get("subresource"):
            continue
        if found["manager"] != FIELD_MANAGER:
            noted.append(found)
        elif found.get("operation") == "Apply":
            noted.append({"manager": FIELD_MANAGER, "operation": "Apply"})
    return noted


def _unpacked(packed: bytes) -> Manifest:
    manifest: Manifest = marshal.loads(zlib.decompress(packed))  # noqa: S302 - made by `_packed`
    return manifest


def version_of(manifest: Manifest) -> int:
    """Resource versions grow and may be compared as numbers since Kubernetes 1.35."""
    return int(manifest["metadata"].get("resourceVersion") or 0)
