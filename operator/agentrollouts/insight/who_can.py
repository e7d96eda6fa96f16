"""Who may use a verb on a rollout: the bindings of RBAC that allow it.

The API server has the last word: it may know other authorizers than RBAC, and `kubectl auth can-i` has it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from agentrollouts.api.names import GROUP

Manifest = Mapping[str, Any]
ANY: Final = "*"
RESOURCE: Final = "agentrollouts"
OF_PHASES: Final = frozenset({"approve", "promote"})
"""Verbs that a role can allow for one phase alone, as a subresource."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A subject, and the binding that allows it."""

    subject: str
    """Its kind and name, such as `User lee@example.com`."""
    binding: str
    role: str
    phases: tuple[str, ...] = ()
    """Phases for which it is allowed; empty for all."""


def who_can(verb: str, name: str, roles: Iterable[Manifest], bindings: Iterable[Manifest]) -> list[Grant]:
    """The grants of a verb on one rollout, by subject.

    Args:
        verb: As in RBAC, such as `rollback`.
        name: Of the rollout.
        roles: Roles of its namespace, and ClusterRoles.
        bindings: RoleBindings of its namespace, and ClusterRoleBindings.
    """
    allowed = {_name(each): _phases(verb, name, each) for each in roles}
    found = set[Grant]()
    for each in bindings:
        role = f"{each['roleRef']['kind']} {each['roleRef']['name']}"
        phases = allowed.get(role)
        if phases is not None:
            found |= {Grant(who, _name(each), role, phases) for who in _subjects(each)}
    return sorted(found, key=lambda each: (each.subject, each.binding, each.phases))


def _name(manifest: Manifest) -> str:
    return f"{manifest['kind']} {manifest['metadata']['name']}"


def _subjects(binding: Manifest) -> Iterator[str]:
    for each in binding.get("subjects") or ():
        namespace = f"{each['namespace']}/" if each.get("namespace") else ""
        yield f"{each['kind']} {namespace}{each['name']}"


def _phases(verb: str, name: str, role: Manifest) -> tuple[str, ...] | None:
    """The phases for which a role allows it, empty for all; None if it does not allow it."""
    resources = {
        each for rule in role.get("rules") or () if _fits(verb, name, rule) for each in rule["resources"]
    }
    if {ANY, RESOURCE} & resources:
        return ()
    phases = {each.partition("/")[2] for each in resources if each.startswith((f"{RESOURCE}/", f"{ANY}/"))}
    return tuple(sorted(phases)) or None if verb in OF_PHASES else None


def _fits(verb: str, name: str, rule: Manifest) -> bool:
    """Whether a rule is about the verb, our group and this name; a rule about URLs has no resources."""
    names = rule.get("resourceNames") or ()
    return (
        bool({ANY, verb} & set(rule["verbs"]))
        and bool({ANY, GROUP} & set(rule.get("apiGroups") or ()))
        and bool(rule.get("resources"))
        and (not names or name in names)
    )
