"""A gate before its verdict: its numbers, worked out once, of which the chain in `verdicts` asks.

Between `findings`, `limits` and `shifts`, which compute, and `verdicts`, which decides.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from agentrollouts.api.rollout import Better, GateType
from agentrollouts.api.status import Counts
from agentrollouts.core import limits, shifts
from agentrollouts.core.catalogue import ResolvedGate
from agentrollouts.core.evidence import Segment
from agentrollouts.core.findings import HISTOGRAM_RUNS, Finding, find
from agentrollouts.core.readings import Reading, Tally
from agentrollouts.core.unserved import COMPARED
from agentrollouts.core.words import count


@dataclass(frozen=True, slots=True)
class Course:
    """Where in its plan the attempt is."""

    phase: int
    """The present phase, from 0; a bake is more of the last one."""
    planned_phases: int
    time_over: bool
    """Whether the phase, or the bake, has run long enough to pass."""
    weight: int | None = None
    """The canary's weight in percent, which its runs must follow; None where they need not."""
    counted_seconds: float = 0.0
    """How long the present segment has been counted."""
    planned_looks: int = 1
    """How many looks at a shift the phase has in all."""


@dataclass(frozen=True, slots=True)
class Since:
    """Since when something has been found at every check; None where the last one did not find it."""

    failing: datetime | None = None
    """The canary is worse, surely and by enough to matter."""
    beyond: datetime | None = None
    """The canary is beyond the limit."""
    stray: datetime | None = None
    """The canary finishes far too few runs for its weight."""


@dataclass(frozen=True, slots=True)
class Tested:
    """The planned looks at a shift."""

    looks: int = 0
    """How many were taken."""
    is_found: bool = False
    """What the last one said."""
    result: shifts.Shift | None = None
    """How far apart the releases are at present, look or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """All that a verdict on counts depends on."""

    gate: ResolvedGate
    reading: Reading
    course: Course
    tallies: tuple[Tally, ...]
    finding: Finding | None
    """None for what compares no rates."""
    burst: float
    """The factor for counts."""
    lacks: str
    """What is missing before a Fail may be said; empty where nothing is."""
    baseline: Counts | None = None
    since: Since = Since()
    shift: Tested = Tested()

    @classmethod
    def of(
        cls,
        gate: ResolvedGate,
        reading: Reading,
        course: Course,
        tallies: tuple[Tally, ...],
        burst: float | None,
    ) -> "Case":
        """The case as the counts alone make it."""
        finding = find(gate, tallies, course.planned_phases, burst) if gate.kind in COMPARED else None
        return cls(
            gate=gate,
            reading=reading,
            course=course,
            tallies=tallies,
            finding=finding,
            burst=max(1.0, burst or 1.0),
            lacks=_lacks(gate, finding) if finding else "",
        )

    def remembering(self, baseline: Counts | None, since: Since, shift: Tested) -> "Case":
        """The case with what the status knows, brought up to now."""
        known = replace(self, baseline=baseline)
        if self.gate.kind is GateType.SHIFT:
            tested = known.tested(shift)
            failing = (since.failing or known.now) if tested.is_found else None
            return replace(known, shift=tested, since=Since(failing=failing))
        worse = self.is_sure and self.matters and not self.lacks
        updated = Since(
            failing=known.stood(since.failing, holds=worse),
            beyond=known.stood(since.beyond, holds=known.is_beyond),
            stray=known.stood(since.stray, holds=known.has_strayed),
        )
        return replace(known, since=updated)

    @property
    def now(self) -> datetime:
        """The time that the samples speak of."""
        return self.reading.last_sample_time

    def stood(self, since: datetime | None, *, holds: bool) -> datetime | None:
        """Since when it has held at every check, this one included."""
        return (since or self.now) if holds else None

    def seconds(self, since: datetime | None) -> float:
        """How long something has stood."""
        return (self.now - since).total_seconds() if since else 0.0

    @property
    def is_sure(self) -> bool:
        """The first key."""
        return self.finding is not None and self.finding.evidence >= self.gate.needed

    @property
    def matters(self) -> bool:
        """The second key."""
        if self.finding is None:
            return False
        ratio, margin = self.finding.ratio, self.gate.margin
        return ratio < margin if self.gate.better is Better.HIGHER else ratio > margin

    @property
    def is_beyond(self) -> bool:
        """Whether the canary is beyond an absolute limit for certain."""
        recent = self.reading.recent
        return (
            self.gate.limit is not None
            and recent is not None
            and limits.is_beyond(self.gate, recent.segment, self.burst)
        )

    @property
    def has_strayed(self) -> bool:
        """Whether the canary finishes far too few runs."""
        weight = self.course.weight
        return (
            self.gate.counts_runs
            and weight is not None
            and 0 < weight < 100  # noqa: PLR2004 percent
            and limits.has_strayed(self.gate, self.reading.segment, weight / 100)
        )

    @property
    def phase(self) -> Sequence[Segment]:
        """The segments of the present phase."""
        return [tally.segment for tally in self.tallies if tally.phase == self.course.phase]

    def tested(self, before: Tested) -> Tested:
        """With the look that is due, if one is; between looks the last one stands."""
        due = shifts.looks_until(self.course.counted_seconds) or int(self.course.time_over)
        burst, reading = self.gate.burst or 1.0, self.reading
        result = (
            shifts.of_mix(reading.mix, burst)
            if reading.mix
            else shifts.of_histogram(reading.bounds, reading.segment, burst)
        )
        if due <= before.looks:
            return replace(before, result=result)
        allowed = (1 - self.gate.confidence) / max(1, self.course.planned_looks)
        return Tested(due, result is not None and result.is_found(allowed), result)


def _lacks(gate: ResolvedGate, finding: Finding) -> str:
    """What is missing before a Fail may be said. A sum is counted in units of its burst factor."""
    total = finding.total
    if gate.kind is GateType.HISTOGRAM and total.canary_total < HISTOGRAM_RUNS:
        return f"{count(total.canary_total)} of {HISTOGRAM_RUNS} canary runs needed to fail"
    bad = total.canary_bad / (finding.burst if gate.kind is GateType.MEAN else 1.0)
    return "" if bad >= gate.min_bad else f"{count(bad)} of {gate.min_bad:g} bad outcomes needed to fail"
