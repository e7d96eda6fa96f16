"""The table of rules: what counts mean for a rollout, row by row; the first row that applies decides.

The order is the product: proof of harm comes before everything that would only hold, and nothing passes
before every reason not to has been checked.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from agentrollouts.api.gates import GateType
from agentrollouts.api.reasons import Reason
from agentrollouts.api.verdict import Severity, Verdict
from agentrollouts.core.gates.counts import Segment
from agentrollouts.core.gates.swapped import more_bad_than_runs
from agentrollouts.core.gates.wording import short_of
from agentrollouts.core.judge import explain, limits, straying
from agentrollouts.core.judge.facts import NEVER, Facts
from agentrollouts.core.judge.severities import severity_of, tempered

EXTRAPOLATED: Final = 4 / 3
"""How much larger than the truth Prometheus may make a count over four scrapes; matters above zero only."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """A verdict and why."""

    verdict: Verdict
    reason: Reason
    message: str
    severity: Severity | None = None
    """Of a Fail, where it is not the gate's own."""


Row = Callable[[Facts], Ruling | None]


def rule(case: Facts) -> Ruling:
    """What the counts of a gate mean."""
    for row in RULES:
        if (ruling := row(case)) is not None:
            return ruling
    return _passed(case)


def _swapped(case: Facts) -> Ruling | None:
    """More bad runs than runs: the selectors are swapped, or they count different things."""
    recent = case.reading.recent
    message = more_bad_than_runs(case.gate.traits, [tally.segment for tally in case.tallies])
    message = message or (more_bad_than_runs(case.gate.traits, [recent.segment]) if recent else "")
    return Ruling(Verdict.ERROR, Reason.INVALID_GATE, message) if message else None


def _counted_out(case: Facts) -> Ruling | None:
    """Something happened more often than it may: no statistics."""
    bad = Segment.sum(tally.segment for tally in case.tallies).canary_bad
    if bad <= case.gate.max_count * EXTRAPOLATED:
        return None
    return Ruling(Verdict.FAIL, Reason.GATE_FAILED, explain.describe(case))


def _worse(case: Facts) -> Ruling | None:
    """Both keys, for as long as required; a critical gate does not wait."""
    if case.since.failing is None or case.finding is None:
        return None
    severity = severity_of(case, case.finding)
    if severity is not Severity.CRITICAL and case.seconds(case.since.failing) < case.gate.for_seconds:
        return None
    return Ruling(Verdict.FAIL, Reason.GATE_FAILED, explain.describe(case), severity)


def _beyond(case: Facts) -> Ruling | None:
    """The canary exceeds the limit for as long as required; so does stable, if the cause is shared."""
    gate, recent, since = case.gate, case.reading.recent, case.since.beyond
    if gate.limit is None or recent is None or since is None:
        return None
    if case.seconds(since) < gate.limit.for_seconds or limits.never_fitted(gate, case.memory.baseline):
        return None
    message = explain.beyond(gate, recent, case.seconds(since))
    if not limits.stable_is_beyond(gate, recent.segment):
        severity = gate.severity if gate.traits.needs_limit else tempered(case, gate.limit.severity)
        return Ruling(Verdict.FAIL, Reason.GATE_FAILED, message, severity)
    if not limits.speaks_of_agent(gate, case.memory.baseline):
        return None
    return Ruling(Verdict.SHARED_CAUSE, Reason.SHARED_CAUSE, f"{message}, also above it")


def _degraded(case: Facts) -> Ruling | None:
    """Stable itself is much worse than before the attempt, so the cause is not the canary."""
    recent = case.reading.recent
    if recent is None or case.memory.baseline is None:
        return None
    if not limits.is_degraded(case.gate, recent, case.memory.baseline, case.burst):
        return None
    message = explain.degraded(case.gate, recent, case.memory.baseline)
    return Ruling(Verdict.SHARED_CAUSE, Reason.SHARED_CAUSE, message)


def _shifted(case: Facts) -> Ruling | None:
    """The last planned look found another distribution."""
    if case.since.failing is None:
        return None
    return Ruling(Verdict.FAIL, Reason.GATE_FAILED, explain.describe(case))


def _strayed(case: Facts) -> Ruling | None:
    """Requests do not reach the canary, its runs do not end, or it gets more than its weight."""
    strays, seconds = case.strays, case.seconds(case.since.stray)
    if strays is None or not case.course.has_stood(strays, seconds, case.gate.for_seconds):
        return None
    return Ruling(Verdict.TRAFFIC_MISMATCH, Reason.TRAFFIC_MISMATCH, strays.message)


def _pending(case: Facts) -> Ruling | None:
    """Found, but not for long enough."""
    gate, since = case.gate, case.since
    if since is NEVER:
        return None
    waits = ""
    if since.failing and gate.for_seconds:
        waits = _waits("worse", case.seconds(since.failing), gate.for_seconds)
    elif since.beyond and gate.limit and case.seconds(since.beyond) < gate.limit.for_seconds:
        waits = _waits("above the limit", case.seconds(since.beyond), gate.limit.for_seconds)
    elif since.stray and case.course.is_early:
        waits = f"runs take about {case.course.run_seconds:,.0f} s, so few of the canary's can have ended"
    elif since.stray:
        needed = max(gate.for_seconds, straying.STRAY_SECONDS)
        waits = _waits("far from the runs that its weight gives", case.seconds(since.stray), needed)
    return _undecided(case, waits) if waits else None


def _doubtful(case: Facts) -> Ruling | None:
    """The current phase could not have seen a regression, or the time is not over."""
    doubt = _doubt(case) or case.lacks
    if doubt or not case.course.time_over:
        return _undecided(case, doubt or "the phase is not over")
    return None


def _passed(case: Facts) -> Ruling:
    """No reason not to: the end of the table."""
    message = explain.describe(case)
    if case.is_sure:
        return Ruling(Verdict.PASS, Reason.WITHIN_TOLERANCE, f"{message}; worse but within tolerance")
    if case.matters:
        return Ruling(Verdict.PASS, Reason.PASSED, f"{message}; within noise")
    return Ruling(Verdict.PASS, Reason.PASSED, message)


PROOFS: Final[Mapping[GateType, Row]] = MappingProxyType(
    {
        GateType.RATIO: _worse,
        GateType.MEAN: _worse,
        GateType.HISTOGRAM: _worse,
        GateType.SHIFT: _shifted,
        GateType.LIMIT: _beyond,
        GateType.COUNT: _counted_out,
    }
)
"""When a gate of each type fails."""


def _proved(case: Facts) -> Ruling | None:
    """What a gate of this type is there for."""
    return PROOFS[case.gate.kind](case)


RULES: Final[tuple[Row, ...]] = (
    _swapped,  # counts that contradict each other prove nothing, least of all harm
    _proved,  # proof of harm waits neither for time nor for minSamples
    _beyond,  # of any gate with a limit: proof without a comparison, or of a cause that both share
    _degraded,  # the comparison says nothing against the canary, and could not be believed if it did
    _strayed,  # what ends well may be everything that ends
    _pending,  # what was found and may yet act must not pass meanwhile
    _doubtful,
)


def _undecided(case: Facts, note: str) -> Ruling:
    reason = Reason.INCONCLUSIVE if case.course.time_over else Reason.COLLECTING
    return Ruling(Verdict.INCONCLUSIVE, reason, f"{explain.describe(case)}; {note}")


def _waits(what: str, seconds: float, needed: float) -> str:
    return f"{what} for {seconds:.0f} of {needed:.0f} s"


def _doubt(case: Facts) -> str:
    """Why the current phase could not have seen a regression; empty if it could."""
    gate, index = case.gate, case.course.phase
    phase = [tally.segment for tally in case.tallies if tally.phase == index]
    if gate.compares and not case.course.alone and not any(segment.stable_total for segment in phase):
        return "stable has no runs to compare with"
    runs = sum([segment.canary_total for segment in phase])
    return (
        ""
        if runs >= gate.min_samples
        else f"{short_of(runs, gate.min_samples)} of {gate.min_samples:,} canary runs needed to pass"
    )
