"""Rollbacks that people request, from the order to the answer: in virtual time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.api.attempt import State
from agentrollouts.api.people.action import ActionType, AgentRolloutAction
from agentrollouts.api.reasons import Reason
from agentrollouts.core.conditions import find_condition
from agentrollouts.core.rollout.decide import decide
from testkit.builders.names import NEW, NEXT, OLD, OLDEST, START
from testkit.builders.observations import an_observation
from testkit.builders.rollouts import a_rollout
from testkit.world import World, a_world, a_world_at_rest


def at_rest(*releases: str) -> World:
    """The last of these serves, those before it did."""
    world = a_world_at_rest(*releases)
    world.settle()
    return world


def ready(action: AgentRolloutAction) -> tuple[str, str]:
    """The answer."""
    condition = find_condition(action.status.conditions, "Ready")
    assert condition is not None
    return condition.reason, condition.message


def results(world: World) -> list[str]:
    """The answers of all actions, in the order in which they were created."""
    return [ready(action)[0] for action in world.actions.values()]


def test_a_rollback_is_answered_twice() -> None:
    """While the route is written, and once it is, with the time that took."""
    world = a_world(a_rollout().serving(OLD), OLD)
    world.ship(NEW)
    world.settle()
    world.has_gateway_api = False
    world.act(ActionType.ROLL_BACK, name="back", release=NEW, reason="Refunds are sent twice")
    world.settle()
    assert ready(world.actions["back"]) == ("RollingBack", f"{NEW} is being rolled back to {OLD}")
    assert world.actions["back"].status.routed_seconds is None

    world.run(7)
    world.has_gateway_api = True
    world.run(60)
    assert ready(world.actions["back"]) == ("Done", f"{NEW} was rolled back to {OLD}")
    (entry,) = world.status.actions
    assert entry.routed_seconds == world.actions["back"].status.routed_seconds
    assert entry.routed_seconds is not None
    assert float(entry.routed_seconds) >= 7
    assert world.status.last_rollback is not None
    assert (
        world.status.last_rollback.message
        == f"lee@example.com requested a rollback of {NEW}: Refunds are sent twice"
    )
    assert len(world.told(Reason.ACTION_TAKEN)) == 1


@pytest.mark.parametrize(("target", "expected"), [("", NEW), (OLD, OLD), (OLDEST, OLDEST)])
def test_at_rest_stable_goes_where_the_person_says(target: str, expected: str) -> None:
    """Else to the newest healthy release before it."""
    world = at_rest(OLDEST, OLD, NEW, NEXT)
    world.act(ActionType.ROLL_BACK, release=NEXT, **({"target": target} if target else {}))
    world.run(60)
    assert (world.shares()[expected], results(world)) == (100, ["Done"])


def test_a_target_that_cannot_serve_is_refused_with_those_that_can() -> None:
    """It is unknown, or its snapshot is gone."""
    world = at_rest(OLDEST, OLD, NEW)
    world.act(ActionType.ROLL_BACK, release=NEW, target="support-agent-9.9.9")
    world.settle()
    assert results(world) == ["Refused"]
    assert world.status.actions[0].message.endswith(f"name {OLD} or {OLDEST}")
    assert (world.ready_reason(), world.shares()) == ("Healthy", {NEW: 100})


def test_in_progress_a_target_is_ignored() -> None:
    """The canary goes, and stable serves."""
    world = a_world(a_rollout().remembering(OLDEST).serving(OLD), OLD)
    world.ship(NEW)
    world.settle()
    world.act(ActionType.ROLL_BACK, release=NEW, target=OLDEST)
    world.settle()
    assert world.shares()[OLD] == 100


def test_a_target_without_an_endpoint_is_waited_for() -> None:
    """It goes as soon as one has; the answer says what it waits for."""
    world = at_rest(OLDEST, OLD)
    world.deserted.add(OLDEST)
    world.act(ActionType.ROLL_BACK, name="back", release=OLD)
    world.run(60)
    reason, message = ready(world.actions["back"])
    assert (reason, world.ready_reason(), world.shares()) == ("Waiting", "NoHealthyTarget", {OLD: 100})
    assert "no ready endpoint" in message
    assert world.status.actions == ()

    world.deserted.clear()
    world.run(60)
    assert (world.shares()[OLDEST], results(world)) == (100, ["Done"])


def test_by_force_it_is_not_waited_for() -> None:
    """At once."""
    world = at_rest(OLDEST, OLD)
    world.deserted.add(OLDEST)
    world.act(ActionType.ROLL_BACK, release=OLD, force=True)
    world.settle()
    assert (world.shares()[OLDEST], results(world)) == (100, ["Done"])


@pytest.mark.parametrize("is_answered", [False, True])
def test_force_replaces_what_waits_in_the_same_second(*, is_answered: bool) -> None:
    """Whatever the two are called: the API server dates both alike."""
    world = at_rest(OLDEST, OLD)
    world.deserted.add(OLDEST)
    world.act(ActionType.ROLL_BACK, name="z-waits", release=OLD)
    if is_answered:
        world.step()
    world.act(ActionType.ROLL_BACK, name="a-forced", release=OLD, force=True)
    world.settle()
    assert (world.shares()[OLDEST], ready(world.actions["z-waits"])[0]) == (100, "Stale")
    assert ready(world.actions["a-forced"])[0] == "Done"


def test_a_release_that_does_not_serve_cannot_be_rolled_back() -> None:
    """What does is named; what was rolled back already needs nothing."""
    world = a_world(a_rollout().serving(OLD), OLD)
    world.ship(NEW)
    world.settle()
    world.act(ActionType.ROLL_BACK, name="wrong", release=OLD)
    world.settle()
    assert ready(world.actions["wrong"]) == ("Refused", f"{OLD} is not the canary; {NEW} is")
    world.act(ActionType.ROLL_BACK, release=NEW)
    world.settle()
    world.act(ActionType.ROLL_BACK, name="again", release=NEW)
    world.settle()
    assert ready(world.actions["again"]) == ("NothingToDo", f"{NEW} is rolled back already")


def test_what_was_promoted_meanwhile_is_rolled_back_as_stable() -> None:
    """The order was created while the release was the canary, and is seen once it is stable."""
    world = a_world(a_rollout().serving(OLD), OLD)
    world.ship(NEW)
    world.run_until(State.HEALTHY)
    world.act(ActionType.ROLL_BACK, attempt=2, release=NEW)
    world.run(60)
    assert (world.shares()[OLD], results(world)) == (100, ["Done"])


def test_without_stable_the_canary_is_held() -> None:
    """There is nothing to roll back to; the order waits, and says so."""
    world = a_world(a_rollout(), NEW)
    world.settle()
    world.act(ActionType.ROLL_BACK, name="back", release=NEW)
    world.settle()
    assert world.status.attempt is not None
    assert world.status.attempt.hold is not None
    assert world.status.attempt.hold.reason == "NoHealthyTarget"
    assert ready(world.actions["back"])[0] == "Waiting"


@pytest.mark.parametrize("crash", range(9))
@pytest.mark.parametrize("is_idle", [False, True])
def test_a_crash_leaves_an_order_to_be_carried_out_once(crash: int, *, is_idle: bool) -> None:
    """After each effect of the decision: one rollback, one entry, one answer."""
    world = at_rest(OLDEST, OLD)
    if not is_idle:
        world.ship(NEW)
        world.settle()
    world.act(ActionType.ROLL_BACK, release=OLD if is_idle else NEW)
    world.step(crash)
    world.restart()
    world.run(600)
    assert world.shares()[OLDEST if is_idle else OLD] == 100
    assert results(world) == [entry.result for entry in world.status.actions] == ["Done"]
    assert world.status.last_rollback is not None
    assert world.status.last_rollback.reason == "RollbackRequested"


@given(st.lists(st.sampled_from([t for t in ActionType if t is not ActionType.RETRY]), max_size=6))
def test_at_rest_nothing_is_written_about_what_was_answered(kinds: list[ActionType]) -> None:
    """Whatever was requested of the attempt that is over."""
    world = at_rest(OLDEST, OLD)
    fields = {
        ActionType.APPROVE: {"phase": "canary-5"},
        ActionType.PROMOTE: {"phase": "canary-5"},
        ActionType.ROLL_BACK: {"release": NEXT},
    }
    for number, kind in enumerate(kinds):
        world.act(kind, name=f"action-{number}", **fields.get(kind, {}))
    world.settle()
    world.run(600)
    decision = decide(world.observe())
    assert (decision.writes, decision.status, decision.events, decision.answers) == ((), None, (), ())
    assert (decision.wake_at, decision.awaits_proof) == (None, False)


def test_an_action_that_is_deleted_before_it_is_seen_has_no_effect() -> None:
    """One that was counted stays counted."""
    phases = [{"name": "asked", "weight": 20, "durationSeconds": 300, "approval": "Required"}]
    builder = a_rollout(phases=phases).serving(OLD).trying(NEW)
    status = decide(an_observation(builder.requesting(ActionType.APPROVE, 2, phase="asked"))).status
    assert status is not None
    counted = decide(an_observation(builder.having(**dict(status)), now=START)).status or status
    assert counted.attempt is not None
    assert [given.phase_name for given in counted.attempt.approved_by] == ["asked"]
