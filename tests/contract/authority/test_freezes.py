"""The chart's policy on freezes: who writes one, and where it may name other namespaces."""

from typing import Any

import pytest

from sandbox.programs.controlplane import ADMIN
from sandbox.stack import Stack
from tests.contract.authority.cast import ACCOUNT, ALI, DANA, WHERE, a_freeze
from tests.contract.chart.policies import POLICY, check, policies
from tests.contract.chart.rendering import NAMESPACE, of_kind
from tests.contract.people import Someone

NOT_HERE = f"only a freeze in the operator's namespace, {NAMESPACE}, may name others"
NOT_SEEN = f"the operator sees no freeze in {NAMESPACE}; create it in each namespace: {WHERE}"


@pytest.mark.parametrize(
    ("user", "freeze", "why"),
    [
        (ALI, a_freeze(), None),
        (ALI, a_freeze(requestedBy=ALI), None),
        (ALI, a_freeze(requestedBy=DANA), f"spec.requestedBy: must be the writer, {ALI}"),
        (ADMIN, a_freeze(requestedBy=ALI), f"spec.requestedBy: must be the writer, {ADMIN}"),
        (ALI, a_freeze(namespaces=["billing"]), NOT_HERE),
        (DANA, a_freeze(), "cannot create resource"),
        (None, a_freeze(NAMESPACE), NOT_SEEN),
    ],
)
def test_who_may_create_which_freeze(
    world: Stack, user: str | None, freeze: dict[str, Any], why: str | None
) -> None:
    """In the writer's own name or in none; others are named from the operator's namespace alone."""
    check(Someone(world, None if user == ADMIN else user).create(freeze), why)


def test_a_freeze_keeps_the_name_of_its_writer(world: Stack) -> None:
    """Labels may be changed by another one, the spec may not in that writer's name; anyone ends it."""
    ali, admin = Someone(world, ALI), Someone(world)
    freeze = a_freeze(requestedBy=ALI)
    check(ali.create(freeze, dry_run=False), None)
    try:
        check(admin.patch(freeze, {"metadata": {"labels": {"a": "b"}}}), None)
        check(admin.patch(freeze, {"spec": {"reason": "Something else, INC-78"}}), "must be the writer")
        check(ali.patch(freeze, {"spec": {"reason": "Something else, INC-78"}}), None)
        check(admin.patch(freeze, {"spec": {"requestedBy": None, "inFlight": "Continue"}}), None)
        stored = admin.get(freeze)
        status = {"status": {"observedGeneration": 1}}
        check(admin.replace_status(stored | status), "only the operator may write agentfreezes/status")
        check(Someone(world, ACCOUNT).replace_status(stored | status), None)
        check(Someone(world, ACCOUNT).create(a_freeze()), "cannot create resource")
    finally:
        check(ali.delete(freeze, dry_run=False), None)


def test_where_the_operator_sees_its_own_namespace_freezes_may_be_there() -> None:
    """Without `namespaces`, or with its own among them, nothing refuses a freeze there."""
    for values in ({}, {"namespaces": [WHERE, NAMESPACE]}):
        policy = next(
            p for p in of_kind(policies(values), POLICY) if p["metadata"]["name"].endswith("-freezes")
        )
        assert len(policy["spec"]["validations"]) == 2
