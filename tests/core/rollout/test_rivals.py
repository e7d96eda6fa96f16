"""Inputs: other rollouts and routes. Outputs: who ships the agent, and which routes get in the way."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from agentrollouts.api.attempt import State
from agentrollouts.api.reasons import Reason
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.core.effects import Manifest
from agentrollouts.core.rollout.decide import decide
from agentrollouts.core.rollout.decision import Decision
from agentrollouts.core.rollout.neighbors.rivals import agent_taken_by
from agentrollouts.core.traffic.conflicts import with_same_door
from testkit.builders.names import NEW, OLD, START
from testkit.builders.observations import an_observation
from testkit.builders.rollouts import RolloutBuilder, a_rollout
from testkit.builders.routes import BY_PATCH

OLDER, NOW, YOUNGER = "2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z"


def ours(builder: RolloutBuilder | None = None) -> AgentRollout:
    """The rollout that asks, created at `NOW`."""
    rollout = (builder or a_rollout()).build()
    return rollout.replace(metadata=rollout.metadata.replace(creation_timestamp=datetime.fromisoformat(NOW)))


def another(name: str, created: str, *, status: Any = None, **metadata: str) -> Manifest:  # noqa: ANN401 JSON
    """Another rollout of the agent as returned by the API server."""
    manifest = {"metadata": {"name": name, "creationTimestamp": created, **metadata}, "spec": {}}
    return manifest if status is None else {**manifest, "status": status}


BEGUN: dict[str, Any] = {"attempt": {"number": 1}}


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([], None),
        ([another("z", OLDER)], "z"),
        ([another("a", YOUNGER, status=BEGUN)], None),
        ([another("z", OLDER, deletionTimestamp=NOW)], None),
        ([another("z", OLDER, deletionTimestamp=NOW), another("y", OLDER)], "y"),
        ([another("b", OLDER), another("a", OLDER)], "a"),
        ([another("a", NOW)], "a"),
        ([another("z", NOW)], None),
        ([another("z", NOW, status=BEGUN)], "z"),
    ],
)
def test_the_older_rollout_ships_the_agent(others: list[Manifest], expected: str | None) -> None:
    """By creation time; of one second the one that has begun, then by name; what is being deleted is out."""
    assert agent_taken_by(ours(), others) == expected


def test_the_answer_is_the_same_from_both_sides() -> None:
    """Of two made in one second exactly one ships the agent."""
    first, second = ours(), ours()
    second = second.replace(metadata=second.metadata.replace(name="zoo"))
    manifests = [{"metadata": rollout.metadata.to_json(), "status": {}} for rollout in (first, second)]
    for manifest in manifests:
        manifest["metadata"]["creationTimestamp"] = NOW
    taken_by = [agent_taken_by(first, manifests[1:]), agent_taken_by(second, manifests[:1])]
    assert taken_by == [None, "support-agent"]


def taken(builder: RolloutBuilder) -> Decision:
    """The decision while another rollout ships the agent."""
    return decide(an_observation(builder, agent_taken_by="first"))


def test_the_younger_rollout_is_refused() -> None:
    """Nothing is written for traffic, `Stalled` says so, one Warning names the older one."""
    decision = taken(a_rollout())
    assert decision.writes == ()
    assert decision.status is not None
    assert (decision.status.attempt, decision.status.canary) == (None, None)
    ready, _, stalled, *_ = decision.status.conditions
    assert (ready.reason, stalled.status, "AgentRollout first" in ready.message) == (
        "AgentTaken",
        "True",
        True,
    )
    assert [(event.reason, event.is_warning) for event in decision.events] == [(Reason.AGENT_TAKEN, True)]
    reported = replace(a_rollout(), status=decision.status)
    again = taken(reported)
    assert (again.status, again.events) == (None, ())


@pytest.mark.parametrize("state", [State.CANARY, State.BAKING, State.PENDING, State.INITIAL])
def test_an_attempt_does_not_go_forward_for_two_rollouts(state: State) -> None:
    """One that is in progress, as before an upgrade, is held where it is."""
    decision = taken(a_rollout().in_state(state))
    assert decision.status is not None
    attempt = decision.status.attempt
    assert attempt is not None
    assert attempt.state is (State.PENDING if state is State.PENDING else State.HELD)
    assert [event.reason for event in decision.events] == [Reason.AGENT_TAKEN]


def test_an_attempt_can_still_be_rolled_back() -> None:
    """The way back asks nothing of a neighbor."""
    decision = taken(a_rollout().in_state(State.CANARY).asking_for(OLD))
    assert decision.status is not None
    assert decision.status.attempt is not None
    assert decision.status.attempt.state is State.ROLLING_BACK


def test_the_younger_one_begins_when_the_older_one_is_gone() -> None:
    """Nothing of the refusal is left."""
    refused = taken(a_rollout().serving(OLD)).status
    assert refused is not None
    decision = decide(an_observation(replace(a_rollout().serving(OLD), status=refused)))
    assert decision.status is not None
    assert decision.status.canary is not None
    assert (decision.status.canary.release, decision.status.conditions[0].reason) == (NEW, "Canary")


def a_route(name: str, *parents: dict[str, Any], hostnames: tuple[str, ...] = ("a.example.com",)) -> Manifest:
    """A route at some Gateways."""
    spec = {"parentRefs": list(parents or ({"name": "public"},)), "hostnames": list(hostnames)}
    return {"kind": "HTTPRoute", "metadata": {"name": name, "namespace": "support"}, "spec": spec}


def elsewhere(route: Manifest) -> Manifest:
    """The same route in another namespace."""
    return {**route, "metadata": {**route["metadata"], "namespace": "shop"}}


@pytest.mark.parametrize(
    ("other", "is_shared"),
    [
        (a_route("x"), True),
        (a_route("x", hostnames=("b.example.com",)), False),
        (a_route("x", hostnames=("b.example.com", "a.example.com")), True),
        (a_route("x", hostnames=()), False),
        (a_route("x", {"name": "private"}), False),
        (a_route("x", {"name": "private"}, {"name": "public"}), True),
        (a_route("x", {"name": "public", "namespace": "support", "kind": "Gateway"}), True),
        (a_route("x", {"name": "public", "namespace": "infra"}), False),
        (a_route("x", {"name": "public", "sectionName": "http"}), True),
        (a_route("x", {"name": "public", "port": 8080}), True),
        (elsewhere(a_route("x")), False),
        (elsewhere(a_route("x", {"name": "public", "namespace": "support"})), True),
        ({"kind": "HTTPRoute", "metadata": {"name": "x", "namespace": "support"}}, False),
    ],
)
def test_routes_with_one_hostname_at_one_parent(other: Manifest, *, is_shared: bool) -> None:
    """Names of Gateways in the namespace of the route, listeners and ports where both name one."""
    name = f"{other['metadata']['namespace']}/x"
    assert with_same_door(a_route("agent"), [other]) == ((name,) if is_shared else ())
    assert bool(with_same_door(other, [a_route("agent")])) is is_shared


@pytest.mark.parametrize("field", [{"sectionName": "http"}, {"port": 80}])
def test_two_listeners_are_two_doors(field: dict[str, Any]) -> None:
    """Only the same listener, or a route that names none, is the same door."""
    other = {key: f"{value}s" if isinstance(value, str) else 443 for key, value in field.items()}
    here = a_route("agent", {"name": "public", **field})
    assert with_same_door(here, [a_route("x", {"name": "public", **other})]) == ()
    assert with_same_door(here, [a_route("x", {"name": "public", **field})]) == ("support/x",)


def test_routes_without_hostnames_at_one_listener() -> None:
    """Both take all hostnames of the listener."""
    assert with_same_door(a_route("agent", hostnames=()), [a_route("x", hostnames=())]) == ("support/x",)


def test_a_shared_hostname_is_a_warning_that_stops_nothing() -> None:
    """A condition and one Event while it is so; the traffic and `Ready` stay what they are."""
    builder = a_rollout().asking_for(OLD).serving(OLD)
    decision = decide(an_observation(builder, same_door=("shop/x",)))
    assert decision.status is not None
    conditions = {condition.type: condition for condition in decision.status.conditions}
    assert (conditions["RouteConflict"].status, conditions["RouteConflict"].reason) == (
        "True",
        "HostnameShared",
    )
    assert "route shop/x" in conditions["RouteConflict"].message
    assert (conditions["Ready"].status, conditions["Stalled"].status) == ("True", "False")
    assert [event.reason for event in decision.events if event.is_warning] == [Reason.HOSTNAME_SHARED]

    reported = replace(builder, status=decision.status)
    again = decide(an_observation(reported, now=START, same_door=("shop/x",)))
    assert (again.status, again.events) == (None, ())
    more = decide(an_observation(reported, same_door=("shop/x", "shop/y")))
    assert [event.reason for event in more.events] == [Reason.HOSTNAME_SHARED]
    gone = decide(an_observation(reported)).status
    assert gone is not None
    assert "RouteConflict" not in {condition.type for condition in gone.conditions}


def test_a_route_of_your_own_is_your_own_business() -> None:
    """With `routePatch` nothing is looked for, as the route is not ours to judge."""
    decision = decide(an_observation(a_rollout(traffic=BY_PATCH).asking_for(OLD).serving(OLD)))
    assert decision.status is not None
    assert "RouteConflict" not in {condition.type for condition in decision.status.conditions}


def test_many_routes_at_one_door_are_not_listed() -> None:
    """The sentence stays the same while others come and go."""
    names = tuple(f"shop/{letter}" for letter in "abcd")
    decision = decide(an_observation(a_rollout().asking_for(OLD).serving(OLD), same_door=names))
    assert decision.status is not None
    assert "more than 3 other routes" in decision.status.conditions[-1].message
