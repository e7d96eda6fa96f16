"""Whose release is examined: one at a time, and namespaces take turns.

An examination takes memory and, for the largest releases, seconds. A worker that had to wait for it could not
roll back meanwhile; so no one waits here, and a release is looked at again when it is its turn.
"""

from collections import OrderedDict
from collections.abc import Callable

from agentrollouts.adapters.cluster.resources import Ref


class Desk:
    """A place for one.

    Args:
        mark: Has an object looked at.
    """

    def __init__(self, mark: Callable[[Ref], None]) -> None:
        self._mark = mark
        self._whose: Ref | None = None
        self._waiting: OrderedDict[str, OrderedDict[Ref, None]] = OrderedDict()

    def take(self, key: Ref) -> bool:
        """Whether it is this one's turn, until it is done; if not, it is marked when it is."""
        if self._whose is None:
            self._whose = key
        if self._whose == key:
            self._drop(key)
            return True
        self._waiting.setdefault(key.namespace, OrderedDict())[key] = None
        return False

    def leave(self, key: Ref) -> None:
        """Give up a turn, or the wait for one."""
        self._drop(key)
        self.done(key)

    def done(self, key: Ref) -> None:
        """End a turn; no effect for one that has none."""
        if self._whose != key:
            return
        self._whose = None
        if self._waiting:
            namespace, keys = self._waiting.popitem(last=False)
            self._whose, _ = keys.popitem(last=False)
            if keys:
                self._waiting[namespace] = keys
            self._mark(self._whose)

    def _drop(self, key: Ref) -> None:
        keys = self._waiting.get(key.namespace)
        if keys is None:
            return
        keys.pop(key, None)
        if not keys:
            del self._waiting[key.namespace]
