"""Inputs: rollouts with `traffic.grpcRoute`. Outputs: the GRPCRoute, and whole rollouts that it carries."""

from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.api.attempt import State
from agentrollouts.api.people.action import ActionType
from agentrollouts.api.reasons import Reason
from agentrollouts.api.traffic import Traffic
from agentrollouts.core.rollout.decide import decide
from agentrollouts.core.rollout.grants import Grant, grant_refusal
from agentrollouts.core.rollout.permits import gateway_refusal, with_old_place
from agentrollouts.core.traffic.gateways import read
from agentrollouts.core.traffic.manifests import latch
from testkit.builders.names import AGENT, NAMESPACE, NEW, OLD, service_of
from testkit.builders.observations import an_observation, shown
from testkit.builders.rollouts import RolloutBuilder, a_rollout
from testkit.builders.routes import BY_ROUTE, CONFIG, ROUTE
from testkit.world import Behavior, World, a_world

GRPC: Final = ("GRPCRoute", AGENT)
BY_GRPC: Final = {"grpcRoute": {"parentRefs": [{"name": "public"}], "hostnames": ["support.example.com"]}}
SERVING: Final = a_rollout(traffic=BY_GRPC).serving(OLD)
TRYING: Final = SERVING.trying(NEW)


def backends(manifest: Any) -> dict[str, int]:  # noqa: ANN401 any value of JSON
    """Weights by Service in the only rule."""
    [rule] = manifest["spec"]["rules"]
    return {ref["name"]: ref["weight"] for ref in rule["backendRefs"]}


def test_the_route_has_one_rule_for_all_calls() -> None:
    """It has the parents, the hostnames and the weights; there is no HTTPRoute beside it."""
    objects = shown(TRYING.build())

    assert objects.keys() == {GRPC, CONFIG}
    assert (objects[GRPC]["apiVersion"], objects[GRPC]["spec"]) == (
        "gateway.networking.k8s.io/v1",
        {
            "parentRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "public"}],
            "hostnames": ["support.example.com"],
            "rules": [
                {
                    "backendRefs": [
                        {
                            "group": "",
                            "kind": "Service",
                            "name": service_of(release),
                            "port": 8080,
                            "weight": weight,
                        }
                        for release, weight in ((OLD, 95), (NEW, 5))
                    ]
                }
            ],
        },
    )


@given(st.integers(1, 99))
def test_both_kinds_of_route_have_the_same_weights(weight: int) -> None:
    """Whatever the share of the canary, the backends are those of an HTTPRoute."""
    by_grpc, by_http = (
        a_rollout(traffic=traffic).serving(OLD).trying(NEW).changing(weight=weight)
        for traffic in (BY_GRPC, BY_ROUTE)
    )

    assert backends(shown(by_grpc.build())[GRPC]) == backends(shown(by_http.build())[ROUTE])
    assert backends(shown(by_grpc.build())[GRPC]) == {service_of(OLD): 100 - weight, service_of(NEW): weight}


def a_grpc_world(failed: float = 0.02) -> World:
    """A rollout whose new release fails that share of its runs."""
    world = a_world(SERVING, OLD, NEW)
    world.agents[NEW] = Behavior(failed=failed)
    return world


def test_a_good_release_is_promoted() -> None:
    """The gateway confirms each weight, and the release ends with all calls."""
    world = a_grpc_world()
    world.run_until(State.HEALTHY)
    world.settle()

    assert (backends(world.traffic[GRPC])[service_of(NEW)], world.ready_reason()) == (100, "Healthy")
    assert ROUTE not in world.traffic


def test_a_bad_release_is_rolled_back_with_one_write() -> None:
    """Stable has all calls, and the route carries the latch."""
    world = a_grpc_world(failed=0.5)
    world.run_until(State.VERIFYING)
    mark = latch(world.traffic[GRPC])

    assert backends(world.traffic[GRPC]) == {service_of(OLD): 100, service_of(NEW): 0}
    assert (mark and mark.number, world.route_weights) == (2, [5, 0])


def test_a_canary_without_a_report_does_not_advance() -> None:
    """As with an HTTPRoute; the sentence names the kind and the field."""
    world = a_grpc_world()
    world.gateway_follows = False
    world.run(3600)
    problem = read(an_observation(world.builder, traffic=world.traffic)).problem

    assert (world.state, world.canary_weight) == (State.CANARY, 5)
    assert problem is not None
    assert problem.reason is Reason.NO_GATEWAY
    assert problem.message.startswith("no gateway has reported on GRPCRoute support-agent, parentRef ")
    assert problem.message.endswith("set spec.traffic.grpcRoute.statusless: true")


@pytest.mark.parametrize(("before", "after"), [(BY_ROUTE, BY_GRPC), (BY_GRPC, BY_ROUTE)])
def test_a_change_of_the_kind_leaves_no_route_behind(before: Any, after: Any) -> None:  # noqa: ANN401 JSON
    """At rest the other route is made, and then the old one is deleted."""
    world = a_world(a_rollout(traffic=before).asking_for(OLD).serving(OLD), OLD)
    world.settle()
    [old] = world.traffic.keys() & {ROUTE, GRPC}
    world.edit(lambda builder: builder.planning(traffic=after))
    world.run(120)

    assert world.traffic.keys() & {ROUTE, GRPC} == {ROUTE, GRPC} - {old}
    assert world.shares() == {OLD: 100}


def test_a_rollback_after_a_change_of_the_kind_is_written_to_both_routes() -> None:
    """Callers still come by the old route, so neither gives the canary a share."""
    left = shown(a_rollout(traffic=BY_ROUTE).serving(OLD).trying(NEW).build())[ROUTE]
    action = TRYING.requesting(ActionType.ROLL_BACK, 2, release=NEW)
    seen = {**shown(TRYING.build()), ROUTE: left}
    decision = decide(an_observation(action, traffic=seen))
    routes = [
        write.manifest for write in decision.writes if write.manifest["kind"] in {"HTTPRoute", "GRPCRoute"}
    ]

    assert [(route["kind"], backends(route)) for route in routes] == [
        (kind, {service_of(OLD): 100, service_of(NEW): 0}) for kind in ("HTTPRoute", "GRPCRoute")
    ]


def test_settings_name_the_field_of_this_route() -> None:
    """The Gateways and hostnames that are granted hold for it as well."""
    rollout = TRYING.build()
    elsewhere = (Grant((NAMESPACE,), ("infra/*",), ()),)
    hosts = (Grant((NAMESPACE,), (f"{NAMESPACE}/public",), ("*.other.example.com",)),)
    problems = (
        grant_refusal(rollout, elsewhere),
        grant_refusal(rollout, hosts),
        gateway_refusal(rollout, frozenset({"internal"}), {(NAMESPACE, "public"): "external"}, frozenset()),
    )

    assert [problem and problem.message.partition(": ")[0] for problem in problems] == [
        "spec.traffic.grpcRoute.parentRefs[0]",
        "spec.traffic.grpcRoute.hostnames[0]",
        "spec.traffic.grpcRoute.parentRefs[0]",
    ]


def moved(builder: RolloutBuilder) -> RolloutBuilder:
    """The same rollout at another Gateway."""
    return builder.planning(traffic={"grpcRoute": {"parentRefs": [{"name": "other"}], "statusless": True}})


def test_a_refused_rollout_keeps_the_route_that_it_has() -> None:
    """Its place if that is a GRPCRoute; a route of the other kind as it is; and none is made."""
    http = shown(a_rollout(traffic=BY_ROUTE).serving(OLD).build())[ROUTE]
    kept = (
        with_old_place(moved(TRYING).build(), route).spec.traffic
        for route in (shown(TRYING.build())[GRPC], http, None)
    )
    there = {"parentRefs": [{"kind": "Gateway", "name": "public"}]}

    of_place = {**there, "hostnames": ["support.example.com"], "statusless": True}
    expected: tuple[Any, ...] = ({"grpcRoute": of_place}, {"httpRoute": there}, {})

    assert list(kept) == [Traffic.model_validate(traffic) for traffic in expected]
