"""The chart's roles: what each may do is what the documentation says, and nothing else."""

from collections.abc import Mapping
from typing import Final

import pytest

from agentrollouts.api.people.action import ActionType
from sandbox.stack import Stack
from tests.contract.authority.cast import (
    ADA,
    ALI,
    DANA,
    KIM,
    LEE,
    RBAC,
    ROB,
    VERA,
    WHERE,
    a_binding,
    a_role,
    an_action,
)
from tests.contract.chart.policies import CREATED, check
from tests.contract.chart.rendering import FULL_NAME
from tests.contract.people import Someone

RELEASES, ROLLOUTS, ACTIONS = "agentreleases", "agentrollouts", "agentrolloutactions"
FREEZES, RECORDS = "agentfreezes", "agentrolloutrecords"
READ: Final = frozenset({"get", "list", "watch"})
WRITE: Final = frozenset({"create", "update", "patch"})
REQUESTED: Final = frozenset(kind.lower() for kind in ActionType)
"""The verb of each type of action."""
VERBS: Final = READ | WRITE | REQUESTED | {"delete", "deletecollection", "release", "plan"}
RESOURCES: Final = (
    RELEASES,
    ROLLOUTS,
    ACTIONS,
    FREEZES,
    RECORDS,
    *(f"{kind}/status" for kind in (RELEASES, ROLLOUTS, ACTIONS, FREEZES)),
)

SAFER: Final = frozenset({"rollback", "hold", "acknowledge"})
SHIPS: Final = SAFER | {"release", "plan"}
HOOK_VERBS: Final = frozenset({"redohook", "waivehook"})
COMMANDS: Final = SAFER | HOOK_VERBS | {"promote", "resume", "retry", "switchoff", "switchon", "drill"}
Rights = Mapping[str, frozenset[str]]
RIGHTS: Final[Mapping[str, Rights]] = {
    VERA: {RELEASES: READ, ROLLOUTS: READ, ACTIONS: READ, FREEZES: READ, RECORDS: READ},
    DANA: {
        RELEASES: READ | WRITE | {"delete"},
        ROLLOUTS: READ | WRITE | SHIPS,
        ACTIONS: READ | {"create"},
        FREEZES: READ,
        RECORDS: READ,
    },
    ADA: {
        RELEASES: READ | WRITE | {"delete"},
        ROLLOUTS: READ | WRITE | SHIPS | {"delete", "switchoff"},
        ACTIONS: READ | {"create"},
        FREEZES: READ,
        RECORDS: READ,
    },
    LEE: {
        RELEASES: READ,
        ROLLOUTS: READ | SAFER | {"approve"},
        ACTIONS: READ | {"create"},
        FREEZES: READ,
        RECORDS: READ,
    },
    ALI: {
        RELEASES: READ,
        ROLLOUTS: READ | COMMANDS,
        ACTIONS: READ | {"create"},
        FREEZES: READ | WRITE | {"delete"},
        RECORDS: READ,
    },
    KIM: {RECORDS: frozenset({"get", "list", "delete"})},
    ROB: {ROLLOUTS: READ | SAFER | {"switchoff"}, ACTIONS: frozenset({"get", "create"})},
}
"""What view, edit, admin, approver, commander, record-keeper and responder may do."""


@pytest.mark.parametrize("user", RIGHTS)
def test_a_role_has_the_documented_rights_and_no_other(world: Stack, user: str) -> None:
    """The API server's authorizer says yes to each verb of the table, and no to any other."""
    someone = Someone(world, user)

    allowed = {
        (resource, verb) for resource in RESOURCES for verb in VERBS if someone.may(verb, resource, WHERE)
    }

    assert allowed == {(resource, verb) for resource, verbs in RIGHTS[user].items() for verb in verbs}


@pytest.mark.parametrize("kind", ActionType)
@pytest.mark.parametrize("user", RIGHTS)
def test_who_can_request_what(world: Stack, user: str, kind: ActionType) -> None:
    """An action of each type is accepted from those who have its verb, and from no one else."""
    answer = Someone(world, user).create(an_action(kind, user))
    if kind.lower() in RIGHTS[user].get(ROLLOUTS, ()):
        assert answer.code == CREATED, answer.message
    elif user in {KIM, VERA}:
        check(answer, "cannot create resource")
    else:
        check(answer, f"{user} may not {kind.lower()} the agentrollout support-agent")


ESCALATION: Final = "attempting to grant RBAC permissions not currently held"


@pytest.mark.parametrize("role", ["approver", "commander"])
def test_the_admin_of_a_namespace_cannot_bind_what_he_lacks(world: Stack, role: str) -> None:
    """All rights on Roles and RoleBindings are not enough to make oneself an approver or a commander."""
    answer = Someone(world, ADA).create(a_binding(ADA, f"{FULL_NAME}-{role}"))

    check(answer, ESCALATION)
    assert RBAC in answer.message


@pytest.mark.parametrize("resource", ["agentrollouts", "agentrollouts/canary-5"])
def test_the_admin_of_a_namespace_cannot_write_such_a_role(world: Stack, resource: str) -> None:
    """Nor is it possible by a new Role with the verb, for a rollout or for one of its phases."""
    role = a_role("mine", {"resources": [resource], "verbs": ["approve"]}, "Role")

    check(Someone(world, ADA).create(role), ESCALATION)


def test_the_admin_of_a_namespace_can_bind_the_responder(world: Stack) -> None:
    """Its rights are among those of the built-in role, so a team can let its on-call roll back."""
    check(Someone(world, ADA).create(a_binding("on-call", f"{FULL_NAME}-responder")), None)
