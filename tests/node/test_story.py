"""The demo's story in pods: agents as Deployments, endpoints from Kubernetes, snapshots mounted as files."""

import json
from pathlib import Path
from typing import Final

import yaml

from agentrollouts.adapters.cluster.resources import Ref
from sandbox import scenarios
from sandbox.demo import story
from sandbox.node.cluster import Cluster
from sandbox.people.load import LoadGenerator, LoadPlan
from sandbox.programs import web
from tests.e2e.scene import BACK, condition_of, now
from tests.e2e.witness import Witness, eventually
from tests.node.deployments import AGENT, NAMESPACE, deploy, mounted
from tests.node.pods import OperatorPods

WATCH_SECONDS: Final = 15
"""How long stable is watched after the rollback, and then the release is quarantined; 40 in the demo."""
ROLLOUT: Final = Ref("AgentRollout", NAMESPACE, AGENT)
ROUTE: Final = Ref("HTTPRoute", NAMESPACE, AGENT)


def asks_for(cluster: Cluster, release: str) -> float:
    """Set `releaseRef` in the demo's rollout; when that was."""
    rollout = yaml.safe_load(Path(story.__file__).with_name("demo-rollout.yaml").read_text())
    rollout["spec"]["releaseRef"]["name"] = release
    rollout["spec"]["rollback"]["verify"]["watchSeconds"] = WATCH_SECONDS
    asked = now()
    cluster.apply(rollout)
    return asked


def test_a_bad_release_is_rolled_back_in_pods(
    stack: Cluster, operator: OperatorPods, witness: Witness, figures: dict[str, float]
) -> None:
    """4.2.0 gets 5%, then nothing, and is quarantined; no request is lost."""
    assert operator.leader()
    stack.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    stack.add_gateway(NAMESPACE)
    good = deploy(stack, scenarios.HEALTHY)
    asks_for(stack, scenarios.HEALTHY)
    health = f"{stack.gateway_url}/healthz"
    eventually("a route", lambda: web.answers(health, headers={"Host": story.HOST}))

    plan = LoadPlan(f"{stack.gateway_url}/run", host=story.HOST, rate=100, timeout_seconds=60)
    with LoadGenerator(plan) as ledger:
        witness.wait(
            "4.1.0 is stable",
            lambda: condition_of(witness.get(ROLLOUT), "Ready").get("status") == "True",
        )
        bad = deploy(stack, scenarios.BAD_PROMPT)
        asked = asks_for(stack, scenarios.BAD_PROMPT)
        witness.wait(
            "4.2.0 gets 5%",
            lambda: (95, 5) in [version.weights for version in witness.versions(ROUTE, asked)],
        )
        witness.wait("4.2.0 gets nothing", lambda: witness.versions(ROUTE)[-1].weights == BACK)
        figures["from the request of 4.2.0 until its weight is 0 again"] = now() - asked

        def is_quarantined() -> bool:
            ready = condition_of(witness.get(ROLLOUT), "Ready")
            return ready.get("reason") == "Quarantined"

        witness.wait("4.2.0 is quarantined", is_quarantined)

    rollout = witness.get(ROLLOUT)
    assert rollout is not None
    assert rollout["status"]["stable"]["release"] == scenarios.HEALTHY
    assert ledger.counts()[scenarios.BAD_PROMPT] > 0
    assert ledger.counts()[""] == 0
    for pod, release in ((good, scenarios.HEALTHY), (bad, scenarios.BAD_PROMPT)):
        name = stack.kubectl.get(f"agentrelease/{release}", "-n", NAMESPACE)["status"]["snapshot"]["name"]
        snapshot = stack.kubectl.get(f"configmap/{name}", "-n", NAMESPACE)
        assert mounted(stack, pod) == json.loads(snapshot["data"]["bundle.json"])
