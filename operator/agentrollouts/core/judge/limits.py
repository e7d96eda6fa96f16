"""One release by itself: above an absolute limit, worse than it was, or without traffic.

Each answer here is sure to 99.9%, or by the odds of its gate, as it may stop a rollout without a control
group.
"""

import math
from typing import Final

from agentrollouts.api.verdict import Baseline
from agentrollouts.core.gates.counts import Recent, Segment
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.judge.stats.evidence import evidence

Z: Final = 3.0902
"""One-sided 99.9% of the normal distribution."""

TAIL: Final = 0.01
"""Share of runs that may exceed the limit of a histogram: that of its 99th percentile."""

DEGRADED: Final = 2.0
"""How many times worse than before the attempt stable must be for an incident; less is the time of day."""


def surely_above(bad: float, total: float, burst: float) -> float:
    """The share of bad runs that is exceeded with 99.9%: the lower Wilson bound, on `total / burst` runs."""
    if bad <= 0 or total <= 0:
        return 0.0
    n, p, z2 = total / burst, min(1.0, bad / total), Z * Z
    spread = Z * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return max(0.0, p + z2 / (2 * n) - spread) / (1 + z2 / n)


def threshold(gate: ResolvedGate) -> float:
    """The share of bad runs that the gate's limit allows."""
    if gate.traits.by_bounds:
        return TAIL
    return gate.limit.value if gate.limit else 1.0


def is_beyond(gate: ResolvedGate, recent: Recent, burst: float) -> bool:
    """Whether the canary certainly exceeds the limit, even if all its unfinished runs end well."""
    bad = recent.segment.canary_bad
    return bad >= gate.min_bad and surely_above(bad, recent.canary_runs, burst) > threshold(gate)


def stable_is_beyond(gate: ResolvedGate, recent: Segment) -> bool:
    """Whether stable seems to exceed it too: then a rollback would not help."""
    return recent.stable_total > 0 and recent.stable_bad / recent.stable_total > threshold(gate)


def speaks_of_agent(gate: ResolvedGate, baseline: Baseline | None) -> bool:
    """Whether a limit is meaningful if stable exceeds it too.

    One that the user wrote can. One of a template may just not fit the agent, unless stable is known to have
    kept it before the attempt.
    """
    if gate.limit_is_own:
        return True
    return baseline is not None and baseline.total > 0 and baseline.bad / baseline.total <= threshold(gate)


def speaks_alone(gate: ResolvedGate, baseline: Baseline | None) -> bool:
    """Whether a limit can say anything where the canary has nothing beside it.

    A template's must be known to fit the agent, by what stable was before. Where nothing is known, a share of
    bad runs means the same for every agent; seconds and steps do not.
    """
    if gate.limit is None or gate.limit_is_own:
        return True
    if baseline is None or not baseline.total:
        return not gate.traits.by_bounds
    return speaks_of_agent(gate, baseline)


def never_fitted(gate: ResolvedGate, baseline: Baseline | None) -> bool:
    """Whether a template's limit is one that stable did not keep before the attempt either."""
    return baseline is not None and baseline.total > 0 and not speaks_of_agent(gate, baseline)


def is_degraded(gate: ResolvedGate, recent: Recent, baseline: Baseline | None, burst: float) -> bool:
    """Whether stable is much worse now than it was by itself before the attempt.

    For an amount, stable must certainly be `DEGRADED` times worse, not just worse: the cost or the duration
    of a run varies with the time of day, and a few expensive runs would have the same effect. A sum is
    counted in units of its burst factor, as in the comparison with the canary.
    """
    now, is_sum = recent.segment, gate.traits.is_sum
    if baseline is None or not baseline.total or not now.stable_total:
        return False
    if now.stable_bad < gate.min_bad * (burst if is_sum else 1.0):
        return False
    if now.stable_bad * baseline.total <= DEGRADED * baseline.bad * now.stable_total:
        return False
    allowed = baseline.bad * (DEGRADED if gate.counts_amounts else 1.0)
    change = Segment(now.stable_bad, now.stable_total, allowed, baseline.total)
    return evidence([[change]], planned_phases=1, burst=burst) >= gate.needed
