"""With `authority.separatePlan`: who ships a release does not change the rules by which it is judged."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from sandbox.stack import Stack
from tests.contract.authority.cast import RBAC, a_binding, a_rollout
from tests.contract.chart.policies import (
    BINDING,
    CREATED,
    FORBIDDEN,
    INVALID,
    MUTATING,
    POLICY,
    check,
    policies,
    remove,
    type_errors,
    until,
)
from tests.contract.chart.rendering import NAMESPACE, of_kind
from tests.contract.people import Someone
from tests.contract.server import Answer

PLACE: Final = "authority-plan"
NAME: Final = "plans"
VALUES: Final = {"namespaces": [PLACE], "authority": {"separatePlan": True}, "policies": {"operator": False}}
SHIPPER, PLANNER, OWNER, ARGO = "dana", "pia", "olga", "system:serviceaccount:argocd:controller"
EDIT: Final = f"{NAME}-agentrollouts-edit"
WRITING: Final = ["create", "update", "patch"]
RULES: Final = {
    "plans-only": [*WRITING, "plan"],
    "plans-and-releases": [*WRITING, "plan", "release"],
}
ROLES: Final = {
    SHIPPER: EDIT,
    ARGO: EDIT,
    PLANNER: "plans-only",
    OWNER: "plans-and-releases",
}
STORED: Final = a_rollout(namespace=PLACE)
OTHER: Final = {"releaseRef": {"name": "support-agent-4.2.1"}}
PHASES: Final = STORED["spec"]["phases"]
SHORTER: Final = [{**PHASES[0], "durationSeconds": 60}]
NO_APPROVAL: Final = [{key: value for key, value in PHASES[0].items() if key != "approval"}]


@pytest.fixture(scope="module")
def world(stack: Stack, api_server: object) -> Iterator[Stack]:  # noqa: ARG001 the kinds must be there
    """The policies in force in one namespace, and people with the verb `release`, `plan`, or both."""
    objects = policies(VALUES, NAME)
    for name in (NAMESPACE, PLACE):
        stack.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    [edit] = [role for role in of_kind(objects, "ClusterRole") if role["metadata"]["name"] == EDIT]
    edit["metadata"]["labels"] = {}  # the built-in roles belong to other tests
    rights = [
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": "ClusterRole",
            "metadata": {"name": name},
            "rules": [
                {"apiGroups": ["agentrollouts.dev"], "resources": ["agentrollouts"], "verbs": verbs},
            ],
        }
        for name, verbs in RULES.items()
    ]
    ours = [
        *of_kind(objects, POLICY, BINDING, MUTATING, f"{MUTATING}Binding"),
        edit,
        *rights,
        *(a_binding(user, role, PLACE) for user, role in ROLES.items()),
    ]
    stack.apply(ours)
    stack.apply(STORED)
    shipper, owner = Someone(stack, SHIPPER), Someone(stack, OWNER)
    until("the owner may write", lambda: owner.create(a_rollout("new", PLACE)).code == CREATED)
    until("dana may ship", lambda: shipper.patch(STORED, {"spec": OTHER}).code != FORBIDDEN)
    until("dana may not plan", lambda: shipper.patch(STORED, {"spec": {"paused": True}}).code == FORBIDDEN)
    until(
        "the stamp is in force",
        lambda: "annotations" in owner.create(a_rollout("new", PLACE)).body["metadata"],
    )
    yield stack
    remove(stack, [*ours, STORED])


def changes(**spec: object) -> Callable[[Someone], Answer]:
    """Patch some fields of the spec; None removes one."""
    return lambda someone: someone.patch(STORED, {"spec": spec})


NO_PLAN: Final = (
    "may not change the plan, only spec.releaseRef; a Role must allow the verb plan on agentrollouts"
)
NO_RELEASE: Final = "may not change spec.releaseRef; a Role must allow the verb release on agentrollouts"
CASES: Final[dict[str, tuple[Callable[[Someone], Answer], bool, bool]]] = {
    "ships": (changes(**OTHER), True, False),
    "drops the approval": (changes(phases=NO_APPROVAL), False, True),
    "ships and drops the approval": (changes(**OTHER, phases=NO_APPROVAL), True, True),
    "pauses": (changes(paused=True), False, True),
    "changes a default": (changes(historyLimit=5), False, True),
    "removes a field": (changes(phases=None), False, True),
    "labels": (lambda us: us.patch(STORED, {"metadata": {"labels": {"tier": "gold"}}}), False, False),
    "applies the whole file": (
        lambda us: us.patch(STORED, a_rollout(namespace=PLACE, spec=OTHER), "apply"),
        True,
        False,
    ),
    "applies the whole file with another plan": (
        lambda us: us.patch(STORED, a_rollout(namespace=PLACE, spec={"phases": SHORTER}), "apply"),
        False,
        True,
    ),
    "creates a rollout": (lambda us: us.create(a_rollout("new", PLACE)), True, True),
}
"""What someone does, and whether that is to ship and to plan."""


@pytest.mark.parametrize("user", ROLES)
@pytest.mark.parametrize("case", CASES)
def test_shipping_and_planning_need_their_own_verb(world: Stack, case: str, user: str) -> None:
    """`release` changes `spec.releaseRef` alone, `plan` everything else; a new rollout needs both."""
    do, ships, plans = CASES[case]
    may_ship, may_plan = user != PLANNER, user in {PLANNER, OWNER}
    answer = do(Someone(world, user))
    if answer.code == INVALID:
        pytest.fail(answer.message)
    if ships and not may_ship:
        check(answer, f"{user} {NO_RELEASE}")
    elif plans and not may_plan:
        check(answer, f"{user} {NO_PLAN}")
    else:
        check(answer, None)


def test_argo_cd_is_stamped_like_a_person(world: Stack) -> None:
    """An apply of the whole file without the annotation names the account, and a default is not an edit."""
    answer = Someone(world, ARGO).patch(STORED, a_rollout(namespace=PLACE, spec=OTHER), "apply")

    assert answer.body["metadata"]["annotations"] == {"agentrollouts.dev/released-by": ARGO}


def test_the_built_in_role_loses_the_verb(world: Stack) -> None:
    """Who edits a namespace may ship, and not plan."""
    shipper = Someone(world, SHIPPER)

    assert shipper.may("release", "agentrollouts", PLACE)
    assert not shipper.may("plan", "agentrollouts", PLACE)


def test_the_api_server_finds_no_type_error(world: Stack) -> None:
    """Each policy is checked against the schemas of its kinds, without a warning."""
    found: dict[str, Any] = type_errors(world, policies(VALUES, NAME))

    assert {f"{NAME}-agentrollouts-plan", f"{NAME}-agentrollouts-released-by"} <= {*found}
    assert {name: errors for name, errors in found.items() if errors != {}} == {}
