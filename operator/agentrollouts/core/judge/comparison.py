"""The canary compared with stable: how sure, how much worse, and over which counts.

The kinds of gates differ only here: a ratio and a mean are one share test; a histogram is one for each bucket
bound, averaged, so that no one has to define "slow".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from agentrollouts.api.gates import Better
from agentrollouts.core.gates.counts import ORDINARY, Segment, Tally
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.wording import Words
from agentrollouts.core.judge.stats.arrivals import filled
from agentrollouts.core.judge.stats.burst import effective
from agentrollouts.core.judge.stats.evidence import bad_ratio, evidence, good_ratio

HISTOGRAM_RUNS: Final = 10
"""Number of canary runs below which a histogram never fails."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The numbers that a verdict rests on."""

    evidence: float
    """How many to one for "the canary is worse"."""
    ratio: float
    """How many times worse (better Lower) or as good (better Higher)."""
    burst: float
    """The factor by which evidence was divided."""
    segments: Sequence[Segment]
    """Counts of the whole attempt; for a histogram at the bound with the most evidence."""
    weighed: Sequence[Segment]
    """The same as they were compared: with unfinished runs of the canary counted as good."""
    words: Words
    """How these counts are called."""

    @property
    def total(self) -> Segment:
        """All segments added up: what happened, not what can be compared."""
        return Segment.sum(self.segments)


def compare_counts(
    gate: ResolvedGate, tallies: Sequence[Tally], planned_phases: int, measured: float | None
) -> Comparison:
    """Weigh the counts of an attempt.

    Args:
        gate: What is judged.
        tallies: Counts of all its segments, the current one included.
        planned_phases: Length of the plan.
        measured: The burst factor, measured or set; None if stable has no history.
    """
    if gate.traits.by_bounds:
        return _of_bounds(gate, tallies, planned_phases, measured or 1.0)
    segments = [tally.segment for tally in tallies]
    factor = effective(measured, segments, is_sum=gate.traits.is_sum)
    weighed = _filled(tallies, segments, factor)
    sure = evidence(_by_phase(tallies, weighed), planned_phases=planned_phases, burst=factor)
    ratio = good_ratio(weighed) if gate.better is Better.HIGHER else bad_ratio(weighed)
    return Comparison(sure, ratio, factor, segments, weighed, gate.words)


def _filled(tallies: Sequence[Tally], segments: Sequence[Segment], factor: float) -> list[Segment]:
    """The segments with the runs that have not ended yet."""
    pairs = zip(tallies, segments, strict=True)
    return [filled(segment, tally.expected, factor) for tally, segment in pairs]


def _of_bounds(
    gate: ResolvedGate, tallies: Sequence[Tally], planned_phases: int, factor: float
) -> Comparison:
    """Mean of the evidence over all bounds; the other numbers are of the bound with the most evidence.

    A bound below the ordinary run counts as evidence of 1.
    """
    bounds = sorted({bound.le for tally in tallies for bound in tally.bounds})
    runs = sum(tally.segment.stable_total for tally in tallies)
    candidates: list[tuple[float, float, list[Segment]]] = []
    for le in bounds:
        segments = [_at(tally, le) for tally in tallies]
        if sum(s.stable_bad for s in segments) < ORDINARY * runs:
            by_phase = _by_phase(tallies, _filled(tallies, segments, factor))
            candidates.append((evidence(by_phase, planned_phases=planned_phases, burst=factor), le, segments))
    if not candidates:
        segments = [tally.segment for tally in tallies]
        return Comparison(1.0, 1.0, factor, segments, segments, gate.words.about(0.0))
    _, le, segments = max(candidates, key=lambda entry: entry[0])
    weighed = _filled(tallies, segments, factor)
    mean = (sum(sure for sure, _, _ in candidates) + len(bounds) - len(candidates)) / len(bounds)
    return Comparison(mean, bad_ratio(weighed), factor, segments, weighed, gate.words.about(le))


def _at(tally: Tally, le: float) -> Segment:
    """The segment with the runs above one bound as the bad ones; none where it did not have that bound."""
    bound = next((bound for bound in tally.bounds if bound.le == le), None)
    canary, stable = (bound.canary, bound.stable) if bound else (0.0, 0.0)
    return Segment(canary, tally.segment.canary_total, stable, tally.segment.stable_total)


def _by_phase(tallies: Sequence[Tally], segments: Sequence[Segment]) -> list[list[Segment]]:
    """Segments by the phase that their tally belongs to; a phase without counts is empty."""
    if len(segments) == 1 and not tallies[0].phase:  # the first phase, as mostly
        return [list(segments)]
    phases: list[list[Segment]] = [[] for _ in range(1 + max((tally.phase for tally in tallies), default=-1))]
    for tally, segment in zip(tallies, segments, strict=True):
        phases[tally.phase].append(segment)
    return phases
