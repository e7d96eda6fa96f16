"""A plan with a phase only for the attempts after a rollback, in virtual time."""

from typing import Any, Final

from agentrollouts.api.attempt import State, When
from agentrollouts.api.people.action import ActionType
from agentrollouts.api.reasons import Reason
from testkit.builders.names import NEW, NEXT, OLD
from testkit.builders.rollouts import a_rollout
from testkit.world import Behavior, World, a_world

PHASES: Final = [
    {
        "name": "proof",
        "weight": 1,
        "durationSeconds": 60,
        "approval": "Required",
        "when": "AfterRollback",
    },
    {"name": "canary-5", "weight": 5, "durationSeconds": 600},
    {"name": "canary-50", "weight": 50, "durationSeconds": 600},
]
BAD: Final = Behavior(failed=0.5)


def a_story(behavior: Behavior | None = None, **spec: Any) -> World:  # noqa: ANN401 any field
    """`OLD` serves, `NEW` has just begun."""
    world = a_world(a_rollout(phases=PHASES, **spec).serving(OLD), OLD, NEW)
    world.agents[NEW] = behavior or Behavior()
    world.runs_per_second = 20.0
    world.run_until(State.CANARY)
    return world


def ladder(world: World) -> tuple[When, int, str | None]:
    """Ladder, phase index and phase of the attempt."""
    attempt = world.status.attempt
    assert attempt is not None
    return attempt.ladder, attempt.phase_index, attempt.phase_name


def rolled_back() -> World:
    """A story in which `NEW` was bad, and `NEXT` has just begun."""
    world = a_story(BAD)
    world.run_until(State.ROLLED_BACK)
    world.ship(NEXT)
    world.run_until(State.CANARY)
    return world


def test_without_a_rollback_the_phase_does_not_count() -> None:
    """The attempt begins at the first other phase and goes to 100%."""
    world = a_story()
    assert ladder(world) == (When.ALWAYS, 0, "canary-5")
    world.run_until(State.HEALTHY)
    world.settle()

    assert (world.route_weights, world.shares()) == ([5, 50, 0], {NEW: 100})
    assert world.told(Reason.ATTEMPT_STARTED) == [f"Attempt 2: {NEW} is being rolled out"]


def test_after_a_rollback_it_counts_until_a_release_is_healthy() -> None:
    """The next attempt begins with it and needs its approval; the one after that does not."""
    world = rolled_back()
    assert ladder(world) == (When.AFTER_ROLLBACK, 0, "proof")
    assert world.told(Reason.ATTEMPT_STARTED)[-1] == (
        f"Attempt 3: {NEXT} is being rolled out; the plan includes proof, as no release was Healthy since "
        "a rollback"
    )
    world.run_until(State.AWAITING_APPROVAL)
    world.edit(lambda builder: builder.requesting(ActionType.APPROVE, 3, phase="proof"))
    world.run_until(State.HEALTHY)
    world.settle()
    assert (world.route_weights, world.shares()) == ([5, 0, 1, 5, 50, 0], {NEXT: 100})

    world.ship("support-agent-9.0.0")
    world.run_until(State.CANARY)
    assert ladder(world) == (When.ALWAYS, 0, "canary-5")


def test_a_superseded_attempt_does_not_end_the_caution() -> None:
    """Nothing became Healthy meanwhile."""
    world = rolled_back()
    world.ship("support-agent-9.0.0")
    world.settle()

    assert world.ended == {2: State.ROLLED_BACK, 3: State.SUPERSEDED}
    assert ladder(world) == (When.AFTER_ROLLBACK, 0, "proof")


def test_an_edit_of_a_phase_that_does_not_count_restarts_nothing() -> None:
    """It is not part of the plan that the attempt is judged by."""
    world = a_story()
    world.run(300)
    before = world.status.attempt
    edited = [{**PHASES[0], "durationSeconds": 90}, *PHASES[1:]]
    world.edit(lambda builder: builder.planning(phases=edited))
    world.settle()
    after = world.status.attempt

    assert before is not None
    assert after is not None
    assert (after.plan_hash, after.phase_start_time) == (before.plan_hash, before.phase_start_time)


def test_what_timed_out_is_not_tried_again_because_of_the_ladder() -> None:
    """The plan of another attempt would have more phases, but nobody has changed it."""
    world = a_story(analysis={"maxExtensions": 0, "onTimeout": "RollBack", "warmupSeconds": 0})
    world.runs_per_second = 0.001
    world.run_until(State.ROLLED_BACK)
    world.run(3600)

    assert (world.state, world.status.attempt and world.status.attempt.number) == (State.ROLLED_BACK, 2)
