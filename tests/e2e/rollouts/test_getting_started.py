"""`docs/getting-started.md`, played as it is written: its files, its commands, its agent, its outputs.

Replaced are the image build, the nodes (`kubelet`), and the Prometheus operator (`podmonitors`). `tests/node`
plays the first hour in pods.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.operator import OperatorProcess
from sandbox.stack import Stack
from tests.docs.getting_started import AFTER, BEFORE, FIRST_HOUR, HAPPENED, NAMESPACE, write_files
from tests.docs.reader import Reader
from tests.e2e import podmonitors
from tests.e2e.kubelet import Kubelet
from tests.inside import eventually


@pytest.fixture
def kubelet(stack: Stack, tmp_path: Path) -> Iterator[Kubelet]:
    """Runs the page's agent for each Deployment."""
    write_files(tmp_path)
    podmonitors.install(stack)
    nodes = Kubelet(stack, NAMESPACE, tmp_path / "agent.py", tmp_path)
    yield nodes
    nodes.stop()
    stack.kubectl("delete", "agentrollouts", "--all", f"--namespace={NAMESPACE}")


@pytest.fixture
def reader(stack: Stack, tmp_path: Path, kubelet: Kubelet) -> Iterator[Reader]:
    """Follows the page."""
    person = Reader.of(stack, tmp_path, kubelet.sync)
    yield person
    person.leave()


@pytest.mark.timeout(600)
@pytest.mark.skipif(shutil.which("curl") is None, reason="the page sends its requests with curl")
def test_the_page_works_as_it_is_written(
    stack: Stack, operator: OperatorProcess, reader: Reader, kubelet: Kubelet
) -> None:
    """Each command of the page prints what the page shows, apart from ages and what the page leaves out.

    After the commands of the first hour alone, and no other, the bad release is rolled back.
    """
    assert operator.process.running
    reader.play(BEFORE)
    reader.play(FIRST_HOUR)

    def is_rolled_back() -> bool:
        kubelet.sync()
        status = stack.kubectl.get("aro/order-agent", f"--namespace={NAMESPACE}")["status"]
        return str(status.get("lastRollback", {}).get("from")) == "order-agent-1.1.0"

    eventually(is_rolled_back)
    reader.play(HAPPENED)
    reader.play(AFTER)
