"""The places on the wire, of which no namespace takes all: those that wait for one take turns.

In front of the connection pool of `client`. A call that can wait leaves some places free for one that cannot,
so that a rollback finds a connection while thousands of objects of others are written.
"""

from collections import Counter
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from math import ceil
from typing import Final, NamedTuple

from agentrollouts.turns import Line

PART: Final = 2 / 3
"""Part of the places that one tenant can have at a time, and that calls that can wait can have."""


class Caller(NamedTuple):
    """On whose behalf a call is made."""

    tenant: Hashable = None
    is_urgent: bool = False
    """Whether it goes before those that can wait."""


NO_TENANT: Final = Caller()
CALLER: Final = ContextVar("CALLER", default=NO_TENANT)
"""Whose the calls of the running task are; set by a worker for each key, and inherited by tasks it starts."""


class Slots:
    """So many places."""

    def __init__(self, most: int) -> None:
        self._free = most
        self._free_for_all = self._of_tenant = ceil(most * PART)
        self._used: Counter[Hashable] = Counter()
        self._line: Line[None] = Line()

    @asynccontextmanager
    async def of(self, caller: Caller) -> AsyncIterator[None]:
        """One place for as long as the context lasts; waits for it."""
        if self._may(*caller):  # a call that waits could not have it
            self._count(caller, 1)
        else:
            # when it is there, it has been counted as ours
            await self._line.wait(
                caller.tenant, is_urgent=caller.is_urgent, give_back=lambda _: self._release(caller)
            )
        try:
            yield
        finally:
            self._release(caller)

    def _release(self, caller: Caller) -> None:
        self._count(caller, -1)
        while (turn := self._line.take(self._may)) is not None:
            self._count(Caller(turn.tenant, turn.is_urgent), 1)
            turn.item.set_result(None)

    def _may(self, tenant: Hashable, is_urgent: bool) -> bool:  # noqa: FBT001 the signature is that of `Turns`
        """Whether a tenant may have another place."""
        if not self._free or self._used[tenant] >= self._of_tenant:
            return False
        return is_urgent or self._free_for_all > 0

    def _count(self, caller: Caller, places: int) -> None:
        """Take places, or with a negative number free them."""
        self._free -= places
        self._free_for_all -= 0 if caller.is_urgent else places
        self._used[caller.tenant] += places
        if not self._used[caller.tenant]:
            del self._used[caller.tenant]
