"""The people of these tests, with the roles of the chart, and the objects that they write."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from agentrollouts.api.names import API_VERSION
from agentrollouts.api.people.action import OF_NO_ATTEMPT, ActionType
from tests.contract.chart.rendering import FULL_NAME, NAMESPACE

WHERE: Final = "authority"
ELSEWHERE: Final = "authority-elsewhere"
"""A namespace that the policies for people leave alone."""
ACCOUNT: Final = f"system:serviceaccount:{NAMESPACE}:{FULL_NAME}"
UNINSTALL: Final = f"{ACCOUNT}-uninstall"
"""The account of `helm uninstall`."""
ROLLOUT: Final = "support-agent"
RBAC: Final = "rbac.authorization.k8s.io"

DANA, LEE, VERA, ALI = "dana@example.com", "lee@example.com", "vera@example.com", "ali@example.com"
ROB, ADA, CLEO = "rob@example.com", "ada@example.com", "cleo@example.com"
BOB, PIA, OLGA = "bob@example.com", "pia@example.com", "olga@example.com"
KIM = "kim@example.com"
ODD = 'o\'hara "{{ x }}" ${y}'
ROLES: Final[Mapping[str, tuple[str, ...]]] = {
    DANA: ("edit",),
    LEE: (f"{FULL_NAME}-approver",),
    VERA: ("view",),
    ALI: (f"{FULL_NAME}-commander",),
    ROB: (f"{FULL_NAME}-responder",),
    ADA: ("admin",),
    KIM: (f"{FULL_NAME}-record-keeper",),
    CLEO: ("creates-actions",),
    BOB: ("creates-actions", "approves-billing"),
    PIA: ("creates-actions", "approves-canary-25"),
    OLGA: ("edit", "plans"),
    ODD: ("edit",),
}
"""Who has which roles; view, edit and admin are the built-in ones, with what the chart adds to them."""
RULES: Final[Mapping[str, Mapping[str, Any]]] = {
    "creates-actions": {"resources": ["agentrolloutactions"], "verbs": ["create"]},
    "approves-billing": {
        "resources": ["agentrollouts"],
        "verbs": ["approve"],
        "resourceNames": ["billing-agent"],
    },
    "plans": {"resources": ["agentrollouts"], "verbs": ["plan"]},
    "approves-canary-25": {"resources": ["agentrollouts/canary-25"], "verbs": ["approve"]},
}
"""Roles that someone wrote by hand."""
NEEDS: Final[Mapping[ActionType, Mapping[str, Any]]] = {
    ActionType.APPROVE: {"phase": "canary-5"},
    ActionType.PROMOTE: {"phase": "canary-5"},
    ActionType.ROLL_BACK: {"release": "support-agent-4.2.0"},
    ActionType.RETRY: {"release": "support-agent-4.2.0"},
    ActionType.SWITCH_ON: {"detour": "4f2a91c0"},
    ActionType.REDO_HOOK: {"hook": "reverse-refunds"},
    ActionType.WAIVE_HOOK: {"hook": "reverse-refunds"},
    ActionType.DRILL: {"release": "support-agent-4.1.0"},
}
"""What a type needs beside what every action has."""


def an_action(
    kind: ActionType, by: str | None, namespace: str = WHERE, name: str = "an-action", **spec: object
) -> dict[str, Any]:
    """An action in the name of someone, or of no one."""
    named = {} if by is None else {"requestedBy": by}
    common = {"rollout": ROLLOUT, "type": kind.value, "reason": "Refunds are sent twice"}
    about = {} if kind in OF_NO_ATTEMPT else {"attempt": 13}
    return {
        "apiVersion": API_VERSION,
        "kind": "AgentRolloutAction",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {**common, **about, **NEEDS.get(kind, {}), **named, **spec},
    }


def a_rollout(
    name: str = ROLLOUT, namespace: str = WHERE, spec: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """A rollout that waits for an approval at its first phase."""
    phases = [{"name": "canary-5", "weight": 5, "durationSeconds": 600, "approval": "Required"}]
    required = {"agent": name, "releaseRef": {"name": f"{name}-4.2.0"}, "phases": phases}
    return {
        "apiVersion": API_VERSION,
        "kind": "AgentRollout",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {**required, **(spec or {})},
    }


def a_freeze(namespace: str = WHERE, **spec: object) -> dict[str, Any]:
    """A freeze without an end."""
    return {
        "apiVersion": API_VERSION,
        "kind": "AgentFreeze",
        "metadata": {"name": "incident", "namespace": namespace},
        "spec": {"reason": "Refunds are sent twice", **spec},
    }


def a_release(name: str = f"{ROLLOUT}-4.2.0") -> dict[str, Any]:
    """A small release."""
    components = {
        "prompt": {"version": "1.0.0", "inline": {"system": "Be kind."}},
        "model": {"version": "1.0.0", "provider": "openai", "name": "gpt-x-2026-08-01"},
    }
    return {
        "apiVersion": API_VERSION,
        "kind": "AgentRelease",
        "metadata": {"name": name, "namespace": WHERE},
        "spec": {"agent": ROLLOUT, "version": "4.2.0", "components": components},
    }


def a_role(name: str, rule: Mapping[str, Any], kind: str = "ClusterRole") -> dict[str, Any]:
    """A role with one rule on our kinds."""
    metadata = {"name": name} if kind == "ClusterRole" else {"name": name, "namespace": WHERE}
    rules = [{"apiGroups": ["agentrollouts.dev"], **rule}]
    return {"apiVersion": f"{RBAC}/v1", "kind": kind, "metadata": metadata, "rules": rules}


def a_binding(user: str, role: str, namespace: str = WHERE) -> dict[str, Any]:
    """A role for someone in one namespace."""
    name = f"{user.encode().hex()[:40]}-{role}"
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": name, "namespace": namespace},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "User", "name": user, "apiGroup": RBAC}],
    }


def in_namespace(manifests: Iterable[dict[str, Any]], namespace: str) -> list[dict[str, Any]]:
    """Copies of objects, for another namespace."""
    copies: list[dict[str, Any]] = json.loads(json.dumps([*manifests]))
    for copy in copies:
        copy["metadata"]["namespace"] = namespace
    return copies
