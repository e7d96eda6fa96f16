"""The evidence of rollbacks: queried once after the route is written, and put into the record.

First into the record and then known to a decision, so that a record whose entry names evidence has it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

from agentrollouts.adapters.cluster.errors import ClusterError, InvalidError
from agentrollouts.adapters.cluster.resources import Ref
from agentrollouts.core.metrics.evidence import EvidenceQuery, evidence_of
from agentrollouts.core.metrics.poll import Series
from agentrollouts.core.record.knowledge import Captured
from agentrollouts.shell.clock import Clock, utc_now
from agentrollouts.shell.records.errands import Errands
from agentrollouts.shell.records.store import RECORD, LostError, Records

logger = logging.getLogger(__name__)

PATIENCE: Final = timedelta(seconds=600)
"""How long after the decision evidence is queried again after a failure."""
PAUSE_SECONDS: Final = 15.0
WORKERS: Final = 4

Ask = Callable[[Ref, EvidenceQuery], Awaitable[Series | str]]
"""Queries the counts per minute; a text says why there are none."""


class Captures:
    """The evidence of all rollouts that were rolled back.

    Args:
        records: The records in the API server.
        ask: Queries Prometheus.
        mark: Called for a rollout of which a decision is to see the result.
        clock: Time, to which patience is measured.
    """

    def __init__(
        self, records: Records, ask: Ask, mark: Callable[[Ref], None], clock: Clock = utc_now
    ) -> None:
        self._records = records
        self._ask = ask
        self._mark = mark
        self._clock = clock
        self._queries: dict[Ref, EvidenceQuery] = {}
        self._results: dict[Ref, Captured] = {}
        self._errands = Errands(self._serve)

    def note(self, key: Ref, query: EvidenceQuery | None) -> None:
        """What is missing of a rollout; None if nothing is. Does not wait for anything."""
        if query is None:
            if self._queries.pop(key, None) is not None:
                self._results.pop(key, None)
                self._errands.drop(key)
            return
        self._queries[key] = query
        known = self._results.get(key)
        if known is None or known.record != query.record:
            self._errands.add(key)

    def result(self, key: Ref) -> Captured | None:
        """What became of the evidence; None while it is not known."""
        return self._results.get(key)

    async def work(self) -> None:
        """Capture evidence, indefinitely."""
        await asyncio.gather(*(self._errands.work() for _ in range(WORKERS)))

    async def _serve(self, key: Ref) -> float | None:
        query = self._queries.get(key)
        if query is None:
            return None
        try:
            captured = await self._capture(key, query)
        except (ClusterError, LostError) as error:
            is_final = isinstance(error, InvalidError | LostError)
            captured = Captured(query.record, problem=str(error)) if is_final else str(error)
        if isinstance(captured, str):
            if self._clock() < query.end + PATIENCE:
                return PAUSE_SECONDS
            captured = Captured(query.record, problem=captured)
        if self._queries.get(key) is not None:
            self._results[key] = captured
            self._mark(key)
        return None

    async def _capture(self, key: Ref, query: EvidenceQuery) -> Captured | str:
        """The evidence in its record; a text says why there is none yet."""
        ref = Ref(RECORD, key.namespace, query.record)
        known = await self._records.evidence(ref)  # of a process that ended before its status said so
        if known is not None:
            return Captured(query.record, known)
        series = await self._ask(key, query)
        if isinstance(series, str):
            return series
        return Captured(query.record, await self._records.keep(ref, evidence_of(query, series)))
