"""Objects by age, for limits that serve the oldest of a namespace. Part of the cache."""

from bisect import bisect_left, insort
from collections.abc import Iterator

from agentrollouts.adapters.cluster.resources import Ref


class Ages:
    """The objects of one kind and namespace in the order of their age, and those of one age by name.

    An age is a creation time in a form that sorts.
    """

    def __init__(self) -> None:
        self._lines: dict[tuple[str, str], list[tuple[str, str]]] = {}

    def add(self, key: Ref, made: str) -> None:
        """An object that is not there yet."""
        insort(self._lines.setdefault((key.kind, key.namespace), []), (made, key.name))

    def remove(self, key: Ref, made: str) -> None:
        """An object that is there, with the age that it was added with."""
        line = self._lines[key.kind, key.namespace]
        del line[bisect_left(line, (made, key.name))]
        if not line:
            del self._lines[key.kind, key.namespace]

    def rank(self, key: Ref, made: str) -> int:
        """How many objects are older."""
        return bisect_left(self._lines.get((key.kind, key.namespace), ()), (made, key.name))

    def of(self, kind: str, namespace: str) -> Iterator[Ref]:
        """All of them, the oldest first."""
        for _, name in self._lines.get((kind, namespace), ()):
            yield Ref(kind, namespace, name)
