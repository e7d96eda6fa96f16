"""Whose release is examined: one at a time, and namespaces take turns.

An examination takes memory and, for the largest releases, seconds. A worker that had to wait for it could not
roll back meanwhile; so no one waits here, and a release is looked at again when it is its turn.
"""

from collections.abc import Callable

from agentrollouts.adapters.cluster.resources import Ref
from agentrollouts.turns import Turns


class Desk:
    """A place for one.

    Args:
        mark: Has an object looked at.
    """

    def __init__(self, mark: Callable[[Ref], None]) -> None:
        self._mark = mark
        self._whose: Ref | None = None
        self._waiting: Turns[Ref] = Turns()

    def take(self, key: Ref) -> bool:
        """Whether it is this one's turn, until it is done; if not, it is marked when it is."""
        if self._whose is None:
            self._whose = key
        if self._whose == key:
            self._drop(key)
            return True
        self._waiting.add(key, key.namespace, is_urgent=False)
        return False

    def leave(self, key: Ref) -> None:
        """Give up a turn, or the wait for one."""
        self._drop(key)
        self.done(key)

    def done(self, key: Ref) -> None:
        """End a turn; no effect for one that has none."""
        if self._whose != key:
            return
        turn = self._waiting.take(lambda _namespace, _is_urgent: True)
        self._whose = turn.item if turn else None
        if turn is not None:
            self._mark(turn.item)

    def _drop(self, key: Ref) -> None:
        self._waiting.remove(key, key.namespace, is_urgent=False)
