"""Inputs: what the cache knows and the API server answers. Outputs: observations, and what was asked."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from agentrollouts.adapters.cluster.resources import Manifest
from agentrollouts.api.reasons import Reason
from agentrollouts.api.release import AgentRelease
from agentrollouts.core.effects import Problem
from agentrollouts.core.recovery.group.requirements import other_of
from agentrollouts.core.release.checks import Refusal
from agentrollouts.core.release.examine import Examined
from agentrollouts.core.rollout.observation import Observation
from agentrollouts.shell.cache import Cache
from agentrollouts.shell.content.examination import Request
from agentrollouts.shell.content.examiner import examined_here
from agentrollouts.shell.controllers.release import ReleaseObserver
from agentrollouts.shell.controllers.rollout_observer import RolloutObserver
from agentrollouts.shell.inputs.endpoints import SERVICE_LABEL
from agentrollouts.shell.inputs.poller import Poller
from testkit.builders.names import AGENT, NAMESPACE, NEW, NEXT, OLD, OLDEST, START, service_of, snapshot_of
from testkit.builders.observations import owned_snapshots, shown
from testkit.builders.releases import a_ready_release
from testkit.builders.rollouts import RolloutBuilder, a_rollout
from testkit.builders.routes import BY_PATCH, CONFIG, ROUTE, THEIRS, a_backend, their_route
from tests.shell.fakes import FakeApiServer
from tests.shell.virtual import run

PROBLEM = Problem(Reason.FORBIDDEN, "not allowed")


class Eyes:
    """An observer over a cache that knows of a rollout what the watch would have told."""

    def __init__(self, builder: RolloutBuilder) -> None:
        self.api = FakeApiServer()
        self.cache = Cache()
        self.rollout = builder.build()
        poller = Poller(lambda _name, _namespace: None, lambda _key: None, lambda *_: None)
        self.observer = RolloutObserver(self.cache, self.api, poller, lambda: START)
        for manifest in shown(self.rollout).values():
            self.cache.put(versioned(manifest))

    def has_endpoints(self, *conditions: dict[str, Any], service: str = service_of(NEW)) -> None:
        """The endpoints of a service."""
        metadata = {"name": service, "namespace": NAMESPACE, "labels": {SERVICE_LABEL: service}}
        endpoints = [{"addresses": ["10.77.0.11"], "conditions": condition} for condition in conditions]
        self.api.put({"kind": "EndpointSlice", "metadata": metadata, "endpoints": endpoints})

    async def look(self, problem: Problem | None = None) -> Observation:
        """Observe the rollout."""
        return await self.observer.observe(self.rollout, problem)


def versioned(manifest: Any) -> Manifest:  # noqa: ANN401 of any kind
    """The manifest as the API server tells it."""
    return {**manifest, "metadata": {**manifest["metadata"], "resourceVersion": "7"}}


def as_watched(release: AgentRelease) -> Manifest:
    """A release as the watch tells it."""
    return versioned({"kind": "AgentRelease", **release.to_json()})


def a_snapshot(release: str) -> Manifest:
    """A snapshot ConfigMap as the watch tells it."""
    metadata = owned_snapshots([release])[snapshot_of(release)].to_json()
    labels = {"agentrollouts.dev/agent": AGENT, "app.kubernetes.io/managed-by": "agentrollouts"}
    data = {"bundle.json": release}  # its digest is that of its name, see `builders`
    return versioned({"kind": "ConfigMap", "metadata": {**metadata, "labels": labels}, "data": data})


def test_an_observation_holds_the_world_of_one_rollout() -> None:
    """Its traffic, its agent's snapshots, the release that it asks for, and why the last write failed."""

    async def scenario() -> None:
        eyes = Eyes(a_rollout().serving(OLD).trying(NEW))
        eyes.cache.put(as_watched(a_ready_release(NEW)))
        eyes.cache.put(a_snapshot(NEW))
        requirer: Manifest = {"kind": "AgentRollout", "metadata": {"name": "faq", "namespace": NAMESPACE}}
        requires = [{"agent": AGENT, "versions": ">=4.0.0"}]
        serves = {"release": "faq-1.0.0", "version": "1.0.0", "requires": requires}
        requirer |= {"spec": {"agent": "faq"}, "status": {"stable": serves}}
        eyes.cache.put(versioned(requirer))
        obs = await eyes.look(PROBLEM)
        assert obs == Observation(
            now=START,
            rollout=eyes.rollout,
            release=obs.release,
            traffic={key: versioned(manifest) for key, manifest in shown(eyes.rollout).items()},
            traffic_problem=PROBLEM,
            snapshots={snapshot_of(NEW): obs.snapshots[snapshot_of(NEW)]},
            others=(other_of(requirer),),
        )
        assert (obs.release and obs.release.metadata.name, {*obs.traffic}) == (NEW, {ROUTE, CONFIG})
        assert obs.snapshots[snapshot_of(NEW)].owner_references[0].name == AGENT

    run(scenario())


def test_the_standbys_that_exist_are_seen_without_a_read() -> None:
    """At rest, whether one could serve costs nothing."""

    async def scenario() -> None:
        standby = [{"releaseRef": {"name": name}, "gates": ["tool"]} for name in (OLDEST, NEW)]
        eyes = Eyes(a_rollout(standby=standby).asking_for(OLD).serving(OLD))
        for name in (OLD, OLDEST):
            eyes.cache.put(as_watched(a_ready_release(name)))
        obs = await eyes.look()
        assert [release.metadata.name for release in obs.standbys.values()] == [OLDEST]
        assert {*obs.standbys} == {OLDEST}
        assert eyes.api.reads == []

    run(scenario())


@pytest.mark.parametrize(
    "builder",
    [
        a_rollout().serving(OLD).trying(NEW),
        a_rollout().serving(OLD).trying(NEW).asking_for(OLD),
        a_rollout().serving(OLD).trying(NEW).rolling_back(),
        a_rollout().asking_for(OLD).serving(OLD),
        a_rollout(traffic={}).asking_for(NEW).serving(OLD),
    ],
    ids=["in canary", "asked to go back", "rolling back", "at rest", "without a route"],
)
def test_only_a_beginning_asks_the_api_server(builder: RolloutBuilder) -> None:
    """Going back, going on and resting wait for no answer."""

    async def scenario() -> None:
        eyes = Eyes(builder)
        eyes.cache.put(as_watched(a_ready_release(builder.plan.release_ref.name)))
        obs = await eyes.look()
        assert (obs.endpoints_ready, eyes.api.reads) == (None, [])

    run(scenario())


@pytest.mark.parametrize(
    ("conditions", "is_ready"),
    [
        ([], False),
        ([{"ready": False}], False),
        ([{"ready": False}, {"ready": True}], True),
        ([{}], True),
        ([{"ready": None}], True),
    ],
)
def test_a_beginning_needs_an_endpoint_that_is_not_known_to_be_unready(
    conditions: list[dict[str, Any]], *, is_ready: bool
) -> None:
    """As the API says of EndpointSlices: unknown counts as ready."""

    async def scenario() -> None:
        eyes = Eyes(a_rollout().serving(OLD))
        eyes.cache.put(as_watched(a_ready_release(NEW)))
        eyes.has_endpoints(*conditions)
        eyes.has_endpoints({"ready": not is_ready}, service=service_of(OLD))
        assert (await eyes.look()).endpoints_ready is is_ready

    run(scenario())


def test_a_release_that_cannot_be_read_counts_as_missing() -> None:
    """Its own conditions say what is wrong with it; the rollout goes on with what it knows."""

    async def scenario() -> None:
        eyes = Eyes(a_rollout().serving(OLD))
        eyes.cache.put(versioned({"kind": "AgentRelease", "metadata": {"name": NEW, "namespace": NAMESPACE}}))
        assert (await eyes.look()).release is None

    run(scenario())


def test_a_release_is_seen_with_the_configmaps_that_it_refers_to() -> None:
    """Read once, for its materialisation; what is missing is told as that."""

    async def scenario() -> None:
        eyes = Eyes(a_rollout().serving(OLD))
        refers = a_ready_release(NEW).to_json()
        refers.pop("status")
        for part, name in (("guardrails", "there"), ("routing", "gone")):
            refers["spec"]["components"][part] = {"version": "1.0.0", "configMapRef": {"name": name}}
        eyes.api.put(
            {"kind": "ConfigMap", "metadata": {"name": "there", "namespace": NAMESPACE}, "data": {"a": "b"}}
        )
        eyes.api.put(refers)
        requests = []

        async def examine(request: Request) -> Examined:
            requests.append(request)
            return await examined_here(request)

        observer = ReleaseObserver(eyes.cache, eyes.api, lambda: START, examine=examine)
        observation = await observer.examined(observer.observe(AgentRelease.model_validate(refers), PROBLEM))
        (request,) = requests
        there = json.loads(request.config_maps["there"] or b"")
        assert (there["data"], request.config_maps["gone"]) == ({"a": "b"}, None)
        assert (observation.problem, observation.now) == (PROBLEM, START)
        assert isinstance(observation.examined and observation.examined.bundle, Refusal)
        assert sorted(map(str, eyes.api.reads)) == [
            f"AgentRelease support/{NEW}",
            "ConfigMap support/gone",
            "ConfigMap support/there",
        ]

    run(scenario())


PATCHING = a_rollout(traffic=BY_PATCH).serving(OLD).trying(NEW)


def rival(created: str) -> Manifest:
    """Another rollout on the same rule."""
    metadata = {"name": "rival", "namespace": NAMESPACE, "creationTimestamp": created}
    return versioned(
        {"kind": "AgentRollout", "metadata": metadata, "spec": {"agent": "x", "traffic": BY_PATCH}}
    )


@pytest.mark.parametrize(
    ("created", "expected"), [("2026-11-21T09:59:59Z", "rival"), ("2026-11-21T10:00:01Z", None)]
)
def test_an_older_rollout_on_the_same_rule_is_seen(created: str, expected: str | None) -> None:
    """And so is the route of somebody else, by its own name."""

    async def scenario() -> None:
        eyes = Eyes(PATCHING)
        metadata = eyes.rollout.metadata.replace(creation_timestamp=START)
        eyes.rollout = eyes.rollout.replace(metadata=metadata)
        eyes.cache.put(rival(created))
        obs = await eyes.look()
        assert (obs.rule_taken_by, THEIRS in obs.traffic) == (expected, True)

    run(scenario())


def test_a_route_of_somebody_else_that_has_our_name_is_not_seen_as_ours() -> None:
    """Only what we made, what we patch, and what we left something on matters."""

    async def scenario() -> None:
        eyes = Eyes(a_rollout().serving(OLD).planning(traffic={}))
        metadata = {"name": AGENT, "namespace": NAMESPACE}
        eyes.cache.put(versioned({"kind": "HTTPRoute", "metadata": metadata}))
        assert (await eyes.look()).traffic.keys() == {CONFIG}
        left = {"annotations": {f"{AGENT}.agentrollouts.dev/split": "{}"}, "name": "left"}
        eyes.cache.put(versioned({"kind": "HTTPRoute", "metadata": metadata | left}))
        assert (await eyes.look()).traffic.keys() == {CONFIG, ("HTTPRoute", "left")}

    run(scenario())


def test_an_older_rollout_of_the_agent_and_a_route_at_the_same_door_are_seen() -> None:
    """By what the cache knows; nobody is asked."""

    async def scenario() -> None:
        eyes = Eyes(a_rollout().serving(OLD).asking_for(OLD))
        metadata = {"name": "first", "namespace": NAMESPACE, "creationTimestamp": "2020-01-01T00:00:00Z"}
        eyes.rollout = eyes.rollout.replace(
            metadata=eyes.rollout.metadata.replace(creation_timestamp=datetime(2026, 1, 1, tzinfo=UTC))
        )
        assert ((await eyes.look()).agent_taken_by, (await eyes.look()).same_door) == (None, ())
        eyes.cache.put(versioned({"kind": "AgentRollout", "metadata": metadata, "spec": {"agent": AGENT}}))
        spec = {"parentRefs": [{"name": "public", "namespace": NAMESPACE}]}
        eyes.cache.put(
            versioned({"kind": "HTTPRoute", "metadata": {"name": "x", "namespace": "shop"}, "spec": spec})
        )
        obs = await eyes.look()
        assert (obs.agent_taken_by, obs.same_door) == ("first", ("shop/x",))
        assert eyes.api.reads == []

    run(scenario())


def test_deployments_are_read_only_when_a_decision_depends_on_them() -> None:
    """What exists, what does not, and which of them any route of the namespace sends requests to."""

    async def scenario() -> None:
        eyes = Eyes(a_rollout().serving(OLD))
        there = {"kind": "Deployment", "metadata": {"name": service_of(NEW), "namespace": NAMESPACE}}
        eyes.api.put(there)
        eyes.cache.put(versioned(their_route(a_backend(service_of(NEXT), 1), a_backend(service_of(NEW), 0))))
        unread = frozenset(("Deployment", service_of(release)) for release in (OLD, NEW, NEXT))
        before = await eyes.look()
        assert (before.workloads, eyes.api.reads) == ({}, [])

        obs = await eyes.observer.with_reads(before, frozenset(), unread)

        names = {name: item and item["metadata"]["name"] for (_, name), item in obs.workloads.items()}  # type: ignore[index]
        assert names == {service_of(OLD): None, service_of(NEW): service_of(NEW), service_of(NEXT): None}
        assert obs.weighted == {service_of(OLD), service_of(NEXT)}

    run(scenario())
