"""What the account of the uninstall may write, asked of the real API server in its name."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from sandbox.stack import Stack
from tests.contract.chart.policies import BINDING, CREATED, FORBIDDEN, POLICY, check, policies, until
from tests.contract.chart.rendering import FULL_NAME, NAMESPACE, hooks, of_kind
from tests.contract.people import Someone
from tests.contract.server import Answer
from tests.contract.test_policies import a_rollout

ACCOUNT: Final = f"system:serviceaccount:{NAMESPACE}:{FULL_NAME}-uninstall"
WHERE: Final = "policies"
ROLLOUT: Final = a_rollout("in-canary")
ONLY: Final = "an uninstall may only request rollbacks"

Act = Callable[[Someone], Answer]


def an_action(**spec: object) -> dict[str, Any]:
    """A request to roll back the canary, or what `spec` makes of it."""
    request = {
        "rollout": ROLLOUT["metadata"]["name"],
        "type": "RollBack",
        "attempt": 3,
        "release": "support-2.0.0",
        "reason": "before an uninstall",
        "requestedBy": ACCOUNT,
    }
    return {
        "apiVersion": "agentrollouts.dev/v1alpha1",
        "kind": "AgentRolloutAction",
        "metadata": {"name": "in-canary-3f2a91c0-3", "namespace": WHERE},
        "spec": {key: value for key, value in (request | spec).items() if value is not None},
    }


def requests(**spec: object) -> Act:
    """Create an action."""
    return lambda someone: someone.create(an_action(**spec))


ACTS: Final[dict[str, tuple[Act, str | None]]] = {
    "rolls the canary back": (requests(), None),
    "chooses a target": (requests(target="evil-1.0.0"), ONLY),
    "forces a rollback": (requests(force=True), ONLY),
    "approves a phase": (requests(type="Approve", phase="half", release=None), ONLY),
    "promotes a phase": (requests(type="Promote", phase="half", release=None), ONLY),
    "holds an attempt": (requests(type="Hold", release=None), ONLY),
    "retries a release": (requests(type="Retry"), ONLY),
    "answers an action": (lambda us: us.replace_status(an_action()), "cannot update"),
    "deletes an action": (lambda us: us.delete(an_action()), "cannot delete"),
    "changes a rollout": (
        lambda us: us.patch(ROLLOUT, {"metadata": {"annotations": {"team": "us"}}}),
        "cannot patch",
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
    """The rights and the policy in force, and a rollout."""
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
    ]
    stack.apply(ours)
    account = Someone(stack, ACCOUNT)
    until("it may request a rollback", lambda: requests()(account).code == CREATED)
    until("it is confined", lambda: requests(force=True)(account).code == FORBIDDEN)
    yield stack
    for manifest in ours:
        where = f"--namespace={manifest['metadata'].get('namespace', NAMESPACE)}"
        stack.kubectl("delete", manifest["kind"], manifest["metadata"]["name"], where)


@pytest.mark.parametrize("act", ACTS)
def test_the_account_of_the_uninstall_only_requests_rollbacks(world: Stack, act: str) -> None:
    """It may create actions of that type, to where the operator finds best, and nothing else anywhere."""
    do, why = ACTS[act]

    check(do(Someone(world, ACCOUNT)), why)


def test_the_account_has_the_verb_that_a_rollback_needs(world: Stack) -> None:
    """Where the policy `actions` is in force, it requires that verb of everyone who requests one."""
    user = f"--as={ACCOUNT}"
    assert "yes" in world.kubectl("auth", "can-i", "rollback", "agentrollouts.agentrollouts.dev", user, "-A")


def test_the_policy_is_about_that_account_alone(world: Stack) -> None:
    """People request what they like, as far as their rights allow."""
    admin = Someone(world)

    assert requests(type="Approve", phase="half", release=None)(admin).code == CREATED
    assert requests(force=True)(admin).code == CREATED
