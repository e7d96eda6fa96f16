"""Whose query is next: the connections of one server, shared fairly between namespaces.

A query that hangs holds its connection up to the deadline, and cannot be interrupted for another one. So what
one namespace can hold is bounded before it has misbehaved: at most half of the connections, and a quarter
until it has been answered quickly. The namespaces whose queries are slow, or not known yet, together hold at
most half, so that the others always find a connection that is free in a moment. Where several wait, they take
turns by namespace.

To wait for a turn says nothing about the server, so it has no deadline, and no error comes of it.
"""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

SLOW_SECONDS: Final = 60.0
"""How long a namespace counts as slow after a slow query."""
CROWDED_SECONDS: Final = 1.0
"""A longer wait behind other queries of the own namespace is reported."""
REPORTED_SECONDS: Final = 60.0
"""How long it is reported, so that the report does not come and go with each query."""
REMEMBERED: Final = 4096
"""Namespaces that are remembered; beyond, those without a query are forgotten, and are unknown again."""

_QUICK, _SLOW = False, True


class _Tenant:
    """What is known about one namespace."""

    def __init__(self) -> None:
        self.running = 0
        self.waiting: deque[asyncio.Future[bool]] = deque()
        self.was_quick = False
        self.slow_until = 0.0
        self.crowded_until = 0.0
        self.waited = 0.0


class Turns:
    """The connections of one server.

    Args:
        count: Queries that are in progress at a time, at least 2.
        quick_seconds: An answer that took less is quick.
        clock: Monotonic seconds.
    """

    def __init__(self, count: int, quick_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.most: Final = max(1, count // 2)
        self._quick_seconds = quick_seconds
        self._clock = clock
        self._free = count
        self._slow = 0
        """How many turns slow namespaces have now."""
        self._tenants: dict[str, _Tenant] = {}
        self._lines: tuple[OrderedDict[_Tenant, None], ...] = (OrderedDict(), OrderedDict())
        """Quick and slow namespaces in the order of their turns; only those that may have another one."""
        self._last = _SLOW
        self._answered_at = float("-inf")

    @asynccontextmanager
    async def take(self, namespace: str) -> AsyncIterator[None]:
        """Hold a turn; waits for it as long as it takes."""
        tenant = self._tenant(namespace)
        lane = self._lane(tenant)
        if self._free and self._has_room(tenant, lane):
            self._begin(tenant, lane)
        else:
            lane = await self._wait(tenant)
        try:
            yield
        finally:
            self._end(tenant, lane)

    def note(self, namespace: str, seconds: float, *, is_answer: bool) -> None:
        """Learn from a query that was sent: how long it took, and whether the server answered at all."""
        tenant, now = self._tenant(namespace), self._clock()
        if seconds >= self._quick_seconds:
            tenant.slow_until = now + SLOW_SECONDS
        elif is_answer:
            tenant.was_quick, self._answered_at = True, now

    def crowded_seconds(self, namespace: str) -> float | None:
        """How long a query of the namespace waited behind its own lately; None if it did not.

        Nor while the server answers no one: then it is the server that is slow.
        """
        tenant, now = self._tenants.get(namespace), self._clock()
        if tenant is None or now >= tenant.crowded_until or now >= self._answered_at + REPORTED_SECONDS:
            return None
        return tenant.waited

    def _tenant(self, namespace: str) -> _Tenant:
        found = self._tenants.get(namespace)
        if found is None:
            if len(self._tenants) >= REMEMBERED:
                self._tenants = {
                    name: each for name, each in self._tenants.items() if each.running or each.waiting
                }
            found = self._tenants[namespace] = _Tenant()
        return found

    def _lane(self, tenant: _Tenant) -> bool:
        is_quick = tenant.was_quick and self._clock() >= tenant.slow_until
        return _QUICK if is_quick else _SLOW

    def _may_have(self, lane: bool) -> int:  # noqa: FBT001 - a lane
        """How many turns one namespace may have."""
        return self.most if lane is _QUICK else max(1, self.most // 2)

    def _has_room(self, tenant: _Tenant, lane: bool) -> bool:  # noqa: FBT001 - a lane
        return tenant.running < self._may_have(lane) and (lane is _QUICK or self._slow < self.most)

    def _begin(self, tenant: _Tenant, lane: bool) -> None:  # noqa: FBT001 - a lane
        self._free -= 1
        self._slow += lane
        tenant.running += 1

    def _end(self, tenant: _Tenant, lane: bool) -> None:  # noqa: FBT001 - a lane
        self._free += 1
        self._slow -= lane
        tenant.running -= 1
        if tenant.waiting:
            self._line_up(tenant)
        if self._lines[_QUICK] or self._lines[_SLOW]:
            self._give()

    async def _wait(self, tenant: _Tenant) -> bool:
        """Wait for a turn; the answer is its lane."""
        began, behind_own = self._clock(), tenant.running >= self._may_have(self._lane(tenant))
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        tenant.waiting.append(future)
        self._line_up(tenant)
        try:
            lane = await future
        except asyncio.CancelledError:
            if not future.cancelled():  # it came in the same moment
                self._end(tenant, future.result())
            raise
        waited = self._clock() - began
        if behind_own and waited >= CROWDED_SECONDS:
            tenant.waited, tenant.crowded_until = waited, self._clock() + REPORTED_SECONDS
        return lane

    def _line_up(self, tenant: _Tenant) -> None:
        """Put a namespace that waits into the line of its lane, if it may have another turn."""
        lane = self._lane(tenant)
        self._lines[not lane].pop(tenant, None)
        if tenant.running < self._may_have(lane):
            self._lines[lane].setdefault(tenant)

    def _give(self) -> None:
        """Give free turns to those that wait: one namespace after the other, of the lanes in turn."""
        while self._free and (lane := self._next_lane()) is not None:
            tenant, _ = self._lines[lane].popitem(last=False)
            while tenant.waiting and tenant.waiting[0].done():
                tenant.waiting.popleft()  # given up
            if not tenant.waiting:
                continue
            self._begin(tenant, lane)
            tenant.waiting.popleft().set_result(lane)
            self._last = lane
            if tenant.waiting:
                self._line_up(tenant)

    def _next_lane(self) -> bool | None:
        lanes = [
            lane
            for lane in (not self._last, self._last)
            if self._lines[lane] and (lane is _QUICK or self._slow < self.most)
        ]
        return lanes[0] if lanes else None
