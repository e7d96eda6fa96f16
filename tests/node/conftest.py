"""Input: what people apply, and what happens to pods. Output: what the API server shows, and its audit log.

The cluster has a real node, so nothing is played: kubelet, kube-proxy and scheduler are those of upstream,
and the operator's image runs in two pods under the chart's rights. `make node-test` runs all of it.
"""

import itertools
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentrollouts.adapters.cluster.resources import Ref
from sandbox.node.cluster import Cluster
from testkit.agents import Agents
from tests.conftest import LOGS
from tests.e2e.api import Api
from tests.e2e.scene import Scene, check_every_version
from tests.e2e.witness import Witness
from tests.node.pods import OperatorPods

NUMBERS = itertools.count(1)
FIGURES = pytest.StashKey[dict[str, float]]()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was measured."""
    for what, figure in terminalreporter.config.stash.get(FIGURES, {}).items():
        text = f"{figure:6d}  " if isinstance(figure, int) else f"{figure:6.1f} s"
        terminalreporter.write_line(f"{text}  {what}")


@pytest.fixture(scope="session")
def figures(request: pytest.FixtureRequest) -> dict[str, float]:
    """Seconds by what took them, and whole numbers by what they count; printed at the end."""
    return request.config.stash.setdefault(FIGURES, {})


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest, figures: dict[str, float]) -> Iterator[Cluster]:
    """The cluster with its node, shared by all tests."""
    began = time.monotonic()
    started = Cluster(Path(os.environ["AGENTROLLOUTS_IMAGES"]))
    started.start()
    figures["until the node is Ready"] = time.monotonic() - began
    yield started
    failed = bool(request.session.testsfailed)
    started.close(keep_logs=failed)
    if failed:
        request.config.stash[LOGS] = str(started.logs)


@pytest.fixture(scope="session")
def operator(stack: Cluster, figures: dict[str, float]) -> OperatorPods:
    """The operator in two pods; `test_what_was_asked` reads at the end what they did."""
    pods = OperatorPods(stack)
    began = time.monotonic()
    pods.install()
    figures["until helm install --wait returns, with two replicas"] = time.monotonic() - began
    return pods


@pytest.fixture(scope="session")
def witness(stack: Cluster, operator: OperatorPods) -> Iterator[Witness]:
    """Every version of every object from the installation on."""
    assert operator.pods()
    with Witness(stack) as watching:
        yield watching


@pytest.fixture(scope="session")
def agents(stack: Cluster, witness: Witness) -> Iterator[Agents]:
    """Agents that are only their counters, scraped by Prometheus."""
    with Agents(stack, witness) as counting:
        yield counting


@pytest.fixture
def given(stack: Cluster, operator: OperatorPods, witness: Witness, agents: Agents) -> Iterator[Scene]:
    """A namespace of the test's own; its rollouts are deleted at the end."""
    scene = Scene(f"pods-{next(NUMBERS)}", stack, operator, witness, agents, Api(stack))
    scene.api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": scene.namespace}})
    agents.serve(scene.namespace)
    yield scene
    check_every_version(scene)
    for rollout in witness.all("AgentRollout", scene.namespace):
        scene.api.delete(Ref.of(rollout))
    agents.leave(scene.namespace)
