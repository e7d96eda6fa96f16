"""Who may use a verb on a rollout, by the rules of RBAC."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.insight.who_can import Grant, who_can

GROUP = "agentrollouts.dev"
LEE = {"kind": "User", "name": "lee@example.com"}
BOT = {"kind": "ServiceAccount", "namespace": "chat", "name": "bot"}


def role(*rules: dict[str, Any], kind: str = "Role", name: str = "r") -> dict[str, Any]:
    """A role with these rules."""
    return {"kind": kind, "metadata": {"name": name}, "rules": list(rules)}


def rule(
    verbs: Sequence[str] = ("approve",),
    resources: Sequence[str] = ("agentrollouts",),
    groups: Sequence[str] = (GROUP,),
    names: Sequence[str] = (),
) -> dict[str, Any]:
    """A rule as the API server returns it."""
    found: dict[str, Any] = {"verbs": verbs, "resources": resources, "apiGroups": groups}
    return found | ({"resourceNames": names} if names else {})


def binding(*subjects: dict[str, str], kind: str = "Role", name: str = "r") -> dict[str, Any]:
    """A RoleBinding to a role."""
    ref = {"kind": kind, "name": name}
    return {"kind": "RoleBinding", "metadata": {"name": "b"}, "roleRef": ref, "subjects": list(subjects)}


@pytest.mark.parametrize(
    ("given_rule", "phases"),
    [
        (rule(), ()),
        (rule(["*"], ["*"], ["*"]), ()),
        (rule(["get", "approve"], ["agentreleases", "agentrollouts"]), ()),
        (rule(names=["other", "agent"]), ()),
        (rule(resources=["agentrollouts/canary-25", "agentrollouts/bake"]), ("bake", "canary-25")),
        (rule(resources=["*/canary-25"]), ("canary-25",)),
        (rule(resources=["agentrollouts/canary-25", "agentrollouts"]), ()),
        (rule(["hold"]), None),
        (rule(resources=["agentreleases"]), None),
        (rule(groups=["apps"]), None),
        (rule(names=["other"]), None),
        ({"verbs": ["*"], "nonResourceURLs": ["*"]}, None),
    ],
)
def test_a_rule_is_read_as_the_api_server_does(
    given_rule: dict[str, Any], phases: tuple[str, ...] | None
) -> None:
    """By group, resource, verb and name; a subresource is a phase."""
    expected = [] if phases is None else [Grant("User lee@example.com", "RoleBinding b", "Role r", phases)]
    assert who_can("approve", "agent", [role(given_rule)], [binding(LEE)]) == expected


def test_a_subresource_allows_only_what_has_a_phase() -> None:
    """A rollback names no phase, so a role for one phase does not allow it."""
    roles = [role(rule(["*"], ["agentrollouts/canary-25"]))]
    assert who_can("rollback", "agent", roles, [binding(LEE)]) == []


def test_a_binding_has_the_role_of_its_kind() -> None:
    """A Role and a ClusterRole can have the same name; a role that is gone allows nothing."""
    roles = [role(rule()), role(rule(["hold"]), kind="ClusterRole")]
    bindings = [binding(LEE, BOT), binding(LEE, kind="ClusterRole"), binding(LEE, name="gone")]
    assert [each.subject for each in who_can("approve", "agent", roles, bindings)] == [
        "ServiceAccount chat/bot",
        "User lee@example.com",
    ]
    assert [each.role for each in who_can("hold", "agent", roles, bindings)] == ["ClusterRole r"]


_LISTS = st.lists(st.sampled_from(["*", "approve", "hold", "agentrollouts", GROUP, "agent", "x"]), max_size=3)


@given(_LISTS, _LISTS, _LISTS, _LISTS, st.permutations([LEE, BOT]))
def test_more_rules_and_another_order_take_nothing_away(
    verbs: list[str],
    resources: list[str],
    groups: list[str],
    names: list[str],
    subjects: list[dict[str, str]],
) -> None:
    """RBAC only adds."""
    more = [rule(verbs, resources, groups, names), rule()]
    one = who_can("approve", "agent", [role(*more)], [binding(*subjects)])
    assert one == who_can("approve", "agent", [role(*reversed(more))], [binding(*reversed(subjects))])
    assert {each.subject for each in one} == {"User lee@example.com", "ServiceAccount chat/bot"}
