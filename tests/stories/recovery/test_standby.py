"""A standby in the place of stable, in virtual time: who gets the traffic, until when, and what is kept."""

from datetime import timedelta
from typing import Any, Final

import pytest

from agentrollouts.api.attempt import State
from agentrollouts.api.people.action import ActionType
from agentrollouts.api.reasons import Reason
from agentrollouts.api.recovery.detour import DetourCause
from agentrollouts.api.release import AgentRelease
from agentrollouts.core.conditions import STANDBY_NOT_READY, SWITCHED_OFF, find_condition
from testkit.builders.names import NEW, NEXT, OLD, OLDEST, service_of
from testkit.builders.routes import BY_PATCH, BY_ROUTE, CONFIG, ROUTE, THEIRS, a_shop
from testkit.world import Behavior, World, a_world_at_rest

QUEUE: Final = {"service": {"name": "human-queue", "port": 8080}}
TOOL: Final = {
    "name": "refund-tool",
    "template": "error-rate",
    "action": "Standby",
    "limit": {"value": "0.2", "forSeconds": 0},
}
WITHOUT: Final = {"releaseRef": {"name": OLDEST}, "gates": ["refund-tool"], "returnAfterSeconds": 900}
INTERVAL: Final = 60
SPEC: Final[dict[str, Any]] = {
    "traffic": BY_ROUTE,
    "fallback": QUEUE,
    "gates": [TOOL],
    "watch": {"intervalSeconds": INTERVAL},
    "standby": [WITHOUT],
}
BROKEN: Final = Behavior(failed=0.9)


def at_rest(*releases: str, **spec: object) -> World:
    """The last of these serves; those before it were healthy once."""
    world = a_world_at_rest(*(releases or (OLDEST, OLD)), **{**SPEC, **spec})
    world.settle()
    return world


def served(world: World) -> dict[str, int]:
    """The releases, or Services, that get requests, each with its share."""
    return {name: share for name, share in world.shares().items() if share}


def tripped(world: World) -> World:
    """The tools of stable fail, and a standby takes over."""
    world.agents[OLD] = BROKEN
    for _ in range(60):
        world.run(INTERVAL)
        if world.status.detour:
            break
    return world


def rules(world: World) -> list[dict[str, int]]:
    """The weights of each rule of the route."""
    return [
        {ref["name"]: ref["weight"] for ref in rule["backendRefs"]}
        for rule in world.traffic[ROUTE]["spec"]["rules"]
    ]


def test_a_tool_that_fails_is_left_out_for_a_while_twice_as_long_the_next_time() -> None:
    """Stable stays stable; time decides when it serves again, and a person may decide it sooner."""
    world = at_rest()
    before = world.traffic[ROUTE]["spec"]
    tripped(world)

    detour = world.status.detour
    assert detour is not None
    assert (detour.cause, detour.gate, detour.trips) == (DetourCause.STANDBY, "refund-tool", 1)
    assert detour.until == detour.since + timedelta(seconds=900)
    assert rules(world) == [{service_of(OLDEST): 100}]
    assert served(world) == {OLDEST: 100}
    assert world.ready_reason() == "OnStandby"
    assert find_condition(world.status.conditions, SWITCHED_OFF) is None
    assert world.status.stable is not None
    assert (world.status.stable.release, world.status.quarantined) == (OLD, ())
    assert len(world.told(Reason.DETOUR_STARTED)) == 1

    world.run((detour.until - world.now).total_seconds() + 2)

    assert world.status.detour is None
    assert world.traffic[ROUTE]["spec"] == before
    [ended] = world.told(Reason.DETOUR_ENDED)
    assert ended == f"Detour {detour.id} ended, since its time is over; {OLD} gets the traffic again"
    last = world.status.last_detour
    assert last is not None
    assert (last.id, last.by, last.trips, last.standby) == (detour.id, None, 1, detour.standby)

    again = tripped(world).status.detour
    assert again is not None
    assert (again.trips, again.until) == (2, again.since + timedelta(seconds=1800))
    assert again.id != detour.id

    world.act(ActionType.SWITCH_OFF)
    world.settle()
    off = world.status.detour
    assert off is not None
    assert (off.cause, off.standby, rules(world)) == (DetourCause.SWITCH_OFF, None, [{"human-queue": 100}])
    world.run(4000)
    assert world.status.detour == off
    world.agents[OLD] = Behavior()
    world.act(ActionType.SWITCH_ON, detour=off.id)
    world.settle()
    assert (world.status.detour, served(world)) == (None, {OLD: 100})
    assert world.ready_reason() == "Healthy"


def test_no_further_trip_lasts_longer_than_an_hour() -> None:
    """900, 1800, 3600 and again 3600 seconds."""
    world, seconds = at_rest(), []
    for _ in range(4):
        detour = tripped(world).status.detour
        assert detour is not None
        assert detour.until is not None
        seconds.append((detour.until - detour.since).total_seconds())
        world.run(seconds[-1] + 2)
        assert world.status.detour is None
    assert seconds == [900, 1800, 3600, 3600]


def test_a_trip_on_another_day_is_a_first_one() -> None:
    """What is doubled is the time of a tool that fails again soon."""
    world = tripped(at_rest())
    world.agents[OLD] = Behavior()
    world.run(2 * 86400)
    assert world.status.last_detour is not None

    detour = tripped(world).status.detour

    assert detour is not None
    assert detour.trips == 1


def test_another_model_serves_while_the_provider_fails() -> None:
    """The gate decides which standby serves."""
    provider = {**TOOL, "name": "provider-errors"}
    model_b = {"releaseRef": {"name": NEXT}, "gates": ["provider-errors"], "returnAfterSeconds": 3600}
    tool = {**TOOL, "limit": {"value": "0.95", "forSeconds": 0}}
    world = at_rest(OLDEST, NEXT, OLD, gates=[tool, provider], standby=[WITHOUT, model_b])

    detour = tripped(world).status.detour

    assert detour is not None
    assert (detour.gate, served(world)) == ("provider-errors", {NEXT: 100})
    assert detour.until == detour.since + timedelta(seconds=3600)


def test_nothing_moves_forward_meanwhile_and_a_rollback_and_git_still_work() -> None:
    """A new release is pending; another stable is chosen while the traffic stays at the standby."""
    world = tripped(at_rest(OLDEST, NEXT, OLD))
    world.ship(NEW)
    world.run(60)
    assert (world.state, world.ready_reason()) == (State.PENDING, "OnStandby")

    world.act(ActionType.ROLL_BACK, release=OLD)
    world.run(120)

    assert world.status.stable is not None
    assert world.status.stable.release == NEXT
    assert rules(world) == [{service_of(OLDEST): 100}]
    world.run(1000)
    assert world.status.detour is None
    assert served(world).get(OLDEST, 0) == 0


def test_git_returns_to_an_earlier_release_while_a_standby_serves() -> None:
    """It bakes once it has the traffic."""
    world = tripped(at_rest(OLDEST, NEXT, OLD))
    world.ask_for(NEXT)
    world.run(300)
    assert (world.state, served(world)) == (State.BAKING, {OLDEST: 100})

    world.run(900)

    assert (world.status.detour, served(world)) == (None, {NEXT: 100})
    world.run_until(State.HEALTHY, within=20_000)


def test_git_returns_to_the_release_that_is_the_standby() -> None:
    """It is listed once in the route, and has all traffic from then on, without a gap."""
    world = tripped(at_rest())
    world.ask_for(OLDEST)
    world.run(300)
    [rule] = world.traffic[ROUTE]["spec"]["rules"]
    assert [(ref["name"], ref["weight"]) for ref in rule["backendRefs"]] == [(service_of(OLDEST), 100)]
    assert (world.state, served(world)) == (State.BAKING, {OLDEST: 100})

    world.run(900)

    assert (world.status.detour, served(world)) == (None, {OLDEST: 100})
    world.run_until(State.HEALTHY, within=20_000)


def test_a_standby_that_is_not_proven_is_not_used_and_a_drill_proves_it() -> None:
    """One Warning Event, and a condition with the command that proves it."""
    world = at_rest(OLD)
    world.ship(OLDEST)
    world.ask_for(OLD)
    world.settle()
    condition = find_condition(world.status.conditions, STANDBY_NOT_READY)
    assert condition is not None
    assert f"{OLDEST} is not proven" in condition.message
    assert f"drill support-agent --release={OLDEST}" in condition.message
    tripped(world)
    assert (world.status.detour, served(world), world.ready_reason()) == (None, {OLD: 100}, "GateFailed")
    assert "is not proven" in next(each.message for each in world.status.conditions if each.type == "Ready")
    assert len([each for each in world.told(Reason.STANDBY_NOT_READY) if "not proven" in each]) == 1

    world.agents[OLD] = Behavior()
    world.run(7200)
    world.act(ActionType.DRILL, release=OLDEST)
    world.run(1200)
    assert world.status.last_drill is not None
    assert world.status.last_drill.outcome == "Passed"
    assert find_condition(world.status.conditions, STANDBY_NOT_READY) is None
    tripped(world)

    assert served(world) == {OLDEST: 100}


@pytest.mark.parametrize(("change", "is_used"), [("Narrowed", True), ("Minor", False)])
def test_a_release_that_only_removes_tools_of_stable_needs_no_other_proof(
    change: str,
    is_used: bool,  # noqa: FBT001 a case
) -> None:
    """It was never shipped; what its author says of the version does not count."""
    world = at_rest(OLD)
    world.ship(OLDEST)
    world.ask_for(OLD)
    release = world.releases[OLDEST].to_json()
    release["spec"]["parent"] = {"name": OLD}
    release["status"]["diff"] = [{"component": "tools", "from": "1.0.0", "to": "1.1.0", "change": change}]
    world.releases[OLDEST] = AgentRelease.model_validate(release)
    world.settle()
    assert (find_condition(world.status.conditions, STANDBY_NOT_READY) is None) == is_used

    tripped(world)

    assert served(world) == {OLDEST if is_used else OLD: 100}


def test_only_a_standby_with_ready_endpoints_serves() -> None:
    """The next one in the list does; without any, stable serves on and the message says why."""
    second = {"releaseRef": {"name": NEXT}, "gates": ["refund-tool"]}
    world = at_rest(NEXT, OLDEST, OLD, standby=[WITHOUT, second])
    world.deserted = {OLDEST}
    tripped(world)
    assert served(world) == {NEXT: 100}

    world = at_rest()
    world.deserted = {OLDEST}
    tripped(world)
    assert (world.status.detour, served(world), world.ready_reason()) == (None, {OLD: 100}, "GateFailed")
    ready = next(each.message for each in world.status.conditions if each.type == "Ready")
    assert f"{OLDEST} has no ready endpoint; start its agents" in ready


def test_a_standby_without_pods_is_relieved_by_the_next_one_and_then_by_stable() -> None:
    """The time does not begin again; stable is left if it has a ready endpoint."""
    second = {"releaseRef": {"name": NEXT}, "gates": ["refund-tool"]}
    world = tripped(at_rest(NEXT, OLDEST, OLD, standby=[WITHOUT, second]))
    first = world.status.detour
    assert first is not None
    world.deserted = {OLDEST}
    world.settle()

    relief = world.status.detour
    assert relief is not None
    assert (relief.until, relief.trips, served(world)) == (first.until, 1, {NEXT: 100})
    world.deserted = {OLDEST, NEXT, OLD}
    world.settle()
    assert served(world) == {NEXT: 100}
    world.deserted = {OLDEST, NEXT}
    world.run(11)
    assert (world.status.detour, served(world)) == (None, {OLD: 100})


def test_a_gate_that_switches_off_also_watches_the_standby() -> None:
    """What serves alone must not leak; a standby that only fails is not the fault of stable."""
    leak = {**TOOL, "name": "leak", "action": "SwitchOff", "limit": {"value": "0.95", "forSeconds": 0}}
    world = tripped(at_rest(gates=[TOOL, leak]))
    world.agents[OLDEST] = BROKEN
    world.run(600)
    assert (served(world), world.ready_reason()) == ({OLDEST: 100}, "OnStandby")
    assert world.status.quarantined == ()

    world.agents[OLDEST] = Behavior(failed=1.0)
    world.run(600)

    assert world.status.detour is not None
    assert (world.status.detour.cause, served(world)) == (DetourCause.GATE, {"human-queue": 100})


@pytest.mark.parametrize("resort", ["Hold", "Fallback"])
def test_the_last_resort_is_a_standby_and_then_the_fallback(resort: str) -> None:
    """Stable fails for good, and no release is left to roll back to; only SwitchOn ends that."""
    gate = {**TOOL, "name": "errors", "action": "RollBack"}
    spare = {**WITHOUT, "releaseRef": {"name": NEXT}}
    tool = {**TOOL, "limit": {"value": "0.99", "forSeconds": 0}}
    resorts = {"lastResort": resort, "maxWalkBack": 1}
    world = at_rest(OLD, gates=[tool, gate], rollback=resorts, standby=[spare])
    world.ship(NEXT)
    world.ask_for(OLD)
    world.run(60)
    world.act(ActionType.DRILL, release=NEXT)
    world.run(1200)
    world.agents[OLD] = BROKEN

    world.run(7200)

    if resort == "Hold":
        assert (world.status.detour, served(world)) == (None, {OLD: 100})
        return
    detour = world.status.detour
    assert detour is not None
    assert (detour.cause, detour.until, served(world)) == (DetourCause.LAST_RESORT, None, {NEXT: 100})
    assert world.ready_reason() == "SwitchedOff"
    world.deserted = {NEXT}
    world.run(60)
    assert served(world) == {"human-queue": 100}


def test_on_trial_the_gate_rolls_the_canary_back() -> None:
    """A fault of its own is no reason for a standby."""
    world = at_rest()
    world.ship(NEW, BROKEN)

    world.run_until(State.ROLLED_BACK, within=20_000)

    assert (world.status.detour, served(world)) == (None, {OLD: 100})


def test_agents_that_split_by_themselves_read_the_standby_in_the_place_of_stable() -> None:
    """`split.json` also names the detour."""
    world = tripped(at_rest(traffic={}, fallback=None))
    config = world.traffic[CONFIG]["data"]["split.json"]
    assert f'"release":"{OLDEST}"' in config
    assert f'"standby":"{OLDEST}"' in config
    assert served(world) == {OLDEST: 100}
    world.agents[OLD] = Behavior()
    world.run(1000)
    assert served(world) == {OLD: 100}


def test_in_the_rule_of_someone_else_only_weights_change_and_come_back() -> None:
    """A rule that lacks the standby is named by the condition."""
    world = a_world_at_rest(OLDEST, OLD, **{**SPEC, "traffic": BY_PATCH, "fallback": None})
    world.traffic[THEIRS] = a_shop(OLD)
    world.settle()
    condition = find_condition(world.status.conditions, STANDBY_NOT_READY)
    assert condition is not None
    assert f"has no backend for release {OLDEST}" in condition.message
    world.traffic[THEIRS] = a_shop(OLDEST, OLD)
    world.run(60)
    assert find_condition(world.status.conditions, STANDBY_NOT_READY) is None
    tripped(world)
    assert served(world) == {OLDEST: 100}
    world.agents[OLD] = Behavior()

    world.run(1000)

    assert served(world) == {OLD: 100}


@pytest.mark.parametrize("effects", [0, 1, 2])
def test_a_crash_while_a_standby_takes_over_ends_as_without_it(effects: int) -> None:
    """The mark on the route is adopted, whatever was written."""
    world = at_rest()
    world.agents[OLD] = BROKEN
    for _ in range(60):
        world.now += timedelta(seconds=INTERVAL)
        world.serve(world.shares(), INTERVAL)
        if world.current_poll:
            world.poll(world.current_poll)
        decision = world.decide()
        is_due = decision.status is not None and decision.status.detour is not None
        world.carry_out(decision, effects if is_due else None)
        if is_due:
            break
    assert (served(world) == {OLDEST: 100}) == (effects > 0)

    world.run(2 * INTERVAL)

    detour = world.status.detour
    assert detour is not None
    assert (detour.trips, served(world)) == (1, {OLDEST: 100})
    world.agents[OLD] = Behavior()
    world.run(1000)
    assert (world.status.detour, served(world)) == (None, {OLD: 100})


@pytest.mark.parametrize("effects", [0, 1, 2])
def test_a_crash_while_a_standby_ends_is_as_if_there_was_none(effects: int) -> None:
    """Status first, then the route: the mark of what has ended is not adopted."""
    world = tripped(at_rest())
    world.agents[OLD] = Behavior()
    detour = world.status.detour
    assert detour is not None
    assert detour.until is not None
    world.now = detour.until
    world.step(effects=effects)
    world.step(effects=effects)

    world.settle()

    assert (world.status.detour, served(world)) == (None, {OLD: 100})
    assert len(world.told(Reason.DETOUR_ENDED)) == 1
