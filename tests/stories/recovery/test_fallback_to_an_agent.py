"""`fallback.rollout`: another agent answers while this one is off, by whatever release that serves."""

from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.api.people.action import ActionType
from agentrollouts.api.reasons import Reason
from agentrollouts.api.recovery.detour import Detour, DetourCause
from agentrollouts.api.recovery.standby import StandbyRelease
from agentrollouts.core.conditions import FALLBACK_NOT_READY, SWITCHED_OFF, find_condition
from agentrollouts.core.containment.fallback import Lead, lead_of
from agentrollouts.core.effects import Manifest
from testkit.builders.names import OLD, OLDEST, START, service_of
from testkit.builders.releases import a_record
from testkit.builders.rollouts import a_rollout
from testkit.builders.routes import BY_PATCH, BY_ROUTE, ROUTE, THEIRS, a_backend, their_route
from testkit.world import Behavior, World, a_world_at_rest
from tests.stories.test_switch_off import backends, switch_off
from tests.stories.test_switch_off import switch_on as switched_on

FAQ: Final = "faq-agent"
FIRST, SECOND = "support-agent-9.0.0", "support-agent-9.1.0"
"""What the other agent serves, one after the other."""
TO_FAQ: Final[dict[str, Any]] = {"traffic": BY_ROUTE, "fallback": {"rollout": {"name": FAQ}}}
LEAK: Final[dict[str, Any]] = {
    "name": "leak",
    "source": {"bad": 'agent_runs_total{outcome="failed"}', "total": "agent_runs_total"},
    "type": "Limit",
    "limit": {"value": "0.5", "forSeconds": 0},
    "during": ["Full"],
}


def serving(release: str) -> Manifest:
    """The other rollout, as the API server has it."""
    return {"status": a_rollout().serving(release).build().status.to_json()}


def at_rest(lead: Lead | None, **spec: object) -> World:
    """An agent that serves, whose fallback is the other one."""
    world = a_world_at_rest(OLDEST, OLD, **{**TO_FAQ, **spec})
    world.fallback = lead
    world.settle()
    return world


def switch_on(world: World, detour: str) -> None:
    """Someone does, and that ends it."""
    switched_on(world, detour)
    assert world.status.detour is None


def message(world: World, kind: str) -> str:
    """What a condition says; empty if it is not there."""
    condition = find_condition(world.status.conditions, kind)
    return condition.message if condition else ""


def test_the_route_follows_what_the_other_agent_serves() -> None:
    """From the switch to the end of the detour, and then the route is exactly as it was."""
    world = at_rest(lead_of(FAQ, serving(FIRST)))
    before = world.traffic[ROUTE]

    detour = switch_off(world)
    assert backends(world) == {service_of(FIRST): 100}
    told = f"All traffic goes to Service {service_of(FIRST)}, which faq-agent serves since"
    assert message(world, SWITCHED_OFF).startswith(told)

    world.fallback = lead_of(FAQ, serving(SECOND))
    world.settle()
    assert backends(world) == {service_of(SECOND): 100}
    assert world.status.detour is not None
    assert world.status.detour.id == detour

    switch_on(world, detour)
    assert world.traffic[ROUTE]["spec"] == before["spec"]
    assert world.traffic[ROUTE]["metadata"].get("annotations") == before["metadata"].get("annotations")


@pytest.mark.parametrize("effects", [0, 1, 2])
def test_a_crash_while_the_route_follows_has_no_effect(effects: int) -> None:
    """The next process decides the same from what the API server has."""
    world = at_rest(lead_of(FAQ, serving(FIRST)))
    switch_off(world)
    world.fallback = lead_of(FAQ, serving(SECOND))

    world.step(effects=effects)
    world.restart()
    world.settle()

    assert backends(world) == {service_of(SECOND): 100}


@pytest.mark.parametrize("is_off", [False, True], ids=["before", "meanwhile"])
def test_what_cannot_be_read_is_taken_from_the_status(is_off: bool) -> None:  # noqa: FBT001 each case
    """Switching off depends on nothing: what the other agent served last is remembered."""
    world = at_rest(lead_of(FAQ, serving(FIRST)))
    if is_off:
        switch_off(world)
    world.fallback = None
    world.restart()
    world.settle()
    if not is_off:
        switch_off(world)

    assert backends(world) == {service_of(FIRST): 100}
    assert world.status.fallback is not None
    assert (world.status.fallback.rollout, world.status.fallback.release) == (FAQ, FIRST)


def test_what_was_never_read_is_as_no_fallback() -> None:
    """All weights are 0 at once, and the Service gets the traffic once it is known."""
    world = at_rest(None)
    switch_off(world)
    assert backends(world) == {service_of(OLD): 0}
    assert "cannot be read" in message(world, SWITCHED_OFF)

    world.fallback = lead_of(FAQ, serving(FIRST))
    world.settle()
    assert backends(world) == {service_of(FIRST): 100}


def switched_off(percent: int) -> Manifest:
    """The other rollout in a detour."""
    detour = Detour(id="0" * 8, cause=DetourCause.SWITCH_OFF, percent=percent, since=START)
    status = a_rollout().serving(FIRST).build().status.copy_with(detour=detour)
    return {"status": status.to_json()}


def with_service(**fields: Any) -> Manifest:  # noqa: ANN401 any field
    """The other rollout, whose stable release has such a Service."""
    stable = a_record(FIRST).to_json() | {"service": fields}
    return {"status": {"stable": {key: value for key, value in stable.items() if value}}}


POOL: Final = {"name": "pool", "kind": "InferencePool", "group": "inference.networking.k8s.io"}
CANNOT: Final = [
    (None, "AgentRollout faq-agent does not exist"),
    ({}, "AgentRollout faq-agent has no stable release"),
    ({"status": {"attempt": {"state": "Pending"}}}, "AgentRollout faq-agent has no stable release"),
    (switched_off(100), "AgentRollout faq-agent is switched off itself"),
    (switched_off(30), "AgentRollout faq-agent is switched off by 30% itself"),
    (with_service(), f"{FIRST}, which AgentRollout faq-agent serves, has no Service"),
    (with_service(**POOL), f"{FIRST}, which AgentRollout faq-agent serves, has no Service"),
]


@pytest.mark.parametrize(("other", "why"), CANNOT)
def test_an_agent_that_cannot_answer_is_named_before_it_is_needed(other: Manifest | None, why: str) -> None:
    """As a condition at rest, with one Event; a detour is then as without a fallback."""
    world = at_rest(lead_of(FAQ, other))

    expected = f"{why}; until it serves, a detour is answered as without `spec.fallback`"
    assert message(world, FALLBACK_NOT_READY) == expected
    assert len(world.told(Reason.FALLBACK_NOT_READY)) == 1
    assert world.ready_reason() == "Healthy"
    name = world.act(ActionType.SWITCH_OFF, percent=30)
    world.settle()
    answer = find_condition(world.actions[name].status.conditions, "Ready")
    assert answer is not None
    assert (answer.reason, answer.message) == (
        "Refused",
        f"only all traffic can be switched off: {why}; leave out percent",
    )

    switch_off(world)
    assert backends(world) == {service_of(OLD): 0}
    assert f"so the gateway answers with an error: {why} since" in message(world, SWITCHED_OFF)

    world.fallback = lead_of(FAQ, serving(FIRST))
    world.settle()
    assert backends(world) == {service_of(FIRST): 100}
    assert message(world, FALLBACK_NOT_READY) == ""


def test_an_agent_on_standby_answers_by_its_standby() -> None:
    """Its stable release fails, so it gets no requests of anyone."""
    detour = Detour(id="0" * 8, cause=DetourCause.STANDBY, percent=100, since=START)
    standby = StandbyRelease.model_validate(a_record(SECOND).to_json())
    status = a_rollout().serving(FIRST).build().status.copy_with(detour=detour.copy_with(standby=standby))
    world = at_rest(lead_of(FAQ, {"status": status.to_json()}))
    switch_off(world)
    assert backends(world) == {service_of(SECOND): 100}


def test_a_share_goes_to_the_other_agent() -> None:
    """In parts of 10,000, as to a Service."""
    world = at_rest(lead_of(FAQ, serving(FIRST)))
    switch_off(world, percent=30)
    assert backends(world) == {service_of(OLD): 7000, service_of(FIRST): 3000}


def test_two_agents_that_answer_for_each_other_never_send_to_one_that_is_off() -> None:
    """Both are off: both gateways answer with an error, and nothing is written again and again."""
    one, two = at_rest(None), at_rest(None)

    def settle() -> None:
        for _ in range(3):  # what one serves wakes the other
            one.fallback = lead_of(FAQ, {"status": two.status.to_json()})
            one.settle()
            two.fallback = lead_of("support-agent", {"status": one.status.to_json()})
            two.settle()

    settle()
    first = switch_off(one)
    settle()
    assert backends(one) == {service_of(OLD): 100}
    switch_off(two)
    settle()
    written = one.status_writes + two.status_writes
    settle()

    assert (backends(one), backends(two)) == ({service_of(OLD): 0}, {service_of(OLD): 0})
    assert "faq-agent is switched off itself" in message(one, SWITCHED_OFF)
    assert "support-agent is switched off itself" in message(two, SWITCHED_OFF)
    assert one.status_writes + two.status_writes == written
    one.act(ActionType.SWITCH_ON, detour=first)
    settle()
    assert (one.status.detour, backends(two)) == (None, {service_of(OLD): 100})


@pytest.mark.parametrize("is_there", [True, False])
def test_the_last_resort_is_hold_while_the_other_agent_cannot_answer(is_there: bool) -> None:  # noqa: FBT001 each case
    """A bad answer is never replaced by none."""
    spec = {"gates": [LEAK], "watch": {"intervalSeconds": 60}, "rollback": {"lastResort": "Fallback"}}
    world = a_world_at_rest(OLD, **{**TO_FAQ, **spec})
    world.fallback = lead_of(FAQ, serving(FIRST) if is_there else None)
    world.agents[OLD] = Behavior(failed=0.9)

    world.run(1800)

    assert world.shares() == ({service_of(FIRST): 100} if is_there else {OLD: 100})
    assert (world.status.detour is not None) == is_there
    assert message(world, FALLBACK_NOT_READY).endswith("`rollback.lastResort` is Hold") == (not is_there)


RESORT: Final[dict[str, Any]] = {
    "gates": [LEAK],
    "watch": {"intervalSeconds": 60},
    "rollback": {"lastResort": "Fallback"},
}


@pytest.mark.parametrize("deserted", [True, False])
def test_a_last_resort_ends_once_the_other_agent_cannot_answer(deserted: bool) -> None:  # noqa: FBT001 each case
    """It is Hold then; stable serves again as soon as it can. A SwitchOff of a person lasts."""
    world = a_world_at_rest(OLD, **{**TO_FAQ, **RESORT})
    world.fallback = lead_of(FAQ, serving(FIRST))
    world.agents[OLD] = Behavior(failed=0.9)
    world.run(1800)
    assert world.shares() == {service_of(FIRST): 100}
    detour = world.status.detour
    assert detour is not None

    world.deserted = {OLD} if deserted else set()
    world.fallback = lead_of(FAQ, switched_off(100))
    world.run(60)
    assert (world.status.detour == detour, world.shares()) == (deserted, {OLD: 0 if deserted else 100})
    world.deserted = set()
    world.run(60)
    [told] = world.told(Reason.DETOUR_ENDED)
    why = "AgentRollout faq-agent is switched off itself"
    assert told == f"Detour {detour.id} ended, since {why}; {OLD} gets the traffic again"
    world.run(1800)
    assert (world.status.detour, world.ready_reason()) == (None, "NoHealthyTarget")

    switch_off(world)
    world.run(600)
    assert world.shares() == {OLD: 0}


def test_of_two_agents_that_fail_in_one_instant_one_answers_for_both() -> None:
    """Each saw the other serve when it was switched off; the first by name returns, and nothing repeats."""
    first = a_world_at_rest(OLD, **{**TO_FAQ, **RESORT, "fallback": {"rollout": {"name": "zeta"}}})
    second = a_world_at_rest(OLD, **{**TO_FAQ, **RESORT, "fallback": {"rollout": {"name": "alpha"}}})
    seen = list[tuple[bool, bool]]()
    for world in (first, second):
        world.agents[OLD] = Behavior(failed=0.9)
    for _ in range(360):
        one, two = first.status.to_json(), second.status.to_json()
        first.fallback, second.fallback = (
            lead_of("zeta", {"status": two}),
            lead_of("alpha", {"status": one}),
        )
        for world in (first, second):
            world.settle()
            world.run(5)
        are_off = first.status.detour is not None, second.status.detour is not None
        seen += [are_off] if are_off not in seen[-1:] else []

    assert seen == [(False, False), (True, True), (False, True)]
    assert (first.shares(), second.shares()) == ({OLD: 100}, {OLD: 100})
    assert first.ready_reason() == "NoHealthyTarget"


def test_a_rule_of_someone_else_needs_each_service_of_the_other_agent() -> None:
    """The weight follows what it serves; while the rule lacks the Service, all weights are 0."""
    world = a_world_at_rest(OLD, **{**TO_FAQ, "traffic": BY_PATCH})
    names = [service_of(OLD), service_of(FIRST), service_of(SECOND)]
    world.traffic[THEIRS] = their_route(*(a_backend(name, 100 * (name == names[0])) for name in names))

    def weights() -> list[int]:
        return [ref["weight"] for ref in world.traffic[THEIRS]["spec"]["rules"][1]["backendRefs"]]

    world.fallback = lead_of(FAQ, serving(FIRST))
    world.settle()
    detour = switch_off(world)
    assert weights() == [0, 100, 0]
    world.fallback = lead_of(FAQ, serving(SECOND))
    world.settle()
    assert weights() == [0, 0, 100]
    world.fallback = lead_of(FAQ, serving("support-agent-9.2.0"))
    world.settle()
    assert weights() == [0, 0, 0]
    switch_on(world, detour)
    assert weights() == [100, 0, 0]


def test_another_fallback_gets_the_traffic_at_once() -> None:
    """Also one of the other kind; the status then has nothing of the agent."""
    world = at_rest(lead_of(FAQ, serving(FIRST)))
    switch_off(world)
    world.fallback = None
    world.edit(lambda builder: builder.planning(fallback={"service": {"name": "queue", "port": 8080}}))
    world.settle()
    assert backends(world) == {"queue": 100}
    assert world.status.fallback is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("ab", max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("ab", max_size=4), inner, max_size=2),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from(["stable", "detour", "canary"]), JSON))
def test_a_status_that_cannot_be_read_is_not_known(status: Manifest) -> None:
    """Another version of the operator wrote it: what was last known stays."""
    lead = lead_of(FAQ, {"status": status})
    assert lead is None or lead.problem
