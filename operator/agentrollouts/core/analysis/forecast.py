"""What a plan can detect: how many canary runs each phase will have, and which regressions show in so few.

Expected counts are put before the same judge as real ones, so the forecast cannot promise what the judge does
not keep. A regression that is just detected in expectation is detected in about half of the cases. Each phase
is forecast by itself, as if the regression began with it.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from agentrollouts.api.rollout import AgentRolloutSpec
from agentrollouts.api.verdict import Verdict
from agentrollouts.core.analysis.expected import expected
from agentrollouts.core.attempt.schedule import steps_of
from agentrollouts.core.gates.counts import Tally
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.reading import Reading
from agentrollouts.core.judge.comparison import HISTOGRAM_RUNS, compare_counts
from agentrollouts.core.judge.facts import PlanPosition
from agentrollouts.core.judge.judge import judge

HOUR: Final = 3600

WORST: Final = 1000.0
"""More times worse than this is not looked for."""

TOLERANCE: Final = 1e-3
"""Relative, of what is found by bisection."""

MOST_RUNS: Final = 1e12
"""Of the canary; more are not looked for."""

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
        "error-rate": Usual(0.012, 7.0),  # 1.2 to 8.4% errors
        "task-completion": Usual(0.16, 0.29 / 0.16),  # 84 to 71% completed
        "accuracy": Usual(0.05, 2.0),  # 95 to 90%
        "cost-per-run": Usual(0.0, 3.0),
    }
)
"""By template, as the playbooks have it; for all others the type decides."""


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
    """How many times worse a canary must be to be caught; None if not even the worst would be."""
    runs_needed: float | None
    """Canary runs in which the usual regression would be caught; None if no number suffices."""

    @property
    def is_served(self) -> bool:
        """Whether a gate of this type can be forecast."""
        return self.gate.is_share_test

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
    traits = gate.traits
    return USUAL.get(template or "", Usual(traits.usual_bad, traits.usual_worse))


def sight(
    gate: ResolvedGate, usual: Usual, stretches: Sequence[Stretch], phase: int, planned_phases: int
) -> Sight:
    """What a gate sees in a phase that consists of these segments; with more runs it never sees less."""
    runs = sum(stretch.share * stretch.runs for stretch in stretches)
    if not gate.is_share_test or not runs:
        return Sight(gate, usual, runs, None, None)
    course, once = PlanPosition(phase, planned_phases, time_over=False), [_pooled(stretches, runs)]

    def catches(worse: float, times: float) -> bool:
        if not gate.traits.by_bounds:
            return _fails(gate, usual, stretches, course, worse, times)
        is_sure = _is_sure(gate, usual, stretches, course, worse, times)
        return is_sure and _first_fail(gate, usual, once, course, worse) <= times * runs

    worst = 1 / usual.bad if gate.traits.is_outcome and usual.bad else WORST
    smallest = _least(lambda worse: catches(worse, 1.0), 1.0, worst)
    times = _least(lambda times: catches(min(usual.worse, worst), times), 1e-6, 1e9 / runs)
    return Sight(gate, usual, runs, smallest, None if times is None else times * runs)


def _fails(
    gate: ResolvedGate,
    usual: Usual,
    stretches: Sequence[Stretch],
    course: PlanPosition,
    worse: float,
    times: float,
) -> bool:
    """Whether the judge fails a canary so many times worse, on expected counts of so many times the runs."""
    judged = replace(gate, burst=None) if gate.traits.is_sum else gate  # its unit is not known here
    *finished, last = (_expected(gate, usual, each, worse, times, course.phase) for each in stretches)
    judgment = judge(judged, Reading(last.segment, last.bounds, _NOW), course, finished=finished)
    return judgment.verdict is Verdict.FAIL


def _is_sure(
    gate: ResolvedGate,
    usual: Usual,
    stretches: Sequence[Stretch],
    course: PlanPosition,
    worse: float,
    times: float,
) -> bool:
    """Whether a histogram has the evidence to fail, whatever its ratio; it keeps that with more runs."""
    tallies = [_expected(gate, usual, each, worse, times, course.phase) for each in stretches]
    return compare_counts(gate, tallies, course.planned_phases, gate.burst).evidence >= gate.needed


def _first_fail(
    gate: ResolvedGate, usual: Usual, once: Sequence[Stretch], course: PlanPosition, worse: float
) -> float:
    """Canary runs after which a histogram fails first; infinite where it never does.

    The judge is evaluated at every interval, so the whole course counts: its ratio is that at the bound with
    the most evidence, which can be another one with more runs, and can then be within the margin. The runs
    are searched between fixed ends, so the result does not depend on how many the phase has. `once` is one
    segment with one canary run.
    """

    def is_enough(runs: float) -> bool:
        tallies = [_expected(gate, usual, each, worse, runs, course.phase) for each in once]
        comparison = compare_counts(gate, tallies, course.planned_phases, gate.burst)
        has_counts = comparison.total.canary_bad >= gate.min_bad and runs >= HISTOGRAM_RUNS
        return has_counts and comparison.evidence >= gate.needed

    runs = _least(is_enough, 1.0, MOST_RUNS)
    return runs if runs is not None and _fails(gate, usual, once, course, worse, runs) else math.inf


def _pooled(stretches: Sequence[Stretch], runs: float) -> Stretch:
    """One segment with one canary run, at the average share."""
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
                stretches if gate.traits.is_outcome else warm,
                index,
                len(spec.phases),
            )
            for gate in gates
        ),
    )


def _stretches(
    spec: AgentRolloutSpec, index: int, runs_per_hour: float, skipped_seconds: float = 0
) -> list[Stretch]:
    """The steps of a phase, or the phase itself without a ramp; at 100% there is nothing to compare with."""
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
    """Expected counts of a segment in which the canary is so many times worse."""
    runs = times * stretch.runs
    return expected(gate.traits, phase, (runs * stretch.share, runs * (1 - stretch.share)), usual.bad, worse)


def _least(holds: Callable[[float], bool], low: float, high: float) -> float | None:
    """The least value for which it holds, by bisection on a logarithmic scale; None if none does.

    Between the same ends, what holds for more values never has a greater least one.
    """
    if not holds(high):
        return None
    while high / low > 1 + TOLERANCE:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
