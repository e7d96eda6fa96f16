"""Whose query is next: the connections of one server, shared fairly between namespaces.

A query that hangs holds its connection up to the deadline, and cannot be interrupted for another one. So what
one namespace can hold is bounded before it has misbehaved: at most half of the connections, and a quarter
until it has been answered quickly. The namespaces whose queries are slow, or not known yet, together hold at
most half, so that the others always find a connection that is free in a moment. Where several wait, they take
turns by namespace.

To wait for a turn says nothing about the server, so it has no deadline, and no error comes of it.
"""

import time
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager
from typing import Final

from agentrollouts.turns import Line

SLOW_SECONDS: Final = 60.0
"""How long a namespace counts as slow after a slow query."""
CROWDED_SECONDS: Final = 1.0
"""A longer wait behind other queries of the own namespace is reported."""
REPORTED_SECONDS: Final = 60.0
"""How long it is reported, so that the report does not come and go with each query."""
REMEMBERED: Final = 4096
"""Namespaces that are remembered; beyond, those without a query are forgotten, and are unknown again."""


class _Tenant:
    """What is known about one namespace."""

    def __init__(self) -> None:
        self.running = 0
        self.waiting = 0
        self.was_quick = False
        self.slow_until = 0.0
        self.crowded_until = 0.0
        self.waited = 0.0


class Slots:
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
        """How many slots slow namespaces have now."""
        self._tenants: dict[str, _Tenant] = {}
        self._line: Line[bool] = Line()
        """Urgent are the queries of quick namespaces."""
        self._answered_at = float("-inf")

    @asynccontextmanager
    async def take(self, namespace: str) -> AsyncIterator[None]:
        """Hold a slot; waits for it as long as it takes."""
        tenant = self._tenant(namespace)
        is_quick = self._is_quick(tenant)
        if self._free and self._has_room(tenant, is_quick=is_quick):
            self._begin(tenant, is_quick=is_quick)
        else:
            is_quick = await self._wait(namespace, tenant, is_quick=is_quick)
        try:
            yield
        finally:
            self._end(tenant, is_quick=is_quick)

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
        tenant = self._tenants.get(namespace)
        if tenant is None:
            if len(self._tenants) >= REMEMBERED:
                self._tenants = {
                    name: each for name, each in self._tenants.items() if each.running or each.waiting
                }
            tenant = self._tenants[namespace] = _Tenant()
        return tenant

    def _is_quick(self, tenant: _Tenant) -> bool:
        return tenant.was_quick and self._clock() >= tenant.slow_until

    def _may_have(self, *, is_quick: bool) -> int:
        """How many slots one namespace may have."""
        return self.most if is_quick else max(1, self.most // 2)

    def _has_room(self, tenant: _Tenant, *, is_quick: bool) -> bool:
        return tenant.running < self._may_have(is_quick=is_quick) and (is_quick or self._slow < self.most)

    def _begin(self, tenant: _Tenant, *, is_quick: bool) -> None:
        self._free -= 1
        self._slow += not is_quick
        tenant.running += 1

    def _end(self, tenant: _Tenant, *, is_quick: bool) -> None:
        self._free += 1
        self._slow -= not is_quick
        tenant.running -= 1
        while self._free and (turn := self._line.take(self._may)) is not None:
            next_one = self._tenants[str(turn.tenant)]
            is_quick = turn.is_urgent and self._is_quick(next_one)
            self._begin(next_one, is_quick=is_quick)
            turn.item.set_result(is_quick)

    def _may(self, namespace: Hashable, was_quick: bool) -> bool:  # noqa: FBT001 - as `Turns` calls it
        tenant = self._tenants[str(namespace)]
        return self._has_room(tenant, is_quick=was_quick and self._is_quick(tenant))

    async def _wait(self, namespace: str, tenant: _Tenant, *, is_quick: bool) -> bool:
        """Wait for a slot; whether it is one of a quick namespace."""
        began, behind_own = self._clock(), tenant.running >= self._may_have(is_quick=is_quick)
        tenant.waiting += 1
        try:
            given = await self._line.wait(
                namespace,
                is_urgent=is_quick,
                give_back=lambda was_quick: self._end(tenant, is_quick=was_quick),
            )
        finally:
            tenant.waiting -= 1
        waited = self._clock() - began
        if behind_own and waited >= CROWDED_SECONDS:
            tenant.waited, tenant.crowded_until = waited, self._clock() + REPORTED_SECONDS
        return given
