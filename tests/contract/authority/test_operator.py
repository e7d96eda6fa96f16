"""What only the operator's account may write, and what it may write of actions."""

import copy
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from agentrollouts.api.people.action import ActionType
from sandbox.programs.controlplane import ADMIN
from sandbox.stack import Stack
from tests.contract.authority.cast import (
    ACCOUNT,
    ELSEWHERE,
    UNINSTALL,
    WHERE,
    a_release,
    a_rollout,
    an_action,
)
from tests.contract.chart.policies import CREATED, check, policies, type_errors
from tests.contract.chart.rendering import FULL_NAME
from tests.contract.people import Someone
from tests.contract.records.test_records import append, loaded
from tests.contract.server import Answer

PROBE: Final = "identity-probe"
ANSWERED: Final = an_action(ActionType.HOLD, ADMIN, name="answered")
UNANSWERED: Final = an_action(ActionType.HOLD, ADMIN, name="unanswered")
ANSWER: Final = {
    "type": "Ready",
    "status": "True",
    "reason": "Done",
    "message": "the clocks stopped",
    "lastTransitionTime": "2026-08-01T00:00:00Z",
}
IS_LAST: Final = ANSWER | {"type": "Reconciling", "status": "False", "reason": "Settled", "message": ""}
STATUS: Final = {"observedGeneration": 1, "conditions": [ANSWER, IS_LAST]}


@pytest.fixture
def stored(world: Stack) -> Iterator[Stack]:
    """One action with an answer of the operator, and one without."""
    admin, operator = Someone(world), Someone(world, ACCOUNT)
    for manifest in (ANSWERED, UNANSWERED):
        admin.create(manifest, dry_run=False)
    written = operator.replace_status(admin.get(ANSWERED) | {"status": STATUS}, dry_run=False)
    assert written.body["status"] == STATUS
    yield world
    for manifest in (ANSWERED, UNANSWERED):
        admin.delete(manifest, dry_run=False)


@pytest.mark.parametrize("manifest", [a_release(), a_rollout(), ANSWERED], ids=lambda item: item["kind"])
def test_only_the_operator_writes_a_status(stored: Stack, manifest: dict[str, Any]) -> None:
    """Not even an administrator does; what changes nothing is allowed, as a migration of storage needs it."""
    admin, operator = Someone(stored), Someone(stored, ACCOUNT)
    current = admin.get(manifest)
    changed = copy.deepcopy(current)
    changed["status"] = current.get("status", {}) | {"observedGeneration": 7}

    check(admin.replace_status(changed), f"only the operator may write {manifest['kind'].lower()}s/status")
    check(admin.replace_status(current), None)
    check(operator.replace_status(changed), None)


@pytest.fixture
def recorded(world: Stack) -> Iterator[dict[str, Any]]:
    """A record that the operator wrote."""
    record = loaded("record-rolled-back")
    record["metadata"]["namespace"] = WHERE
    check(Someone(world).create(record), "only the operator may write agentrolloutrecords")
    made = Someone(world, ACCOUNT).create(record, dry_run=False)
    assert made.code == CREATED, made.message
    yield made.body
    Someone(world).delete(record, dry_run=False)


def test_only_the_operator_writes_a_record(world: Stack, recorded: dict[str, Any]) -> None:
    """Not even an administrator adds an entry, or a label; what changes nothing is allowed."""
    admin, operator = Someone(world), Someone(world, ACCOUNT)
    grown = copy.deepcopy(recorded)
    append(grown["spec"])
    refused = "only the operator may write agentrolloutrecords"

    check(admin.replace(grown), refused)
    check(admin.patch(recorded, {"metadata": {"labels": {"a": "b"}}}), refused)
    check(admin.replace(recorded), None)
    check(operator.replace(grown), None)


def test_the_operator_finds_records_by_name_only(world: Stack) -> None:
    """With its token no one can list them."""
    operator = Someone(world, ACCOUNT)
    verbs = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")

    may = [verb for verb in verbs if operator.may(verb, "agentrolloutrecords", WHERE)]

    assert may == ["get", "create", "update", "delete"]


def test_people_still_write_specs_and_labels(world: Stack) -> None:
    """Only the status is protected."""
    check(Someone(world).patch(a_rollout(), {"metadata": {"labels": {"tier": "gold"}}}), None)
    check(Someone(world).patch(a_rollout(), {"spec": {"paused": True}}), None)


Act = Callable[[Someone], Answer]
NOTHING: Final = "the operator requests nothing; it creates only the action identity-probe, as a dry run"
ACTS: Final[dict[str, tuple[Act, str | None]]] = {
    "probes where the policy is": (
        lambda us: us.create(an_action(ActionType.HOLD, "nobody", name=PROBE)),
        f"spec.requestedBy: must be the caller, {ACCOUNT}",
    ),
    "probes where it is not": (
        lambda us: us.create(an_action(ActionType.HOLD, "nobody", ELSEWHERE, PROBE)),
        None,
    ),
    "stores a probe": (
        lambda us: us.create(an_action(ActionType.HOLD, "nobody", ELSEWHERE, PROBE), dry_run=False),
        NOTHING,
    ),
    "requests something": (lambda us: us.create(an_action(ActionType.HOLD, ACCOUNT, ELSEWHERE)), NOTHING),
    "requests something in its own name": (
        lambda us: us.create(an_action(ActionType.APPROVE, ACCOUNT, name=PROBE)),
        f"{ACCOUNT} may not approve the agentrollout support-agent",
    ),
    "changes an action": (
        lambda us: us.patch(UNANSWERED, {"metadata": {"labels": {"a": "b"}}}),
        "cannot patch resource",
    ),
    "deletes an answered action": (lambda us: us.delete(ANSWERED), None),
    "deletes an action without an answer": (
        lambda us: us.delete(UNANSWERED),
        "the operator may not delete the action unanswered, which has no last answer",
    ),
}
"""What the operator's account does, and why that is refused; None where it is allowed."""


@pytest.mark.parametrize("act", ACTS)
def test_the_operator_requests_nothing(stored: Stack, act: str) -> None:
    """Its account probes by a dry run, answers, and deletes what was answered."""
    do, why = ACTS[act]

    check(do(Someone(stored, ACCOUNT)), why)


@pytest.mark.parametrize(
    ("kind", "by", "why"),
    [
        (ActionType.ROLL_BACK, UNINSTALL, None),
        (ActionType.ROLL_BACK, ADMIN, f"must be the caller, {UNINSTALL}"),
        (ActionType.HOLD, UNINSTALL, "denied request"),
    ],
)
def test_an_uninstall_requests_rollbacks_in_its_own_name(
    world: Stack, kind: ActionType, by: str, why: str | None
) -> None:
    """The roles and policies together leave it what it needs."""
    check(Someone(world, UNINSTALL).create(an_action(kind, by)), why)


def test_the_operator_has_none_of_the_own_verbs(world: Stack) -> None:
    """With its token, no one can approve."""
    operator = Someone(world, ACCOUNT)
    verbs = [*(kind.lower() for kind in ActionType), "release", "plan"]

    assert [verb for verb in verbs if operator.may(verb, "agentrollouts", WHERE)] == []


def test_the_api_server_finds_no_type_error(world: Stack) -> None:
    """Each policy is checked against the schemas of its kinds, without a warning."""
    found = type_errors(world, policies({"policies": {"tenants": False}}))

    assert {f"{FULL_NAME}-{name}" for name in ("actions", "operator-only", "own-actions")} <= {*found}
    assert {name: errors for name, errors in found.items() if errors != {}} == {}
