"""Which objects have to be looked at, and when: dirty keys, each worked on by one worker at a time.

Between the inputs (watch, poller, clock) and `reconcile`. A key carries no event and no difference: marking
it ten times before a worker is free means one look. Waiting is a due time in a heap, never a sleeping task.
Tenants take turns, so that what one of them does to its own objects delays no other's. A look that hangs, as
its writes do behind the webhook of a tenant, counts for that tenant alone.
"""

import asyncio
import heapq
from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final, Generic, NamedTuple, TypeVar

from agentrollouts.turns import Turn, Turns

K = TypeVar("K", bound=Hashable)

SLACK: Final = 64
"""Number of replaced entries that can be in the heap beyond one for each due time, before it is swept."""
HANGING_SECONDS: Final = 1.0
"""A look that takes longer waits for the API server, and needs no processor."""


@dataclass(frozen=True, slots=True)
class Shares(Generic[K]):
    """Whose a key is, whether it can wait, and how many keys are worked on at a time."""

    tenant_of: Callable[[K], Hashable] = lambda _: None
    """Keys of one tenant are served in the order of their marking, tenants in turn."""
    is_urgent: Callable[[K], bool] = lambda _: False
    """Whether a look at a key can be the one that rolls back; evaluated when it is marked or falls due."""
    of_tenant: float = float("inf")
    """Keys of one tenant that are worked on at a time."""
    not_urgent: float = float("inf")
    """Keys that can wait, of all tenants, that are worked on at a time, without those that hang."""
    at_a_time: float = float("inf")
    """Keys of all tenants that are worked on at a time, without those that hang."""


class _Mark(NamedTuple):
    since: float
    is_urgent: bool


class WorkQueue(Generic[K]):
    """Keys to be looked at: now in the order of their marking, or later at a due time.

    Args:
        clock: monotonic seconds, as of the running loop.
        shares: What is each tenant's.
    """

    def __init__(self, clock: Callable[[], float], shares: Shares[K] | None = None) -> None:
        self._clock = clock
        self._shares: Shares[K] = shares or Shares()
        self._dirty: dict[K, _Mark] = {}
        self._turns: Turns[K] = Turns()
        self._active: dict[K, tuple[float, Turn[K]]] = {}
        """Since when a key is worked on, and whose turn that is."""
        self._busy: Counter[Hashable] = Counter()
        self._patient = 0
        """How many of the active keys can wait."""
        self._due: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._count = 0
        self._moved = clock()
        self._changed = asyncio.Event()
        self._turn = asyncio.Lock()

    def __len__(self) -> int:
        return len(self._dirty)

    def mark(self, key: K, *, is_urgent: bool = False) -> None:
        """Look at `key` as soon as a worker is free; at once again if one is at it right now.

        Args:
            key: What to look at.
            is_urgent: It is urgent whatever `Shares.is_urgent` says.
        """
        self._note(key, self._clock(), is_urgent=is_urgent or self._shares.is_urgent(key))
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
        return self._clock() - min((mark.since for mark in self._dirty.values()), default=self._clock())

    def stuck_seconds(self) -> float:
        """For how long a worker has been at one key, or for how long none has taken what waits.

        However much there is to do, this stays as short as a look.
        """
        since = [at for at, _ in self._active.values()]
        if self._dirty and not self._active:
            since.append(self._moved)
        return self._clock() - min(since, default=self._clock())

    async def take(self) -> K:
        """The next key; it is this worker's alone until `done`."""
        async with self._turn:  # one worker waits for all, as every change would wake every one that waits
            while (key := self._next()) is None:
                await self._wait()
            return key

    def is_urgent(self, key: K) -> bool:
        """Whether the look at `key` that is in progress is an urgent one."""
        return key in self._active and self._active[key][1].is_urgent

    def done(self, key: K) -> None:
        """The worker is through with `key`."""
        if key not in self._active:
            return
        _, turn = self._active.pop(key)
        self._moved = self._clock()
        self._use(turn, -1)
        if self._dirty:
            self._changed.set()

    def _note(self, key: K, since: float, *, is_urgent: bool) -> None:
        """Take in that a key is dirty; one that has become urgent changes the line."""
        mark = self._dirty.get(key)
        if mark is None:
            if not self._dirty:
                self._moved = self._clock()
            self._dirty[key] = _Mark(since, is_urgent)
        elif is_urgent and not mark.is_urgent:
            self._turns.remove(key, self._shares.tenant_of(key), is_urgent=False)
            self._dirty[key] = _Mark(mark.since, is_urgent)
        else:
            return
        self._turns.add(key, self._shares.tenant_of(key), is_urgent=is_urgent)

    def _next(self) -> K | None:
        """The key whose turn it is, of those that no worker is at."""
        self._changed.clear()
        self._ripen()
        turn = self._turns.take(self._may, lambda key: key not in self._active)
        if turn is None:
            return None
        del self._dirty[turn.item]
        self._moved = self._clock()
        self._active[turn.item] = self._moved, turn
        self._use(turn, 1)
        return turn.item

    def _use(self, turn: Turn[K], workers: int) -> None:
        """Take in that a worker is at a key, or through with it."""
        self._patient += 0 if turn.is_urgent else workers
        self._busy[turn.tenant] += workers
        if not self._busy[turn.tenant]:
            del self._busy[turn.tenant]

    def _may(self, tenant: Hashable, is_urgent: bool) -> bool:  # noqa: FBT001 the signature is that of `Turns`
        """Whether another key of a tenant can be worked on."""
        if self._busy[tenant] >= self._shares.of_tenant:
            return False
        return not self._is_full(is_urgent=is_urgent)

    def _is_full(self, *, is_urgent: bool) -> bool:
        """Whether as many keys are worked on as may be, without those that hang."""
        shares = self._shares
        if len(self._active) < shares.at_a_time and (is_urgent or self._patient < shares.not_urgent):
            return False  # nearly always, and at no cost
        hanging = self._clock() - HANGING_SECONDS
        lively = [turn for since, turn in self._active.values() if since > hanging]
        patient = sum(not turn.is_urgent for turn in lively)
        return len(lively) >= shares.at_a_time or (not is_urgent and patient >= shares.not_urgent)

    def _ripen(self) -> None:
        """Mark what is due; entries of the heap that were replaced meanwhile are dropped."""
        now = self._clock()
        while self._heap and self._heap[0][0] <= now:
            due, _, key = heapq.heappop(self._heap)
            if self._due.get(key) == due:
                del self._due[key]
                self._note(key, due, is_urgent=self._shares.is_urgent(key))

    async def _wait(self) -> None:
        now = self._clock()
        times = [self._heap[0][0]] if self._heap else []
        if self._dirty:  # what waits may be served when something that is worked on hangs
            ends = (since + HANGING_SECONDS for since, _ in self._active.values())
            times += [end for end in ends if end > now]
        delay = max(0.0, min(times) - now) if times else None
        try:
            async with asyncio.timeout(delay):
                await self._changed.wait()
        except TimeoutError:
            return
