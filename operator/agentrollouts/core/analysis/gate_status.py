"""A judgment as it is persisted in the status, and read back for the next one.

There is no other memory: counts of finished segments, the frozen burst factor and baseline, and since when
something has been found. A number in a status may be forged, so each is made a valid count again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from agentrollouts.api.reasons import Reason
from agentrollouts.api.verdict import (
    Baseline,
    BoundCounts,
    Counts,
    GateStatus,
    MixCounts,
    RecentCounts,
    SegmentStatus,
    StartedRuns,
    Verdict,
)
from agentrollouts.core.gates.counts import Bound, Expected, Segment, Started, Tally, settled
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.reading import Present, Reading, Sight
from agentrollouts.core.judge.doubts import doubted
from agentrollouts.core.judge.facts import GateMemory, PlanPosition, Streaks
from agentrollouts.core.judge.folding import folded, thinned
from agentrollouts.core.judge.judge import NOTHING, Judgment, judge


def to_status(judgment: Judgment, gates: int = 1) -> GateStatus:
    """The judgment as it is persisted: enough to continue after a restart.

    The counts beside the sentence are those of the whole attempt, for people; without new counts there are
    none.

    Args:
        judgment: What was found.
        gates: How many gates share the room for finished segments.
    """
    finding, memory, since = judgment.finding, judgment.memory, judgment.memory.since
    total = judgment.total if judgment.present else Segment(0.0, 0.0, 0.0, 0.0)
    status = GateStatus(
        name=judgment.name,
        verdict=judgment.verdict,
        reason=judgment.reason,
        message=judgment.message,
        severity=judgment.severity,
        canary=Counts(bad=total.canary_bad, total=total.canary_total),
        stable=Counts(bad=total.stable_bad, total=total.stable_total),
        evidence=finding.evidence if finding else None,
        ratio=finding.ratio if finding else None,
        burst_factor=judgment.burst,
        baseline=memory.baseline,
        source=judgment.gate.counted,
        numerator=judgment.numerator,
        first_values_ignored=tuple(sorted(judgment.ignored)),
        failing_start_time=since.failing,
        beyond_start_time=since.beyond,
        stray_start_time=since.stray,
        looks=memory.looks,
        last_sample_time=judgment.last_sample_time,
        segments=tuple(_to_segment(tally) for tally in folded(judgment.finished, gates)),
        present=_to_segment(judgment.present) if judgment.present else None,
    )
    return _with_proof(status, judgment) if judgment.verdict is Verdict.FAIL else status


def _with_proof(status: GateStatus, judgment: Judgment) -> GateStatus:
    """The status of a gate that failed, with what the verdict rests on besides the counts of its segments."""
    reading = judgment.reading
    if reading is None:
        return status
    if judgment.gate.traits.is_shift:
        mix = [MixCounts(value=m.group, canary=m.canary, stable=m.stable) for m in reading.mix]
        mix += [MixCounts(value=repr(b.le), canary=b.canary, stable=b.stable) for b in reading.bounds]
        return status.copy_with(mix=tuple(mix))
    recent = reading.recent
    if recent is None or judgment.memory.since.beyond is None:
        return status
    canary = Counts(bad=recent.segment.canary_bad, total=recent.canary_runs)
    stable = Counts(bad=recent.segment.stable_bad, total=recent.segment.stable_total)
    return status.copy_with(recent=RecentCounts(canary=canary, stable=stable))


def comparable(gate: GateStatus | None, resolved: ResolvedGate) -> GateStatus | None:
    """The persisted gate, if it counted the same as now."""
    return gate if gate and gate.source in {"", resolved.counted} else None


def is_measured(resolved: ResolvedGate, gate: GateStatus) -> bool:
    """Whether everything that must be measured on stable before the attempt is known."""
    needs_burst = resolved.traits.has_rate and resolved.burst is None
    needs_baseline = bool(resolved.sources.recent)
    return not (needs_burst and gate.burst_factor is None) and not (needs_baseline and gate.baseline is None)


def measured(
    resolved: ResolvedGate, gate: GateStatus | None, burst: float | None, baseline: Baseline | None
) -> GateStatus:
    """The status with what was measured just now; what was frozen before stays."""
    status = gate or GateStatus(
        name=resolved.name,
        verdict=Verdict.INCONCLUSIVE,
        reason=Reason.COLLECTING,
        severity=resolved.severity,
    )
    frozen = status.burst_factor if status.burst_factor is not None else burst
    return status.copy_with(burst_factor=frozen, baseline=status.baseline or baseline)


def finished(gate: GateStatus) -> tuple[Tally, ...]:
    """The frozen segments of a persisted gate."""
    return tuple(_from_segment(segment) for segment in gate.segments)


def memory_of(gate: GateStatus) -> GateMemory:
    """What else a persisted gate remembers."""
    since = Streaks(gate.failing_start_time, gate.beyond_start_time, gate.stray_start_time)
    baseline = gate.baseline
    settled_baseline = baseline and baseline.copy_with(
        bad=settled(baseline.bad), total=settled(baseline.total)
    )
    return GateMemory(settled_baseline, since, gate.looks)


def judged_with(
    past: Mapping[str, GateStatus],
    gates: Iterable[ResolvedGate],
    present: Mapping[str, Present],
    course: PlanPosition,
    now: datetime,
    sights: Mapping[str, Sight] | None = None,
) -> tuple[Judgment, ...]:
    """Judge each gate on what is present, with what the status remembers of it by name.

    Args:
        past: What the status remembers.
        gates: Those that are judged.
        present: Their counts.
        course: Where in the plan.
        now: Time of the decision.
        sights: Whether bad outcomes could have been seen; None if nothing can pass.
    """
    gates = tuple(gates)
    histograms = sum(gate.traits.by_bounds for gate in gates)
    return tuple(
        _judged(
            gate,
            _thinned(gate, present[gate.name], histograms),
            course,
            past.get(gate.name),
            now,
            (sights or {}).get(gate.name),
        )
        for gate in gates
    )


def _thinned(gate: ResolvedGate, present: Present, histograms: int) -> Present:
    """With as many bounds as one of so many histograms may compare."""
    if not isinstance(present, Reading) or not gate.traits.by_bounds:
        return present
    return replace(present, bounds=thinned(present.bounds, histograms))


def _judged(
    gate: ResolvedGate,
    present: Present,
    course: PlanPosition,
    before: GateStatus | None,
    now: datetime,
    sight: Sight | None,
) -> Judgment:
    def on(counts: Present) -> Judgment:
        return judge(
            gate,
            counts,
            course,
            finished=finished(before) if before else (),
            burst=before.burst_factor if before else None,
            memory=_remembered(before, now) if before else NOTHING,
        )

    return doubted(on(present), present, on, before=before, sight=sight)


def _remembered(gate: GateStatus, now: datetime) -> GateMemory:
    """What the gate remembers; what began in the future, by a clock that was put back, begins now."""
    memory = memory_of(gate)
    since = memory.since
    times = (time and min(time, now) for time in (since.failing, since.beyond, since.stray))
    return replace(memory, since=Streaks(*times))


def _to_segment(tally: Tally) -> SegmentStatus:
    segment, started = tally.segment, tally.expected.started
    return SegmentStatus(
        phase_index=tally.phase,
        weight=tally.expected.weight,
        underway=tally.expected.underway,
        started=StartedRuns(canary=started.canary, stable=started.stable) if started else None,
        canary=Counts(bad=segment.canary_bad, total=segment.canary_total),
        stable=Counts(bad=segment.stable_bad, total=segment.stable_total),
        bounds=tuple(BoundCounts(le=b.le, canary=b.canary, stable=b.stable) for b in tally.bounds),
    )


def _from_segment(status: SegmentStatus) -> Tally:
    """As persisted; what no count can be is made one."""
    canary, stable, began = status.canary, status.stable, status.started
    return Tally(
        status.phase_index,
        Segment(settled(canary.bad), settled(canary.total), settled(stable.bad), settled(stable.total)),
        tuple(Bound(b.le, settled(b.canary), settled(b.stable)) for b in status.bounds),
        Expected(
            status.weight,
            Started(settled(began.canary), settled(began.stable)) if began else None,
            min(1.0, settled(status.underway)),
        ),
    )
