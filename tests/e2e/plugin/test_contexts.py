"""Several clusters in one kubeconfig, and names that are not where someone looks, with the real kubectl."""

import shlex
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from sandbox.stack import Stack
from tests.e2e.plugin.by_kubectl import plugin
from tests.e2e.scene import SECOND, Scene

REASON: Final = "customers report wrong refunds"
CLOSED: Final = "https://127.0.0.1:1"
"""Where no API server listens."""


def two_clusters(stack: Stack, folder: Path, namespace: str) -> str:
    """Files as in KUBECONFIG: the current context leads nowhere, and `prod` to the sandbox."""
    known: dict[str, Any] = yaml.safe_load(stack.kubeconfig.read_text())
    cluster, user = known["clusters"][0]["cluster"], known["users"][0]["user"]
    head = {"apiVersion": "v1", "kind": "Config"}
    clusters = [
        {"name": "prod", "cluster": cluster},
        {"name": "closed", "cluster": cluster | {"server": CLOSED}},
    ]
    contexts = [
        {"name": each["name"], "context": {"cluster": each["name"], "user": "me", "namespace": namespace}}
        for each in clusters
    ]
    (folder / "clusters").write_text(yaml.safe_dump(head | {"clusters": clusters}))
    rest = {"users": [{"name": "me", "user": user}], "contexts": contexts, "current-context": "closed"}
    (folder / "contexts").write_text(yaml.safe_dump(head | rest))
    return f"{folder}/clusters:{folder}/contexts"


def test_a_command_that_is_copied_reaches_the_same_cluster(
    given: Scene, stack: Stack, tmp_path: Path
) -> None:
    """The first command of the screen rolls back, and the report is of the same rollout."""
    (shop,) = given.in_canary("copied")
    where = two_clusters(stack, tmp_path, given.namespace)

    lost = plugin(stack, "status", "copied", KUBECONFIG=where)
    seen = plugin(stack, "status", "copied", "--context=prod", KUBECONFIG=where)
    [line] = [each for each in seen.stdout.splitlines() if " rollback " in each]
    command = shlex.split(line.partition("kubectl agentrollout ")[2].replace("...", REASON))
    done = plugin(stack, *command, KUBECONFIG=where)
    shop.is_back()
    report = plugin(stack, "--context=prod", "report", "copied", KUBECONFIG=where)

    assert (lost.returncode, "was refused" in lost.stderr) == (1, True)
    assert (seen.returncode, done.returncode, report.returncode) == (0, 0, 0), done.stderr + report.stderr
    assert command[:3] == ["--context=prod", "rollback", "copied"]
    assert f"kubectl agentrollout --context=prod status copied -n {given.namespace} -w" in done.stdout
    assert f"copied-{SECOND}" in report.stdout


@pytest.mark.parametrize("command", [("status",), ("status", "-w"), ("hold", f"--reason={REASON}")])
def test_what_is_somewhere_else_is_found(given: Scene, stack: Stack, command: tuple[str, ...]) -> None:
    """A letter is wrong, the namespace is another one, or there is none: one sentence says it."""
    name = f"found-{given.namespace}"
    given.serving(name)
    where = f"it is in namespace {given.namespace}: add -n {given.namespace}"
    verb, *options = command

    typo, elsewhere, nowhere = (
        plugin(stack, verb, called, "-n", place, *options)
        for called, place in ((f"{name}x", given.namespace), (name, "default"), (name, "no-such-place"))
    )

    hints = [each.stderr.rpartition("; ")[2] for each in (typo, elsewhere, nowhere)]
    assert hints == [f"did you mean {name}?\n", f"{where}\n", f"{where}\n"]
    assert [(each.returncode, each.stdout) for each in (typo, elsewhere, nowhere)] == [(1, "")] * 3
