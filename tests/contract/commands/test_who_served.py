"""`agentrollouts who-served` as a process on the real API server. No operator runs."""

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest

from sandbox.stack import Stack
from tests.command import Done, run
from tests.contract.commands.reader import a_reader
from tests.contract.server import ApiServer
from tests.contract.test_policies import a_rollout
from tests.inside import eventually

WHERE: Final = "who-served"
DIGEST: Final = "sha256:" + "5e" * 32
STATUS: Final = {
    "stable": {"release": "support-4.1.0", "version": "4.1.0", "digest": DIGEST, "snapshot": "s"},
    "weights": {"stable": 100, "canary": 0},
    "history": [
        {
            "number": 1,
            "release": "support-4.1.0",
            "version": "4.1.0",
            "digest": DIGEST,
            "snapshot": "s",
            "outcome": "Healthy",
            "reason": "Healthy",
            "startTime": "2026-08-01T00:00:00Z",
            "endTime": "2026-08-01T01:00:00Z",
        }
    ],
}
ROLLOUT: Final[dict[str, Any]] = a_rollout() | {"metadata": {"name": "support", "namespace": WHERE}}


@pytest.fixture(scope="module")
def world(stack: Stack, api_server: ApiServer) -> Iterator[Stack]:  # noqa: ARG001 the kinds must be there
    """A namespace with a rollout at rest, and an account that may read it."""
    stack.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": WHERE}})
    stack.apply([*a_reader(WHERE, "*", "get", "list"), ROLLOUT])
    patch = ("patch", "agentrollout", "support", f"--namespace={WHERE}", "--subresource=status")
    stack.kubectl(*patch, "--type=merge", f"--patch={json.dumps({'status': STATUS})}")
    eventually(lambda: who_served(stack, DIGEST).returncode == 0)
    yield stack
    stack.kubectl("delete", "namespace", WHERE, "--wait=false")


def who_served(world: Stack, *arguments: str) -> Done:
    """Run the command with the token of the account."""
    return run(world.account_kubeconfig(WHERE, "reader"), ["who-served", f"--namespace={WHERE}", *arguments])


@pytest.mark.parametrize("digest", [DIGEST, DIGEST.removeprefix("sha256:"), DIGEST[:19]])
def test_a_digest_finds_its_release(world: Stack, digest: str) -> None:
    """Whole or in part, also where no records are kept."""
    done = who_served(world, digest, "-o", "json")

    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    (served,) = found["served"]
    assert found["digest"] == DIGEST
    assert (served["rollout"], served["release"], served["weight"]) == ("support", "support-4.1.0", 100)
    assert served["stable"] == [{"startTime": "2026-08-01T01:00:00Z"}]


def test_a_digest_that_nobody_knows_is_a_sentence(world: Stack) -> None:
    """Nothing on standard output, and exit code 1."""
    done = who_served(world, "0" * 64)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"No rollout, record or release in namespace {WHERE} knows sha256:0000")


def test_wrong_use_is_a_sentence(world: Stack) -> None:
    """With what a digest looks like, and exit code 2."""
    done = who_served(world, "support-4.1.0")

    assert (done.returncode, "must have 12 to 64 hex digits" in done.stderr) == (2, True)


def test_what_the_caller_may_not_read_is_named(world: Stack) -> None:
    """The rights of the caller apply, as everywhere."""
    kubeconfig = world.account_kubeconfig(WHERE, "reader")
    done = run(kubeconfig, ["who-served", "-A", DIGEST])

    assert (done.returncode, done.stdout, "forbidden" in done.stderr) == (1, "", True)
