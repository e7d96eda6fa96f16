"""What waits because its namespace has no more places or no more room: looked at when there is some.

Nothing is done at rest, and how many wait does not matter to a change that frees nothing.
"""

from collections.abc import Callable, Iterator

from agentrollouts.adapters.cluster.resources import Ref
from agentrollouts.shell.ages import Ages
from agentrollouts.shell.cache import Cache

Mark = Callable[[Ref], None]
"""Has an object looked at."""


class Places:
    """The objects of one kind of which the oldest in each namespace are served; the others wait.

    Args:
        kind: Of the objects.
        cache: Knows all of them.
        mark: Has an object looked at.
        most: How many are served in a namespace.
    """

    def __init__(self, kind: str, cache: Cache, mark: Mark, most: int) -> None:
        self._cache = cache
        self._mark = mark
        self._most = most
        self._waiting = _Waiting(kind, cache)

    def replace(self, most: int) -> None:
        """Serve so many from now on."""
        self._most = most
        for namespace in self._waiting.namespaces():
            self.give(namespace)

    def take(self, key: Ref) -> bool:
        """Whether an object is served; if not, it is marked once it can be."""
        if is_beyond := self._is_beyond(key):
            self._waiting.add(key)
        else:
            self._waiting.discard(key)
        return not is_beyond

    def leave(self, key: Ref) -> None:
        """An object wants no place any longer."""
        self._waiting.discard(key)

    def give(self, namespace: str) -> None:
        """Something has changed in a namespace: mark those that can be served now."""
        while (oldest := self._waiting.oldest(namespace)) is not None and not self._is_beyond(oldest):
            self._waiting.discard(oldest)
            self._mark(oldest)

    def _is_beyond(self, key: Ref) -> bool:
        made = self._cache.made(key)
        return made is not None and self._cache.ages.rank(key, made) >= self._most


class Rooms:
    """The releases for whose bundles their namespace has no room.

    Once there is some, the oldest that fits is marked. No other one of its namespace is until its turn ends:
    only then is it known how much room is left.

    Args:
        kind: Of the releases.
        cache: Knows all of them.
        mark: Has a release looked at.
        room: Bytes that a namespace has left.
    """

    def __init__(self, kind: str, cache: Cache, mark: Mark, room: Callable[[str], int]) -> None:
        self._mark = mark
        self._room = room
        self._waiting = _Waiting(kind, cache)
        self._needs: dict[Ref, int] = {}
        self._least: dict[str, int] = {}
        """By namespace, a number of bytes that no waiting release is below."""
        self._turns: dict[str, Ref] = {}

    def give_all(self) -> None:
        """The settings have changed."""
        for namespace in self._waiting.namespaces():
            self.give(namespace)

    def wait(self, key: Ref, needs: int) -> None:
        """A release has to wait until there is room for so many bytes."""
        self._waiting.add(key)
        self._needs[key] = needs
        self._least[key.namespace] = min(needs, self._least.get(key.namespace, needs))

    def leave(self, key: Ref) -> None:
        """A release waits no longer."""
        self._waiting.discard(key)
        self._needs.pop(key, None)

    def has_turn(self, key: Ref) -> bool:
        """Whether a release was marked because there is room for it."""
        return self._turns.get(key.namespace) == key

    def end_turn(self, key: Ref) -> None:
        """A look at a release is over: it has its room, or waits for it, or does not want it."""
        if self.has_turn(key):
            del self._turns[key.namespace]
        self.give(key.namespace)

    def give(self, namespace: str) -> None:
        """Something has changed in a namespace: mark the oldest that fits, if there is one."""
        least = self._least.get(namespace)
        if least is None or namespace in self._turns or least > (room := self._room(namespace)):
            return
        for key in self._waiting.of(namespace):
            if self._needs[key] <= room:
                self.leave(key)
                self._turns[namespace] = key
                self._mark(key)
                return
        if self._waiting.oldest(namespace) is None:
            del self._least[namespace]
        else:
            self._least[namespace] = room + 1


class _Waiting:
    """Objects of one kind in the order of their age."""

    def __init__(self, kind: str, cache: Cache) -> None:
        self._kind = kind
        self._cache = cache
        self._ages = Ages()
        self._made: dict[Ref, str] = {}

    def add(self, key: Ref) -> None:
        """Wait, unless it is gone; one that was made again waits at its new age."""
        made = self._cache.made(key)
        if made != self._made.get(key):
            self.discard(key)
            if made is not None:
                self._made[key] = made
                self._ages.add(key, made)

    def discard(self, key: Ref) -> None:
        """Wait no longer."""
        made = self._made.pop(key, None)
        if made is not None:
            self._ages.remove(key, made)

    def of(self, namespace: str) -> Iterator[Ref]:
        """Those of a namespace, the oldest first."""
        return self._ages.of(self._kind, namespace)

    def oldest(self, namespace: str) -> Ref | None:
        """The oldest of a namespace by what is known now."""
        for key in iter(lambda: next(self.of(namespace), None), None):
            if self._made[key] == self._cache.made(key):
                return key
            self.add(key)
        return None

    def namespaces(self) -> set[str]:
        """Those in which any wait."""
        return {key.namespace for key in self._made}
