"""All numbers that the rules look at, worked out once."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from agentrollouts.api.gates import Better
from agentrollouts.api.verdict import Baseline
from agentrollouts.core.gates.counts import Expected, Recent, Segment, Started, Tally
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.reading import Reading
from agentrollouts.core.gates.wording import short_of
from agentrollouts.core.judge import limits
from agentrollouts.core.judge.comparison import HISTOGRAM_RUNS, Comparison, compare_counts
from agentrollouts.core.judge.stats.arrivals import PATIENCE, begun, underway, unfinished
from agentrollouts.core.judge.stats.shifts import EFFECT, Shift, looks_until, of_histogram, of_mix
from agentrollouts.core.judge.straying import STRAY_SECONDS, Stray, stray


@dataclass(frozen=True, slots=True)
class PlanPosition:
    """Where in its plan the attempt is."""

    phase: int
    """The current phase, from 0; a bake is more of the last one."""
    planned_phases: int
    time_over: bool
    """Whether the phase, or the bake, has run long enough to pass."""
    weight: int | None = None
    """The canary's weight in percent, which its runs must follow; None if they need not."""
    counted_seconds: float = 0.0
    """How long the current segment has been counted."""
    alone: bool = False
    """Whether the canary has all the traffic, so that it is compared with nothing."""
    warmup_seconds: float = 0.0
    """How long after a new weight caches are cold and pods are fresh."""
    planned_looks: int = 1
    """How many looks at a shift the phase has in all, its bake included."""
    started: Started | None = None
    """Runs that began in the current segment; None if agents do not count them."""
    run_seconds: float = 0.0
    """How long a run of stable takes on average; 0 if that is not known."""
    counts_runs: bool = False
    """Whether some gate counts runs, by which it is known where the traffic goes."""

    @property
    def expected(self) -> Expected:
        """What is known of the runs that began in the current segment."""
        return self.expected_of(self.counted_seconds)

    def expected_of(self, seconds: float) -> Expected:
        """The same of a window at its end."""
        return Expected(self.weight, self.started, underway(seconds, self.run_seconds))

    @property
    def is_early(self) -> bool:
        """Whether runs take so long that few of the current segment can have ended."""
        return self.counted_seconds < PATIENCE * self.run_seconds

    def has_stood(self, strays: Stray, seconds: float, for_seconds: float) -> bool:
        """Whether traffic has been far from the weight for long enough to say so."""
        waits = strays.may_be_slow and self.is_early
        return not waits and seconds >= max(for_seconds, STRAY_SECONDS)


@dataclass(frozen=True, slots=True)
class Streaks:
    """Since when something has been found at every check; None if the last one did not find it."""

    failing: datetime | None = None
    """The canary is worse, surely and by enough to matter."""
    beyond: datetime | None = None
    """The canary exceeds the limit."""
    stray: datetime | None = None
    """The canary finishes far too few runs for its weight, or far too many."""


NEVER: Final = Streaks()


@dataclass(frozen=True, slots=True)
class GateMemory:
    """What the status remembers of a gate besides its counts."""

    baseline: Baseline | None = None
    """Outcomes of stable before the attempt."""
    since: Streaks = NEVER
    looks: int = 0
    """Looks at a shift that were taken in the current segment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything that a verdict on counts depends on."""

    gate: ResolvedGate
    reading: Reading
    course: PlanPosition
    tallies: tuple[Tally, ...]
    finding: Comparison | None
    """None for what does not compare rates."""
    burst: float
    """The factor for what each release does by itself; for a mean in the unit of the sum."""
    is_sure: bool
    """The first key."""
    matters: bool
    """The second key."""
    lacks: str
    """What is missing before a Fail may be said; empty if nothing is."""
    memory: GateMemory
    """What is known from before, brought up to now."""
    shift: Shift | None = None
    """For a shift: how far apart the releases are now."""
    strays: Stray | None = None
    """How the canary's runs are far from what its weight gives it; None if they are not."""

    @property
    def now(self) -> datetime:
        """The time that the samples speak of."""
        return self.reading.last_sample_time

    @property
    def since(self) -> Streaks:
        """Since when something has been found at every check, this one included."""
        return self.memory.since

    def seconds(self, since: datetime | None) -> float:
        """How long something has stood."""
        return (self.now - since).total_seconds() if since else 0.0


def establish(
    gate: ResolvedGate,
    reading: Reading,
    course: PlanPosition,
    tallies: tuple[Tally, ...],
    burst: float | None,
    memory: GateMemory,
) -> Facts:
    """Work out the case, with what the status remembers brought up to now."""
    is_compared = gate.is_share_test and not course.alone
    finding = compare_counts(gate, tallies, course.planned_phases, burst) if is_compared else None
    is_sure = finding is not None and finding.evidence >= gate.needed
    matters = finding is not None and _matters(gate, finding)
    lacks = _lacks(gate, finding) if finding and is_sure and matters else ""
    is_sum = finding is not None and gate.traits.is_sum
    factor = finding.burst if finding and is_sum else max(1.0, burst or 1.0)
    strays = strays_by(gate, reading.segment, course)
    reading = replace(reading, recent=_with_begun(gate, reading.recent, course, factor))
    shift = _shift(gate, reading) if gate.traits.is_shift else None
    if gate.traits.is_shift:
        now = _strayed(_looked(gate, shift, course, memory, reading), memory, reading, strays)
    else:
        speaks = not course.alone or limits.speaks_alone(gate, memory.baseline)
        worse, beyond = is_sure and matters and not lacks, speaks and _is_beyond(gate, reading, factor)
        now = _stood(memory, (worse, beyond, bool(strays)), reading.last_sample_time)
    return Facts(
        gate=gate,
        reading=_held_against(reading, memory.baseline),
        course=course,
        tallies=tallies,
        finding=finding,
        burst=factor,
        is_sure=is_sure,
        matters=matters,
        lacks=lacks,
        memory=now,
        shift=shift,
        strays=strays,
    )


def _held_against(reading: Reading, baseline: Baseline | None) -> Reading:
    """With recent counts above those bounds that the baseline speaks of."""
    recent = reading.recent
    if recent is None or baseline is None or baseline.bound is None or not recent.bounds:
        return reading
    return replace(reading, recent=recent.above(baseline.bound))


def _stood(memory: GateMemory, holds: tuple[bool, bool, bool], now: datetime) -> GateMemory:
    """Since when each has held at every check, this one included."""
    old = memory.since
    if not any(holds):
        return memory if old == NEVER else GateMemory(memory.baseline, NEVER, memory.looks)
    since = zip((old.failing, old.beyond, old.stray), holds, strict=True)
    return GateMemory(memory.baseline, Streaks(*((start or now) if held else None for start, held in since)))


def _matters(gate: ResolvedGate, finding: Comparison) -> bool:
    return finding.ratio < gate.margin if gate.better is Better.HIGHER else finding.ratio > gate.margin


def _is_beyond(gate: ResolvedGate, reading: Reading, burst: float) -> bool:
    """Whether the canary certainly exceeds an absolute limit."""
    recent = reading.recent
    return gate.limit is not None and recent is not None and limits.is_beyond(gate, recent, burst)


def strays_by(gate: ResolvedGate, counts: Segment, course: PlanPosition) -> Stray | None:
    """How the canary's runs are far from its weight; None if they are not."""
    return stray(gate, counts, course.expected, is_only=not course.counts_runs)


def _with_begun(
    gate: ResolvedGate, recent: Recent | None, course: PlanPosition, burst: float
) -> Recent | None:
    """With the canary's runs that began in that window; some of them may not have ended yet."""
    if recent is None or gate.limit is None:
        return recent
    seconds = min(course.counted_seconds, gate.limit.window_seconds)
    expected = course.expected_of(seconds)
    return replace(recent, begun=begun(recent.segment, recent.leaving, expected, burst))


def _shift(gate: ResolvedGate, reading: Reading) -> Shift | None:
    burst = gate.burst or 1.0
    if reading.mix:
        return of_mix(reading.mix, burst)
    return of_histogram(reading.bounds, reading.segment, burst)


def _looked(
    gate: ResolvedGate, shift: Shift | None, course: PlanPosition, memory: GateMemory, reading: Reading
) -> GateMemory:
    """With the look that is due, if one is; between looks the last one stands.

    Runs that have not ended may all do what the others did not, so a shift must be larger than their share.
    """
    due = looks_until(course.counted_seconds) or int(course.time_over)
    if due <= memory.looks:
        return memory
    is_found = (
        shift is not None
        and shift.is_found(allowed(gate, course))
        and shift.effect - unfinished(reading.segment, course.expected) >= EFFECT
    )
    since = Streaks(failing=memory.since.failing or reading.last_sample_time) if is_found else NEVER
    return GateMemory(memory.baseline, since, due)


def _strayed(looked: GateMemory, before: GateMemory, reading: Reading, strays: Stray | None) -> GateMemory:
    """With since when traffic is far from the weight, which is seen at every check, not only at looks."""
    since = (before.since.stray or reading.last_sample_time) if strays else None
    return replace(looked, since=replace(looked.since, stray=since))


def allowed(gate: ResolvedGate, course: PlanPosition) -> float:
    """The error that one look at a shift may make, so that all planned ones keep the confidence.

    Each phase has an equal share of it, and each of its looks an equal share of that.
    """
    return (1 - gate.confidence) / max(1, course.planned_phases * course.planned_looks)


def _lacks(gate: ResolvedGate, finding: Comparison) -> str:
    """What is missing before a Fail may be said. A sum is counted in units of its burst factor."""
    total = finding.total
    if gate.traits.by_bounds and total.canary_total < HISTOGRAM_RUNS:
        runs = short_of(total.canary_total, HISTOGRAM_RUNS)
        return f"{runs} of {HISTOGRAM_RUNS} canary runs needed to fail"
    bad = total.canary_bad / (finding.burst if gate.traits.is_sum else 1.0)
    if bad >= gate.min_bad:
        return ""
    return f"{short_of(bad, gate.min_bad)} of {gate.min_bad:g} bad outcomes needed to fail"
