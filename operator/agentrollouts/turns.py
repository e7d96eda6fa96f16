"""Who is next: two classes, in each of which tenants take turns; within a tenant, first come, first served.

For whatever many tenants share and one could take for itself: workers, connections. A tenant that waits is
served after at most one item of each other tenant of its class, however much these have, so that a neighbor
with thousands of items costs it one. What is urgent goes first, but for one turn in `IN_A_ROW` + 1: a tenant
can make everything of its own urgent, and must not stop what is not.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final, Generic, NamedTuple, TypeVar

K = TypeVar("K", bound=Hashable)
P = TypeVar("P")

IN_A_ROW: Final = 4
"""How many urgent items are served while others wait, before one of those is."""

_Lines = OrderedDict[Hashable, OrderedDict[K, None]]


class Turn(NamedTuple, Generic[K]):
    """What is served next."""

    item: K
    tenant: Hashable
    is_urgent: bool


class Turns(Generic[K]):
    """Items that wait, each once."""

    def __init__(self) -> None:
        self._lines: dict[bool, _Lines[K]] = {True: OrderedDict(), False: OrderedDict()}
        self._in_a_row = 0

    def add(self, item: K, tenant: Hashable, *, is_urgent: bool) -> None:
        """Put an item at the end of its tenant's line."""
        self._lines[is_urgent].setdefault(tenant, OrderedDict())[item] = None

    def remove(self, item: K, tenant: Hashable, *, is_urgent: bool) -> None:
        """An item waits no longer; nothing happens if it did not."""
        line = self._lines[is_urgent].get(tenant)
        if line is not None:
            line.pop(item, None)
            if not line:
                del self._lines[is_urgent][tenant]

    def take(
        self, may: Callable[[Hashable, bool], bool], is_free: Callable[[K], bool] = lambda _: True
    ) -> Turn[K] | None:
        """The item whose turn it is, which waits no longer; None if nothing can be served.

        Args:
            may: Whether a tenant may have an item of a class (True: urgent) served now.
            is_free: Whether an item can be served now; those that cannot keep their places.
        """
        is_due = self._in_a_row >= IN_A_ROW  # the turn of the others
        for is_urgent in (not is_due, is_due):
            turn = self._next(may, is_free, is_urgent=is_urgent)
            if turn is not None:
                self._in_a_row = self._in_a_row + 1 if is_urgent else 0
                return turn
        return None

    def _next(
        self, may: Callable[[Hashable, bool], bool], is_free: Callable[[K], bool], *, is_urgent: bool
    ) -> Turn[K] | None:
        lines = self._lines[is_urgent]
        for tenant, line in lines.items():
            if not may(tenant, is_urgent):
                continue
            item = next((item for item in line if is_free(item)), None)
            if item is not None:
                lines.move_to_end(tenant)
                self.remove(item, tenant, is_urgent=is_urgent)
                return Turn(item, tenant, is_urgent)
        return None


class Line(Generic[P]):
    """Tasks that wait for a place, by turns."""

    def __init__(self) -> None:
        self._turns: Turns[asyncio.Future[P]] = Turns()

    async def wait(self, tenant: Hashable, *, is_urgent: bool, give_back: Callable[[P], None]) -> P:
        """The place, once it has been given.

        Args:
            tenant: Who waits.
            is_urgent: The class.
            give_back: Called with a place that was given in the moment in which this was cancelled.
        """
        place: asyncio.Future[P] = asyncio.get_running_loop().create_future()
        self._turns.add(place, tenant, is_urgent=is_urgent)
        try:
            return await place
        except asyncio.CancelledError:
            self._turns.remove(place, tenant, is_urgent=is_urgent)
            if not place.cancelled():
                give_back(place.result())
            raise

    def take(self, may: Callable[[Hashable, bool], bool]) -> Turn[asyncio.Future[P]] | None:
        """Whose turn it is, as of `Turns.take`; the caller gives the place as the result of the item."""
        return self._turns.take(may, is_free=lambda place: not place.done())
