"""How often one namespace queries Prometheus at most, however many rollouts, gates and intervals it has.

A query costs processor time on the operator's one core: to write it, to read its result, to decide. So each
namespace has a rate, and its queries wait for it in their order: where its rollouts request more, all their
intervals grow alike, and no other namespace's do.
"""

import asyncio
from math import inf
from typing import Final

from agentrollouts.adapters.cluster.resources import Ref
from agentrollouts.settings.limits import Limits

BURST_SECONDS: Final = 1.0
"""The queries of so many seconds can be made at once by a namespace that made none before."""
FIRST_APART: Final = 0.01
"""Seconds between the first queries of two rollouts of a namespace: a single one starts at once, and after a
restart hundreds do not come together."""
MORE_GATES: Final = 4
"""So many gates beyond the first cost as much as the query with the first."""
ROWS: Final = 120
"""So do so many rows of a result: a histogram has one for each bound."""
LESS: Final = 0.9
"""The part of the rate below which a namespace that exceeded it no longer does."""


def cost(gates: int, rows: int = 0) -> float:
    """What a query costs, in queries of one gate.

    Measured: with its decision, 2.4 ms of processor time and 0.65 ms for each gate, of up to 32 rows.

    Args:
        gates: That it is about.
        rows: Of the result before.
    """
    return max(1 + max(0, gates - 1) / MORE_GATES, rows / ROWS)


class _Share:
    """One namespace."""

    def __init__(self) -> None:
        self.demands: dict[Ref, float] = {}
        """Queries of one gate a second that each of its rollouts requests."""
        self.requested = 0.0
        """Their sum."""
        self.is_exceeded = False
        self.first_at = -inf
        """When the next first query can be made, in seconds of the loop."""
        self.free_at = -inf
        """When all queries that were made or wait now are paid for."""


class Shares:
    """The namespaces whose rollouts are polled.

    Args:
        limits: As the settings have them.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._shares: dict[str, _Share] = {}

    def replace(self, limits: Limits) -> None:
        """Use these limits from now on, while no rollout is polled."""
        self.limits = limits
        self._shares.clear()

    def interval(self, seconds: float) -> float:
        """The interval that is permitted instead of this one."""
        return max(seconds, self.limits.min_interval_seconds)

    def put(self, key: Ref, price: float, seconds: float) -> None:
        """A rollout whose query costs so much is polled at this interval."""
        share = self._shares.setdefault(key.namespace, _Share())
        if (demand := price / seconds) != share.demands.get(key):
            share.requested += demand - share.demands.get(key, 0.0)
            share.demands[key] = demand
            self._compare(share)

    def drop(self, key: Ref) -> None:
        """It is no longer polled; of the last one, what it has used is remembered until it is paid for."""
        share = self._shares[key.namespace]
        share.requested -= share.demands.pop(key)
        self._compare(share)
        if not share.demands:
            share.requested = 0.0
            asyncio.get_running_loop().call_at(share.free_at + 2 * BURST_SECONDS, self._forget, key.namespace)

    def first(self, namespace: str) -> float:
        """Seconds until the first query of a rollout."""
        share, now = self._shares[namespace], asyncio.get_running_loop().time()
        at = max(now, share.first_at)
        share.first_at = at + FIRST_APART
        return at - now

    async def wait(self, namespace: str, price: float = 1) -> None:
        """Return once a query of this price can be made; queries of a namespace wait in their order."""
        loop = asyncio.get_running_loop()
        share, now = self._shares.setdefault(namespace, _Share()), loop.time()
        start, seconds = max(share.free_at, now - BURST_SECONDS), price / self._rate
        share.free_at = start + seconds
        if not share.demands:  # no rollout is polled there: something is queried once
            loop.call_at(share.free_at + 2 * BURST_SECONDS, self._forget, namespace)
        if start <= now:
            return
        try:
            await asyncio.sleep(start - now)
        except asyncio.CancelledError:
            share.free_at -= seconds
            raise

    def excess(self, namespace: str, seconds: float, actual: float | None) -> str | None:
        """How a namespace exceeds its share, in a sentence; None if it does not.

        Args:
            namespace: Which.
            seconds: The interval that a rollout requests.
            actual: The time between its last two queries, if there were two.
        """
        share = self._shares.get(namespace)
        if share is not None and share.is_exceeded:
            often = f"every {actual:.0f} s" if actual and actual > seconds else "less often"
            return (
                f"namespace {namespace} requests {share.requested:.0f} queries per second, and one "
                f"namespace may make {self._rate:g} (limits.queriesPerSecondPerNamespace in the operator's "
                f"settings; each gate beyond the first counts as 1/{MORE_GATES} query), so Prometheus is "
                f"queried {often} instead of every {seconds:g} s; set a longer interval or use fewer gates"
            )
        least = self.limits.min_interval_seconds
        if seconds < least:
            return (
                f"an interval of {seconds:g} s is requested, and the operator's settings permit none below "
                f"{least:g} s (limits.minIntervalSeconds), so Prometheus is queried every {least:g} s; set "
                "intervalSeconds to that or more"
            )
        return None

    @property
    def _rate(self) -> float:
        return self.limits.queries_per_second_per_namespace

    def _compare(self, share: _Share) -> None:
        limit = self._rate * LESS if share.is_exceeded else self._rate
        share.is_exceeded = share.requested > limit

    def _forget(self, namespace: str) -> None:
        """Unless it has begun again meanwhile; then the end of that forgets it."""
        share, now = self._shares.get(namespace), asyncio.get_running_loop().time()
        if share is not None and not share.demands and now >= share.free_at + BURST_SECONDS:
            del self._shares[namespace]
