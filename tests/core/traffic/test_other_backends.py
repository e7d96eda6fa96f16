"""Inputs: releases behind InferencePools. Outputs: the backends of routes, and what needs a Service."""

from datetime import timedelta
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.api.attempt import State
from agentrollouts.api.people.action import ActionType
from agentrollouts.api.reasons import Reason
from agentrollouts.api.recovery.drill import DrillOutcome
from agentrollouts.api.recovery.hooks import HookStatus, Moment
from agentrollouts.api.release import ServiceRef, Serving
from agentrollouts.core.effects import Manifest, Patch
from agentrollouts.core.recovery.hooks.input import variables
from agentrollouts.core.rollout.decide import decide
from agentrollouts.core.rollout.observation import Observation
from agentrollouts.core.rollout.rollback_target import find_target, unasked
from agentrollouts.core.rollout.situation import assess
from agentrollouts.core.rollout.snapshots.facts import Healthy
from agentrollouts.core.rollout.standbys.choice import unfit
from agentrollouts.core.traffic.backends import backends
from agentrollouts.core.traffic.endpoints import is_ready, services
from agentrollouts.core.traffic.manifests import latch
from agentrollouts.core.traffic.state import Routing
from agentrollouts.core.workload.use import names_of
from agentrollouts.simulation.cluster import after
from testkit.builders.names import AGENT, NAMESPACE, NEW, OLD, OLDEST, START, service_of
from testkit.builders.observations import an_observation, shown
from testkit.builders.releases import a_ready_release, a_record
from testkit.builders.rollouts import RolloutBuilder, a_rollout
from testkit.builders.routes import BY_PATCH, BY_ROUTE, ROUTE, THEIRS, a_backend, their_route
from testkit.world import Behavior, World, a_world, a_world_at_rest

GROUP: Final = "inference.networking.k8s.io"
GRPC: Final = ("GRPCRoute", AGENT)
BY_GRPC: Final = {"grpcRoute": {"parentRefs": [{"name": "public"}]}}
STATUSLESS: Final = {"httpRoute": {"parentRefs": [{"name": "public"}], "statusless": True}}


def a_pool(name: str, group: str = GROUP) -> ServiceRef:
    """An InferencePool."""
    return ServiceRef(name=name, kind="InferencePool", group=group)


OLD_POOL, NEW_POOL = a_pool(service_of(OLD)), a_pool(service_of(NEW))


def pooled(builder: RolloutBuilder) -> RolloutBuilder:
    """The same rollout with each release behind a pool that is named after it."""
    records = {
        side: record.replace(service=a_pool(service_of(record.release)))
        for side in ("stable", "canary")
        if (record := getattr(builder.status, side))
    }
    history = tuple(
        entry.replace(service=a_pool(service_of(entry.release))) for entry in builder.status.history
    )
    return builder.having(**records, history=history)


def trying(**spec: Any) -> RolloutBuilder:  # noqa: ANN401 any field
    """A canary that nothing but time and its backend hold back, both releases behind pools."""
    plan = {"gates": [], "bake": {"durationSeconds": 0}, "traffic": BY_ROUTE} | spec
    return pooled(a_rollout(**plan).serving(OLD).trying(NEW))


def pool_ref(name: str, weight: int) -> dict[str, Any]:
    """A pool in a route: no port, which the pool names itself."""
    return {"group": GROUP, "kind": "InferencePool", "name": name, "weight": weight}


@pytest.mark.parametrize(("traffic", "key"), [(BY_ROUTE, ROUTE), (BY_GRPC, GRPC)])
def test_the_route_names_the_pools(traffic: dict[str, Any], key: tuple[str, str]) -> None:
    """With group and kind, and without a port, in both kinds of route."""
    [rule] = shown(trying(traffic=traffic).build())[key]["spec"]["rules"]

    assert rule["backendRefs"] == [pool_ref(service_of(OLD), 95), pool_ref(service_of(NEW), 5)]


KINDS: Final = st.sampled_from([("Service", None), ("InferencePool", GROUP), ("InferencePool", "x-k8s.io")])


@given(st.integers(1, 99), KINDS, KINDS, st.sampled_from(["one", "two"]))
def test_each_release_has_its_share_whatever_the_kinds_are(
    weight: int, kind: tuple[str, str | None], other: tuple[str, str | None], name: str
) -> None:
    """A Service and a pool of one name are two backends, and so are pools of two groups."""
    stable, canary = (
        ServiceRef(name=each, kind=of, group=group, port=8080 if group is None else None)
        for each, (of, group) in (("one", kind), (name, other))
    )
    builder = trying().changing(weight=weight)
    builder = builder.having(stable=a_record(OLD, service=stable), canary=a_record(NEW, service=canary))
    obs = an_observation(builder)
    shares = [
        Routing(obs).share(record) for record in (builder.status.stable, builder.status.canary) if record
    ]

    assert (stable.key == canary.key) == (stable == canary)
    assert shares == ([100, 100] if stable == canary else [100 - weight, weight])


def test_a_kind_that_is_written_out_is_the_default() -> None:
    """Two releases with the same Service cannot be told apart, however it is written."""
    assert ServiceRef(name="a", port=1, kind="Service") == ServiceRef(name="a", port=1)


def test_the_target_of_a_rollback_is_seen_among_pools() -> None:
    """The one backend with a weight names the release that a rollback at rest began to return to."""
    obs = an_observation(pooled(a_rollout(traffic=BY_ROUTE).serving(OLD)))

    assert Routing(obs).target() == f"InferencePool.{GROUP}/{service_of(OLD)}"


DEAD: Final = {service_of(NEW): False, service_of(OLD): False}
"""No endpoint behind Services that have the names of the pools, and that no one uses."""


def test_endpoints_are_not_judged() -> None:
    """None is read, and those of a Service with the name of the pool say nothing."""
    builder = trying()
    late = START + timedelta(seconds=3600)
    obs = an_observation(builder, now=late, endpoints=DEAD)
    status = decide(obs).status

    assert services(builder.plan, builder.status) == frozenset()
    assert [is_ready(obs, record) for record in (obs.status.stable, obs.status.canary)] == [None, None]
    assert status is not None
    assert status.attempt is not None
    assert (status.attempt.weight, status.attempt.endpoints_lost_time) == (25, None)


def test_a_mixed_pair_reads_the_endpoints_of_the_service() -> None:
    """From a Service to a pool, only those of the Service decide."""
    builder = trying().having(stable=a_record(OLD))

    assert services(builder.plan, builder.status) == {service_of(OLD)}


def refused(
    builder: RolloutBuilder, seconds: float, message: str, reason: str = "InvalidKind"
) -> Observation:
    """The world so long after the phase began, in which the gateway does not resolve a backend."""
    objects = shown(builder.build())
    status = {"reason": reason, "message": message, "observedGeneration": 1}
    conditions = [
        {"type": "Accepted", "status": "True", **status, "reason": "Accepted", "message": ""},
        {"type": "ResolvedRefs", "status": "False", **status},
    ]
    route = objects[ROUTE]
    parents = [
        {"parentRef": ref, "controllerName": "example.com/a", "conditions": conditions}
        for ref in route["spec"]["parentRefs"]
    ]
    traffic = {**objects, ROUTE: {**route, "status": {"parents": parents}}}
    return an_observation(builder, now=START + timedelta(seconds=seconds), traffic=traffic)


@pytest.mark.parametrize("text", ["unsupported backend kind", f"pool {service_of(NEW)} is unknown"])
def test_a_kind_that_the_gateway_does_not_know_stops_the_attempt(text: str) -> None:
    """It does not advance, the state says why, and after the grace it is rolled back."""
    early = decide(refused(trying(), 3600, text)).status
    assert early is not None
    assert early.attempt is not None
    applied = next(each for each in early.conditions if each.type == "TrafficApplied")
    assert (early.attempt.weight, applied.reason) == (5, Reason.REFS_NOT_RESOLVED)
    assert f"InvalidKind: {text}" in applied.message

    lost = trying().changing(endpoints_lost_time=START)
    late = decide(refused(lost, 60, text)).status
    assert late is not None
    assert late.attempt is not None
    assert late.last_rollback is not None
    assert (late.attempt.state, late.last_rollback.reason) == (State.ROLLING_BACK, Reason.NO_READY_ENDPOINTS)
    assert late.last_rollback.message.startswith(
        f"the gateway has not found InferencePool {service_of(NEW)} of {NEW} (InvalidKind: {text})"
    )


def test_a_pool_that_is_found_again_goes_on() -> None:
    """The report of the gateway is all that can disprove the loss, and it does."""
    lost = trying().changing(endpoints_lost_time=START, clock_start_time=None)
    status = decide(an_observation(lost, now=START + timedelta(seconds=5))).status

    assert status is not None
    assert status.attempt is not None
    assert (status.attempt.endpoints_lost_time, status.attempt.clock_start_time) == (
        None,
        START + timedelta(seconds=5),
    )


def test_a_silent_gateway_disproves_nothing() -> None:
    """What was lost stays lost, and is not rolled back on a guess."""
    lost = trying().changing(endpoints_lost_time=START)
    objects = shown(lost.build())
    silent = {**objects, ROUTE: {key: part for key, part in objects[ROUTE].items() if key != "status"}}
    status = decide(an_observation(lost, now=START + timedelta(seconds=3600), traffic=silent)).status
    attempt = status.attempt if status else lost.status.attempt

    assert attempt is not None
    assert (attempt.state, attempt.endpoints_lost_time) == (State.CANARY, START)


def a_pool_world(failed: float = 0.02, traffic: dict[str, Any] | None = None) -> World:
    """A rollout between pools, whose new release fails that share of its runs."""
    world = a_world(pooled(a_rollout(traffic=traffic or BY_ROUTE).serving(OLD)), OLD, NEW)
    world.agents[NEW] = Behavior(failed=failed)
    for release in (OLD, NEW):
        made = world.releases[release]
        serving = Serving(service=a_pool(service_of(release)))
        world.releases[release] = made.replace(spec=made.spec.replace(serving=serving))
    world.ask_for(NEW)
    return world


@pytest.mark.parametrize("traffic", [BY_ROUTE, BY_GRPC, STATUSLESS])
def test_a_good_release_is_promoted(traffic: dict[str, Any]) -> None:
    """Gateways confirm each weight, or counted runs do where no gateway writes status."""
    world = a_pool_world(traffic=traffic)
    world.gateway_follows = traffic is not STATUSLESS
    world.run_until(State.HEALTHY)
    world.settle()
    key = GRPC if traffic is BY_GRPC else ROUTE

    assert dict(backends(world.traffic[key])) == {NEW_POOL.key: 100}
    assert world.status.stable is not None
    assert (world.ready_reason(), world.status.stable.service) == ("Healthy", NEW_POOL)


def test_a_bad_release_is_rolled_back_with_one_write() -> None:
    """Stable has all requests, and the route carries the latch."""
    world = a_pool_world(failed=0.5)
    world.run_until(State.VERIFYING)
    mark = latch(world.traffic[ROUTE])

    assert dict(backends(world.traffic[ROUTE])) == {OLD_POOL.key: 100, NEW_POOL.key: 0}
    assert (mark and mark.number, world.route_weights) == (2, [5, 0])


def test_without_a_report_the_canary_does_not_advance() -> None:
    """As with a Service: a gateway that may not know the kind must say that it does."""
    world = a_pool_world()
    world.gateway_follows = False
    world.run(3600)

    assert (world.state, world.canary_weight) == (State.CANARY, 5)


def their_rule(*refs: dict[str, Any]) -> Manifest:
    """A route of somebody else with these backends for the agent."""
    return their_route(*refs)


def seeing(builder: RolloutBuilder, route: Manifest) -> Observation:
    """A world with that route of somebody else."""
    ours = {key: manifest for key, manifest in shown(builder.build()).items() if key != THEIRS}
    return an_observation(builder, traffic={**ours, THEIRS: route})


def test_a_rule_of_someone_else_can_have_pools() -> None:
    """Their weights are set; a Service of the same name beside them keeps its own."""
    builder = trying(traffic=BY_PATCH)
    stranger = a_backend(service_of(NEW), 0)
    route = their_rule(pool_ref(service_of(OLD), 100), pool_ref(service_of(NEW), 0), stranger)
    changes = Routing(seeing(builder, route)).state(builder.status).changes
    [patch] = [each for each in changes if isinstance(each, Patch)]
    refs = after(patch, route)["spec"]["rules"][1]["backendRefs"]

    assert refs == [pool_ref(service_of(OLD), 95), pool_ref(service_of(NEW), 5), stranger]


def test_a_pool_that_the_rule_lacks_is_named_as_it_is_written() -> None:
    """A Service of its name is not it; the sentence has the whole backend."""
    builder = trying(traffic=BY_PATCH)
    route = their_rule(pool_ref(service_of(OLD), 100), a_backend(service_of(NEW), 0))
    problem = Routing(seeing(builder, route)).state(builder.status).problem

    assert problem is not None
    assert problem.message.endswith(
        f"has no backend for release {NEW}; add {{group: {GROUP}, kind: InferencePool, "
        f"name: {service_of(NEW)}, weight: 0}} to its backendRefs"
    )


HOOK: Final = {"name": "evals", "at": "BeforeTraffic", "job": {"cronJob": "evals"}}
STANDBY: Final[dict[str, Any]] = {
    "gates": [{"name": "tool", "template": "error-rate", "action": "Standby", "limit": {"value": "0.2"}}],
    "watch": {},
    "standby": [{"releaseRef": {"name": OLDEST}, "gates": ["tool"]}],
    "traffic": BY_ROUTE,
}


UNKNOWN: Final = (
    f"InferencePool {service_of(OLDEST)} of {OLDEST} is not a Service, so its endpoints are unknown"
)


def test_a_pool_is_not_a_standby() -> None:
    """Nothing could say whether it still answers, and the sentence says that."""
    builder = pooled(a_rollout(**STANDBY).serving(OLDEST).serving(OLD))

    assert unfit(assess(an_observation(builder)), builder.plan.standby[0]) == f"{UNKNOWN}; name another"


def at_rest() -> World:
    """Two releases behind pools, of which the newer one serves, and a plan with drills."""
    world = a_world_at_rest(OLDEST, OLD, traffic=BY_ROUTE, drill={"everySeconds": 2_592_000})
    world.edit(pooled)
    world.settle()
    return world


def test_a_drill_that_is_due_is_skipped_and_not_failed() -> None:
    """A release whose drill failed would no longer be a target."""
    world = at_rest()
    world.rollout = world.rollout.replace(status=world.status.copy_with(next_drill_time=world.now))
    world.settle()
    last = world.status.last_drill

    assert last is not None
    assert (last.target, last.outcome, last.message) == (OLDEST, DrillOutcome.SKIPPED, UNKNOWN)
    assert world.shares() == {OLD: 100}


def test_a_drill_that_is_requested_is_refused() -> None:
    """The answer is the same sentence."""
    world = at_rest()
    world.act(ActionType.DRILL, release=OLDEST)
    world.settle()

    assert world.status.actions[0].message == UNKNOWN


def test_a_pool_is_a_target_of_a_rollback_at_rest() -> None:
    """Nothing is asked about it, and unknown is better than a stable release that does harm."""
    builder = pooled(a_rollout(traffic=BY_ROUTE).serving(OLDEST).serving(OLD))
    s = assess(an_observation(builder))

    assert unasked(s) == frozenset()
    assert find_target(s) == builder.status.history[1].record


def test_two_releases_cannot_share_a_pool() -> None:
    """A route could not distinguish them."""
    builder = pooled(a_rollout(traffic=BY_ROUTE).serving(OLD)).asking_for(NEW)
    release = a_ready_release(NEW)
    shared = release.replace(spec=release.spec.replace(serving=Serving(service=OLD_POOL)))
    status = decide(an_observation(builder, release=shared)).status

    assert status is not None
    assert status.conditions[0].reason == Reason.SERVICE_SHARED


def test_hooks_get_the_url_of_a_service_only() -> None:
    """A pool has no address inside the cluster."""
    builder = pooled(a_rollout(traffic=BY_ROUTE, hooks=[HOOK]).serving(OLD))
    waiting = HookStatus(attempt=2, name="evals", at=Moment.BEFORE_TRAFFIC)
    names = variables(builder.build(), waiting, a_record(NEW), {})

    assert names["CANARY_URL"] == f"http://{service_of(NEW)}.{NAMESPACE}.svc:8080"
    assert "STABLE_URL" not in names


def test_no_deployment_has_the_name_of_a_pool() -> None:
    """One that is named like it keeps or loses its pods for other reasons."""
    assert names_of(a_record(OLD, service=OLD_POOL), a_record(NEW)) == {service_of(NEW)}


def test_a_snapshot_remembers_the_pool() -> None:
    """A later rollout returns to the same backend."""
    obs = an_observation(pooled(a_rollout(traffic=BY_ROUTE).serving(OLD)))
    [text] = [
        value
        for metadata in obs.snapshots.values()
        for key, value in metadata.annotations.items()
        if key.endswith("/healthy")
    ]

    assert Healthy.model_validate_json(text).service == OLD_POOL
