"""Switching an agent off and on, in virtual time: who gets the traffic, and what becomes of the rollout."""

from dataclasses import replace
from typing import Any, Final

import pytest

from agentrollouts.api.attempt import State, Trigger
from agentrollouts.api.people.action import ActionType
from agentrollouts.api.reasons import Reason
from agentrollouts.api.recovery.detour import DetourCause
from agentrollouts.core.conditions import SWITCHED_OFF, find_condition
from agentrollouts.core.rollout.decide import decide
from testkit.builders.names import NEW, NEXT, OLD, OLDEST, service_of
from testkit.builders.rollouts import a_rollout
from testkit.builders.routes import BY_PATCH, BY_ROUTE, CONFIG, ROUTE, THEIRS, a_backend, their_route
from testkit.world import Behavior, World, a_world, a_world_at_rest

QUEUE: Final = {"service": {"name": "human-queue", "port": 8080}}
OFF: Final[dict[str, Any]] = {"traffic": BY_ROUTE, "fallback": QUEUE}


def at_rest(**spec: object) -> World:
    """Two releases were healthy, and the second one serves."""
    world = a_world_at_rest(OLDEST, OLD, **{**OFF, **spec})
    world.settle()
    return world


def backends(world: World) -> dict[str, int]:
    """The weights of the route that the operator owns."""
    (rule,) = world.traffic[ROUTE]["spec"]["rules"]
    return {ref["name"]: ref["weight"] for ref in rule["backendRefs"]}


def switch_off(world: World, percent: int = 100) -> str:
    """Someone does; the identity of the detour."""
    world.act(ActionType.SWITCH_OFF, percent=percent)
    world.settle()
    assert world.status.detour is not None
    return world.status.detour.id


def answer(world: World, name: str) -> tuple[str, str]:
    """What an action is answered."""
    ready = find_condition(world.actions[name].status.conditions, "Ready")
    assert ready is not None
    return ready.reason, ready.message


def switch_on(world: World, detour: str, **fields: str) -> tuple[str, str]:
    """Someone does; the answer."""
    name = world.act(ActionType.SWITCH_ON, detour=detour, **fields)
    world.settle()
    return answer(world, name)


def test_at_rest_the_fallback_gets_all_traffic_and_switching_on_restores_the_route_exactly() -> None:
    """The route before and after is the same but for its generation."""
    world = at_rest()
    before = world.traffic[ROUTE]

    detour = switch_off(world)

    assert backends(world) == {"human-queue": 100}
    assert world.shares() == {"human-queue": 100}
    assert (world.status.weights.stable, world.status.weights.canary) == (0, 0)  # type: ignore[union-attr]
    assert world.ready_reason() == "SwitchedOff"
    condition = find_condition(world.status.conditions, SWITCHED_OFF)
    assert condition is not None
    assert f"--detour={detour}" in condition.message
    assert len(world.told(Reason.DETOUR_STARTED)) == 1

    assert switch_on(world, detour) == ("Done", f"the traffic goes to {OLD} again")

    after = world.traffic[ROUTE]
    assert after["spec"] == before["spec"]
    assert after["metadata"].get("annotations") == before["metadata"].get("annotations")
    assert world.ready_reason() == "Healthy"
    assert find_condition(world.status.conditions, SWITCHED_OFF) is None
    assert world.status.detour is None
    assert world.status.last_detour is not None
    assert world.status.last_detour.id == detour
    assert len(world.told(Reason.DETOUR_ENDED)) == 1


@pytest.mark.parametrize("state", [State.CANARY, State.BAKING])
def test_an_attempt_in_progress_is_rolled_back_without_quarantine_and_starts_again_afterwards(
    state: State,
) -> None:
    """The release is not known to be the cause; while the agent is off, nothing begins."""
    world = a_world(a_rollout(**OFF).serving(OLD), OLD, NEW)
    world.run_until(state, within=40_000)

    detour = switch_off(world)

    assert backends(world) == {"human-queue": 100}
    rollback = world.status.last_rollback
    assert rollback is not None
    assert (rollback.trigger, rollback.reason) == (Trigger.SWITCH_OFF, "SwitchedOff")
    assert world.status.quarantined == ()
    world.run(7200)
    assert world.state is State.PENDING
    assert backends(world) == {"human-queue": 100}

    assert switch_on(world, detour)[0] == "Done"

    world.run_until(State.CANARY)
    assert world.status.attempt is not None
    assert world.status.attempt.phase_index == 0


def test_the_end_of_a_detour_is_a_forward_move_also_after_a_rollback() -> None:
    """The status comes first; then the route, if that status is still what the API server has."""
    world = at_rest()
    world.ship(NEW, Behavior(failed=0.5))
    world.run_until(State.ROLLED_BACK)
    detour = switch_off(world)
    world.act(ActionType.SWITCH_ON, detour=detour)

    first = decide(world.observe())
    routes = [write for write in first.writes if write.manifest["kind"] == "HTTPRoute"]
    assert first.status is not None
    assert (routes, first.status.detour) == ([], None)

    status = first.status
    world.edit(lambda builder: replace(builder, status=status))
    world.actions.clear()
    second = decide(world.observe())
    assert ([write.manifest["kind"] for write in second.writes], second.rests_on_status) == (
        ["HTTPRoute", "ConfigMap"],
        True,
    )


def test_the_first_release_is_switched_off_and_begins_again() -> None:
    """There is nothing to roll back to, so its attempt ends."""
    world = a_world(a_rollout(**OFF).asking_for(NEW), NEW)
    world.run_until(State.BAKING)

    detour = switch_off(world)
    world.run(600)

    assert backends(world) == {"human-queue": 100}
    assert world.state is State.PENDING
    assert switch_on(world, detour)[0] == "Done"
    world.run_until(State.HEALTHY)
    assert world.shares() == {NEW: 100}


def test_without_anything_a_switch_off_still_works() -> None:
    """No release, no status, no Prometheus: an agent that never served is off, and stays so."""
    world = a_world(a_rollout(**OFF).asking_for(NEW), NEW)
    world.releases.clear()

    switch_off(world)

    assert backends(world) == {"human-queue": 100}


def test_a_share_goes_to_the_fallback_and_only_rises() -> None:
    """The weights add up to 10,000; a smaller share has no effect, and a larger one is another detour."""
    world = at_rest()

    first = switch_off(world, percent=30)

    assert backends(world) == {service_of(OLD): 7000, "human-queue": 3000}
    assert (world.status.weights.stable, world.status.weights.canary) == (70, 0)  # type: ignore[union-attr]
    name = world.act(ActionType.SWITCH_OFF, percent=10)
    world.settle()
    assert answer(world, name)[0] == "NothingToDo"
    second = switch_off(world)
    assert second != first
    assert backends(world) == {"human-queue": 100}
    assert switch_on(world, first)[0] == "Stale"
    assert backends(world) == {"human-queue": 100}
    assert switch_on(world, second)[0] == "Done"
    assert backends(world) == {service_of(OLD): 100}


def test_a_share_needs_a_fallback() -> None:
    """Without one a route cannot divide, but all traffic can be switched off."""
    world = at_rest(fallback=None)

    name = world.act(ActionType.SWITCH_OFF, percent=30)
    world.settle()

    assert answer(world, name)[0] == "Refused"
    switch_off(world)
    assert backends(world) == {service_of(OLD): 0}
    assert switch_on(world, "0" * 8)[0] == "Stale"


def test_agents_that_split_by_themselves_read_that_they_are_off() -> None:
    """Both weights are 0, and the second flag says for whom."""
    world = at_rest(traffic={}, fallback=None)

    detour = switch_off(world, percent=25)

    data = world.traffic[CONFIG]["data"]
    assert f'"detour":{{"id":"{detour}","percent":25}}' in data["split.json"]
    assert '"support-agent-enabled"' in data["flags.json"]
    assert '["off",25],["on",75]' in data["flags.json"]


def test_in_the_rule_of_someone_else_only_weights_change_and_come_back() -> None:
    """The fallback is a backend of the rule; the rest of the route stays as it is."""
    world = a_world(a_rollout(traffic=BY_PATCH, fallback=QUEUE).serving(OLD).asking_for(OLD), OLD)
    world.put(their_route(a_backend(service_of(OLD)), a_backend("human-queue")))
    world.settle()
    before = world.traffic[THEIRS]["spec"]

    detour = switch_off(world)

    rule = world.traffic[THEIRS]["spec"]["rules"][1]
    assert [ref["weight"] for ref in rule["backendRefs"]] == [0, 100]
    assert switch_on(world, detour)[0] == "Done"
    assert world.traffic[THEIRS]["spec"] == before


def test_stable_is_rolled_back_at_rest_while_the_agent_is_off() -> None:
    """The traffic stays where the detour sends it, and the other release gets it afterwards."""
    world = at_rest()
    detour = switch_off(world)

    world.act(ActionType.ROLL_BACK, release=OLD)
    world.run(7200)

    assert world.status.stable is not None
    assert world.status.stable.release == OLDEST
    assert backends(world) == {"human-queue": 100}
    assert switch_on(world, detour)[0] == "Done"
    assert backends(world) == {service_of(OLDEST): 100}


def test_git_returns_to_an_earlier_release_while_the_agent_is_off() -> None:
    """It bakes once it has the traffic."""
    world = at_rest(bake={"durationSeconds": 60})
    detour = switch_off(world)

    world.ask_for(OLDEST)
    world.run(3600)

    assert world.state is State.BAKING
    assert backends(world) == {"human-queue": 100}
    assert switch_on(world, detour)[0] == "Done"
    assert backends(world) == {service_of(OLDEST): 100, service_of(OLD): 0}
    world.run_until(State.HEALTHY)


def test_a_fix_ships_by_switching_on_with_its_release() -> None:
    """What was switched off is in quarantine; the fix has all traffic and bakes as a first release does."""
    world = at_rest()
    detour = switch_off(world)
    assert switch_on(world, detour, release=NEXT)[0] == "Refused"
    assert switch_on(world, detour, release=OLD)[0] == "Refused"

    world.ship(NEXT)
    world.settle()
    assert world.state is State.PENDING
    said = switch_on(world, detour, release=NEXT)

    assert said == ("Done", f"{NEXT} begins as the first release")
    assert [(each.release, each.reason) for each in world.status.quarantined] == [(OLD, "SwitchedOff")]
    world.run_until(State.HEALTHY)
    assert world.shares() == {NEXT: 100}
    assert world.status.stable is not None
    assert world.status.stable.release == NEXT


def test_only_all_of_a_first_release_can_be_switched_off() -> None:
    """Its attempt ends, so nothing would get the rest; the route and the attempt stay as they are."""
    world = a_world(a_rollout(**OFF).asking_for(NEW), NEW)
    world.run_until(State.BAKING)
    before = backends(world)

    name = world.act(ActionType.SWITCH_OFF, percent=30)
    world.settle()

    why = "no release is stable yet, so nothing gets the rest"
    said = f"only all traffic can be switched off: {why}; leave out percent"
    assert answer(world, name) == ("Refused", said)
    assert (world.state, world.status.detour, backends(world)) == (State.BAKING, None, before)


LEAK: Final = {
    "name": "leak",
    "template": "error-rate",
    "action": "SwitchOff",
    "limit": {"value": "0.2", "forSeconds": 0},
}


def test_a_gate_that_switches_off_rolls_back_a_canary_beside_stable() -> None:
    """Stable is innocent."""
    world = a_world(a_rollout(gates=[LEAK], **OFF).serving(OLD), OLD, NEW)
    world.agents[NEW] = Behavior(failed=0.9)

    world.run_until(State.ROLLED_BACK, within=20_000)

    assert world.status.detour is None
    assert world.status.last_rollback is not None
    assert world.status.last_rollback.trigger is Trigger.BREACH


def test_a_gate_switches_off_what_serves_alone_once() -> None:
    """With `watch`; after switching on, what failed before does not count again."""
    world = at_rest(gates=[LEAK], watch={"intervalSeconds": 60})
    world.agents[OLD] = Behavior(failed=0.9)
    world.run(1800)

    detour = world.status.detour
    assert detour is not None
    assert (detour.cause, detour.gate, detour.percent) == (DetourCause.GATE, "leak", 100)
    assert world.status.stable is not None
    assert world.status.stable.release == OLD
    assert backends(world) == {"human-queue": 100}
    world.agents[OLD] = Behavior()
    assert switch_on(world, detour.id)[0] == "Done"
    world.run(1800)
    assert world.status.detour is None
    assert world.shares() == {OLD: 100}


@pytest.mark.parametrize(("resort", "left"), [("Hold", {OLD: 100}), ("Fallback", {"human-queue": 100})])
def test_the_last_resort_is_what_the_plan_says(resort: str, left: dict[str, int]) -> None:
    """Stable fails, and no release was healthy before it."""
    gate = {**LEAK, "action": "RollBack"}
    spec = {"gates": [gate], "watch": {"intervalSeconds": 60}, "rollback": {"lastResort": resort}}
    world = a_world_at_rest(OLD, **{**OFF, **spec})
    world.agents[OLD] = Behavior(failed=0.9)

    world.run(1800)

    assert world.shares() == left
    assert (world.status.detour is not None) == (resort == "Fallback")


@pytest.mark.parametrize("is_kept", [True, False], ids=["the action is there", "the action is gone"])
@pytest.mark.parametrize("state", [State.CANARY, State.BAKING, State.HEALTHY])
def test_a_crash_between_route_and_status_leaves_the_agent_off(state: State, is_kept: bool) -> None:  # noqa: FBT001
    """The mark on the route is enough; the next process has the same detour."""
    world = a_world(a_rollout(**OFF).serving(OLD), OLD, NEW)
    world.run_until(state, within=80_000)
    world.run(30)
    name = world.act(ActionType.SWITCH_OFF)
    world.step(effects=1)
    assert world.status.detour is None
    assert backends(world) == {"human-queue": 100}
    if not is_kept:
        del world.actions[name]

    world.run(600)

    detour = world.status.detour
    assert detour is not None
    assert (detour.action, detour.percent) == (name, 100)
    assert backends(world) == {"human-queue": 100}
    assert switch_on(world, detour.id)[0] == "Done"
    assert "human-queue" not in backends(world)


@pytest.mark.parametrize("effects", [0, 1])
def test_a_crash_while_switching_on_ends_with_the_traffic_at_stable(effects: int) -> None:
    """Status first, then the route: the mark of a detour that has ended is not adopted."""
    world = at_rest()
    detour = switch_off(world)
    world.act(ActionType.SWITCH_ON, detour=detour)
    world.step()
    assert world.status.detour is None
    world.step(effects=effects)

    world.settle()

    assert world.status.detour is None
    assert backends(world) == {service_of(OLD): 100}
