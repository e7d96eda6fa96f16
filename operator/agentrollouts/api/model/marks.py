"""What a model states beside its fields: CEL rules, list types and the columns of `kubectl get`."""

from dataclasses import dataclass
from typing import Any, Final


def cel(rule: str, message: str, field: str | None = None) -> dict[str, str]:
    """One validation rule for the API server, declared with the model that it guards.

    Args:
        rule: CEL expression over `self` that must be true.
        message: The problem and the remedy, with field names in backquotes.
        field: Child field at fault, without the leading dot. Defaults to the object itself.
    """
    return {"rule": rule, "message": message} | ({"fieldPath": f".{field}"} if field else {})


def rules(*cels: dict[str, str]) -> dict[str, Any]:
    """The `json_schema_extra` of a model or a field that carries these CEL rules."""
    return {"x-kubernetes-validations": list(cels)}


def list_map(key: str) -> dict[str, Any]:
    """The `json_schema_extra` of a list whose items have one field as key; server-side apply merges by it."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}


LIST_SET: Final[dict[str, Any]] = {"x-kubernetes-list-type": "set"}
"""The `json_schema_extra` of a list of scalars without repetition or order. A list without a mark is
atomic."""


ATOMIC: Final[dict[str, Any]] = {
    "x-kubernetes-map-type": "atomic",
    "x-kubernetes-preserve-unknown-fields": True,
}
"""The `json_schema_extra` of an object that is written as one, with fields of newer versions as well."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of `kubectl get`."""

    name: str
    path: str
    """JSONPath into the object."""
    type: str = "string"
    wide: bool = False
    """Whether only `-o wide` shows it."""


@dataclass(frozen=True, slots=True)
class Resource:
    """How a kind is named and listed: what its CustomResourceDefinition contains besides the schema."""

    kind: str
    plural: str
    short_name: str
    columns: tuple[Column, ...]
    selectable: tuple[str, ...] = ()
    """JSONPaths of the fields by which a list can be selected."""


def ready_column(name: str, field: str, *, wide: bool = False) -> Column:
    """A column that shows one field of the condition Ready."""
    return Column(name, f'.status.conditions[?(@.type=="Ready")].{field}', wide=wide)


AGE: Final = Column("Age", ".metadata.creationTimestamp", "date")
