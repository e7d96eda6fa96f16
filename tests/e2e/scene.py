"""The words of the end-to-end tests: given a rollout that serves, when a release is shipped, then ...

A `Scene` is one namespace of one test. A `Shop` is one rollout in it, with what a person does to it and what
a person sees of it; weights are always those of the traffic objects, never those of the status.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final, cast

from agentrollouts.adapters.cluster.resources import Ref
from agentrollouts.api.names import API_VERSION, FIELD_MANAGER
from agentrollouts.api.people.action import OF_NO_ATTEMPT
from agentrollouts.core.action.ledger import FINAL
from sandbox.agents.endpoints import a_service
from sandbox.operator import OperatorProcess
from sandbox.programs.controlplane import ADMIN
from sandbox.stack import Stack
from testkit.agents import Agents
from tests.e2e.api import Api, Manifest
from tests.e2e.manifests import FIRST, a_release, a_rollout, phase, service_of
from tests.e2e.prometheus import runs_seen
from tests.e2e.witness import Witness, eventually

BACK: Final = (100, 0)
FULL: Final = 100
SECOND: Final = "2.0.0"
"""The version of an agent's second release."""
HALF: Final = [phase("half", 50, 600)]
"""A plan that lasts longer than any test."""


OBJECTS: Final = {"httpRoute": "HTTPRoute", "grpcRoute": "GRPCRoute", "featureFlag": "FeatureFlag"}
"""The kind of the object that moves requests, by the field of `traffic`."""


@dataclass(frozen=True)
class Scene:
    """One namespace, and all that a test needs around it."""

    namespace: str
    stack: Stack
    operator: OperatorProcess
    witness: Witness
    agents: Agents
    api: Api
    shops: dict[str, "Shop"] = field(default_factory=dict)

    def shop(self, agent: str, **spec: object) -> "Shop":
        """A rollout of an agent and its first release, applied and not waited for."""
        shop = Shop(self, agent, dict(spec))
        self.shops[agent] = shop
        shop.ships(FIRST)
        return shop

    def serving(self, *agents: str, **spec: object) -> list["Shop"]:
        """Rollouts that are Ready with their first release, which Prometheus knows."""
        shops = [self.shop(agent, **spec) for agent in agents]
        for shop in shops:
            shop.comes_to("Healthy")
            shop.until("Ready", lambda shop=shop: shop.ready.get("status") == "True")  # type: ignore[misc]
        for agent in agents:
            eventually(f"runs of {agent}", partial(self.runs_seen, f"{agent}-{FIRST}"))
        return shops

    def in_canary(self, *agents: str, **spec: object) -> list["Shop"]:
        """Rollouts whose second release has half of the traffic, for longer than any test lasts."""
        shops = self.serving(*agents, **spec)
        for shop in shops:
            shop.ships(SECOND, phases=HALF)
        for shop in shops:
            shop.is_counting(phase="half")
        return shops

    def runs_seen(self, release: str, outcome: str = ".*", at: datetime | None = None) -> float:
        """How many runs of a release Prometheus has seen by now, or had seen at a time."""
        return runs_seen(self.stack, self.namespace, release, outcome, at)

    def ref(self, kind: str, name: str) -> Ref:
        """An object of this namespace."""
        return Ref(kind, self.namespace, name)

    def manifest(self, kind: str, name: str) -> Manifest | None:
        """The newest version of an object of this namespace."""
        return self.witness.get(self.ref(kind, name))

    def now(self, kind: str, name: str) -> Manifest | None:
        """An object of this namespace as it is in the cluster now, whatever was seen of other kinds."""
        return self.witness.now(self.ref(kind, name))

    def says(self, kind: str, name: str, condition: str, reason: str) -> str:
        """Wait until a condition has this reason; the answer is its message."""

        def find_condition() -> Manifest | None:
            latest = condition_of(self.manifest(kind, name), condition)
            return latest if latest.get("reason") == reason else None

        what = f"{condition} of {kind} {name} has reason {reason}"
        try:
            return str(self.witness.wait(what, find_condition).get("message", ""))
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {self.manifest(kind, name)}") from None

    def events(self, name: str) -> list[str]:
        """The reasons of the Events about an object, oldest first."""
        about = [
            event
            for event in self.witness.all("Event", self.namespace)
            if event["involvedObject"]["name"] == name
        ]
        return [
            event["reason"] for event in sorted(about, key=lambda e: int(e["metadata"]["resourceVersion"]))
        ]


def condition_of(manifest: Manifest | None, kind: str) -> Manifest:
    """One condition of an object; empty if it has none."""
    conditions = (manifest or {}).get("status", {}).get("conditions", [])
    return next((condition for condition in conditions if condition["type"] == kind), {})


class Shop:
    """One rollout, seen from outside."""

    def __init__(self, scene: Scene, agent: str, spec: dict[str, object]) -> None:
        self.scene = scene
        self.agent = agent
        self.spec = spec
        self.asked = ""
        self.ref = scene.ref("AgentRollout", agent)
        self.config = scene.ref("ConfigMap", f"{agent}-traffic")
        self.route = scene.ref(OBJECTS.get(next(iter(self._traffic), ""), "HTTPRoute"), agent)

    def ships(self, version: str, *, failing: float | None = None, **spec: object) -> None:
        """Make a release and ask for it, as one commit would; `spec` changes the plan from now on."""
        name = f"{self.agent}-{version}"
        if failing is not None:
            self.scene.agents.fail(self.scene.namespace, name, failing)
        traffic = cast("Manifest", (self.spec | spec).get("traffic", {}))
        is_routed = bool(traffic.keys() - {"featureFlag"})
        if is_routed:
            self.scene.api.apply(*a_service(self.scene.namespace, service_of(name)))
        self.scene.api.apply(a_release(self.scene.namespace, self.agent, version, service=is_routed))
        self.asks_for(version, **spec)

    def asks_for(self, version: str, **spec: object) -> None:
        """Set `releaseRef`, and with it perhaps the plan."""
        self.spec |= spec
        self.asked = f"{self.agent}-{version}"
        self.scene.api.apply(self.manifest_as_written())

    def manifest_as_written(self) -> Manifest:
        """The rollout as it is in Git."""
        return a_rollout(self.scene.namespace, self.agent, self.asked, **self.spec)

    @property
    def manifest(self) -> Manifest:
        """The object now; empty before it was seen."""
        return self.scene.witness.get(self.ref) or {}

    @property
    def status(self) -> Manifest:
        """Its status now."""
        status: Manifest = self.manifest.get("status", {})
        return status

    @property
    def attempt(self) -> Manifest:
        """The attempt now; empty before the first."""
        attempt: Manifest = self.status.get("attempt", {})
        return attempt

    @property
    def ready(self) -> Manifest:
        """The summary."""
        return condition_of(self.manifest, "Ready")

    def weights(self) -> tuple[int, int] | None:
        """Stable's and canary's weight as the traffic object that moves requests shows them."""
        versions = self.scene.witness.versions(self.traffic)
        return versions[-1].weights if versions and not versions[-1].is_gone else None

    @property
    def traffic(self) -> Ref:
        """The object that moves requests."""
        return self.route if OBJECTS.keys() & self._traffic.keys() else self.config

    @property
    def _traffic(self) -> Manifest:
        return cast("Manifest", self.spec.get("traffic", {}))

    def until(self, what: str, condition: Callable[[], object]) -> None:
        """Wait until something is true of it; then the witness knows its traffic objects of that time too.

        Raises:
            AssertionError: it did not within that time; with what the status says instead.
        """
        try:
            self.scene.witness.wait(f"{self.ref}: {what}", condition)
        except AssertionError as error:
            raise AssertionError(f"{error}; it has {self.weights()} and says {self.manifest}") from None
        for ref in {self.config, self.traffic}:
            self.scene.witness.catch_up(ref)

    def comes_to(self, state: str, *, phase: str | None = None) -> None:
        """Wait until the attempt of the release that is asked for is in a state, and in a phase."""

        def arrived() -> bool:
            side = {"Healthy": "stable", "RolledBack": None}.get(state, "canary")
            return (
                self.attempt.get("state") == state
                and phase in {None, self.attempt.get("phaseName")}
                and (side is None or self.status.get(side, {}).get("release") == self.asked)
            )

        self.until(f"state {state} {phase or ''}", arrived)

    def is_counting(self, state: str = "Canary", *, phase: str | None = None) -> None:
        """Wait until the attempt is in a state and its phase's clock runs."""
        self.comes_to(state, phase=phase)
        self.until("the clock runs", lambda: self.attempt.get("clockStartTime"))

    def is_seen(self) -> None:
        """Wait until the operator has decided on the rollout as it is written now."""
        generation = self.scene.api.get(self.ref)["metadata"]["generation"]
        self.until("it is seen", lambda: self.ready.get("observedGeneration") == generation)

    def is_back(self) -> None:
        """Wait until stable has everything."""
        self.until("stable 100, canary 0", lambda: self.weights() == BACK)

    def keeps_its_weights(self, since: float) -> None:
        """See that every version of the traffic object since then had the same weights.

        Raises:
            AssertionError: they changed.
        """
        versions = self.scene.witness.versions(self.traffic, since)
        assert versions, f"{self.traffic} was never seen"
        assert len({version.weights for version in versions}) == 1, [version.weights for version in versions]

    def act(self, kind: str, **fields: str | int | bool) -> Manifest:
        """Create an action, about the attempt that the rollout shows, as `kubectl create` would."""
        spec = {"rollout": self.agent, "type": kind, "requestedBy": ADMIN}
        if kind not in OF_NO_ATTEMPT:
            spec |= {"attempt": self.attempt["number"]}
        action = {
            "apiVersion": API_VERSION,
            "kind": "AgentRolloutAction",
            "metadata": {"namespace": self.scene.namespace, "generateName": f"{self.agent}-"},
            "spec": {**spec, "reason": "It is a test", **fields},
        }
        return self.scene.api.create(action)

    def answer(self, action: Manifest) -> tuple[str, str]:
        """Wait for the last answer to an action: its reason, and its sentence.

        The status has it before; then the witness knows that status too.
        """
        ref = Ref.of(action)

        def answered() -> Manifest | None:
            ready = condition_of(self.scene.witness.get(ref), "Ready")
            return ready if ready.get("reason") in FINAL else None

        ready = self.scene.witness.wait(f"an answer to {ref}", answered)
        self.scene.witness.catch_up(self.ref)
        return ready["reason"], ready["message"]

    def is_rolled_back_for(self, reason: str) -> None:
        """Wait until a rollback is recorded; it has this reason.

        Raises:
            AssertionError: it has another one.
        """
        self.until("a rollback", lambda: self.status.get("lastRollback"))
        rollback = self.status["lastRollback"]
        assert (rollback["trigger"], rollback["reason"]) == ("Breach", reason), rollback

    def progress(self) -> Manifest:
        """What a restart must not change: which attempt, where in its plan, and its clocks."""
        keys = ("number", "state", "digest", "phaseIndex", "phaseName", "step", "weight")
        clocks = ("startTime", "phaseStartTime", "countingStartTime", "clockStartTime", "elapsedSeconds")
        return {key: self.attempt.get(key) for key in (*keys, *clocks)}


def check_every_version(scene: Scene) -> None:
    """What no version of a traffic object of ours may show, whatever a test did.

    Raises:
        AssertionError: weights that are no split, or that rose after their attempt was rolled back.
    """
    for shop in scene.shops.values():
        for ref in (shop.route, shop.config):
            ours = [each for each in scene.witness.versions(ref) if is_ours(each.manifest)]
            for version in ours:
                assert version.latch is None or version.weights == BACK, version.manifest
                is_whole = ref == shop.route or version.is_in_detour
                assert is_whole or sum(version.weights) == FULL, version.manifest
        splits = [each for each in scene.witness.versions(shop.config) if is_ours(each.manifest)]
        latched = {version.latch for version in splits if version.latch}
        for attempt in latched:
            first = next(index for index, version in enumerate(splits) if version.latch == attempt)
            later = [version for version in splits[first:] if str(version.attempt) == attempt]
            assert {version.weights for version in later} == {BACK}, (shop.ref, attempt)


def is_ours(manifest: Manifest) -> bool:
    """Whether this version of an object is as the operator wrote it: a gateway's status does not matter."""
    managers = {
        entry["manager"]
        for entry in manifest["metadata"]["managedFields"]
        if entry.get("subresource") is None
    }
    return managers == {FIELD_MANAGER}


def seconds_between(earlier: str, later: str) -> float:
    """Between two times of a status."""
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()


def now() -> float:
    """The time on the witness's clock."""
    return time.monotonic()
