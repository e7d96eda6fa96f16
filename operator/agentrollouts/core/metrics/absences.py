"""What a result says about runs besides those that ended: how many started, and which release has none."""

import math
from collections.abc import Iterable
from dataclasses import replace

from agentrollouts.core.gates.counts import Segment, Started
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.reading import Absence
from agentrollouts.core.gates.selector import BOUND_LABEL
from agentrollouts.core.gates.sources import Source
from agentrollouts.core.gates.templates import LATENCY
from agentrollouts.core.metrics.queries import QueryPlan, Term
from agentrollouts.core.metrics.table import Cell, Table


def with_started(plan: QueryPlan, source: Source) -> QueryPlan:
    """The plan that also queries the runs that began, which identify unfinished ones."""
    sources = tuple(dict.fromkeys((*plan.sources, source)))
    return replace(plan, sources=sources, guarded=plan.guarded | {source}, started=source)


def started(table: Table) -> Started | None:
    """Runs of both releases that began in the segment; None if agents do not count them.

    Both must: where only one release has such a counter, it says nothing of the split. And as with any other
    count, where Prometheus has a hole at the counting start the first value of a series is its whole past.
    """
    source, subject = table.plan.started, table.plan.subject
    if source is None or subject.control is None or source in table.problems:
        return None
    old = [subject.control, *([subject.canary] if table.plan.counted else [])]
    if not all(table.term(source, Term.COVERED, release) for release in old):
        return None
    canary, stable = (table.counts(source, release) for release in (subject.canary, subject.control))
    if not canary or not stable:
        return None
    return Started(math.fsum(canary.values()), math.fsum(stable.values()))


def absence(table: Table, total: Source, absent: list[str]) -> Absence | None:
    """A release that has no series at all beside one that has runs; None if both lack them.

    Only what the other's series grew by counts: with a hole at the counting start, a first value is its past.
    """
    subject = table.plan.subject
    if subject.control is None or len(absent) != 1:
        return None
    sides = (subject.canary, subject.control)
    canary, stable = (0.0 if release in absent else _grown(table, total, release) for release in sides)
    if not canary and not stable:
        return None
    cells = (item for of_source in table.cells.values() for item in of_source.items())
    is_scraped = any(cell for (_, release), cell in cells if release in absent)
    return Absence(Segment(0.0, canary, 0.0, stable), table.at, is_scraped)


def leaving(table: Table, total: Source) -> float:
    """Runs of stable that ended in a window though the canary has all the traffic; 0 at any other weight."""
    subject = table.plan.subject
    return _grown(table, total, subject.stable) if subject.alone and subject.stable else 0.0


def _grown(table: Table, total: Source, release: str) -> float:
    """Runs of a release by increase alone; a histogram's buckets are cumulative."""
    values = table.term(total, Term.INCREASE, release).values()
    return max(values, default=0.0) if total.by == BOUND_LABEL else math.fsum(values)


def run_seconds(table: Table, gates: Iterable[ResolvedGate]) -> float:
    """How long a run of stable takes on average, at most; 0 if no gate looks at durations.

    A run takes as long as the bound above it; one above all bounds, twice the last.
    """
    stable = table.plan.subject.control
    sources = [gate.sources.total for gate in gates if gate.bad in LATENCY]
    cells = [table.term(source, Term.INCREASE, stable) for source in sources] if stable else []
    return max(map(_mean, cells), default=0.0)


def _mean(buckets: Cell) -> float:
    """The mean of the runs in cumulative buckets; 0 if they are none."""
    try:
        below = sorted((float(le or ""), count) for le, count in buckets.items())
    except ValueError:
        return 0.0
    *bounds, (last, runs) = below or [(0.0, 0.0)]
    if not bounds or not math.isinf(last) or not 0 < runs < math.inf:
        return 0.0
    total = before = 0.0
    for le, count in bounds:
        total, before = total + (count - before) * le, count
    return (total + (runs - before) * 2 * bounds[-1][0]) / runs
