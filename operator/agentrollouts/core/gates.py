"""The judge: one gate, its counts or why there are none, and one verdict with a sentence.

After `counts`, before `decide`. A Fail needs two keys, *sure* (evidence) and *matters* (ratio); a Pass needs
time, enough runs, and no Fail. Everything else is an honest "not yet", and nothing here is remembered: the
finished segments stand in the status, and the present one is asked of Prometheus again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from agentrollouts.api.reasons import Reason
from agentrollouts.api.rollout import Action, Better, GateType, NoDataPolicy
from agentrollouts.api.status import BoundCounts, Counts, GateStatus, SegmentStatus, Severity, Verdict
from agentrollouts.core.catalogue import ResolvedGate
from agentrollouts.core.counts import (
    NoData,
    Present,
    Reading,
    Tally,
    TooEarly,
    Uncovered,
    Unreadable,
)
from agentrollouts.core.evidence import Segment, settled
from agentrollouts.core.findings import HISTOGRAM_RUNS, Finding, find
from agentrollouts.core.histograms import Bound
from agentrollouts.core.sentences import describe
from agentrollouts.core.words import count


@dataclass(frozen=True, slots=True)
class Course:
    """Where in its plan the attempt is."""

    phase: int
    """The present phase, from 0; a bake is more of the last one."""
    planned_phases: int
    time_over: bool
    """Whether the phase, or the bake, has run long enough to pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The answer of one gate."""

    gate: ResolvedGate
    verdict: Verdict
    reason: Reason
    message: str
    finding: Finding | None = None
    """The numbers; None where there is nothing new to judge."""
    burst: float | None = None
    """As set or measured, to be frozen in status."""
    finished: tuple[Tally, ...] = ()
    present: Tally | None = None
    last_sample_time: datetime | None = None
    recount: bool = False
    """The present segment must be counted anew from now on: Prometheus has a hole where counting started."""

    @property
    def name(self) -> str:
        """The gate's name."""
        return self.gate.name

    @property
    def action(self) -> Action:
        """What follows from a Fail."""
        return self.gate.action

    @property
    def severity(self) -> Severity:
        """How bad a Fail is."""
        return self.gate.severity

    @property
    def lets_pass(self) -> bool:
        """Whether this gate has no objection to the next phase."""
        ignores = self.gate.no_data is NoDataPolicy.IGNORE
        return self.verdict is Verdict.PASS or (ignores and self.verdict is Verdict.NO_DATA)


def judge(
    gate: ResolvedGate,
    present: Present,
    course: Course,
    *,
    finished: Sequence[Tally] = (),
    burst: float | None = None,
) -> Judgement:
    """Judge one gate.

    Args:
        gate: The question.
        present: What is known about the present segment.
        course: Where in the plan.
        finished: The frozen segments of the attempt, in order.
        burst: The measured burst factor, frozen at the start of the attempt; None where it could not be
            measured.
    """
    factor = gate.burst or burst
    frozen = tuple(finished)
    match present:
        case Reading(segment, bounds, last_sample_time):
            now = Tally(course.phase, segment, bounds)
            return _judge_counts(gate, course, (*frozen, now), factor, last_sample_time)
        case TooEarly(message, is_warm_up):
            verdict, reason = Verdict.INCONCLUSIVE, Reason.WARMING_UP if is_warm_up else Reason.COLLECTING
        case NoData(message, is_stale):
            verdict, reason = Verdict.NO_DATA, Reason.METRICS_STALE if is_stale else Reason.METRIC_MISSING
            if gate.no_data is NoDataPolicy.FAIL and not is_stale:
                verdict = Verdict.FAIL
        case Uncovered(message):
            verdict, reason = Verdict.INCONCLUSIVE, Reason.COLLECTING
        case Unreadable(message, is_final):
            verdict, reason = Verdict.ERROR, Reason.INVALID_GATE if is_final else Reason.METRICS_UNAVAILABLE
        case _:
            assert_never(present)
    return Judgement(
        gate=gate,
        verdict=verdict,
        reason=reason,
        message=message,
        burst=factor,
        finished=frozen,
        last_sample_time=present.last_sample_time if isinstance(present, NoData) else None,
        recount=isinstance(present, Uncovered),
    )


def _judge_counts(
    gate: ResolvedGate, course: Course, tallies: tuple[Tally, ...], burst: float | None, last: datetime
) -> Judgement:
    finding = find(gate, tallies, course.planned_phases, burst)
    answer = _answer(gate, course, tallies, finding)
    sentence = describe(gate, finding)
    return Judgement(
        gate=gate,
        verdict=answer.verdict,
        reason=answer.reason,
        message=f"{sentence}; {answer.note}" if answer.note else sentence,
        finding=finding,
        burst=burst,
        finished=tallies[:-1],
        present=tallies[-1],
        last_sample_time=last,
    )


@dataclass(frozen=True, slots=True)
class _Answer:
    verdict: Verdict
    reason: Reason
    note: str = ""


def _answer(gate: ResolvedGate, course: Course, tallies: Sequence[Tally], finding: Finding) -> _Answer:
    """The situation table for gates that have counts; the first line that fits."""
    is_sure = finding.evidence >= gate.needed
    is_worse = is_sure and _matters(gate, finding)
    lacks = _lacks(gate, finding) if is_worse else ""
    if is_worse and not lacks:  # waits neither for time nor for minSamples
        return _Answer(Verdict.FAIL, Reason.GATE_FAILED)
    phase = [tally.segment for tally in tallies if tally.phase == course.phase]
    doubt = _doubt(gate, phase) or lacks
    if doubt or not course.time_over:
        reason = Reason.INCONCLUSIVE if course.time_over else Reason.COLLECTING
        return _Answer(Verdict.INCONCLUSIVE, reason, doubt or "the phase still runs")
    if is_sure:
        return _Answer(Verdict.PASS, Reason.WITHIN_TOLERANCE, "worse but within tolerance")
    return _Answer(Verdict.PASS, Reason.PASSED)


def _doubt(gate: ResolvedGate, phase: Sequence[Segment]) -> str:
    """Why the present phase could not have seen a regression; empty where it could."""
    if not any(segment.stable_total for segment in phase):
        return "stable has no runs to compare with"
    runs = sum(segment.canary_total for segment in phase)
    return (
        ""
        if runs >= gate.min_samples
        else f"{count(runs)} of {gate.min_samples:,} canary runs needed to pass"
    )


def _matters(gate: ResolvedGate, finding: Finding) -> bool:
    return finding.ratio < gate.margin if gate.better is Better.HIGHER else finding.ratio > gate.margin


def _lacks(gate: ResolvedGate, finding: Finding) -> str:
    """What is missing before a Fail may be said; empty where nothing is.

    A sum is counted in units of its burst factor.
    """
    total = finding.total
    if gate.kind is GateType.HISTOGRAM and total.canary_total < HISTOGRAM_RUNS:
        return f"{count(total.canary_total)} of {HISTOGRAM_RUNS} canary runs needed to fail"
    bad = total.canary_bad / (finding.burst if gate.kind is GateType.MEAN else 1.0)
    return "" if bad >= gate.min_bad else f"{count(bad)} of {gate.min_bad:g} bad outcomes needed to fail"


def to_status(judgement: Judgement) -> GateStatus:
    """The judgement as it is persisted: enough to go on after a restart.

    The counts beside the sentence are those of the whole attempt, for people.
    """
    finding = judgement.finding
    total = finding.total if finding else Segment(0.0, 0.0, 0.0, 0.0)
    return GateStatus(
        name=judgement.name,
        verdict=judgement.verdict,
        reason=judgement.reason,
        message=judgement.message,
        severity=judgement.severity,
        canary=Counts(bad=total.canary_bad, total=total.canary_total),
        stable=Counts(bad=total.stable_bad, total=total.stable_total),
        evidence=finding.evidence if finding else None,
        ratio=finding.ratio if finding else None,
        burst_factor=judgement.burst,
        last_sample_time=judgement.last_sample_time,
        segments=tuple(_to_segment(tally) for tally in judgement.finished),
        present=_to_segment(judgement.present) if judgement.present else None,
    )


def freeze(gate: GateStatus) -> GateStatus:
    """The status once the present segment is over: its last counts join the finished ones."""
    if gate.present is None:
        return gate
    return gate.model_copy(update={"segments": (*gate.segments, gate.present), "present": None})


def finished(gate: GateStatus) -> tuple[Tally, ...]:
    """The frozen segments of a persisted gate."""
    return tuple(_from_segment(segment) for segment in gate.segments)


def _to_segment(tally: Tally) -> SegmentStatus:
    segment = tally.segment
    return SegmentStatus(
        phase_index=tally.phase,
        canary=Counts(bad=segment.canary_bad, total=segment.canary_total),
        stable=Counts(bad=segment.stable_bad, total=segment.stable_total),
        bounds=tuple(BoundCounts(le=b.le, canary=b.canary, stable=b.stable) for b in tally.bounds),
    )


def _from_segment(status: SegmentStatus) -> Tally:
    """As persisted; what no count can be, since a status may be forged, is made one."""
    canary, stable = status.canary, status.stable
    return Tally(
        status.phase_index,
        Segment(settled(canary.bad), settled(canary.total), settled(stable.bad), settled(stable.total)),
        tuple(Bound(b.le, settled(b.canary), settled(b.stable)) for b in status.bounds),
    )
