"""CEL rules by which the API server rejects a change of a release, object by object.

Not `self == oldSelf` for the whole spec, since that also compares free-form content: kubectl drops nulls from
objects that it applies client-side, and server-side apply keeps them. One file would then have two forms, and
applying it the other way would be rejected as a change. CEL cannot inspect free-form content. The decision
compares it by digest (decision note 20261128-one-digest-however-it-is-applied).
"""

from collections.abc import Iterator
from typing import Any, Final

from agentrollouts.api.model.marks import cel, rules

_MESSAGE: Final = "`spec` is immutable; create a new AgentRelease"


def unchanged(*required: str, optional: tuple[str, ...] = ()) -> dict[str, Any]:
    """The `json_schema_extra` of an object whose fields stay as they are.

    Args:
        required: Fields that are always present.
        optional: Fields that can be absent. Adding or removing one is a change.
    """
    return rules(*(cel(rule, _MESSAGE) for rule in _rules(required, optional)))


def kept_order(field: str) -> dict[str, Any]:
    """The `json_schema_extra` of an object that has a list: its items stay, in their order, by `name`."""
    names = f"self.{field}.map(i, i.name) == oldSelf.{field}.map(i, i.name)"
    return rules(cel(_where_both(field, names), _MESSAGE))


def kept_presence(*fields: str) -> dict[str, Any]:
    """The `json_schema_extra` of an object in which no optional field appears or disappears."""
    return rules(*(cel(_as_present(field), _MESSAGE) for field in fields))


def together(*extras: dict[str, Any]) -> dict[str, Any]:
    """Several `json_schema_extra` in one, rules added up."""
    validations = [rule for extra in extras for rule in extra.get("x-kubernetes-validations", ())]
    merged: dict[str, Any] = {}
    for extra in extras:
        merged |= extra
    return merged | rules(*validations)


def _rules(required: tuple[str, ...], optional: tuple[str, ...]) -> Iterator[str]:
    if required:
        yield " && ".join(f"self.{field} == oldSelf.{field}" for field in required)
    for field in optional:
        yield _as_present(field)
        yield _where_both(field, f"self.{field} == oldSelf.{field}")


def _as_present(field: str) -> str:
    return f"has(self.{field}) == has(oldSelf.{field})"


def _where_both(field: str, rule: str) -> str:
    return f"!has(self.{field}) || !has(oldSelf.{field}) || {rule}"
