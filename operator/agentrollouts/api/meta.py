"""What both kinds share: names, the base model and the scalar types of the API.

An object of the API server is parsed once, at the edge, and is a frozen value from then on. The API server
has already enforced the schema, so Python does not repeat rules that only CEL states (see `cel`). Code that
reads a model must handle every value that the types allow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel

from agentrollouts.api.text import writable

GROUP: Final = "agentrollouts.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = "agentrollouts.dev/v1alpha1"
FIELD_MANAGER: Final = "agentrollouts"

LABEL_MANAGED_BY: Final = "app.kubernetes.io/managed-by"
LABEL_AGENT: Final = f"{GROUP}/agent"
LABEL_RELEASE: Final = f"{GROUP}/release"
LABEL_ROLLOUT: Final = f"{GROUP}/rollout"

ANNOTATION_APPROVE: Final = f"{GROUP}/approve"
ANNOTATION_ROLL_BACK: Final = f"{GROUP}/roll-back"
ANNOTATION_RETRY: Final = f"{GROUP}/retry"
ANNOTATION_ROLLED_BACK: Final = f"{GROUP}/rolled-back"
ANNOTATION_ROLLBACK_TRIGGER: Final = f"{GROUP}/rollback-trigger"
ANNOTATION_ROLLBACK_MESSAGE: Final = f"{GROUP}/rollback-message"

SECONDS_MAX: Final = 30 * 24 * 3600
"""The longest time span in a plan: 30 days."""


class ApiModel(BaseModel):
    """Base of every model in the two kinds: frozen, camelCase outside, unknown fields ignored."""

    model_config = ConfigDict(
        frozen=True,
        alias_generator=to_camel,
        populate_by_name=True,
        use_attribute_docstrings=True,
        extra="ignore",
    )

    def to_json(self) -> dict[str, Any]:
        """The value as the API server expects it: camelCase, JSON types only, None left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def replace(self, **changes: object) -> Self:
        """A validated copy with the named fields changed.

        Raises:
            pydantic.ValidationError: a new value breaks its field's bounds.
        """
        return type(self).model_validate(dict(self) | changes)


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


def _to_utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


def _write_time(value: datetime) -> str:
    return value.isoformat().replace("+00:00", "Z")


Time = Annotated[
    AwareDatetime,
    AfterValidator(_to_utc),
    PlainSerializer(_write_time, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""An instant in UTC, to the microsecond; RFC 3339 with a `Z` outside."""


def _writable(limit: int) -> Callable[[object], object]:
    """Bound and clean text, so that text from outside cannot make a status unwritable."""

    def fit(value: object) -> object:
        return writable(value, limit) if isinstance(value, str) else value

    return fit


DNS_LABEL: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
DNS_SUBDOMAIN: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
SEMVER: Final = r"^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$"

DnsLabel = Annotated[str, Field(max_length=63, pattern=DNS_LABEL)]
"""The name of a Service, agent, phase or gate."""
ReleaseName = Annotated[str, Field(max_length=63, pattern=DNS_SUBDOMAIN)]
"""The name of an AgentRelease: short enough to be the value of a label."""
ObjectName = Annotated[str, Field(max_length=253, pattern=DNS_SUBDOMAIN)]
"""The name of any other object."""
SemVer = Annotated[str, Field(max_length=64, pattern=SEMVER)]
"""A semantic version, `major.minor.patch`."""
_NUMBER: Final = r"(\*|0|[1-9][0-9]*)"
_SUFFIX: Final = r"(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?"
_CLAUSE: Final = rf" *(<=?|==?|>=?|!=|\^|~=?)? *{_NUMBER}(\.{_NUMBER}(\.{_NUMBER}{_SUFFIX})?)? *"
VersionRange = Annotated[
    str,
    Field(
        min_length=1,
        max_length=128,
        pattern=r"^[0-9A-Za-z.,<>=!~^*+ |-]+$",
        json_schema_extra={"pattern": rf"^{_CLAUSE}(,{_CLAUSE})*$"},
    ),
]
"""Accepted versions: comma-separated clauses that must all hold, such as `>=3.0.0,<4.0.0`.

The API server rejects malformed ranges. The model still reads one that was stored before that rule existed.
"""
Digest = Annotated[str, Field(max_length=71, pattern=r"^sha256:[0-9a-f]{64}$")]
"""`sha256:` and 64 hexadecimal digits."""
ReasonStr = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Z][A-Za-z0-9]*$")]
"""One CamelCase word of `reasons.Reason`. A string, so that a status written by a newer version can still
be read."""
Message = Annotated[str, Field(max_length=1024), BeforeValidator(_writable(1024))]
"""A sentence for people, cut at 1,024 characters and cleaned by `text.writable`, never rejected."""


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


class OwnerReference(ApiModel):
    """An owner: when it is deleted, the object is deleted with it."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool = False
    block_owner_deletion: bool = False


class ObjectMeta(ApiModel):
    """The metadata of an object, as far as the operator reads it."""

    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None
    labels: Mapping[str, str] = Field(default_factory=dict)
    annotations: Mapping[str, str] = Field(default_factory=dict)
    owner_references: tuple[OwnerReference, ...] = ()


class ConditionStatus(StrEnum):
    """The three values of a condition."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(ApiModel):
    """One aspect of an object's state, in the standard form that kubectl, Flux and Argo CD read."""

    type: Annotated[str, Field(max_length=316, pattern=r"^[A-Z][A-Za-z0-9]*$")]
    """Type of the condition, such as Ready."""
    status: ConditionStatus
    """Status of the condition: True, False or Unknown."""
    reason: ReasonStr
    """Reason, as one CamelCase word."""
    message: Annotated[str, Field(max_length=32768), BeforeValidator(_writable(32768))]
    """Explanation, with the numbers that decided it."""
    last_transition_time: Time
    """Time at which `status` last changed."""
    observed_generation: Annotated[int, Field(ge=0)] = 0
    """Generation of the spec that this condition describes. It is out of date if `metadata.generation` is
    newer."""


def ready_column(name: str, field: str, *, wide: bool = False) -> Column:
    """A column that shows one field of the condition Ready."""
    return Column(name, f'.status.conditions[?(@.type=="Ready")].{field}', wide=wide)


AGE: Final = Column("Age", ".metadata.creationTimestamp", "date")

Conditions = Annotated[tuple[Condition, ...], Field(max_length=16, json_schema_extra=list_map("type"))]
"""The conditions of an object, one of each type."""
