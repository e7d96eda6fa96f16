"""Inputs: a route whose parent is a Service. Outputs: the route for a mesh, and what is expected of it."""

from dataclasses import replace
from typing import Any, Final

import pytest

from agentrollouts.api.attempt import State
from agentrollouts.api.objects import Condition, ConditionStatus
from agentrollouts.api.reasons import Reason
from agentrollouts.core.effects import Manifest
from agentrollouts.core.rollout.grants import Grant, grant_refusal
from agentrollouts.core.rollout.permits import attached, gateway_refusal, with_old_place
from agentrollouts.core.traffic.gateways import SILENCE, read
from testkit.builders.names import NAMESPACE, NEW, OLD, START
from testkit.builders.observations import an_observation, shown
from testkit.builders.rollouts import RolloutBuilder, a_rollout
from testkit.builders.routes import ROUTE
from testkit.world import Behavior, World, a_world

FRONT: Final = {"kind": "Service", "name": "support", "port": 8080}
PUBLIC: Final = {"name": "public", "namespace": "infra"}


def on(*parents: dict[str, Any], **fields: object) -> RolloutBuilder:
    """A canary on a route with these parents."""
    traffic = {"httpRoute": {"parentRefs": list(parents), **fields}}
    return a_rollout(traffic=traffic).serving(OLD).trying(NEW)


def route(builder: RolloutBuilder) -> Manifest:
    """Its route without any status."""
    return {key: part for key, part in shown(builder.build())[ROUTE].items() if key != "status"}


def test_a_service_is_a_parent_of_the_core_group() -> None:
    """As the Gateway API identifies it; beside it, a Gateway is written as ever."""
    assert route(on(FRONT, PUBLIC))["spec"]["parentRefs"] == [
        {"group": "", "kind": "Service", "name": "support", "port": 8080},
        {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "public", "namespace": "infra"},
    ]


def unreported(builder: RolloutBuilder) -> Reason | str | None:
    """What is said of a route on which nobody has reported for a minute: its reason and sentence."""
    applying = Condition(
        type="TrafficApplied",
        status=ConditionStatus.FALSE,
        reason=Reason.APPLYING,
        message="",
        last_transition_time=START,
    )
    silent = builder.having(conditions=(applying,))
    obs = an_observation(silent, traffic={**shown(silent.build()), ROUTE: route(silent)})
    problem = read(replace(obs, now=START + 2 * SILENCE)).problem
    return f"{problem.reason}: {problem.message}" if problem else None


def test_a_mesh_without_status_is_declared() -> None:
    """Then nothing is waited for; else the sentence is about the Service, and says what to set."""
    assert unreported(on(FRONT, statusless=True)) is None
    assert unreported(on(FRONT)) == (
        "NoGateway: no mesh has reported on HTTPRoute support-agent, parentRef Service support/support port "
        "8080; does the Service exist, and does a mesh serve its clients? If it never writes the status of "
        "routes, set spec.traffic.httpRoute.statusless: true"
    )


@pytest.mark.parametrize("group", ["", "core"])
def test_a_mesh_is_heard_by_either_name_of_the_core_group(group: str) -> None:
    """Linkerd reports on a Service of the group `core` (linkerd/linkerd2#14964)."""
    kinds = ("Accepted", "ResolvedRefs")
    conditions = [{"type": kind, "status": "True", "observedGeneration": 1} for kind in kinds]
    parent = {"group": group, "kind": "Service", "namespace": NAMESPACE, "name": "support", "port": 8080}
    said = {"parentRef": parent, "controllerName": "linkerd.io/policy-controller", "conditions": conditions}
    builder = on(FRONT)
    reported = {**route(builder), "status": {"parents": [said]}}

    assert read(an_observation(builder, traffic={**shown(builder.build()), ROUTE: reported})).problem is None


def a_mesh(failed: float) -> World:
    """A rollout in a mesh that reports nothing, whose new release fails that share of its runs."""
    traffic = {"httpRoute": {"parentRefs": [FRONT], "statusless": True}}
    world = a_world(a_rollout(traffic=traffic).serving(OLD), OLD, NEW)
    world.gateway_follows = False
    world.agents[NEW] = Behavior(failed=failed)
    return world


def test_a_rollout_in_a_mesh_ends_as_its_runs_say() -> None:
    """A good release is promoted and a bad one is rolled back, though no one ever reports on the route."""
    good, bad = a_mesh(failed=0.02), a_mesh(failed=0.5)
    good.run_until(State.HEALTHY)
    bad.run_until(State.ROLLED_BACK)

    assert (good.shares(), bad.shares()) == ({NEW: 100}, {OLD: 100})
    assert "status" not in good.traffic[ROUTE]


def test_the_settings_for_gateways_are_not_about_a_service() -> None:
    """It is never read as a Gateway, and the Gateway after it is refused at its own position."""
    grants = (Grant((NAMESPACE,), ("infra/inner",), ("*.example.com",)),)
    allowed, only, both = frozenset({"internal"}), on(FRONT).build(), on(FRONT, PUBLIC).build()

    assert grant_refusal(only, grants) is None
    assert gateway_refusal(only, allowed, {}, frozenset()) is None
    for problem in (
        grant_refusal(both, grants),
        gateway_refusal(both, allowed, {("infra", "public"): "external"}, frozenset()),
    ):
        assert problem is not None
        assert problem.reason is Reason.GATEWAY_NOT_PERMITTED
        assert problem.message.startswith("spec.traffic.httpRoute.parentRefs[1]: ")
    assert attached(both, route(on(FRONT, PUBLIC))) == {("infra", "public")}


def test_a_refused_rollout_keeps_the_service_of_its_route() -> None:
    """Its weights are still written to the route as it is attached."""
    kept = with_old_place(on(PUBLIC).build(), route(on(FRONT)))

    assert kept.spec.traffic == on(FRONT).build().spec.traffic
