"""How bad a Fail is: a release that is only more expensive, or only slower, may have a cold cache.

A new weight brings fresh pods and empty prompt caches, and a small weight keeps them cold: at few requests an
hour each entry expires before it is used again. So a release can cost four times as much at 5% and as much as
stable at 25%. That is a reason to hold and to report it, and not to roll back at once.
"""

from typing import Final

from agentrollouts.api.verdict import Severity
from agentrollouts.core.gates.counts import Segment
from agentrollouts.core.judge.comparison import Comparison
from agentrollouts.core.judge.facts import Facts

EXTRA: Final = 0.5
"""The share of stable's sum by which the canary must raise the total of both releases before a grade rises
with the ratio: three times as much per run at 25%, eleven times at 5%."""

_RANKS: Final = tuple(Severity)
"""The worst first."""


def severity_of(case: Facts, finding: Comparison) -> Severity:
    """The severity of a canary that is worse, by how much worse it is."""
    gate, severity = case.gate, case.gate.severity_at(finding.ratio)
    if gate.traits.is_sum and _extra(finding) < EXTRA:
        severity = gate.severity
    return tempered(case, severity)


def tempered(case: Facts, severity: Severity) -> Severity:
    """At most Medium for an amount within the warm-up of a new weight."""
    is_warm = case.course.counted_seconds >= case.course.warmup_seconds
    if is_warm or not case.gate.traits.is_amount:
        return severity
    return max(severity, Severity.MEDIUM, key=_RANKS.index)


def _extra(finding: Comparison) -> float:
    """What the canary spends beyond stable's rate, of what both would spend at that rate, at its weight."""
    now = next((s for s in reversed(finding.segments) if s.compares), Segment(0.0, 1.0, 0.0, 1.0))
    share = now.canary_total / (now.canary_total + now.stable_total)
    return share * (finding.ratio - 1)
