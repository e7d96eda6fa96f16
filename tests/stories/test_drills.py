"""Drills in virtual time: when they begin, what they show, and that nothing else notices."""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final

import pytest

from agentrollouts.api.attempt import AttemptKind, State, Trigger
from agentrollouts.api.objects import ConditionStatus
from agentrollouts.api.people.action import ActionType
from agentrollouts.api.reasons import Reason
from agentrollouts.api.recovery.drill import DrillOutcome
from agentrollouts.api.status import Outcome
from agentrollouts.core.conditions import find_condition
from agentrollouts.core.history import has_failed_drill
from testkit.builders.freezes import a_freeze
from testkit.builders.names import NEW, NEXT, OLD, OLDEST, START, digest_of
from testkit.world import Behavior, World, a_world_at_rest

DAY: Final = 86_400
MONTH: Final = 30 * DAY
DRILL: Final[dict[str, Any]] = {"everySeconds": MONTH, "weight": 5, "durationSeconds": 300}


def at_rest(*releases: str, **spec: object) -> World:
    """The last of these serves, those before it did."""
    world = a_world_at_rest(*releases or (OLDEST, OLD), **({"drill": DRILL} | spec))
    world.settle()
    return world


def plan_now(world: World) -> None:
    """The time of the next drill has come."""
    world.rollout = world.rollout.replace(status=world.status.copy_with(next_drill_time=world.now))


def due(world: World) -> None:
    """The next drill is due now."""
    plan_now(world)
    world.settle()


def drill(world: World, release: str = OLDEST) -> str:
    """A person requests a drill; what the operator answers."""
    world.act(ActionType.DRILL, release=release)
    world.settle()
    entry = world.status.actions[0]
    return f"{entry.result}: {entry.message}"


def ready(world: World) -> tuple[str, str]:
    """Status and reason of `Ready`."""
    condition = find_condition(world.status.conditions, "Ready")
    assert condition is not None
    return condition.status.value, condition.reason


def test_a_drill_gives_the_target_a_share_and_takes_it_back() -> None:
    """It ends as an attempt of its own, and the status of harm stays as it was."""
    world = at_rest()
    due(world)
    attempt = world.status.attempt
    assert attempt is not None
    assert (attempt.kind, attempt.state, world.shares()) == (
        AttemptKind.DRILL,
        State.CANARY,
        {OLD: 95, OLDEST: 5},
    )
    world.run(3600)

    last = world.status.last_drill
    assert last is not None
    assert (last.target, last.outcome, last.attempt, last.weight) == (OLDEST, DrillOutcome.PASSED, 3, 5)
    assert last.runs, "the runs of the drill are counted"
    assert last.decided_to_routed_seconds is not None
    assert last.rollback is not None
    assert last.rollback.trigger is Trigger.DRILL
    assert world.shares() == {OLD: 100}
    assert world.status.last_rollback is None
    assert world.status.affected_window is None
    newest = world.status.history[0]
    assert (newest.kind, newest.release, newest.outcome, newest.reason) == (
        AttemptKind.DRILL,
        OLDEST,
        Outcome.ROLLED_BACK,
        Reason.DRILL_PASSED,
    )
    assert world.status.next_drill_time == last.time + timedelta(seconds=MONTH)


def test_ready_stays_true_during_a_drill() -> None:
    """Tools that deploy see nothing of it."""
    world = at_rest()
    seen = {ready(world)}
    due(world)
    for _ in range(60):
        world.run(15)
        seen.add(ready(world))

    assert seen == {("True", "Healthy")}
    assert len(world.told(Reason.DRILL_PASSED)) == 1


def test_a_target_that_does_harm_fails_its_drill_and_is_not_chosen() -> None:
    """A rollback at rest takes the release before it, until a drill of it passes."""
    world = at_rest(OLDEST, NEW, OLD)
    world.agents[NEW] = Behavior(failed=0.6)
    world.runs_per_second = 20.0
    due(world)
    world.run(3600)

    last = world.status.last_drill
    assert last is not None
    assert (last.target, last.outcome) == (NEW, DrillOutcome.FAILED)
    assert "errors" in last.message
    assert (world.status.quarantined, world.status.last_rollback, world.shares()) == ((), None, {OLD: 100})
    assert has_failed_drill(digest_of(NEW), world.status)

    world.act(ActionType.ROLL_BACK, release=OLD)
    world.settle()
    assert world.status.stable is not None
    assert world.status.stable.release == OLDEST


def test_a_later_drill_that_passes_makes_it_a_target_again() -> None:
    """Only a drill of that release does."""
    world = at_rest(OLDEST, NEW, OLD)
    world.agents[NEW], world.runs_per_second = Behavior(failed=0.6), 20.0
    drill(world, NEW)
    world.run(3600)
    world.agents[NEW] = Behavior()
    assert drill(world, OLDEST).startswith("Done: attempt 5 drills")
    world.run(3600)
    assert has_failed_drill(digest_of(NEW), world.status)

    drill(world, NEW)
    world.run(3600)
    assert not has_failed_drill(digest_of(NEW), world.status)
    world.act(ActionType.ROLL_BACK, release=OLD)
    world.settle()
    assert world.status.stable is not None
    assert world.status.stable.release == NEW


def test_a_passed_drill_does_not_disqualify_its_target() -> None:
    """It ends as rolled back, and says the opposite."""
    world = at_rest()
    due(world)
    world.run(3600)
    world.act(ActionType.ROLL_BACK, release=OLD)
    world.settle()

    assert world.status.stable is not None
    assert world.status.stable.release == OLDEST


def test_a_requested_release_ends_a_drill_at_once() -> None:
    """It begins in the same second, and the drill has shown nothing."""
    world = at_rest()
    due(world)
    world.run(60)
    world.ship(NEW)
    world.settle()

    last, attempt = world.status.last_drill, world.status.attempt
    assert last is not None
    assert attempt is not None
    assert (last.outcome, last.message) == (DrillOutcome.SKIPPED, f"spec.releaseRef names {NEW}")
    assert (attempt.kind, attempt.state, world.shares()) == (
        AttemptKind.RELEASE,
        State.CANARY,
        {OLD: 95, NEW: 5},
    )


def test_the_drilled_release_can_be_requested_meanwhile() -> None:
    """Git returns to it by one write, as it would without a drill."""
    world = at_rest()
    due(world)
    world.ask_for(OLDEST)
    world.settle()

    assert (world.state, world.shares()) == (State.BAKING, {OLD: 0, OLDEST: 100})


@pytest.mark.parametrize("seconds", [10, 302, 310])
def test_stable_is_rolled_back_in_the_middle_of_a_drill(seconds: int) -> None:
    """A person who saw the rollout before the drill, or during it, is not told that this is stale."""
    for offset in (0, 1):
        world = at_rest()
        due(world)
        world.run(seconds)
        world.act(ActionType.ROLL_BACK, attempt=2 + offset, release=OLD)
        world.run(10)

        assert world.status.stable is not None
        assert (world.status.stable.release, world.shares()) == (OLDEST, {OLDEST: 100}), offset


def test_a_rollback_of_the_drilled_release_ends_the_drill() -> None:
    """As `roll-back-all` requests it; it proves nothing against the release."""
    world = at_rest()
    due(world)
    world.run(30)
    world.act(ActionType.ROLL_BACK, release=OLDEST)
    world.run(300)

    last = world.status.last_drill
    assert last is not None
    assert (last.outcome, world.shares(), world.status.quarantined) == (
        DrillOutcome.SKIPPED,
        {OLD: 100},
        (),
    )
    assert world.status.actions[0].result == Reason.DONE


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda world: world.edit(lambda b: b.planning(paused=True)), "spec.paused is true"),
        (
            lambda world: setattr(world, "freezes", (a_freeze(),)),
            "AgentFreeze",
        ),
        (lambda world: world.edit(lambda b: b.asking_for(NEW)), "the rollout is not Ready: spec.releaseRef"),
        (lambda world: world.deserted.add(OLDEST), "Service"),
    ],
    ids=["paused", "frozen", "not ready", "without endpoints"],
)
def test_what_keeps_a_drill_from_beginning_is_the_answer(change: Any, message: str) -> None:  # noqa: ANN401 a change of the world
    """A drill that is due waits for it, except for its own target, and sends no requests meanwhile."""
    world = at_rest()
    change(world)
    world.settle()
    answer = drill(world)

    assert answer.startswith(f"Refused: {message}"), answer
    assert world.status.last_drill is None
    assert world.status.attempt is not None
    assert world.status.attempt.number == 2


def test_a_drill_that_is_due_waits_for_the_end_of_a_pause() -> None:
    """And begins then."""
    world = at_rest(paused=True)
    due(world)
    world.run(DAY)
    assert world.status.last_drill is None
    world.edit(lambda builder: builder.planning(paused=False))
    world.settle()

    assert world.status.last_drill is not None
    assert world.status.last_drill.time == world.now


def test_a_pause_ends_a_drill() -> None:
    """Without proof of anything."""
    world = at_rest()
    due(world)
    world.run(20)
    world.edit(lambda builder: builder.planning(paused=True))
    world.settle()

    assert world.status.last_drill is not None
    assert world.status.last_drill.outcome is DrillOutcome.SKIPPED
    assert world.shares() == {OLD: 100}


def test_a_target_without_endpoints_is_not_given_any_request() -> None:
    """The drill fails before it begins, and the next one is an interval later."""
    world = at_rest()
    world.deserted.add(OLDEST)
    due(world)

    last = world.status.last_drill
    assert last is not None
    assert (last.outcome, last.attempt, world.shares()) == (DrillOutcome.FAILED, None, {OLD: 100})
    assert world.route_weights in ([], [0])
    assert world.status.next_drill_time == last.time + timedelta(seconds=MONTH)


def test_a_target_that_loses_its_endpoints_fails_its_drill() -> None:
    """As a canary would."""
    world = at_rest()
    due(world)
    world.run(30)
    world.deserted.add(OLDEST)
    world.run(600)

    last = world.status.last_drill
    assert last is not None
    assert (last.outcome, world.shares()) == (DrillOutcome.FAILED, {OLD: 100})


def test_a_drill_without_runs_has_shown_nothing() -> None:
    """It neither passes nor fails, and says what to raise."""
    world = at_rest()
    world.runs_per_second = 0.0
    due(world)
    world.run(3600)

    last = world.status.last_drill
    assert last is not None
    assert (last.outcome, last.runs) == (DrillOutcome.SKIPPED, None)
    assert "raise `drill.weight`" in last.message
    assert not has_failed_drill(digest_of(OLDEST), world.status)


def test_a_year_has_twelve_drills_and_none_overlaps_an_attempt() -> None:
    """Releases ship as they come: one at the very time at which a drill is due, one during a drill."""
    world = at_rest(drill=DRILL | {"weight": 20})
    starts: list[datetime] = []
    end = START + timedelta(days=12 * 30)
    shipped: dict[str, timedelta] = {NEW: timedelta(), NEXT: timedelta(seconds=100)}
    while world.now < end:
        planned = world.status.next_drill_time
        assert planned is not None
        release = next(iter(shipped), None)
        if release and len(starts) == (4 if release == NEW else 8):
            world.run((planned + shipped.pop(release) - world.now).total_seconds())
            world.ship(release)
        world.run(min(DAY, (end - world.now).total_seconds()))
        if world.status.last_drill and world.status.last_drill.time not in starts:
            starts.append(world.status.last_drill.time)
    gaps = {later - earlier for earlier, later in pairwise(starts)}

    assert world.status.stable is not None
    assert world.status.stable.release == NEXT
    assert (len(starts), gaps) == (12, {timedelta(seconds=MONTH)})
    ends = [entry for entry in world.status.history if entry.start_time >= START]
    spans = sorted((entry.start_time, entry.end_time) for entry in ends)
    assert len(spans) >= 10
    assert all(one[1] <= other[0] for one, other in pairwise(spans))


def test_no_request_is_sent_at_rest() -> None:
    """Without a drill in progress the decision is one time to wake, and nothing else."""
    world = at_rest()
    decision = world.decide()

    assert decision.wake_at == world.status.next_drill_time
    assert (decision.poll, decision.services, decision.unsure_of, decision.writes, decision.status) == (
        None,
        frozenset(),
        frozenset(),
        (),
        None,
    )


def test_the_operator_can_end_at_every_write_of_a_drill() -> None:
    """The next process finishes it; the end is the same, and nothing is harmed by it."""
    for stop in range(60):
        world = at_rest()
        plan_now(world)
        for step in range(1000):
            if step == stop:
                world.step(effects=1)
            world.run(10)
            if step > stop and world.status.last_drill and world.status.last_drill.outcome:
                break
        last = world.status.last_drill
        assert last is not None
        assert (last.outcome, world.shares()) == (DrillOutcome.PASSED, {OLD: 100}), stop
        assert ready(world) == (ConditionStatus.TRUE.value, "Healthy")
