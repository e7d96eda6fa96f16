"""Which objects have to be looked at, and when: dirty keys, each worked on by one worker at a time.

Between the inputs (watch, poller, clock) and `reconcile`. A key carries no event and no difference: marking
it ten times before a worker is free means one look. Waiting is a due time in a heap, never a sleeping task.
"""

import asyncio
import heapq
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Generic, TypeVar

K = TypeVar("K")

SLACK: Final = 64
"""Number of replaced entries that can be in the heap beyond one for each due time, before it is swept."""


class WorkQueue(Generic[K]):
    """Keys to be looked at: now in the order of their marking, or later at a due time.

    Args:
        clock: monotonic seconds, as of the running loop.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._dirty: OrderedDict[K, float] = OrderedDict()
        self._active: set[K] = set()
        self._due: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._count = 0
        self._changed = asyncio.Event()
        self._turn = asyncio.Lock()

    def __len__(self) -> int:
        return len(self._dirty)

    def mark(self, key: K) -> None:
        """Look at `key` as soon as a worker is free; at once again if one is at it right now."""
        self._dirty.setdefault(key, self._clock())
        self._changed.set()

    def mark_at(self, key: K, due: float | None) -> None:
        """Look at `key` at the monotonic time `due`, unless None; replaces its earlier due time."""
        if due is None:
            self._due.pop(key, None)
            return
        self._due[key] = due
        self._count += 1
        heapq.heappush(self._heap, (due, self._count, key))
        if len(self._heap) > 2 * len(self._due) + SLACK:
            self._heap = [entry for entry in self._heap if self._due.get(entry[2]) == entry[0]]
            heapq.heapify(self._heap)
        self._changed.set()

    def oldest_seconds(self) -> float:
        """How long the key that has waited longest has been dirty."""
        return self._clock() - min(self._dirty.values(), default=self._clock())

    async def take(self) -> K:
        """The next key; it is this worker's alone until `done`."""
        async with self._turn:  # one worker waits for all, as every change would wake every one that waits
            while (key := self._next()) is None:
                await self._wait()
            return key

    def done(self, key: K) -> None:
        """The worker is through with `key`."""
        self._active.discard(key)
        if key in self._dirty:
            self._changed.set()

    def _next(self) -> K | None:
        """The key that has been dirty longest of those that no worker is at."""
        self._changed.clear()
        self._ripen()
        key = next((key for key in self._dirty if key not in self._active), None)
        if key is not None:
            del self._dirty[key]
            self._active.add(key)
        return key

    def _ripen(self) -> None:
        """Mark what is due; entries of the heap that were replaced meanwhile are dropped."""
        now = self._clock()
        while self._heap and self._heap[0][0] <= now:
            due, _, key = heapq.heappop(self._heap)
            if self._due.get(key) == due:
                del self._due[key]
                self._dirty.setdefault(key, due)

    async def _wait(self) -> None:
        delay = max(0.0, self._heap[0][0] - self._clock()) if self._heap else None
        try:
            async with asyncio.timeout(delay):
                await self._changed.wait()
        except TimeoutError:
            return
