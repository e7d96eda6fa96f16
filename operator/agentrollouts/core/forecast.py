"""What a plan can see: how many canary runs each phase will have, and which regressions show in so few.

Beside `gates`: expected counts are put before the same judge, so the forecast cannot promise what the judge
does not keep. A regression that is just caught in expectation is caught in about half of the cases. Each
phase is looked at by itself, as if the regression began with it.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from statistics import NormalDist
from types import MappingProxyType
from typing import Final

from agentrollouts.api.rollout import AgentRolloutSpec, GateType
from agentrollouts.api.status import Verdict
from agentrollouts.core.catalogue import ResolvedGate
from agentrollouts.core.evidence import Segment
from agentrollouts.core.findings import HISTOGRAM_RUNS
from agentrollouts.core.gates import Course, Judgement, judge
from agentrollouts.core.histograms import Bound
from agentrollouts.core.plan import steps_of
from agentrollouts.core.readings import Reading, Tally

SERVED: Final = frozenset({GateType.RATIO, GateType.MEAN, GateType.HISTOGRAM})
"""What can be forecast: what is judged by the share test."""

HOUR: Final = 3600

WORST: Final = 1000.0
"""More times worse than this is not looked for."""

TOLERANCE: Final = 1e-3
"""Relative, of what is found by bisection."""

MOST_RUNS: Final = 1e12
COARSE: Final = 0.03
"""Relative, of the runs after which a histogram is first sure."""

_BOUNDS: Final = tuple(0.1 * 2**power for power in range(13))
_MEDIAN, _SIGMA = 6.0, math.log(19 / 6) / NormalDist().inv_cdf(0.95)
"""A histogram is forecast on bounds twice as wide each, for run times with median 6 s and p95 19 s."""

_NOW: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""No verdict on counts depends on when they were read."""


@dataclass(frozen=True, slots=True)
class Usual:
    """What is assumed of stable, and the regression that one would not like to miss."""

    bad: float
    """Share of stable's runs that are bad; of no meaning for means and histograms."""
    worse: float
    """How many times worse that regression is."""


USUAL: Final[Mapping[str, Usual]] = MappingProxyType(
    {
        "error-rate": Usual(0.012, 7.0),  # 1.2 to 8.4 % errors
        "task-completion": Usual(0.16, 0.29 / 0.16),  # 84 to 71 % completed
        "accuracy": Usual(0.05, 2.0),  # 95 to 90 %
        "cost-per-run": Usual(0.0, 3.0),
    }
)
"""By template, as the playbooks have it."""

USUAL_OF: Final[Mapping[GateType, Usual]] = MappingProxyType(
    {
        GateType.RATIO: Usual(0.02, 3.0),
        GateType.MEAN: Usual(0.0, 2.0),
        GateType.HISTOGRAM: Usual(0.0, 1.5),
    }
)
"""For all others."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time at one weight."""

    share: float
    """The canary's, above 0."""
    runs: float
    """Of both releases."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What one gate sees in one phase."""

    gate: ResolvedGate
    usual: Usual
    canary_runs: float
    smallest: float | None
    """How many times worse a canary must be to be caught; None where not even the worst would be."""
    runs_needed: float | None
    """Canary runs in which the usual regression would be caught; None where no number suffices."""

    @property
    def is_served(self) -> bool:
        """Whether a gate of this type can be forecast."""
        return self.gate.kind in SERVED

    @property
    def catches_usual(self) -> bool:
        """Whether the regression that one would not like to miss is caught."""
        return self.smallest is not None and self.smallest <= self.usual.worse * (1 + TOLERANCE)


@dataclass(frozen=True, slots=True)
class PhaseForecast:
    """One phase of the plan."""

    name: str
    weight: int
    seconds: int
    canary_runs: float
    sights: tuple[Sight, ...]


def forecast(
    spec: AgentRolloutSpec,
    gates: Sequence[ResolvedGate],
    runs_per_hour: float,
    usual: Mapping[str, Usual] = MappingProxyType({}),
) -> tuple[PhaseForecast, ...]:
    """What each phase of a plan can see.

    Args:
        spec: The plan.
        gates: Its resolved gates.
        runs_per_hour: Of both releases together.
        usual: By gate; what is not there is taken from the tables above.
    """
    phases = range(len(spec.phases))
    return tuple(forecast_phase(spec, gates, runs_per_hour, usual, index) for index in phases)


def usual_of(spec: AgentRolloutSpec, gate: ResolvedGate) -> Usual:
    """What is assumed where nothing was measured."""
    template = next((each.template for each in spec.gates if each.name == gate.name), None)
    return USUAL.get(template or "", USUAL_OF.get(gate.kind, Usual(0.0, 1.0)))


def sight(
    gate: ResolvedGate, usual: Usual, stretches: Sequence[Stretch], phase: int, planned_phases: int
) -> Sight:
    """What a gate sees in a phase that consists of these stretches; with more runs it never sees less."""
    runs = sum(stretch.share * stretch.runs for stretch in stretches)
    if gate.kind not in SERVED or not runs:
        return Sight(gate, usual, runs, None, None)
    course, once = Course(phase, planned_phases, time_over=False), [_pooled(stretches, runs)]

    def catches(worse: float, times: float) -> bool:
        found = _judged(gate, usual, stretches, course, worse, times)
        if gate.kind is not GateType.HISTOGRAM:
            return found.verdict is Verdict.FAIL
        return _is_enough(found) and _fails_when_sure(gate, usual, once, course, worse)

    worst = 1 / usual.bad if gate.kind is GateType.RATIO and usual.bad else WORST
    smallest = _least(lambda worse: catches(worse, 1.0), 1.0, worst)
    times = _least(lambda times: catches(min(usual.worse, worst), times), 1e-6, 1e9 / runs)
    return Sight(gate, usual, runs, smallest, None if times is None else times * runs)


def _judged(
    gate: ResolvedGate,
    usual: Usual,
    stretches: Sequence[Stretch],
    course: Course,
    worse: float,
    times: float,
) -> Judgement:
    """The judgement on expected counts, with so many times the runs, of a canary so many times worse."""
    judged = replace(gate, burst=None) if gate.kind is GateType.MEAN else gate  # its unit is not known here
    tallies = [_expected(gate, usual, stretch, worse, times, course.phase) for stretch in stretches]
    reading = Reading(tallies[-1].segment, tallies[-1].bounds, _NOW)
    return judge(judged, reading, course, finished=tallies[:-1])


def _is_enough(found: Judgement) -> bool:
    """Whether a histogram is sure on enough runs, whatever its ratio; with more runs it remains so."""
    finding = found.finding
    return (
        finding is not None
        and finding.evidence >= found.gate.needed
        and finding.total.canary_total >= HISTOGRAM_RUNS
    )


def _fails_when_sure(
    gate: ResolvedGate, usual: Usual, once: Sequence[Stretch], course: Course, worse: float
) -> bool:
    """Whether a histogram fails as soon as it is sure; the judge is asked at every tick, so that counts.

    The ratio is that at the bound with the most evidence, which is another one with more runs, so what fails
    now may be within the margin later. The runs are searched between fixed ends: the answer does not depend
    on how many the phase has.

    `once` is one stretch with one canary run.
    """
    times = _least(
        lambda times: _is_enough(_judged(gate, usual, once, course, worse, times)), 1.0, MOST_RUNS, COARSE
    )
    return times is not None and _judged(gate, usual, once, course, worse, times).verdict is Verdict.FAIL


def _pooled(stretches: Sequence[Stretch], runs: float) -> Stretch:
    """One stretch with one canary run, at the average share."""
    share = runs / sum(stretch.runs for stretch in stretches)
    return Stretch(share, 1 / share)


def forecast_phase(
    spec: AgentRolloutSpec,
    gates: Sequence[ResolvedGate],
    runs_per_hour: float,
    usual: Mapping[str, Usual],
    index: int,
) -> PhaseForecast:
    """What the phase of that index can see; see `forecast`."""
    phase = spec.phases[index]
    stretches = _stretches(spec, index, runs_per_hour)
    warm = _stretches(spec, index, runs_per_hour, spec.analysis.warmup_seconds)
    return PhaseForecast(
        phase.name,
        phase.weight,
        phase.duration_seconds,
        sum(stretch.share * stretch.runs for stretch in stretches),
        tuple(
            sight(
                gate,
                usual.get(gate.name) or usual_of(spec, gate),
                stretches if gate.kind is GateType.RATIO else warm,
                index,
                len(spec.phases),
            )
            for gate in gates
        ),
    )


def _stretches(
    spec: AgentRolloutSpec, index: int, runs_per_hour: float, skipped_seconds: float = 0
) -> list[Stretch]:
    """The steps of a phase, or the one that it is; at 100 % there is nothing to compare with."""
    steps = steps_of(spec, index)
    ends = [*(step.due_seconds for step in steps[1:]), float(spec.phases[index].duration_seconds)]
    lasting = [
        (step.weight, end - max(step.due_seconds, skipped_seconds))
        for step, end in zip(steps, ends, strict=True)
    ]
    return [
        Stretch(weight / 100, runs_per_hour * seconds / HOUR)
        for weight, seconds in lasting
        if seconds > 0 and weight < 100  # noqa: PLR2004 percent
    ]


def _expected(
    gate: ResolvedGate, usual: Usual, stretch: Stretch, worse: float, times: float, phase: int
) -> Tally:
    """Expected counts of a stretch in which the canary is so many times worse."""
    canary, stable = times * stretch.runs * stretch.share, times * stretch.runs * (1 - stretch.share)
    if gate.kind is GateType.HISTOGRAM:
        return Tally(phase, Segment(0.0, canary, 0.0, stable), tuple(_slower(canary, stable, worse)))
    if gate.kind is GateType.MEAN:
        return Tally(phase, Segment(canary * worse, canary, stable, stable))
    return Tally(phase, Segment(canary * min(1.0, usual.bad * worse), canary, stable * usual.bad, stable))


def _slower(canary: float, stable: float, worse: float) -> list[Bound]:
    """Runs above each bound."""

    def above(le: float) -> float:
        return NormalDist().cdf(math.log(_MEDIAN / le) / _SIGMA)

    return [Bound(le, canary * above(le / worse), stable * above(le)) for le in _BOUNDS]


def _least(
    holds: Callable[[float], bool], low: float, high: float, tolerance: float = TOLERANCE
) -> float | None:
    """The least value for which it holds, by bisection on a logarithmic scale; None where none does.

    Between the same ends, what holds for more values never has a greater least one.
    """
    if not holds(high):
        return None
    while high / low > 1 + tolerance:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
