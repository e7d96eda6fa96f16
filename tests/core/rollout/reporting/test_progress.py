"""The sentence of `Ready`: what is missing, how to approve, when a phase ends; and the column Weight."""

from datetime import timedelta

import pytest

from agentrollouts.api.attempt import State
from agentrollouts.api.people.action import ActionType
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.rollout.decide import decide
from agentrollouts.core.rollout.observation import Observation
from testkit.builders.names import NEW, OLD, START
from testkit.builders.observations import an_observation
from testkit.builders.rollouts import RolloutBuilder, a_rollout
from testkit.world import Behavior, World, a_world


def decided(obs: Observation) -> AgentRolloutStatus:
    """The status after a decision, written or not."""
    return decide(obs).status or obs.status


def ready(builder: RolloutBuilder, seconds: float = 0) -> str:
    """The sentence so many seconds after `START`."""
    return decided(an_observation(builder, now=START + timedelta(seconds=seconds))).conditions[0].message


def sentence(world: World) -> str:
    """The sentence as it is persisted."""
    return world.status.conditions[0].message


@pytest.mark.parametrize("seconds", [0, 1, 299.5, 599])
def test_the_end_of_a_phase_is_a_time_that_stays(seconds: float) -> None:
    """However often it is looked at, so that nothing is written while the clock runs."""
    builder = a_rollout().in_state(State.CANARY)
    assert ready(builder, seconds) == (
        f"{NEW} has 5% in phase canary-5; phase canary-5 ends at 2026-11-21 10:10:00 UTC if its gates pass"
    )


def test_the_end_of_a_bake_and_of_an_extended_phase() -> None:
    """By the same clock as the decision: consumed seconds and extensions included."""
    baking = a_rollout().in_state(State.BAKING)
    assert "the bake ends at 2026-11-21 10:05:00 UTC" in ready(baking)
    longer = a_rollout().in_state(State.CANARY).changing(elapsed_seconds=60, extensions=1)
    assert "phase canary-5 ends at 2026-11-21 10:14:00 UTC" in ready(longer)


def test_a_clock_that_stands_is_said_to() -> None:
    """No time is promised while none passes."""
    stopped = a_rollout().in_state(State.CANARY).changing(clock_start_time=None)
    assert "the clock of phase canary-5 is stopped" in ready(stopped)


def test_what_is_missing_is_said_at_the_first_result() -> None:
    """Not only once the attempt is held for it; and from when on it would be held."""
    world = a_world(a_rollout().serving(OLD), OLD, NEW)
    world.metrics = "silent"
    world.run(31)
    assert f"errors: no agent_runs_total of release {NEW}" in sentence(world)
    world.run(120)
    assert (world.state, "no series agent_runs_total" in sentence(world)) == (State.CANARY, True)
    held = sentence(world).partition("it is held at ")[2].removesuffix(" UTC")
    writes = world.status_writes
    world.run(200)
    assert world.state is State.CANARY
    assert world.status_writes <= writes + 1, "no write for each result"
    world.run(120)
    attempt = world.status.attempt
    assert attempt is not None
    assert attempt.hold is not None
    assert f"{attempt.hold.since:%Y-%m-%d %H:%M:%S}" == held


def test_what_was_missing_and_is_there_is_not_named_any_longer() -> None:
    """The sentence changes with the condition."""
    world = a_world(a_rollout().serving(OLD), OLD, NEW)
    world.metrics = "silent"
    for seconds, missing in ((31, "no agent_runs_total"), (150, "no series agent_runs_total")):
        world.metrics = "silent"
        world.run(seconds)
        assert missing in sentence(world)
        world.metrics = "up"
        world.run(61)
        assert missing not in sentence(world)


def test_the_command_that_approves_is_there_to_be_copied() -> None:
    """With name, namespace, attempt and phase; also after an action for another attempt."""
    phases = [{"name": "asked", "weight": 20, "durationSeconds": 300, "approval": "Required"}]
    world = a_world(a_rollout(phases=phases).serving(OLD), OLD, NEW)
    world.run_until(State.AWAITING_APPROVAL)
    command = "agentrollouts approve support-agent --namespace=support --attempt=2 --phase=asked --reason=..."
    assert command in sentence(world)
    world.act(ActionType.APPROVE, attempt=1, phase="asked")
    world.settle()
    assert command in sentence(world)


@pytest.mark.parametrize(
    ("builder", "weight"),
    [
        (a_rollout(), None),
        (a_rollout().asking_for(OLD).serving(OLD), 100),
        (a_rollout().in_state(State.CANARY), 5),
        (a_rollout().in_state(State.BAKING), 95),
        (a_rollout().in_state(State.PENDING), 0),
        (a_rollout().serving(OLD).quarantining(NEW), 0),
        (a_rollout().asking_for("support-agent-9.9.9").serving(OLD), 0),
    ],
)
def test_the_weight_is_that_of_the_release_that_is_wanted(
    builder: RolloutBuilder, weight: int | None
) -> None:
    """100 where it serves, the canary's share while it is tried, 0 if it has none."""
    release = {"release": None} if "9.9.9" in builder.plan.release_ref.name else {}
    assert decided(an_observation(builder, **release)).requested_weight == weight


def test_the_weight_in_the_course_of_a_release() -> None:
    """Up to 100 and there it stays; after a rollback 0, and after the revert 100 again."""
    world = a_world(a_rollout(bake={"durationSeconds": 60}).serving(OLD), OLD, NEW)
    world.run_until(State.HEALTHY)
    world.settle()
    assert world.status.requested_weight == 100
    world.ship("support-agent-4.3.0", Behavior(failed=0.9))
    world.run_until(State.ROLLED_BACK)
    world.settle()
    assert world.status.requested_weight == 0
    world.ask_for(NEW)
    world.settle()
    assert world.status.requested_weight == 100
