"""Burst factors: how strongly bad outcomes cluster, as five failures of one incident are not five proofs.

Measured once per attempt on stable alone, over the hours before it, and then frozen. The evidence is divided
by the factor.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from statistics import fmean, median, pvariance
from typing import Final

from agentrollouts.api.rollout import GateType
from agentrollouts.api.status import Baseline
from agentrollouts.core.gates.counts import LARGEST, ORDINARY, SMALLEST, Segment, mean_above, settled
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.kinds import COMPARED
from agentrollouts.core.gates.selector import BOUND_LABEL, SOURCE_LABEL
from agentrollouts.core.metrics.histograms import Buckets, compare, lowest_bound, tail_bound
from agentrollouts.core.metrics.poll import Series
from agentrollouts.core.metrics.queries import QueryPlan, Term, bad_source, recent_sources, tag, total_source

MEASURED: Final = COMPARED | {GateType.LIMIT}
"""Types of gates that have a burst factor."""

BLOCK_MINUTES: Final = 30
"""Within a block the rate is taken as constant; what varies more slowly is no cluster."""

SUM_MARGIN: Final = 1.5
"""Sums have heavy tails, so their factor is raised by half."""

UNMEASURED_SUM: Final = SUM_MARGIN * math.exp(1.2**2)
"""Factor of a sum in units of its mean per run, where there is no history: of a lognormal with sigma 1.2.

Variance over mean of a compound Poisson sum is the mean per run times e^(sigma^2).
"""

Minute = tuple[float, float]
"""Bad outcomes (or the sum) and runs within one minute."""


def factors(plan: QueryPlan, gates: Iterable[ResolvedGate], series: Series) -> dict[str, float]:
    """Burst factors by gate, from the answer to `render_burst`.

    Gates whose factor the user set, or for which the history does not suffice, are absent.
    """
    table = _table(series)
    asked = (gate for gate in gates if gate.burst is None and gate.kind in MEASURED)
    measured = ((gate.name, _measure(plan, gate, table)) for gate in asked)
    return {name: factor for name, factor in measured if factor is not None}


def baselines(plan: QueryPlan, gates: Iterable[ResolvedGate], series: Series) -> dict[str, Baseline]:
    """Stable's outcomes before the attempt by gate, from the same answer; absent without runs.

    For a histogram the bad ones are those above its limit, or above a bound that is not an ordinary one, on
    average; for a mean it is the sum.
    """
    table = _table(series)
    asked = (gate for gate in gates if recent_sources(gate))
    found = ((gate.name, _before(plan, gate, table)) for gate in asked)
    return {name: before for name, before in found if before is not None and before.total}


def _before(plan: QueryPlan, gate: ResolvedGate, table: "_Table") -> Baseline | None:
    """Bad outcomes and runs in the whole history."""
    src = tag(plan, bad_source(gate), Term.INCREASE)
    if gate.kind is GateType.HISTOGRAM:
        return _before_by_bounds(
            gate, {le: math.fsum(samples.values()) for (name, le), samples in table.items() if name == src}
        )
    runs_src = tag(plan, total_source(gate), Term.INCREASE)
    bad, total = (math.fsum(table.get((name, None), {}).values()) for name in (src, runs_src))
    return Baseline(bad=min(bad, LARGEST if gate.kind is GateType.MEAN else total), total=total)


def _before_by_bounds(gate: ResolvedGate, sums: Buckets) -> Baseline | None:
    found = compare(sums, sums)  # only stable is asked, and it has the bounds that it has
    if isinstance(found, str):
        return None
    runs = found.segment.stable_total
    if gate.limit is not None:
        bound = tail_bound(found.bounds, gate.limit.value)
        above = next((b.stable for b in found.bounds if b.le == bound), 0.0)
        return Baseline(bad=min(above, runs), total=runs)
    lowest = lowest_bound(found.bounds, runs)
    if lowest is None:
        return Baseline(total=runs)  # settled all the same, or it would be asked for ever
    _, above = mean_above(found.bounds, lowest)
    return Baseline(bad=above, total=runs, bound=lowest)


def _table(series: Series) -> "_Table":
    table: _Table = {}
    for labels, samples in series:
        key = (labels.get(SOURCE_LABEL, ""), labels.get(BOUND_LABEL))
        table[key] = {time: settled(value) for time, value in samples if 0 <= value <= LARGEST}
    return table


def effective(kind: GateType, measured: float | None, segments: Sequence[Segment]) -> float:
    """The factor to divide by: the one measured or set, else a cautious one.

    Without history, counts are taken as independent. For sums the factor has the unit of the sum and cannot
    be 1; it is made from stable's mean per run so far, or from the canary's where stable's sum is 0.
    """
    if measured and measured >= SMALLEST:
        return measured
    if kind is not GateType.MEAN:
        return 1.0
    stable = _mean(sum(s.stable_bad for s in segments), sum(s.stable_total for s in segments))
    canary = _mean(sum(s.canary_bad for s in segments), sum(s.canary_total for s in segments))
    return UNMEASURED_SUM * (stable or canary or 1.0)


def of_counts(minutes: Mapping[datetime, Minute]) -> float | None:
    """Median over full half hours of the dispersion per minute, at least 1; None without a full half hour.

    With p = (bad + 0.5) / (runs + 1) of the half hour, a minute adds (x - n p)^2 / (n p (1 - p)); the sum is
    divided by the degrees of freedom, the minutes that had runs less one.
    """
    found = [_dispersion(block) for block in _full_blocks(minutes)]
    return max(1.0, median(found)) if found else None


def of_sums(minutes: Mapping[datetime, Minute]) -> float | None:
    """Variance over mean of the sum per minute, raised by half; None without a full half hour or any sum.

    At least the mean per run: a run is the smallest thing that can be clustered, however evenly a load
    arrives.
    """
    sums = [x for x, _ in minutes.values()]
    runs = math.fsum(n for _, n in minutes.values())
    if not sums or not any(sums) or not runs or not _full_blocks(minutes):
        return None
    return max(SUM_MARGIN * pvariance(sums) / fmean(sums), math.fsum(sums) / runs)


_Table = dict[tuple[str, str | None], Mapping[datetime, float]]


def _measure(plan: QueryPlan, gate: ResolvedGate, table: _Table) -> float | None:
    bad = tag(plan, bad_source(gate), Term.INCREASE)
    if gate.kind is GateType.HISTOGRAM:
        return _of_histogram({le: samples for (src, le), samples in table.items() if src == bad and le})
    runs = table.get((tag(plan, total_source(gate), Term.INCREASE), None), {})
    minutes = _joined(table.get((bad, None), {}), runs)
    return of_sums(minutes) if gate.kind is GateType.MEAN else of_counts(minutes)


def _of_histogram(buckets: Mapping[str, Mapping[datetime, float]]) -> float | None:
    """The largest factor of the bounds that are judged: clusters show at some bounds and not at others."""
    runs = buckets.get("+Inf", {})
    found = []
    for le, below in buckets.items():
        above = {time: max(0.0, runs[time] - count) for time, count in below.items() if time in runs}
        if le != "+Inf" and math.fsum(above.values()) < ORDINARY * math.fsum(runs.values()):
            found.append(of_counts(_joined(above, runs)))
    return max((factor for factor in found if factor is not None), default=None)


def _joined(bad: Mapping[datetime, float], runs: Mapping[datetime, float]) -> dict[datetime, Minute]:
    """Minute by minute; no row of bad outcomes is zero of them where there is one of runs."""
    return {time: (bad.get(time, 0.0), count) for time, count in sorted(runs.items())}


def _full_blocks(minutes: Mapping[datetime, Minute]) -> list[list[Minute]]:
    """The half hours from the first minute on that have every minute."""
    if not minutes:
        return []
    first = min(minutes)

    def block_of(item: tuple[datetime, Minute]) -> int:
        return int((item[0] - first).total_seconds() // (60 * BLOCK_MINUTES))

    blocks = ([minute for _, minute in group] for _, group in groupby(sorted(minutes.items()), key=block_of))
    return [block for block in blocks if len(block) == BLOCK_MINUTES]


def _dispersion(block: Sequence[Minute]) -> float:
    busy = [(min(x, n), n) for x, n in block if n]
    if len(busy) < 2:  # noqa: PLR2004 one minute has no dispersion
        return 1.0
    bad, runs = math.fsum(x for x, _ in busy), math.fsum(n for _, n in busy)
    p, q = (bad + 0.5) / (runs + 1), (runs - bad + 0.5) / (runs + 1)
    return math.fsum((x - n * p) ** 2 / (n * p * q) for x, n in busy) / (len(busy) - 1)


def _mean(total: float, runs: float) -> float:
    return total / runs if runs else 0.0
