"""A cluster that is restored from a backup of etcd. Run by `test_restored.py` inside a sandbox of its own.

By hand: `python -m sandbox run -- python -m pytest tests/e2e/obstacles/inside_restored.py`.
"""

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from agentrollouts.adapters.cluster.resources import Ref
from sandbox.stack import Stack
from tests.e2e.apart.replicas import Replicas, both, leader_and_other, leads
from tests.e2e.api import Api, Manifest
from tests.e2e.manifests import FIRST, a_release, a_rollout
from tests.e2e.scene import HALF
from tests.e2e.witness import eventually

NAMESPACE, AGENT = "support", "agent"
ROLLOUT = Ref("AgentRollout", NAMESPACE, AGENT)
VERSIONS = 500
"""Versions that are lost: more than what is written after the backup is there again."""


@pytest.fixture(scope="session")
def replicas(stack: Stack) -> Iterator[Replicas]:
    """Two of them: the one that does not lead survives an outage, with all that it knows."""
    with both(stack) as replicas:
        yield replicas


def without_api_server(stack: Stack, work: Callable[[Path], object]) -> None:
    """Do something to the data of etcd, while neither it nor the API server runs."""
    etcd, apiserver = (stack.processes[name] for name in ("etcd", "apiserver"))
    for each in (apiserver, etcd):
        each.stop()
    work(stack.etcd_data)
    for each in (etcd, apiserver):
        each.start()


def ships(stack: Stack, version: str, state: str) -> None:
    """Request a release, and wait until its attempt is in a state."""
    Api(stack).apply(a_release(NAMESPACE, AGENT, version))
    Api(stack).apply(a_rollout(NAMESPACE, AGENT, f"{AGENT}-{version}", phases=HALF))

    def has_come() -> bool:
        status: Manifest = Api(stack).get(ROLLOUT).get("status", {})
        side = status.get("stable" if state == "Healthy" else "canary", {})
        return (status.get("attempt", {}).get("state"), side.get("release")) == (state, f"{AGENT}-{version}")

    eventually(f"{version} is {state}", has_come)


def test_an_operator_that_knew_the_future_follows_the_present(
    stack: Stack, replicas: Replicas, tmp_path: Path
) -> None:
    """The replica that was warm leads: it believes what is there now, though it has seen higher versions."""
    stack.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    ships(stack, FIRST, "Healthy")
    backup = tmp_path / "backup"
    without_api_server(stack, partial(shutil.copytree, dst=backup))
    ships(stack, "2.0.0", "Canary")
    api = Api(stack)
    for number in range(VERSIONS):
        api.patch(ROLLOUT, {"metadata": {"labels": {"number": str(number)}}})
    leader, warm = leader_and_other(*replicas)
    pid = warm.process.pid

    def restore(data: Path) -> None:
        shutil.rmtree(data)
        shutil.copytree(backup, data)

    without_api_server(stack, restore)
    leader.stop()
    eventually("the warm one leads", partial(leads, warm))
    ships(stack, "3.0.0", "Canary")
    assert warm.process.pid == pid
