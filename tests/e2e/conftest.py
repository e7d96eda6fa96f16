"""Input: what people write into the API server, and agents' counters. Output: what the API server shows.

Nothing of the operator is imported or replaced: it is the chart's process with the chart's rights, started
once for all tests. A test that ends it starts it again; one that stops Prometheus starts that again.
"""

import itertools
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial

import pytest

from agentrollouts.adapters.cluster.resources import Ref
from sandbox.operator import OperatorProcess
from sandbox.stack import Stack
from testkit.agents import Agents
from tests.e2e.api import Api
from tests.e2e.scene import Scene, check_every_version
from tests.e2e.witness import Witness

NUMBERS = itertools.count(1)
MISTAKES = re.compile(
    r"Traceback|is forbidden: User|'agentrollouts-own-(?:configmaps|flags|routes|workloads)'"
    r"|Failed to reconcile"
)
"""What the operator's log may never hold: a bug, or a right that the chart or its policies forgot."""
ON_PURPOSE = re.compile(
    r"/refused[-.\w]*: .*cannot patch"
    r"|to permit it: kubectl create rolebinding"
    r"|/quota-traffic: .*did not create"
    r"|in namespaces that begin with kube-"
)
"""What a test takes a right away for or has not granted yet. And the plainest write of an object that a quota
refused: without any mark it is not created."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of single adapters come first: a running operator would write the statuses that they write."""
    items.sort(key=lambda item: "operator" in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session")
def operator(stack: Stack) -> Iterator[OperatorProcess]:
    """The operator under the chart's ServiceAccount; its log is read at the end."""
    process = OperatorProcess(stack)
    process.install()
    process.start()
    yield process
    process.stop()
    lines = process.log_text().splitlines()
    mistakes = [line for line in lines if MISTAKES.search(line) and not ON_PURPOSE.search(line)]
    assert mistakes == []


@pytest.fixture(scope="session")
def witness(stack: Stack, operator: OperatorProcess) -> Iterator[Witness]:
    """Every version of every object from the operator's start on."""
    assert operator.process.running
    with Witness(stack) as watching:
        yield watching


@pytest.fixture(scope="session")
def agents(stack: Stack, witness: Witness) -> Iterator[Agents]:
    """Agents that are only their counters, scraped by Prometheus."""
    with Agents(stack, witness) as counting:
        yield counting


@pytest.fixture(scope="module")
def open_scene(
    stack: Stack, operator: OperatorProcess, witness: Witness, agents: Agents
) -> Callable[..., AbstractContextManager[Scene]]:
    """Makes namespaces of a test's own, with a name if it matters."""
    return partial(a_scene, stack, operator, witness, agents)


@pytest.fixture
def given(open_scene: Callable[[], AbstractContextManager[Scene]]) -> Iterator[Scene]:
    """A namespace of the test's own; what no version of its traffic may show is checked at the end."""
    with open_scene() as scene:
        yield scene


@contextmanager
def a_scene(
    stack: Stack, operator: OperatorProcess, witness: Witness, agents: Agents, namespace: str = ""
) -> Iterator[Scene]:
    """One namespace; its rollouts are deleted at the end, and nobody waits for that."""
    scene = Scene(namespace or f"scene-{next(NUMBERS)}", stack, operator, witness, agents, Api(stack))
    scene.api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": scene.namespace}})
    agents.serve(scene.namespace)
    try:
        yield scene
        check_every_version(scene)
    finally:
        for rollout in witness.all("AgentRollout", scene.namespace):
            scene.api.delete(Ref.of(rollout))
        agents.leave(scene.namespace)
