"""Inputs: a rollback, from the written route to its end. Outputs: the affected window."""

from datetime import timedelta

import pytest

from agentrollouts.api.attempt import State
from agentrollouts.api.record.course import Look
from agentrollouts.api.rollback import MAX_WINDOW_WEIGHTS, AffectedWindow, LastRuns
from agentrollouts.core.attempt.window import counted, opened, with_weights
from testkit.builders.names import NEW, OLD, START, digest_of
from testkit.builders.releases import a_record
from testkit.builders.rollouts import a_rollout
from testkit.world import Behavior, World, a_world

BAD = Behavior(failed=0.3)
VERIFYING = a_rollout().serving(OLD).trying(NEW).rolling_back(State.VERIFYING)


def window_of(world: World) -> AffectedWindow:
    """The window that the status has."""
    window = world.status.affected_window
    assert window is not None
    return window


def opened_window() -> AffectedWindow:
    """The window when the route shows the rollback, ten seconds after `START`."""
    attempt = VERIFYING.status.attempt
    assert attempt is not None
    return opened(attempt, a_record(NEW), START + timedelta(seconds=10))


@pytest.mark.parametrize(
    ("last", "by_gates", "runs"),
    [(None, None, None), (None, 12, 12), (41, 12, 41), (9, 12, 12), (41, None, 41)],
)
def test_runs_are_those_that_were_counted(last: int | None, by_gates: int | None, runs: int | None) -> None:
    """By the gates or by the counter of runs, whichever knows of more; counters of ended agents are gone."""
    rollback = VERIFYING.status.last_rollback
    assert rollback is not None
    time = START + timedelta(seconds=30)
    if last is not None:
        rollback = rollback.copy_with(last_runs=LastRuns(runs=last, time=time, scrapes=3))

    window = counted(opened_window(), rollback, by_gates, is_final=False)

    assert (window.runs, window.last_run_time) == (runs, None if last is None else time)
    assert counted(window, rollback, None, is_final=True) == window.copy_with(is_final=True)
    assert counted(window.copy_with(is_final=True), rollback, by_gates, is_final=False).is_final


def test_the_window_has_the_newest_changes_of_the_weight() -> None:
    """The first is as exact as the window, unless there were too many to keep."""
    looks = [Look(seconds=10 * index, weight=index) for index in range(4)]
    status = VERIFYING.having(course=tuple(looks), affected_window=opened_window()).status

    window = with_weights(status).affected_window
    assert window is not None
    assert [(change.canary, change.time - START) for change in window.weights] == [
        (1, timedelta()),
        (2, timedelta(seconds=20)),
        (3, timedelta(seconds=30)),
    ]
    many = tuple(Look(seconds=index, weight=index) for index in range(1, 60))
    window = with_weights(status.copy_with(course=many)).affected_window
    assert window is not None
    assert [change.canary for change in window.weights] == list(range(60 - MAX_WINDOW_WEIGHTS, 60))


def test_a_window_fills_as_the_rollback_goes_on() -> None:
    """From the route to the last runs: what is known is there at once, and at the end it is final."""
    world = a_world(a_rollout(traffic={}).serving(OLD), OLD)
    world.ship(NEW, BAD)
    world.run_until(State.VERIFYING)
    first = window_of(world)
    assert (first.release, first.digest, first.attempt) == (NEW, digest_of(NEW), 2)
    assert [change.canary for change in first.weights] == [5, 0]
    assert (first.weights[0].time, first.is_final) == (first.start_time, False)
    world.run_until(State.ROLLED_BACK)
    last = window_of(world)
    assert (last.is_final, last.weights) == (True, first.weights)
    assert (last.runs or 0) >= (first.runs or 0) > 0
    assert last.last_run_time is not None


def test_a_window_waits_for_the_last_runs_where_they_are_counted() -> None:
    """A gateway that follows the route at once does not end the runs that are in progress."""
    world = a_world(a_rollout().serving(OLD), OLD)
    world.ship(NEW, BAD)
    world.run_until(State.VERIFYING)
    world.run(1)
    rollback = world.status.last_rollback
    assert rollback is not None
    assert rollback.observed_time is not None
    assert not window_of(world).is_final
    world.run(90)
    assert window_of(world).is_final


def test_a_window_is_final_once_the_last_runs_are_no_longer_waited_for() -> None:
    """Requests that still reach the canary cannot keep a repair waiting; they extend the window."""
    world = a_world(a_rollout(traffic={}).serving(OLD), OLD)
    world.ship(NEW, BAD)
    world.run_until(State.VERIFYING)
    finals = []
    for _ in range(8):
        world.run(20)
        finals.append((window_of(world).is_final, world.state, window_of(world).end_time))
        world.serve({NEW: 5}, 10)
    assert finals[0][:2] == (False, State.VERIFYING)
    assert finals[-1][:2] == (True, State.VERIFYING)
    assert finals[-1][2] != finals[-2][2]
