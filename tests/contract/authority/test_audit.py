"""Who creates and who deletes actions, as the audit log of the API server has it: allowed and refused."""

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest

from agentrollouts.api.people.action import ActionType
from sandbox.programs.controlplane import ADMIN, AUDIT_LOG
from sandbox.stack import Stack
from tests.contract.authority.cast import (
    ACCOUNT,
    ADA,
    ALI,
    DANA,
    KIM,
    LEE,
    ROB,
    VERA,
    WHERE,
    an_action,
)
from tests.contract.authority.test_operator import STATUS
from tests.contract.chart.policies import CREATED, FORBIDDEN, OK, check, until
from tests.contract.chart.rendering import FULL_NAME
from tests.contract.people import Someone

Manifest = dict[str, Any]
ANSWERED: Final = an_action(ActionType.HOLD, ADMIN, name="audited-answered")
UNANSWERED: Final = an_action(ActionType.HOLD, ADMIN, name="audited-unanswered")
BY_RBAC: Final = 'cannot delete resource "agentrolloutactions" in API group "agentrollouts.dev"'
NO_ANSWER: Final = "the operator may not delete the action audited-unanswered, which has no last answer"
DECISION: Final = "authorization.k8s.io/decision"
REASON: Final = "authorization.k8s.io/reason"
FAILURE: Final = "validation.policy.admission.k8s.io/validation_failure"


@pytest.fixture
def stored(world: Stack) -> Iterator[Stack]:
    """One action with an answer of the operator, and one without."""
    admin, operator = Someone(world), Someone(world, ACCOUNT)
    for manifest in (ANSWERED, UNANSWERED):
        admin.create(manifest, dry_run=False)
    operator.replace_status(admin.get(ANSWERED) | {"status": STATUS}, dry_run=False)
    yield world
    for manifest in (ANSWERED, UNANSWERED):
        admin.delete(manifest, dry_run=False)


def entry(world: Stack, user: str, verb: str, action: Manifest) -> Manifest:
    """The entry about what someone did with an action, in their own name or by impersonation."""
    found: list[Manifest] = []

    def is_there() -> bool:
        lines = (world.logs / AUDIT_LOG).read_text().split("\n")[:-1]
        found[:] = [
            each
            for each in map(json.loads, lines)
            if (each.get("impersonatedUser") or each["user"])["username"] == user
            and each["verb"] == verb
            and each["objectRef"].get("name") == action["metadata"]["name"]
        ]
        return bool(found)

    until(f"{user} is in the audit log", is_there)
    return found[-1]


def kept(world: Stack, action: Manifest) -> bool:
    """Whether the action still exists."""
    return Someone(world).get(action).get("kind") == str(action["kind"])


@pytest.mark.parametrize("user", [DANA, LEE, VERA, ALI, ROB, ADA, KIM])
def test_no_one_deletes_an_action_in_silence(stored: Stack, user: str) -> None:
    """No role for people has the right, not even the admin of a namespace; the refusal is logged."""
    check(Someone(stored, user).delete(ANSWERED, dry_run=False), BY_RBAC)

    logged = entry(stored, user, "delete", ANSWERED)
    assert (logged["user"]["username"], logged["impersonatedUser"]["username"]) == (ADMIN, user)
    assert logged["objectRef"]["namespace"] == WHERE
    assert (logged["responseStatus"]["code"], logged["annotations"][DECISION]) == (FORBIDDEN, "forbid")
    assert kept(stored, ANSWERED)


def test_the_operator_deletes_what_it_has_answered(stored: Stack) -> None:
    """By its role, which the entry names."""
    check(Someone(stored, ACCOUNT).delete(ANSWERED, dry_run=False), None)

    logged = entry(stored, ACCOUNT, "delete", ANSWERED)
    assert (logged["responseStatus"]["code"], logged["annotations"][DECISION]) == (OK, "allow")
    assert f'of Role "{FULL_NAME}" to ServiceAccount' in logged["annotations"][REASON]
    assert not kept(stored, ANSWERED)


def test_the_operator_may_not_delete_what_it_has_not_answered(stored: Stack) -> None:
    """Its role grants it, and the policy refuses it: the entry has both."""
    check(Someone(stored, ACCOUNT).delete(UNANSWERED, dry_run=False), NO_ANSWER)

    logged = entry(stored, ACCOUNT, "delete", UNANSWERED)
    [failure] = json.loads(logged["annotations"][FAILURE])
    assert (logged["responseStatus"]["code"], logged["annotations"][DECISION]) == (FORBIDDEN, "allow")
    assert (failure["message"], failure["policy"]) == (NO_ANSWER, f"{FULL_NAME}-own-actions")
    assert failure["validationActions"] == ["Deny", "Audit"]
    assert kept(stored, UNANSWERED)


def test_a_cluster_administrator_deletes_with_their_name(world: Stack) -> None:
    """Nothing stops them, and the entry has who it was."""
    action, admin = an_action(ActionType.HOLD, ADMIN, name="audited-by-admin"), Someone(world)
    check(admin.create(action, dry_run=False), None)
    check(admin.delete(action, dry_run=False), None)

    logged = entry(world, ADMIN, "delete", action)
    assert "impersonatedUser" not in logged
    assert (logged["responseStatus"]["code"], logged["annotations"][DECISION]) == (OK, "allow")
    assert not kept(world, action)


def test_the_log_says_what_was_requested(world: Stack) -> None:
    """With the name of the rollout, the attempt and the reason; a refusal has the sentence instead."""
    approval = an_action(ActionType.APPROVE, LEE, name="audited-approval", phase="canary-5")
    check(Someone(world, LEE).create(approval, dry_run=False), None)
    refused = an_action(ActionType.APPROVE, DANA, name="audited-refusal", phase="canary-5")
    check(Someone(world, DANA).create(refused, dry_run=False), f"{DANA} may not approve")

    logged, other = entry(world, LEE, "create", approval), entry(world, DANA, "create", refused)
    said = f"Approve {WHERE}/support-agent attempt 13: Refunds are sent twice"
    assert (logged["responseStatus"]["code"], logged["annotations"][f"{FULL_NAME}-actions/action"]) == (
        CREATED,
        said,
    )
    [failure] = json.loads(other["annotations"][FAILURE])
    assert (other["responseStatus"]["code"], failure["policy"]) == (FORBIDDEN, f"{FULL_NAME}-actions")
    assert failure["message"].startswith(f"{DANA} may not approve the agentrollout support-agent")
    Someone(world).delete(approval, dry_run=False)
