"""The places on the wire, of which no namespace takes all: those that wait for one take turns.

In front of the connection pool of `client`. A call that can wait leaves some places free for one that cannot,
so that a rollback finds a connection while thousands of objects of others are written. A call that hangs, as
behind the webhook of a few namespaces, needs a connection and nothing else, so its place goes to another.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from math import ceil
from typing import Final, NamedTuple

from agentrollouts.turns import Line

PART: Final = 2 / 3
"""Part of the places that one tenant can have at a time, and that calls that can wait can have."""
HANGING_SECONDS: Final = 1.0
"""A call that takes longer hangs."""
HANGING: Final = 4
"""Calls that hang and hold no place, for each place; further ones keep theirs."""


class Caller(NamedTuple):
    """On whose behalf a call is made."""

    tenant: Hashable = None
    is_urgent: bool = False
    """Whether it goes before those that can wait."""


NO_TENANT: Final = Caller()
CALLER: Final = ContextVar("CALLER", default=NO_TENANT)
"""Whose the calls of the running task are; set by a worker for each key, and inherited by tasks it starts."""


@dataclass
class _Call:
    caller: Caller
    is_hanging: bool = False


class Slots:
    """So many places."""

    def __init__(self, most: int) -> None:
        self._free = most
        self._free_for_all = self._of_tenant = ceil(most * PART)
        self._may_hang = most * HANGING
        self._used: Counter[Hashable] = Counter()
        self._line: Line[None] = Line()

    @asynccontextmanager
    async def of(self, caller: Caller) -> AsyncIterator[None]:
        """One place for as long as the context lasts, or until the call hangs; waits for it."""
        call = _Call(caller)
        if self._may(*caller):  # a call that waits could not have it
            self._count(caller, 1)
        else:
            # when it is there, it has been counted as ours
            await self._line.wait(
                caller.tenant, is_urgent=caller.is_urgent, give_back=lambda _: self._release(call)
            )
        timer = asyncio.get_running_loop().call_later(HANGING_SECONDS, self._lend, call)
        try:
            yield
        finally:
            timer.cancel()
            self._release(call)

    def _lend(self, call: _Call) -> None:
        """Give the place of a call that hangs to another; of its tenant, it counts all the same."""
        if self._may_hang:
            self._may_hang -= 1
            call.is_hanging = True
            self._take_places(call.caller, -1)
            self._serve()

    def _release(self, call: _Call) -> None:
        if call.is_hanging:
            self._may_hang += 1
            self._take_shares(call.caller.tenant, -1)
        else:
            self._count(call.caller, -1)
        self._serve()

    def _serve(self) -> None:
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
        self._take_places(caller, places)
        self._take_shares(caller.tenant, places)

    def _take_places(self, caller: Caller, places: int) -> None:
        self._free -= places
        self._free_for_all -= 0 if caller.is_urgent else places

    def _take_shares(self, tenant: Hashable, places: int) -> None:
        self._used[tenant] += places
        if not self._used[tenant]:
            del self._used[tenant]
