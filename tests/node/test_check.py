"""The checks of `make kind`, on the node that needs no image registry."""

import subprocess
from collections.abc import Iterator

import pytest

from sandbox.node.cluster import Cluster
from tests.inside import ROOT
from tests.node.deployments import IMAGE as AGENT_IMAGE
from tests.node.deployments import NAMESPACE
from tests.node.pods import IMAGE, OperatorPods

IMAGES = {
    "AGENT_IMAGE": AGENT_IMAGE,
    "GATEWAY_IMAGE": "localhost/agentrollouts-traefik:dev",
    "PROMETHEUS_IMAGE": "localhost/agentrollouts-prometheus:dev",
}


@pytest.fixture
def cluster(stack: Cluster, operator: OperatorPods) -> Iterator[Cluster]:
    """The node with the chart, which is as before at the end."""
    yield stack
    operator.install()
    stack.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=120s")


def play(cluster: Cluster, script: str, *arguments: str, **variables: str) -> list[str]:
    """Run a script of `image` as it is; the lines that it printed."""
    done = subprocess.run(  # noqa: S603  # our own
        [ROOT / "image" / script, *arguments],
        env={**cluster.environment, **variables}, capture_output=True, text=True, check=False, timeout=900,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_the_checks_of_make_kind_pass(cluster: Cluster) -> None:
    """Chart, replicas, a rollout, the loss of its leader, and the page, also after an interrupted run."""
    cluster.kubectl("create", "namespace", "check")
    assert play(cluster, "check.sh", f"{IMAGE['repository']}:{IMAGE['tag']}") == [
        "the chart is installed, and two replicas are Ready",
        "a rollout has its traffic ConfigMap",
        "the other replica leads after the leader's pod was deleted",
        "the weights are as they were",
        "the page is served by a pod of its own",
    ]


def test_the_story_of_make_kind_is_played(cluster: Cluster) -> None:
    """Gateway, Prometheus, agents and customers are pods, and all of their requests go through kube-proxy."""
    assert play(cluster, "story.sh", **IMAGES) == [
        "a gateway, Prometheus and the operator run",
        "the pod of 4.1.0 reads its snapshot",
        "the gateway has the route of 4.1.0",
        "4.1.0 answers the customers",
        "4.2.0 gets 5%",
        "4.2.0 gets nothing",
        "4.2.0 is quarantined",
        "every customer got an answer",
    ]
