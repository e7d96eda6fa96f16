"""One gate, its counts or why there are none, and one verdict with a sentence.

A Fail must be *sure* (evidence) and must *matter* (ratio). A Pass needs time, enough runs, and no Fail.
Everything else is an honest "not yet". Nothing is remembered here: finished segments are in the status, and
the current one is queried again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from agentrollouts.api.gates import NoDataPolicy, OnFail
from agentrollouts.api.reasons import Reason
from agentrollouts.api.verdict import Numerator, Severity, Side, Verdict
from agentrollouts.core.gates.counts import Segment, Tally
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.reading import NoData, Present, Reading, TooEarly, Uncovered, Unreadable
from agentrollouts.core.judge.comparison import Comparison
from agentrollouts.core.judge.explain import degraded_too
from agentrollouts.core.judge.facts import (
    NEVER,
    Facts,
    GateMemory,
    PlanPosition,
    Streaks,
    establish,
    strays_by,
)
from agentrollouts.core.judge.limits import is_degraded
from agentrollouts.core.judge.rules import rule

NOTHING = GateMemory()


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgment:
    """The answer of one gate."""

    gate: ResolvedGate
    verdict: Verdict
    reason: Reason
    message: str
    severity: Severity
    """How bad a Fail is: that of what failed."""
    finding: Comparison | None = None
    """The numbers of a comparison; None if nothing was compared."""
    burst: float | None = None
    """As set or measured, to be frozen in status."""
    memory: GateMemory = NOTHING
    finished: tuple[Tally, ...] = ()
    present: Tally | None = None
    reading: Reading | None = None
    """The counts of the current segment, if there are any."""
    last_sample_time: datetime | None = None
    note: str = ""
    """Beside a Fail: that stable is in trouble as well."""
    ignored: frozenset[Side] = frozenset()
    """The releases whose new series' first values are not believed in this segment."""
    numerator: Numerator | None = None
    """Whether a bad outcome could have been seen; None while that is not known."""
    recount: bool = False
    """The current segment must be counted again from now: Prometheus has a gap where counting started."""

    @property
    def name(self) -> str:
        """The gate's name."""
        return self.gate.name

    @property
    def action(self) -> OnFail:
        """What follows from a Fail."""
        return self.gate.action_at(self.severity)

    @property
    def warns(self) -> bool:
        """Whether it found something that must be reported but stops nothing."""
        return self.verdict is Verdict.FAIL and self.action is OnFail.WARN

    @property
    def lets_pass(self) -> bool:
        """Whether this gate has no objection to the next phase."""
        ignores = self.gate.no_data is NoDataPolicy.IGNORE
        return self.verdict is Verdict.PASS or self.warns or (ignores and self.verdict is Verdict.NO_DATA)

    @property
    def total(self) -> Segment:
        """Everything that was counted in the attempt."""
        if self.finding:
            return self.finding.total
        present = (self.present,) if self.present else ()
        return Segment.sum(tally.segment for tally in (*self.finished, *present))


def judge(
    gate: ResolvedGate,
    present: Present,
    course: PlanPosition,
    *,
    finished: Sequence[Tally] = (),
    burst: float | None = None,
    memory: GateMemory = NOTHING,
) -> Judgment:
    """Judge one gate.

    Args:
        gate: The question.
        present: What is known about the current segment.
        course: Where in the plan.
        finished: The frozen segments of the attempt, in order.
        burst: The measured burst factor, frozen at the start of the attempt; None if it could not be
            measured.
        memory: What else was frozen, and since when the gate has found what it found.
    """
    factor = gate.burst or burst
    frozen = tuple(finished)
    if isinstance(present, Reading):
        bounds = present.bounds if gate.traits.by_bounds else ()
        tallies = (*frozen, Tally(course.phase, present.segment, bounds, course.expected))
        return _judge_counts(establish(gate, present, course, tallies, factor, memory), factor)
    absence = _absence(gate, present, course, memory) if isinstance(present, NoData) else None
    verdict, reason = _without_counts(gate, present)
    return Judgment(
        gate=gate,
        verdict=Verdict.TRAFFIC_MISMATCH if absence and absence.is_sure else verdict,
        reason=Reason.TRAFFIC_MISMATCH if absence and absence.is_sure else reason,
        message=f"{absence.message} {present.message}" if absence else present.message,
        severity=gate.severity,
        burst=factor,
        memory=replace(memory, since=Streaks(stray=absence.since)) if absence else _interrupted(gate, memory),
        finished=frozen,
        last_sample_time=present.last_sample_time if isinstance(present, NoData) else None,
        recount=isinstance(present, Uncovered),
    )


@dataclass(frozen=True, slots=True)
class _MissingRuns:
    """A release without a series, of which many runs must have ended by the weight."""

    message: str
    since: datetime
    is_sure: bool
    """Whether it is the traffic, and not the metric, that is missing."""


def _absence(
    gate: ResolvedGate, present: NoData, course: PlanPosition, memory: GateMemory
) -> _MissingRuns | None:
    """Whether one release's missing series are missing runs; None if they need not be.

    What is optional, and no count of runs, may be absent for as long as it likes. Where nothing at all
    arrives of a release, its metrics may just lack its labels.
    """
    is_optional = gate.no_data is NoDataPolicy.IGNORE and not gate.counts_runs
    absence = present.absence
    if absence is None or is_optional or gate.no_data is NoDataPolicy.FAIL:
        return None
    strays = strays_by(gate, absence.counts, course)
    if strays is None:
        return None
    since = memory.since.stray or absence.time
    has_stood = course.has_stood(strays, (absence.time - since).total_seconds(), gate.for_seconds)
    return _MissingRuns(strays.message, since, has_stood and absence.is_scraped)


def _without_counts(
    gate: ResolvedGate, present: TooEarly | NoData | Uncovered | Unreadable
) -> tuple[Verdict, Reason]:
    """What it means that there is nothing to count; never a Pass."""
    match present:
        case TooEarly():
            return Verdict.INCONCLUSIVE, Reason.WARMING_UP if present.is_warm_up else Reason.COLLECTING
        case NoData(is_stale=True):
            return Verdict.NO_DATA, Reason.METRICS_STALE
        case NoData():
            fails = gate.no_data is NoDataPolicy.FAIL
            return Verdict.FAIL if fails else Verdict.NO_DATA, Reason.METRIC_MISSING
        case Uncovered():
            return Verdict.INCONCLUSIVE, Reason.COLLECTING
        case Unreadable():
            return Verdict.ERROR, present.reason
        case _:
            assert_never(present)


def _judge_counts(case: Facts, burst: float | None) -> Judgment:
    ruling = rule(case)
    return Judgment(
        gate=case.gate,
        verdict=ruling.verdict,
        reason=ruling.reason,
        message=ruling.message,
        severity=ruling.severity or case.gate.severity,
        finding=case.finding,
        burst=burst,
        memory=case.memory,
        finished=case.tallies[:-1],
        present=case.tallies[-1],
        reading=case.reading,
        last_sample_time=case.now,
        note=_note(case) if ruling.verdict is Verdict.FAIL else "",
    )


def _note(case: Facts) -> str:
    recent, before = case.reading.recent, case.memory.baseline
    if recent is None or before is None or not is_degraded(case.gate, recent, before, case.burst):
        return ""
    return degraded_too(case.gate, recent, before)


def _interrupted(gate: ResolvedGate, memory: GateMemory) -> GateMemory:
    """What found something must find it at every check; the looks at a shift are rarer than checks."""
    return memory if gate.traits.is_shift else replace(memory, since=NEVER)
