"""The commands that create an action, as processes on the real API server. No operator runs."""

import json
from collections.abc import Iterator
from http.client import CREATED
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from sandbox.stack import Stack
from tests.command import Done, run
from tests.contract.people import Someone
from tests.contract.server import ApiServer
from tests.contract.test_policies import a_rollout
from tests.inside import eventually

WHERE: Final = "actions-by-command"
REASON: Final = 'Refunds are sent twice: "INC-77", {{ x }}, 5 % \u2026'
STATUS: Final = {
    "attempt": {
        "number": 3,
        "state": "Canary",
        "phaseName": "canary-5",
        "digest": "sha256:" + "ab" * 32,
        "startTime": "2026-08-01T00:00:00Z",
    }
}
ROLLOUT: Final[dict[str, Any]] = a_rollout() | {"metadata": {"name": "support", "namespace": WHERE}}
RIGHTS: Final[list[dict[str, Any]]] = [
    {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "releaser", "namespace": WHERE},
    },
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "releaser", "namespace": WHERE},
        "rules": [
            {"apiGroups": ["agentrollouts.dev"], "resources": ["agentrollouts"], "verbs": ["get"]},
            {"apiGroups": ["agentrollouts.dev"], "resources": ["agentrolloutactions"], "verbs": ["create"]},
        ],
    },
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "releaser", "namespace": WHERE},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "releaser"},
        "subjects": [{"kind": "ServiceAccount", "name": "releaser", "namespace": WHERE}],
    },
]


@pytest.fixture(scope="module")
def world(stack: Stack, api_server: ApiServer) -> Iterator[Stack]:  # noqa: ARG001 the kinds must be there
    """A namespace with a rollout in mid-canary, and two accounts: one that may create actions, one not."""
    stack.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": WHERE}})
    stranger = RIGHTS[0] | {"metadata": {"name": "stranger", "namespace": WHERE}}
    stack.apply([*RIGHTS, stranger, ROLLOUT])
    patch = ("patch", "agentrollout", "support", f"--namespace={WHERE}", "--subresource=status")
    stack.kubectl(*patch, "--type=merge", f"--patch={json.dumps({'status': STATUS})}")
    eventually(lambda: act(stack, "releaser", "hold", "--dry-run").returncode == 0)
    yield stack
    stack.kubectl("delete", "namespace", WHERE, "--wait=false")


def act(world: Stack, account: str, command: str, *options: str) -> Done:
    """Run a command with the token of an account."""
    kubeconfig: Path = world.account_kubeconfig(WHERE, account)
    where = f"--namespace={WHERE}"
    return run(kubeconfig, [command, "support", where, f"--reason={REASON}", *options])


def stored(world: Stack, name: str) -> dict[str, Any]:
    """The action on the API server."""
    action = {"kind": "AgentRolloutAction", "metadata": {"name": name, "namespace": WHERE}}
    return Someone(world).get(action)


def test_an_action_is_stored_as_it_was_requested(world: Stack) -> None:
    """The caller is who the API server says it is; phase and attempt are those of the rollout."""
    done = act(world, "releaser", "approve", "--wait=0")

    name, _, sentence = done.stdout.rstrip().partition(": ")
    assert (done.returncode, done.stderr, sentence) == (0, "", "created")
    action = stored(world, name)
    assert name.startswith("support-")
    assert action["spec"] == {
        "rollout": "support",
        "type": "Approve",
        "attempt": 3,
        "phase": "canary-5",
        "reason": REASON,
        "requestedBy": f"system:serviceaccount:{WHERE}:releaser",
    }


def test_the_manifest_of_a_dry_run_is_accepted(world: Stack) -> None:
    """What is printed can be created by other means."""
    done = act(world, "releaser", "promote", "--dry-run")

    assert (done.returncode, done.stderr) == (0, "")
    manifest = yaml.safe_load(done.stdout)
    assert manifest["spec"]["reason"] == REASON
    assert Someone(world).create(manifest).code == CREATED


def test_who_may_create_but_not_read_an_action_gets_no_answer(world: Stack) -> None:
    """It was created nevertheless, and the exit code is not that of a refusal."""
    done = act(world, "releaser", "hold", "--name=unread")

    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("unread: created; no answer within 10 s. Failed to get AgentRolloutAction")
    assert stored(world, "unread")["spec"]["type"] == "Hold"


@pytest.mark.parametrize(
    ("account", "command", "code", "sentence"),
    [
        ("stranger", ["hold"], 1, "cannot get resource"),
        ("releaser", ["approve", "--phase=Not_a_phase"], 1, "spec.phase: Invalid value"),
        ("releaser", ["roll-back"], 2, "the rollout serves no release that could be rolled back"),
        ("releaser", ["hold", "--name=First"], 1, "First"),
    ],
)
def test_an_error_is_one_sentence(
    world: Stack, account: str, command: list[str], code: int, sentence: str
) -> None:
    """In the words of the API server where it refuses, and without a traceback."""
    done = act(world, account, *command)

    assert (done.returncode, done.stdout) == (code, "")
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1
