"""From a result of Prometheus to the counts of one gate, or the reason why there are none.

Three facts shape this module. `increase()` does not see the first value of a series, so births are added. A
hole in Prometheus makes old series look new-born, so births of a release that was there before are believed
only where the counting start is covered. And a missing row can mean zero, too early, never existed or stale:
those are different answers here, and none is a count.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from agentrollouts.api.reasons import Reason
from agentrollouts.core.gates.counts import Recent, Segment
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.reading import Lost, Present, Reading, TooEarly, Unreadable
from agentrollouts.core.gates.selector import BOUND_LABEL
from agentrollouts.core.gates.sources import Source
from agentrollouts.core.metrics import silence
from agentrollouts.core.metrics.absences import leaving
from agentrollouts.core.metrics.births import NOTHING_KNOWN, Births, Explains
from agentrollouts.core.metrics.closer_look import unexamined
from agentrollouts.core.metrics.familiarity import unfamiliar
from agentrollouts.core.metrics.histograms import MAX_GROUPS, compare, mixed, tail_bound
from agentrollouts.core.metrics.queries import COUNTED, QueryPlan, Term
from agentrollouts.core.metrics.steadiness import unsteady
from agentrollouts.core.metrics.table import QueryResult, Table

Result = Table | Unreadable | TooEarly
"""The newest result as numbers by source, or why there are none."""

NOTHING_YET: Final = TooEarly("waits for the first result of Prometheus")


def tabulate(plan: QueryPlan, result: QueryResult | Unreadable) -> Result:
    """Sort the rows of an answer to the plan."""
    table = Table.of(plan, result) if isinstance(result, QueryResult) else result
    return Unreadable(table) if isinstance(table, str) else table


def read_table(
    table: Result,
    gates: Iterable[ResolvedGate],
    *,
    now: datetime,
    stale_after_seconds: float,
    explains: Explains = NOTHING_KNOWN,
) -> dict[str, Present]:
    """Read a result for every gate, by name.

    Args:
        table: Of the current segment. Numbers of an older plan do not belong to it.
        gates: Those that the plan was made for.
        now: Time of the decision; a result ages while there is no new query.
        stale_after_seconds: How long a release can be without samples before it counts as silent.
        explains: What bounds the first values of new series.
    """
    if not isinstance(table, Table):
        return {gate.name: table for gate in gates}
    reader = _Reader(table, now, stale_after_seconds, explains)
    return {gate.name: reader.read(gate) for gate in gates}


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads gates from one table. Each check explains away a cause that the next one depends on."""

    table: Table
    now: datetime
    stale_after_seconds: float
    explains: Explains
    births: dict[str, Births] = field(default_factory=dict)
    """By gate, as far as they were needed: what they find out is looked at several times."""

    def read(self, gate: ResolvedGate) -> Present:
        total = gate.sources.total
        table, newest, limit = self.table, silence.newest_of(self.table, total), self.stale_after_seconds
        return (
            self._garbled(gate)
            or silence.not_begun(table, total)
            or self._one_too_many(gate)
            or silence.missing(table, gate, limit)
            or silence.too_short(table, total)
            or silence.stale(table, total, newest, self.now, limit)
            or silence.uncovered(table, total)
            or unexamined(table, gate)
            or unsteady(table, gate)
            or self._counted(gate, newest)
        )

    def _garbled(self, gate: ResolvedGate) -> Unreadable | None:
        sources = (gate.sources.bad, gate.sources.total, *gate.sources.recent)
        problems = [self.table.problems[source] for source in sources if source in self.table.problems]
        return Unreadable(problems[0]) if problems else None

    def _one_too_many(self, gate: ResolvedGate) -> Reading | None:
        """What may never happen has happened: no other number, and no further sample, can change that."""
        total, plan = gate.sources.total, self.table.plan
        canary = plan.subject.canary
        old = total in plan.counted and not self.table.term(total, Term.COVERED, canary)
        if not gate.traits.takes_count or gate.max_count or old:
            return None
        if not self._births(gate).counts(gate.sources.bad, canary).get(None):
            return None
        newest = silence.newest_of(self.table, total).values()
        return self._plain(gate, _time(min(newest)) if newest else self.table.at)

    def _counted(self, gate: ResolvedGate, newest: Mapping[str, float]) -> Present:
        last, births = _time(min(newest.values())), self._births(gate)
        reading = self._grouped(gate, last) if gate.by else self._plain(gate, last)
        if not isinstance(reading, Reading) or not births.disbelieved:
            return reading
        return replace(reading, ignored=births.disbelieved, note=births.note())

    def _grouped(self, gate: ResolvedGate, last: datetime) -> Present:
        canary, stable = self._births(gate).both(gate.sources.bad)
        if gate.by != BOUND_LABEL:
            mix = mixed(canary, stable)
            if len(mix) > MAX_GROUPS:
                message = f"{gate.bad} has {len(mix)} values of {gate.by}, more than {MAX_GROUPS}"
                return Unreadable(f"{message}; use a label with fewer", Reason.INVALID_GATE)
            runs = Segment(0.0, sum(m.canary for m in mix), 0.0, sum(m.stable for m in mix))
            return Reading(runs, (), last, mix=mix)
        histogram = compare(canary, stable)
        if isinstance(histogram, str):
            return Unreadable(histogram, Reason.INVALID_GATE)
        bound = tail_bound(histogram.bounds, gate.limit.value) if gate.limit else None
        if gate.limit and gate.limit_is_own and bound is None:
            message = f"no bucket bound is at or above the limit of {gate.limit.value:g}"
            return Unreadable(f"{message}; choose a lower limit or wider buckets", Reason.INVALID_GATE)
        return Reading(histogram.segment, histogram.bounds, last, self._recent_tail(gate, bound))

    def _plain(self, gate: ResolvedGate, last: datetime) -> Reading:
        """No row of bad outcomes is zero of them: the caller has seen that both releases are scraped."""
        births, lost = self._births(gate), self._lost(gate)
        segment = births.segment(gate.sources.bad, gate.sources.total)
        recent = gate.sources.recent
        now = None
        if recent and self._is_covered(recent[1]):
            now = Recent(births.segment(*recent), leaving=leaving(self.table, recent[1]))
        strange, saw_bad = unfamiliar(self.table, gate), self._saw(gate.sources.bad)
        return Reading(segment, (), last, now, saw_bad=saw_bad, lost=lost, unfamiliar=strange)

    def _saw(self, source: Source) -> bool:
        """Whether a series of it existed, even at 0."""
        releases = self.table.plan.subject.releases
        return any(self.table.term(source, term, each) for term in COUNTED for each in releases)

    def _lost(self, gate: ResolvedGate) -> Lost | None:
        """What the agent has under none of its releases."""
        bad, total = (self.table.unattributed(source) for source in (gate.sources.bad, gate.sources.total))
        return Lost(bad, total) if bad else None

    def _recent_tail(self, gate: ResolvedGate, bound: float | None) -> Recent | None:
        """Recent runs above `bound`; without a limit, above each."""
        recent = gate.sources.recent
        if not recent or not self._is_covered(recent[0]):
            return None
        histogram = compare(*self._births(gate).both(recent[0]))
        if isinstance(histogram, str):
            return None
        if gate.limit is None:
            return Recent(histogram.segment, bounds=histogram.bounds)
        above = [b for b in histogram.bounds if b.le == bound]
        if not above:
            return None
        runs = histogram.segment
        segment = Segment(above[0].canary, runs.canary_total, above[0].stable, runs.stable_total)
        return Recent(segment, bound, leaving=leaving(self.table, recent[1]))

    def _is_covered(self, source: Source) -> bool:
        """Whether stable's series existed at the beginning of the window, so that they are not new.

        If new series are not queried, nothing can be mistaken for one.
        """
        plan = self.table.plan
        stable = plan.subject.control
        return stable is None or source in plan.grown or bool(self.table.term(source, Term.COVERED, stable))

    def _births(self, gate: ResolvedGate) -> Births:
        if gate.name not in self.births:
            self.births[gate.name] = Births(self.table, gate, self.explains)
        return self.births[gate.name]


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
