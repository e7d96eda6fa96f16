"""What pages show below commands, beside what kubectl prints on a real API server. No operator runs.

The status of the rollout is that of a story in virtual time.
"""

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from agentrollouts.api.attempt import State
from agentrollouts.api.people.action import ActionType
from sandbox.stack import Stack
from testkit.builders.names import AGENT, NAMESPACE, NEW, OLD
from testkit.builders.rollouts import a_rollout
from testkit.world import World, a_world
from tests.cli.cluster import stored
from tests.contract.server import ApiServer
from tests.docs.blocks.found import ROOT
from tests.docs.blocks.shown import command_of
from tests.docs.reader import Command, Reader

NAMESPACES: Final = (NAMESPACE, "agents", "argocd")
ROLLED_BACK: Final = (
    ("README.md", "kubectl get aro"),
    ("docs/gitops.md", "kubectl get aro"),
)
MADE: Final = {
    "kubectl kustomize": ("configmap", "argocd-cm", "--namespace=argocd"),
    "kubectl create rolebinding": ("rolebinding", "argocd", "--namespace=agents"),
}
"""What the commands of `docs/gitops.md` for Argo CD make, by how each of them begins."""
PAGE: Final = "docs/page.md"


@pytest.fixture(scope="module")
def world(stack: Stack, api_server: ApiServer) -> Iterator[Stack]:  # noqa: ARG001 the kinds must be there
    """The namespaces of the pages."""
    names = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": each}} for each in NAMESPACES]
    stack.apply(names)
    yield stack
    stack.kubectl("delete", "agentrollout", AGENT, f"--namespace={NAMESPACE}", "--ignore-not-found")


@pytest.fixture
def reader(world: Stack, tmp_path: Path) -> Reader:
    """A person whose kubeconfig names the namespace of the rollout."""
    made = Reader.of(world, tmp_path, lambda: None)
    made.run(f"kubectl config set-context --current --namespace={NAMESPACE}")
    made.folder = ROOT
    return made


def in_canary() -> World:
    """A story up to its first phase."""
    told = a_world(a_rollout().serving(OLD), OLD, NEW)
    told.run_until(State.CANARY)
    return told


def store(stack: Stack, told: World) -> None:
    """The API server has the rollout as the story has it now."""
    manifest = stored(told.builder, NAMESPACE)
    kept = {"name": AGENT, "namespace": NAMESPACE}
    stack.apply({**manifest, "metadata": kept, "status": {}})
    patch = ("patch", "agentrollout", AGENT, f"--namespace={NAMESPACE}", "--subresource=status")
    stack.kubectl(*patch, "--type=merge", f"--patch={json.dumps({'status': manifest['status']})}")


def compare(command: Command, printed: str) -> None:
    """The whole output, with any age."""
    assert command.pattern.fullmatch(printed), printed


@pytest.mark.parametrize(("name", "start"), ROLLED_BACK)
def test_a_rollback_is_listed_as_the_page_shows(world: Stack, reader: Reader, name: str, start: str) -> None:
    """All columns of the rollout, after someone has rolled back its canary."""
    told = in_canary()
    told.act(ActionType.ROLL_BACK, release=NEW)
    told.run_until(State.ROLLED_BACK)
    told.run(60)
    store(world, told)
    command = command_of(name, start)

    compare(command, reader.run(command.text))


def test_a_wait_ends_as_the_page_shows(world: Stack, reader: Reader) -> None:
    """Once the release serves."""
    told = in_canary()
    told.run_until(State.HEALTHY)
    store(world, told)
    command = command_of("docs/gitops.md", "kubectl wait")

    compare(command, reader.run(command.text))


@pytest.mark.parametrize("start", MADE)
def test_what_argo_cd_needs_is_made_as_the_page_shows(world: Stack, reader: Reader, start: str) -> None:
    """By the commands of the page, in the folder of the repository."""
    command = command_of("docs/gitops.md", start)
    try:
        compare(command, reader.run(command.text))
    finally:
        world.kubectl("delete", *MADE[start])


def test_the_dashboard_prints_what_its_page_shows(reader: Reader) -> None:
    """The link, apart from port and token; without a browser, the page is not opened."""
    command = command_of(PAGE, "kubectl agentrollout dashboard")
    process = subprocess.Popen(  # noqa: S603 the command of our own page
        [*command.text.split(), "--no-open"], env=reader.environment, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        printed = [process.stdout.readline().rstrip() for _ in command.output]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(120)
        process.stdout.close()

    link = r"127\.0\.0\.1:\d+/\?token=\S{20,}"
    assert [re.sub(link, "127.0.0.1:41837/?token=...", line) for line in printed] == command.output
