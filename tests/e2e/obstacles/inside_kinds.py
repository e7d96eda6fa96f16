"""CustomResourceDefinitions that go, come back, or are older than the operator. Run by `test_kinds.py`.

By hand: `python -m sandbox run -- python -m pytest tests/e2e/obstacles/inside_kinds.py`.
"""

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Final

import pytest

from agentrollouts.adapters.cluster.resources import KINDS, Ref
from agentrollouts.api.names import API_VERSION
from sandbox.agents.endpoints import a_service
from sandbox.operator import OperatorProcess
from sandbox.programs.controlplane import ADMIN
from sandbox.stack import Stack
from tests.e2e.api import Api, Manifest
from tests.e2e.manifests import FIRST, a_release, a_rollout, routed, service_of
from tests.e2e.scene import HALF, SECOND, condition_of
from tests.e2e.witness import eventually

NAMESPACES: Final = [f"team-{number}" for number in range(1, 21)]
"""Enough for all tests; each takes the next ones."""
FREE: Final = iter(NAMESPACES)
BY_FLAG: Final[Manifest] = {"featureFlag": {}}


@pytest.fixture(scope="session")
def flags(stack: Stack) -> Manifest:
    """The definition of FeatureFlag, which is not there when the operator starts."""
    return removed(stack, "FeatureFlag")


@pytest.fixture(scope="session")
def operator(stack: Stack, flags: Manifest) -> Iterator[OperatorProcess]:
    """The operator with a role in each namespace, as is recommended; the same process to the end."""
    assert flags
    for name in NAMESPACES:
        stack.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    process = OperatorProcess(stack, values={"namespaces": NAMESPACES})
    process.start()
    pid = process.process.pid
    yield process
    assert process.process.pid == pid
    process.stop()
    assert "Traceback" not in process.log_text()


class Team:
    """A namespace with one rollout, seen by reads alone: a watch would end with its kind."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.api = Api(stack)
        self.namespace = next(FREE)
        self.ref = self.of("AgentRollout", "agent")

    def of(self, kind: str, name: str) -> Ref:
        """An object of the namespace."""
        return Ref(kind, self.namespace, name)

    def ships(self, version: str, traffic: Manifest | None = None) -> None:
        """Make a release and request it."""
        is_routed = "httpRoute" in (traffic or {})
        if is_routed:
            self.api.apply(*a_service(self.namespace, service_of(f"agent-{version}")))
        self.api.apply(a_release(self.namespace, "agent", version, service=is_routed))
        self.api.apply(
            a_rollout(self.namespace, "agent", f"agent-{version}", phases=HALF, traffic=traffic or {})
        )

    @property
    def status(self) -> Manifest:
        """The status of the rollout."""
        status: Manifest = (self.api.find(self.ref) or {}).get("status", {})
        return status

    def comes_to(self, *states: str) -> None:
        """Wait until the attempt is in one of these states."""
        eventually(f"{states}", lambda: self.status.get("attempt", {}).get("state") in states)

    def split(self) -> tuple[int, ...]:
        """The weights as agents read them: stable's and the canary's."""
        found = json.loads(self.api.get(self.of("ConfigMap", "agent-traffic"))["data"]["split.json"])
        return tuple(side["weight"] if side else 0 for side in (found["stable"], found["canary"]))

    def in_canary(self, traffic: Manifest | None = None) -> None:
        """The second release has half of the traffic."""
        self.ships(FIRST, traffic)
        self.comes_to("Healthy")
        self.ships(SECOND, traffic)
        self.comes_to("Canary", "Held")
        eventually("half", lambda: self.split() == (50, 50))

    def reverts(self, traffic: Manifest | None = None) -> None:
        """Git requests the first release again."""
        self.api.apply(
            a_rollout(self.namespace, "agent", f"agent-{FIRST}", phases=HALF, traffic=traffic or {})
        )

    def act(self, kind: str) -> Ref:
        """An action of an administrator about the attempt."""
        spec = {"rollout": "agent", "type": kind, "requestedBy": ADMIN, "reason": "It is a test"}
        spec |= {"attempt": self.status["attempt"]["number"], "release": f"agent-{SECOND}"}
        made = self.api.create(
            {
                "apiVersion": API_VERSION,
                "kind": "AgentRolloutAction",
                "metadata": {"namespace": self.namespace, "generateName": "agent-"},
                "spec": spec,
            }
        )
        return Ref.of(made)


def by_route(team: Team) -> Manifest:
    """Traffic by a route without a gateway."""
    return dict(routed(team.namespace, statusless=True))


def crd_of(kind: str) -> Ref:
    """The definition of a kind."""
    group = KINDS[kind].api_version.partition("/")[0]
    return Ref("CustomResourceDefinition", "", f"{KINDS[kind].plural}.{group}")


def definition_of(stack: Stack, kind: str) -> Manifest:
    """The definition of a kind as it would be applied again."""
    stored = Api(stack).get(crd_of(kind))
    metadata = {key: stored["metadata"].get(key) or {} for key in ("name", "labels", "annotations")}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": metadata,
        "spec": stored["spec"],
    }


def removed(stack: Stack, kind: str) -> Manifest:
    """Delete the definition of a kind, and with it all objects; as it was."""
    definition = definition_of(stack, kind)
    Api(stack).delete(crd_of(kind))
    eventually(f"{kind} is gone", lambda: Api(stack).find(crd_of(kind)) is None)
    return definition


def restored(stack: Stack, definition: Manifest) -> None:
    """Apply a definition again, and wait until its kind is served."""
    Api(stack).apply(definition)
    plural = definition["metadata"]["name"]
    stack.kubectl.insist("get", plural, "--all-namespaces", seconds=120)


def reason_of(team: Team, condition: str) -> str:
    """The reason of a condition of the rollout."""
    return str(condition_of({"status": team.status}, condition).get("reason"))


def is_restored(team: Team) -> bool:
    """Whether the flag of the rollout is as the operator wrote it."""
    flag: Manifest = team.api.get(team.of("FeatureFlag", "agent"))["spec"]["flagSpec"]["flags"][
        "agent-release"
    ]
    return bool(flag["state"] == "ENABLED")


def disable(team: Team) -> None:
    """Someone changes the flag."""
    change = {"spec": {"flagSpec": {"flags": {"agent-release": {"state": "DISABLED"}}}}}
    team.api.patch(team.of("FeatureFlag", "agent"), change)


def is_healthy(team: Team, release: str) -> bool:
    """Whether a release serves, and `Ready` is true."""
    stable = team.status.get("stable", {}).get("release")
    ready = condition_of({"status": team.status}, "Ready")
    return (stable, ready.get("status")) == (f"agent-{release}", "True")


def test_a_kind_that_is_installed_after_the_start_is_used_and_watched(
    stack: Stack, operator: OperatorProcess, flags: Manifest
) -> None:
    """Until then `Ready` names it, and the operator asks for it a few times a minute."""
    team = Team(stack)
    team.ships(FIRST, traffic=BY_FLAG)
    eventually("it is said", lambda: reason_of(team, "TrafficApplied") == "FeatureFlagMissing")
    restored(stack, flags)
    team.comes_to("Healthy")
    disable(team)
    eventually("it is watched", lambda: is_restored(team))
    assert operator.log_text().count("install its CustomResourceDefinition; rollouts without") == 1


@pytest.mark.usefixtures("operator")
@pytest.mark.parametrize("kind", ["AgentRolloutAction", "AgentFreeze", "AgentRolloutRecord", "AgentRelease"])
def test_a_kind_of_ours_goes_and_comes_back_in_mid_canary(stack: Stack, kind: str) -> None:
    """The rollback works without it; what is made of the kind afterward is noticed."""
    first, second = Team(stack), Team(stack)
    for team in (first, second):
        team.in_canary()
    definition = removed(stack, kind)
    first.reverts()
    eventually("rolled back", lambda: first.split() == (100, 0))
    restored(stack, definition)
    if kind == "AgentRelease":
        first.ships("3.0.0")
        first.comes_to("Canary", "Held")
    if kind == "AgentFreeze":
        freeze = {"apiVersion": API_VERSION, "kind": kind, "spec": {"reason": "It is a test"}}
        first.api.apply({**freeze, "metadata": {"name": "all", "namespace": first.namespace}})
        ref = first.of(kind, "all")
        eventually("it is active", lambda: condition_of(first.api.get(ref), "Active").get("status") == "True")
    if kind == "AgentRolloutRecord":
        eventually("all is recorded", lambda: not first.status["record"].get("unwritten"))
    action = second.act("RollBack")
    eventually("rolled back", lambda: second.split() == (100, 0))
    eventually("answered", lambda: condition_of(second.api.get(action), "Ready").get("reason") == "Done")


@pytest.mark.usefixtures("operator")
def test_rollouts_whose_kind_was_deleted_start_over_with_what_was_healthy(stack: Stack) -> None:
    """All rollouts are gone, and with them their traffic objects; applied again, stable has everything."""
    team = Team(stack)
    team.in_canary()
    definition = removed(stack, "AgentRollout")
    eventually("the split is gone", lambda: team.api.find(team.of("ConfigMap", "agent-traffic")) is None)
    restored(stack, definition)
    team.reverts()
    eventually("stable serves", lambda: is_healthy(team, FIRST))
    assert team.split() == (100, 0)
    team.ships("3.0.0")
    team.comes_to("Canary", "Held")


@pytest.mark.usefixtures("operator")
@pytest.mark.parametrize(
    ("kind", "reason"), [("FeatureFlag", "FeatureFlagMissing"), ("HTTPRoute", "GatewayAPIMissing")]
)
def test_a_kind_of_others_goes_and_comes_back_in_mid_canary(stack: Stack, kind: str, reason: str) -> None:
    """`Ready` names what is missing; the object is there again seconds after its kind, also at rest."""
    canary, resting = Team(stack), Team(stack)
    traffic = {team: BY_FLAG if kind == "FeatureFlag" else by_route(team) for team in (canary, resting)}
    canary.in_canary(traffic=traffic[canary])
    resting.ships(FIRST, traffic=traffic[resting])
    resting.comes_to("Healthy")
    before = canary.api.get(canary.of(kind, "agent"))["spec"]
    definition = removed(stack, kind)
    for team in (canary, resting):
        eventually("it is said", lambda team=team: reason_of(team, "TrafficApplied") == reason)  # type: ignore[misc]
    restored(stack, definition)
    for team in (canary, resting):
        eventually("it is back", lambda team=team: team.api.find(team.of(kind, "agent")))  # type: ignore[misc]
    assert canary.api.get(canary.of(kind, "agent"))["spec"] == before
    canary.reverts(traffic=traffic[canary])
    canary.comes_to("RolledBack")
    eventually("it is rolled back", lambda: canary.api.get(canary.of(kind, "agent"))["spec"] != before)
    canary.api.replace(canary.api.get(canary.of(kind, "agent")) | {"spec": before})
    eventually("it is watched", lambda: canary.api.get(canary.of(kind, "agent"))["spec"] != before)


def without(definition: Manifest, *fields: str) -> Manifest:
    """An older version of a definition, whose status lacks fields."""
    older = deepcopy(definition)
    for version in older["spec"]["versions"]:
        status = version["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]
        for field in fields:
            *path, last = field.split(".")
            holder = status
            for step in path:
                holder = holder[step]["properties"]
            del holder[last]
    return older


def incomplete(team: Team) -> list[str]:
    """What Events say of fields that are not stored, by kubectl as the Events are not in a watch here."""
    listed = team.stack.kubectl("get", "events", f"--namespace={team.namespace}", "--output=json")
    found: list[Manifest] = json.loads(listed)["items"]
    return [event["message"] for event in found if event["reason"] == "StatusIncomplete"]


@pytest.mark.usefixtures("operator")
def test_fields_that_an_older_definition_drops_are_named_and_not_written_for_ever(stack: Stack) -> None:
    """An Event on the rollout names them, a metric counts it, and at rest nothing is written."""
    definition = definition_of(stack, "AgentRollout")
    restored(stack, without(definition, "course", "record", "requestedWeight", "attempt.outlook"))
    try:
        team = Team(stack)
        team.in_canary()
        eventually("it is said", lambda: any("status.record" in said for said in incomplete(team)))
        assert all("apply the CRDs" in said for said in incomplete(team))
        team.reverts()
        team.comes_to("RolledBack")
        eventually("rest", lambda: condition_of({"status": team.status}, "Ready").get("status") == "True")
    finally:
        restored(stack, definition)
