"""What the account of the uninstall may write, asked of the real API server in its name."""

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from sandbox.stack import Stack
from tests.contract.chart.rendering import FULL_NAME, NAMESPACE, hooks, of_kind
from tests.contract.people import Someone
from tests.contract.server import Answer
from tests.contract.test_policies import BINDING, FORBIDDEN, OK, POLICY, a_rollout, check, policies, until

ACCOUNT: Final = f"system:serviceaccount:{NAMESPACE}:{FULL_NAME}-uninstall"
WHERE: Final = "policies"
KEY: Final = "agentrollouts.dev/roll-back"
DIGEST: Final = "sha256:" + "ab" * 32
RECORD: Final = {"version": "1.0.0", "digest": DIGEST, "snapshot": "support-0123456789abcdef"}
STATUS: Final = {
    "stable": {"release": "support-1.0.0", **RECORD},
    "canary": {"release": "support-2.0.0", **RECORD},
    "attempt": {"number": 3, "state": "Canary", "digest": DIGEST, "startTime": "2026-08-01T00:00:00Z"},
}
ROLLOUT: Final = a_rollout("in-canary")
RESTING: Final = a_rollout("at-rest")
ONLY: Final = "an uninstall may only request the rollback of the canary in progress"

Act = Callable[[Someone], Answer]


def annotates(value: str, rollout: dict[str, Any] = ROLLOUT, key: str = KEY, **more: object) -> Act:
    """Set an annotation, and perhaps more."""
    change = {"metadata": {"annotations": {key: value}}, **more}
    return lambda someone: someone.patch(rollout, change)


ACTS: Final[dict[str, tuple[Act, str | None]]] = {
    "rolls the canary back": (annotates("3/support-2.0.0"), None),
    "rolls stable back": (annotates("3/support-1.0.0/force"), ONLY),
    "names another attempt": (annotates("4/support-2.0.0"), ONLY),
    "rolls back at rest": (annotates("3/support-2.0.0", RESTING), ONLY),
    "approves a phase": (annotates("3/half", key="agentrollouts.dev/approve"), ONLY),
    "ships a release": (annotates("3/support-2.0.0", spec={"releaseRef": {"name": "evil-1.0.0"}}), ONLY),
    "changes another annotation": (
        lambda us: us.patch(ROLLOUT, {"metadata": {"annotations": {KEY: "3/support-2.0.0", "team": "us"}}}),
        ONLY,
    ),
    "changes a label": (
        lambda us: us.patch(
            ROLLOUT, {"metadata": {"annotations": {KEY: "3/support-2.0.0"}, "labels": {"a": "b"}}}
        ),
        ONLY,
    ),
    "adds a finalizer": (
        lambda us: us.patch(
            ROLLOUT,
            {"metadata": {"annotations": {KEY: "3/support-2.0.0"}, "finalizers": ["example.com/stay"]}},
        ),
        ONLY,
    ),
    "writes a status": (lambda us: us.replace_status(ROLLOUT), "cannot update"),
    "creates a rollout": (lambda us: us.create(a_rollout("new")), "cannot create"),
    "deletes a rollout": (lambda us: us.delete(ROLLOUT), "cannot delete"),
    "creates a ConfigMap": (
        lambda us: us.create({"kind": "ConfigMap", "apiVersion": "v1", "metadata": ROLLOUT["metadata"]}),
        "cannot create",
    ),
}
"""What the account does, and why that is refused; None where it is allowed."""


@pytest.fixture(scope="module")
def world(stack: Stack, api_server: object) -> Iterator[Stack]:  # noqa: ARG001 the kinds must be there
    """The rights and the policy in force, a rollout in mid-canary, and one at rest."""
    for name in (NAMESPACE, WHERE):
        stack.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    confined = [
        manifest
        for manifest in of_kind(policies(), POLICY, BINDING)
        if manifest["metadata"]["name"] == f"{FULL_NAME}-uninstall"
    ]
    ours = [
        *of_kind(hooks({}), "ServiceAccount", "ClusterRole", "ClusterRoleBinding"),
        *confined,
        ROLLOUT,
        RESTING,
    ]
    stack.apply(ours)
    patch = ("patch", "agentrollout", "in-canary", f"--namespace={WHERE}", "--subresource=status")
    stack.kubectl(*patch, "--type=merge", f"--patch={json.dumps({'status': STATUS})}")
    account = Someone(stack, ACCOUNT)
    until("it may annotate", lambda: annotates("3/support-2.0.0")(account).code == OK)
    until("it is confined", lambda: annotates("1/x")(account).code == FORBIDDEN)
    yield stack
    for manifest in ours:
        where = f"--namespace={manifest['metadata'].get('namespace', NAMESPACE)}"
        stack.kubectl("delete", manifest["kind"], manifest["metadata"]["name"], where)


@pytest.mark.parametrize("act", ACTS)
def test_the_account_of_the_uninstall_only_requests_rollbacks(world: Stack, act: str) -> None:
    """It may set the annotation that rolls back the canary in progress, and nothing else anywhere."""
    do, why = ACTS[act]

    check(do(Someone(world, ACCOUNT)), why)


def test_the_policy_is_about_that_account_alone(world: Stack) -> None:
    """People request what they like, as far as their rights allow."""
    admin = Someone(world)

    assert annotates("4/half", key="agentrollouts.dev/approve")(admin).code == OK
    assert annotates("3/support-1.0.0/force")(admin).code == OK
