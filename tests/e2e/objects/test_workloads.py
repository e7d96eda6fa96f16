"""Input: a Deployment as a template, and releases without agents. Output: Deployments and their sizes.

No controller of the sandbox makes pods, so a test says when they are ready.
"""

import shlex
from typing import Any, Final

import pytest

from sandbox.agents.endpoints import a_service
from tests.e2e.api import Manifest
from tests.e2e.manifests import a_release, phase, routed, service_of
from tests.e2e.scene import Scene, Shop
from tests.e2e.witness import eventually

LAST_RUNS: Final = 2
WORKLOAD: Final = {
    "deploymentRef": {"name": "agent"},
    "port": 8080,
    "replicas": 2,
    "keepWarm": 0,
    "scaleDownDelaySeconds": LAST_RUNS,
}
PLAN: Final[dict[str, Any]] = {
    "phases": [phase("asked", 20, 1, approval="Required")],
    "gates": [],
    "workload": WORKLOAD,
    "rollback": {"verify": {"withinSeconds": 1, "watchSeconds": 0}},
}


def a_template(namespace: str, level: str = "info") -> Manifest:
    """The Deployment that is copied."""
    labels = {"app": "agent"}
    container = {
        "name": "agent",
        "image": "registry.example/agent:1",
        "env": [{"name": "LEVEL", "value": level}],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "agent",
            "namespace": namespace,
            "labels": {"agentrollouts.dev/template": "true"},
        },
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def find_object(scene: Scene, version: str, kind: str = "Deployment") -> Manifest | None:
    """The object of a release as it is now."""
    return scene.api.find(scene.ref(kind, service_of(f"agent-{version}")))


def replicas(scene: Scene, version: str) -> int | None:
    """The replicas of the Deployment of a release."""
    deployment = find_object(scene, version)
    return None if deployment is None else int(deployment["spec"]["replicas"])


def comes_to_replicas(scene: Scene, version: str, expected: int) -> None:
    """Wait for the replicas of the Deployment of a release; no watch of the witness shows them."""
    eventually(f"{version} has {expected} replicas", lambda: replicas(scene, version) == expected)


def are_ready(scene: Scene, version: str, *, ready: bool = True) -> None:
    """The pods of a release answer, or no longer do."""
    _, endpoints = a_service(scene.namespace, service_of(f"agent-{version}"), ready=ready)
    scene.api.apply(endpoints)


def ships(shop: Shop, version: str) -> None:
    """Ten lines and one changed line."""
    shop.scene.api.apply(a_release(shop.scene.namespace, "agent", version))
    shop.asks_for(version)


@pytest.fixture
def shop(given: Scene) -> Shop:
    """The first release of an agent, in a namespace that has opted in."""
    made = Shop(given, "agent", {**PLAN, "traffic": routed(given.namespace)})
    given.shops["agent"] = made
    given.api.apply(a_template(given.namespace))
    ships(made, "1.0.0")
    message = given.says("AgentRollout", "agent", "Ready", "Forbidden")
    command = shlex.split(message.partition("to permit it: ")[2])
    assert command[0] == "kubectl"
    given.stack.kubectl(*command[1:])
    return made


def test_releases_get_pods_and_lose_them(given: Scene, shop: Shop) -> None:
    """From a missing right to a promotion: each step waits for pods, and the one before keeps its own."""
    comes_to_replicas(given, "1.0.0", 2)
    assert shop.attempt["state"] == "Pending"
    service = find_object(given, "1.0.0", "Service")
    assert service is not None
    assert service["spec"]["selector"] == {
        "agentrollouts.dev/agent": "agent",
        "agentrollouts.dev/release": "agent-1.0.0",
    }
    first = find_object(given, "1.0.0")
    assert first is not None
    [owner] = first["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["controller"]) == ("AgentRollout", "agent", True)
    [volume] = first["spec"]["template"]["spec"]["volumes"]
    snapshot = given.manifest("AgentRelease", "agent-1.0.0")
    assert snapshot is not None
    assert volume["configMap"]["name"] == snapshot["status"]["snapshot"]["name"]

    are_ready(given, "1.0.0")
    shop.comes_to("Healthy")
    given.api.apply(a_template(given.namespace, level="debug"))
    ships(shop, "2.0.0")
    comes_to_replicas(given, "2.0.0", 2)
    are_ready(given, "2.0.0")
    shop.comes_to("AwaitingApproval")
    same = find_object(given, "1.0.0")
    assert same is not None
    assert same["metadata"]["generation"] == first["metadata"]["generation"]
    shop.act("Approve", phase="asked")
    shop.comes_to("Healthy")

    comes_to_replicas(given, "1.0.0", 0)
    assert replicas(given, "2.0.0") == 2
    shop.until("that is told", lambda: [e for e in shop.status["workloads"] if e.get("scaledDownTime")])


def test_a_rollback_at_rest_waits_for_the_pods_of_a_cold_release(given: Scene, shop: Shop) -> None:
    """Across a kill of the operator: its target gets pods, and the traffic once they are ready."""
    for version in ("1.0.0", "2.0.0"):
        if version != "1.0.0":
            ships(shop, version)
        comes_to_replicas(given, version, 2)
        are_ready(given, version)
        if version != "1.0.0":
            shop.comes_to("AwaitingApproval")
            shop.act("Approve", phase="asked")
        shop.comes_to("Healthy")
    comes_to_replicas(given, "1.0.0", 0)
    are_ready(given, "1.0.0", ready=False)

    shop.act("RollBack", release="agent-2.0.0")
    given.operator.kill()
    given.operator.start()

    comes_to_replicas(given, "1.0.0", 2)
    assert shop.status["stable"]["release"] == "agent-2.0.0"
    are_ready(given, "1.0.0")
    shop.until("stable again", lambda: shop.status["stable"]["release"] == "agent-1.0.0")
