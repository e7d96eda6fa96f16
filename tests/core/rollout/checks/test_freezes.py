"""Freezes in virtual time: what they stop, and what they never stop."""

from datetime import timedelta
from typing import Any

import pytest

from agentrollouts.api.attempt import State, Trigger
from agentrollouts.api.people.action import ActionType
from agentrollouts.api.reasons import Reason
from agentrollouts.core.rollout.decide import decide
from testkit.builders.freezes import a_freeze
from testkit.builders.names import NEW, NEXT, OLD, OLDEST, START
from testkit.builders.observations import an_observation
from testkit.builders.rollouts import a_rollout
from testkit.world import Behavior, World, a_world

FREEZE = a_freeze()
PASSES = {"gates": [], "caps": [{"name": "spend", "metric": "agent_run_cost_usd_sum", "max": "100000"}]}
"""A plan of which only time decides."""


def in_canary(**spec: object) -> World:
    """`NEW` has been in its first phase for some minutes, and a freeze begins."""
    world = a_world(a_rollout(**spec).serving(OLD).remembering(OLDEST), OLDEST, OLD, NEW)
    world.run_until(State.CANARY)
    world.run(200)
    world.freezes = (FREEZE,)
    world.run(60)
    return world


def hold_of(world: World) -> str:
    """The reason for which the attempt is held."""
    attempt = world.status.attempt
    assert attempt is not None
    return attempt.hold.reason if attempt.hold else ""


def test_a_freeze_holds_an_attempt_and_its_end_resumes_it() -> None:
    """The weight stays for a day, no time of the phase passes, and it goes on where it was."""
    world = in_canary()
    weights, elapsed = (
        list(world.route_weights),
        world.status.attempt and world.status.attempt.elapsed_seconds,
    )

    world.run(24 * 3600)

    attempt = world.status.attempt
    assert attempt is not None
    assert attempt.hold is not None
    assert (attempt.state, attempt.hold.reason, attempt.hold.until) == (State.HELD, "Frozen", None)
    assert (
        "AgentFreeze support/weekend is active until it is deleted: the freeze weekend"
        in attempt.hold.message
    )
    assert (world.route_weights, attempt.elapsed_seconds) == (weights, elapsed)
    world.freezes = ()
    world.run_until(State.HEALTHY)


def test_a_frozen_rollout_writes_nothing_meanwhile() -> None:
    """A day of freeze is as quiet as any hold: numbers, and no news."""
    world = in_canary()
    news = world.news

    world.run(6 * 3600)

    assert world.news == news


def test_a_breach_is_rolled_back_while_frozen() -> None:
    """With the same trigger and as soon as without a freeze."""
    world = in_canary()
    world.agents[NEW] = Behavior(failed=0.5)

    world.run_until(State.ROLLED_BACK)

    back = world.status.last_rollback
    assert back is not None
    assert (back.trigger, back.to) == (Trigger.BREACH, OLD)


@pytest.mark.parametrize("how", ["action", "stable", "earlier"])
def test_people_take_back_what_is_frozen(how: str) -> None:
    """By an action, or by naming stable, or an earlier release that was healthy."""
    world = in_canary()
    match how:
        case "action":
            world.act(ActionType.ROLL_BACK, release=NEW)
        case "stable":
            world.ask_for(OLD)
        case _:
            world.ask_for(OLDEST)

    world.run(1200)

    assert world.shares()[OLDEST if how == "earlier" else OLD] == 100


def test_a_freeze_does_not_delay_the_end_of_another_hold() -> None:
    """A gate that holds and is rolled back after a time is rolled back at that time."""
    gates = [{"name": "errors", "template": "error-rate", "severity": "Medium"}]
    ends = []
    for freezes in ((), (FREEZE,)):
        world = a_world(a_rollout(gates=gates, rollback={"afterHoldSeconds": 1800}).serving(OLD), OLD, NEW)
        world.agents[NEW] = Behavior(failed=0.5)
        world.run_until(State.HELD)
        world.freezes = freezes
        world.run_until(State.ROLLED_BACK)
        assert world.status.last_rollback is not None
        ends.append((world.status.last_rollback.trigger, world.status.last_rollback.decided_time))
    assert ends[0] == ends[1]


def test_the_end_of_a_phase_rolls_back_though_it_is_frozen() -> None:
    """What is due in this very moment is due with a freeze as well."""
    plan = a_rollout(analysis={"maxExtensions": 0, "onTimeout": "RollBack"}).serving(OLD).trying(NEW)
    obs = an_observation(plan, now=START + timedelta(hours=2), freezes=(FREEZE,))
    free = decide(an_observation(plan, now=START + timedelta(hours=2)))

    decision = decide(obs)

    assert decision.status is not None
    assert free.status is not None
    assert decision.status.last_rollback == free.status.last_rollback


def test_a_release_waits_until_the_freeze_is_over() -> None:
    """It is pending with the reason, begins nothing, and begins once the freeze is gone."""
    world = a_world(a_rollout().serving(OLD), OLD, NEW)
    world.freezes = (FREEZE,)
    world.run(3600)
    assert (world.state, world.ready_reason(), world.route_weights) == (State.PENDING, "Frozen", [])

    world.freezes = ()
    world.run_until(State.CANARY)


def test_the_first_release_waits_too() -> None:
    """Nothing serves, so nothing is rolled back either."""
    world = a_world(a_rollout(), NEW)
    world.freezes = (FREEZE,)
    world.run(600)

    assert (world.state, world.ready_reason()) == (State.PENDING, "Frozen")


def test_a_return_begins_while_it_is_frozen() -> None:
    """Git names the release before stable: it gets all traffic at once, and its bake ends."""
    world = a_world(a_rollout().remembering(OLDEST).serving(OLD).asking_for(OLD), OLDEST, OLD)
    world.settle()
    world.freezes = (FREEZE,)
    world.ask_for(OLDEST)

    world.run_until(State.HEALTHY)

    assert world.shares()[OLDEST] == 100


def test_an_attempt_in_progress_may_finish_if_the_freeze_says_so() -> None:
    """With `inFlight: Continue` it ends as ever, and the next one waits."""
    world = in_canary()
    world.freezes = (a_freeze(inFlight="Continue"),)
    world.run_until(State.HEALTHY)

    world.ship(NEXT)
    world.run(600)

    assert (world.state, world.ready_reason()) == (State.PENDING, "Frozen")


def test_an_exception_lets_one_release_pass() -> None:
    """The release that it names goes all the way."""
    world = a_world(a_rollout().serving(OLD), OLD, NEW)
    world.freezes = (a_freeze(except_=[{"release": NEW, "reason": "fix for INC-77"}]),)

    world.run_until(State.HEALTHY)


def test_a_promotion_does_not_pass_a_freeze() -> None:
    """Promote is noted, and takes effect when the freeze is over; an approval counts meanwhile."""
    phases = [
        {"name": "asked", "weight": 10, "durationSeconds": 600, "approval": "Required"},
        {"name": "half", "weight": 50, "durationSeconds": 600},
    ]
    world = in_canary(phases=phases)
    world.act(ActionType.APPROVE, phase="asked")
    world.act(ActionType.PROMOTE, phase="asked")
    world.run(600)
    attempt = world.status.attempt
    assert attempt is not None
    assert (hold_of(world), attempt.weight, len(attempt.approved_by)) == ("Frozen", 10, 1)

    world.freezes = ()
    world.run(60)

    assert world.canary_weight == 50


def test_a_person_holds_and_resumes_while_it_is_frozen() -> None:
    """Hold is never stopped, and after Resume the freeze still holds."""
    world = in_canary()
    world.act(ActionType.HOLD)
    world.run(60)
    assert hold_of(world) == "HeldByPerson"

    world.act(ActionType.RESUME)
    world.run(60)

    assert hold_of(world) == "Frozen"


def test_a_window_begins_and_ends_on_time() -> None:
    """Held at the first instant of the window, and resumed at its end, without anything that changes."""
    window: dict[str, Any] = {"schedule": "7 10 * * *", "durationSeconds": 1800}
    world = a_world(a_rollout(**PASSES).serving(OLD), OLD, NEW)
    world.freezes = (a_freeze(windows=[window]),)
    world.run_until(State.HELD, within=600)
    attempt = world.status.attempt
    assert attempt is not None
    assert attempt.hold is not None
    assert abs(attempt.hold.since - (START + timedelta(minutes=7))) < timedelta(seconds=1)

    world.run(1790 - (world.now - attempt.hold.since).total_seconds())
    assert hold_of(world) == "Frozen"
    world.run(20)

    assert hold_of(world) == ""
    assert world.told(Reason.HOLD_ENDED) == ["No longer held for Frozen"]


@pytest.mark.parametrize(
    "freeze", [FREEZE, a_freeze(windows=[{"schedule": "0 0 1 1 *", "durationSeconds": 60}])]
)
def test_a_rollout_at_rest_has_no_business_with_freezes(freeze: Any) -> None:  # noqa: ANN401 a freeze
    """Nothing is written, and nothing is waited for."""
    world = a_world(a_rollout().asking_for(OLD).serving(OLD), OLD)
    world.settle()

    decision = decide(
        an_observation(world.builder, freezes=(freeze,), snapshots=world.snapshots, traffic=world.traffic)
    )

    assert (decision.status, decision.writes, decision.wake_at) == (None, (), None)


def test_the_next_edge_of_a_freeze_is_waited_for() -> None:
    """A release that waits for a freeze is looked at when it ends, though nothing changes then."""
    end = START + timedelta(hours=7, seconds=11)
    freeze = a_freeze(endTime=end.isoformat())

    decision = decide(an_observation(a_rollout().serving(OLD).asking_for(NEW), freezes=(freeze,)))

    assert decision.wake_at == end
