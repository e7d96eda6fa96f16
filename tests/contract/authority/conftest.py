"""The chart's policies about people's authority in force in one namespace, and people with its roles."""

from collections.abc import Iterator
from typing import Any, Final

import pytest

from agentrollouts.api.people.action import ActionType
from sandbox.programs.controlplane import ADMIN
from sandbox.stack import Stack
from tests.contract.authority.cast import (
    ACCOUNT,
    ADA,
    DANA,
    ELSEWHERE,
    LEE,
    PIA,
    ROLES,
    RULES,
    WHERE,
    a_binding,
    a_freeze,
    a_release,
    a_role,
    a_rollout,
    an_action,
    in_namespace,
)
from tests.contract.chart.policies import (
    BINDING,
    CREATED,
    FORBIDDEN,
    MUTATING,
    POLICY,
    SERVED,
    policies,
    remove,
    until,
)
from tests.contract.chart.rendering import NAMESPACE, hooks, of_kind
from tests.contract.people import Someone

VALUES: Final[dict[str, Any]] = {"namespaces": [WHERE], "policies": {"tenants": False}}
"""Of the chart, beside those that a module has under the same name."""
POLICIES: Final = (POLICY, BINDING, MUTATING, f"{MUTATING}Binding")


@pytest.fixture(scope="module")
def world(
    request: pytest.FixtureRequest,
    stack: Stack,
    api_server: object,  # noqa: ARG001 the kinds must be there
) -> Iterator[Stack]:
    """Everyone has their roles. Policies for people are in force in `WHERE`, others everywhere."""
    values = VALUES | getattr(request.module, "VALUES", {})
    objects = policies(values)
    for name in (NAMESPACE, WHERE, ELSEWHERE):
        stack.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    own = of_kind(objects, "Role", "RoleBinding")
    own = [item for item in own if item["metadata"]["namespace"] == WHERE]
    ours = [
        *of_kind(objects, "ClusterRole", *POLICIES),
        *own,
        *in_namespace(own, ELSEWHERE),
        *of_kind(hooks(values, SERVED), "Role", "RoleBinding"),
        *(a_role(name, rule) for name, rule in RULES.items()),
        *(a_binding(user, role) for user, roles in ROLES.items() for role in roles),
    ]
    stored = [a_rollout(), a_release()]
    stack.apply(ours)
    stack.apply(stored)
    until_in_force(stack)
    yield stack
    remove(stack, [*ours, *stored])


def until_in_force(stack: Stack) -> None:
    """Wait for what the API server learns by watches of its own: policies, and roles with their bindings."""
    admin, operator = Someone(stack), Someone(stack, ACCOUNT)
    hold = ActionType.HOLD
    until("names are checked", lambda: admin.create(an_action(hold, DANA)).code == FORBIDDEN)
    until("names are filled in", lambda: admin.create(an_action(hold, None)).code == CREATED)
    until("freezes are checked", lambda: admin.create(a_freeze(requestedBy=DANA)).code == FORBIDDEN)
    until("statuses are protected", lambda: _writes_status(admin) == FORBIDDEN)
    until("dana requests", lambda: Someone(stack, DANA).create(an_action(hold, DANA)).code == CREATED)
    until("ada may delete", lambda: Someone(stack, ADA).may("delete", "agentrollouts", WHERE))
    until("lee approves", lambda: _approves(stack, LEE))
    until("pia approves", lambda: _approves(stack, PIA))
    probe = an_action(hold, ADMIN, ELSEWHERE, "identity-probe")
    until("the operator probes", lambda: operator.create(probe).code == CREATED)
    request = an_action(hold, ACCOUNT, ELSEWHERE)
    until("it requests nothing", lambda: operator.create(request).code == FORBIDDEN)


def _approves(stack: Stack, user: str) -> bool:
    approval = an_action(ActionType.APPROVE, user, phase="canary-25")
    return Someone(stack, user).create(approval).code == CREATED


def _writes_status(someone: Someone) -> int:
    stored = someone.get(a_rollout())
    return someone.replace_status(stored | {"status": {"observedGeneration": 7}}).code
