"""The plan as arithmetic: ramps rise in small steps, clocks stop and go on, edits that matter are seen."""

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.api.attempt import Attempt
from agentrollouts.api.reasons import Reason
from agentrollouts.api.rollout import Phase
from agentrollouts.core.attempt.clocks import due_time, elapsed, phase_seconds, warmup_left
from agentrollouts.core.attempt.schedule import (
    MAX_RAMP_STEPS,
    RampStep,
    phase_at_weight,
    plan_hash,
    ramp,
    rises_left,
    step_at,
    steps_of,
)
from testkit.builders.names import NEW, OLD, START
from testkit.builders.rollouts import RolloutBuilder, a_rollout


def tried(builder: RolloutBuilder | None = None) -> Attempt:
    """The attempt of a rollout; by default in the first phase since `START`."""
    attempt = (builder or a_rollout().serving(OLD).trying(NEW)).status.attempt
    assert attempt is not None
    return attempt


def after(seconds: float) -> Any:  # noqa: ANN401 any value of JSON, or any field
    """An instant so long after `START`."""
    return START + timedelta(seconds=seconds)


@given(st.integers(1, 100), st.integers(0, 99), st.integers(1, 100_000))
def test_a_ramp_rises_evenly_to_the_weight_of_its_phase(weight: int, start: int, seconds: int) -> None:
    """At most ten steps, each higher and due later than the one before, up to the phase's weight."""
    steps = ramp(Phase(name="ramp", weight=weight, ramp_seconds=seconds, duration_seconds=seconds), start)

    assert steps[0].due_seconds == 0
    assert steps[-1].weight == weight
    assert len(steps) <= MAX_RAMP_STEPS
    assert steps[-1].due_seconds < seconds
    assert all(low.weight < high.weight for low, high in pairwise(steps))
    assert all(low.due_seconds < high.due_seconds for low, high in pairwise(steps))
    rises = [high.weight - low.weight for low, high in pairwise(steps)]
    assert max(rises, default=0) - min(rises, default=0) <= 1 or start >= weight


def test_the_ramp_of_the_default_plan() -> None:
    """From 25% to 95% in ten steps of seven."""
    expected = tuple(RampStep(25 + 7 * n, 60.0 * (n - 1)) for n in range(1, 11))

    assert steps_of(a_rollout().plan, 2) == expected


def test_a_phase_without_a_ramp_is_one_step() -> None:
    """It has its weight from the first second."""
    assert steps_of(a_rollout().plan, 1) == (RampStep(25, 0),)


@pytest.mark.parametrize(
    ("weight", "phase", "step", "left"),
    [
        (3, 0, 0, [5]),
        (5, 0, 0, []),
        (24, 0, 0, []),
        (25, 1, 0, []),
        (31, 1, 0, []),
        (60, 2, 4, [67, 74, 81, 88, 95]),
        (99, 2, 9, []),
    ],
)
def test_the_place_of_a_weight_in_the_plan(weight: int, phase: int, step: int, left: list[int]) -> None:
    """A weight belongs to the last step that it reaches; every later step of that phase is still ahead."""
    plan = a_rollout().plan
    attempt = tried(a_rollout().serving(OLD).trying(NEW).in_phase(phase).changing(weight=weight))

    assert (phase_at_weight(plan, weight), step_at(plan, phase, weight)) == (phase, step)
    assert [rise.weight for rise in rises_left(plan, attempt)] == left


CHANGES: dict[str, object] = {
    "phases": [{"name": "canary-5", "weight": 5, "durationSeconds": 601}],
    "gates": [{"name": "errors", "template": "error-rate", "maxRatio": "1.2"}],
    "analysis": {"warmupSeconds": 1},
    "metrics": {"labels": {"release": "version"}},
    "bake": {"durationSeconds": 301},
}
OTHERS: dict[str, object] = {
    "releaseRef": {"name": OLD},
    "paused": True,
    "historyLimit": 3,
    "traffic": {},
    "rollback": {"budgetSeconds": 30},
}


@pytest.mark.parametrize(("field", "value"), CHANGES.items())
def test_the_hash_changes_with_all_that_an_attempt_is_judged_by(field: str, value: object) -> None:
    """Evidence for one plan is none for another."""
    assert plan_hash(a_rollout(**{field: value}).plan) != plan_hash(a_rollout().plan)


@pytest.mark.parametrize(("field", "value"), OTHERS.items())
def test_the_hash_does_not_change_with_what_judges_nothing(field: str, value: object) -> None:
    """A pause, a new release or another route restarts no clock."""
    assert plan_hash(a_rollout(**{field: value}).plan) == plan_hash(a_rollout().plan)


def test_a_running_clock_adds_to_what_was_consumed() -> None:
    """Time stopped does not count, and time before the start is none."""
    attempt = tried().replace(elapsed_seconds=100)
    stopped = attempt.replace(clock_start_time=None)

    assert [elapsed(attempt, after(seconds)) for seconds in (-60, 0, 30.5)] == [100, 100, 130.5]
    assert elapsed(stopped, after(30)) == 100


@given(st.integers(1, 10_000), st.integers(0, 10))
def test_all_extensions_together_double_a_phase(duration: int, most: int) -> None:
    """Each is an equal part; a stopped clock, which has whole seconds, can reach every limit."""
    plan = a_rollout(
        phases=[{"name": "only", "weight": 5, "durationSeconds": duration}], analysis={"maxExtensions": most}
    ).plan
    limits = [phase_seconds(plan, tried().replace(extensions=n)) for n in range(most + 1)]

    assert limits[0] == duration
    assert limits[-1] == (2 * duration if most else duration)
    assert limits == sorted(limits)
    assert all(isinstance(limit, int) for limit in limits)


def test_a_due_time_is_exact_and_never_past() -> None:
    """600 s of a clock that has run 100 s are 500 s away; what is over is due now."""
    assert due_time(tried(), 600, after(100)) == after(600)
    assert due_time(tried(), 600, after(700)) == after(700)


def test_the_warm_up_is_once_a_phase() -> None:
    """A ramp step that begins within it waits for the rest only, a later one not at all."""
    plan = a_rollout(analysis={"warmupSeconds": 120}).plan

    assert [warmup_left(plan, tried(), after(seconds)) for seconds in (0, 50, 500)] == [120, 70, 0]


def test_a_hold_keeps_the_place_in_the_plan() -> None:
    """The clock of a held attempt shows what it had consumed."""
    held = tried(a_rollout().serving(OLD).trying(NEW).in_phase(1).held_for(Reason.PAUSED, seconds=42))

    assert (elapsed(held, after(9999)), held.phase_index) == (42, 1)
