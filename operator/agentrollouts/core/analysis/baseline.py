"""Stable before the attempt, from one range query: burst factors and baselines by gate.

Measured once per attempt and then frozen in the status.
"""

import math
from collections.abc import Iterable, Mapping
from datetime import datetime

from agentrollouts.api.verdict import Baseline
from agentrollouts.core.gates.counts import LARGEST, ORDINARY, mean_above, settled
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.selector import BOUND_LABEL, SOURCE_LABEL
from agentrollouts.core.judge.stats.burst import Minute, of_counts, of_sums
from agentrollouts.core.metrics.histograms import Buckets, compare, lowest_bound, tail_bound
from agentrollouts.core.metrics.poll import Series
from agentrollouts.core.metrics.queries import QueryPlan, Term, tag


def factors(plan: QueryPlan, gates: Iterable[ResolvedGate], series: Series) -> dict[str, float]:
    """Burst factors by gate, from the answer to `render_burst`.

    Gates whose factor the user set, or for which the history does not suffice, are absent.
    """
    table = _table(series)
    due = (gate for gate in gates if gate.burst is None and gate.traits.has_rate)
    measured = ((gate.name, _measure(plan, gate, table)) for gate in due)
    return {name: factor for name, factor in measured if factor is not None}


def baselines(plan: QueryPlan, gates: Iterable[ResolvedGate], series: Series) -> dict[str, Baseline]:
    """Stable's outcomes before the attempt by gate, from the same answer; absent without runs.

    For a histogram the bad ones are those above its limit, or above a bound that is not an ordinary one, on
    average; for a mean it is the sum.
    """
    table = _table(series)
    due = (gate for gate in gates if gate.sources.recent)
    measured = ((gate.name, _before(plan, gate, table)) for gate in due)
    return {name: before for name, before in measured if before is not None and before.total}


def _before(plan: QueryPlan, gate: ResolvedGate, table: "_Table") -> Baseline | None:
    """Bad outcomes and runs in the whole history."""
    src = tag(plan, gate.sources.bad, Term.INCREASE)
    if gate.traits.by_bounds:
        return _before_by_bounds(
            gate, {le: math.fsum(samples.values()) for (name, le), samples in table.items() if name == src}
        )
    runs_src = tag(plan, gate.sources.total, Term.INCREASE)
    bad, total = (math.fsum(table.get((name, None), {}).values()) for name in (src, runs_src))
    return Baseline(bad=min(bad, LARGEST if gate.traits.is_sum else total), total=total)


def _before_by_bounds(gate: ResolvedGate, sums: Buckets) -> Baseline | None:
    histogram = compare(sums, sums)  # only stable is queried, with the bounds that it has
    if isinstance(histogram, str):
        return None
    runs = histogram.segment.stable_total
    if gate.limit is not None:
        bound = tail_bound(histogram.bounds, gate.limit.value)
        above = next((b.stable for b in histogram.bounds if b.le == bound), 0.0)
        return Baseline(bad=min(above, runs), total=runs)
    lowest = lowest_bound(histogram.bounds, runs)
    if lowest is None:
        return Baseline(total=runs)  # settled anyway, or it would be queried indefinitely
    _, above = mean_above(histogram.bounds, lowest)
    return Baseline(bad=above, total=runs, bound=lowest)


def _table(series: Series) -> "_Table":
    table: _Table = {}
    for labels, samples in series:
        key = (labels.get(SOURCE_LABEL, ""), labels.get(BOUND_LABEL))
        table[key] = {time: settled(value) for time, value in samples if 0 <= value <= LARGEST}
    return table


_Table = dict[tuple[str, str | None], Mapping[datetime, float]]


def _measure(plan: QueryPlan, gate: ResolvedGate, table: _Table) -> float | None:
    bad = tag(plan, gate.sources.bad, Term.INCREASE)
    if gate.traits.by_bounds:
        return _of_histogram({le: samples for (src, le), samples in table.items() if src == bad and le})
    runs = table.get((tag(plan, gate.sources.total, Term.INCREASE), None), {})
    minutes = _joined(table.get((bad, None), {}), runs)
    return of_sums(minutes) if gate.traits.is_sum else of_counts(minutes)


def _of_histogram(buckets: Mapping[str, Mapping[datetime, float]]) -> float | None:
    """The largest factor of the bounds that are judged: clusters show at some bounds and not at others."""
    runs = buckets.get("+Inf", {})
    dispersions = []
    for le, below in buckets.items():
        above = {time: max(0.0, runs[time] - count) for time, count in below.items() if time in runs}
        if le != "+Inf" and math.fsum(above.values()) < ORDINARY * math.fsum(runs.values()):
            dispersions.append(of_counts(_joined(above, runs)))
    return max((factor for factor in dispersions if factor is not None), default=None)


def _joined(bad: Mapping[datetime, float], runs: Mapping[datetime, float]) -> dict[datetime, Minute]:
    """Minute by minute; no row of bad outcomes is zero of them where there is one of runs."""
    return {time: (bad.get(time, 0.0), count) for time, count in sorted(runs.items())}
