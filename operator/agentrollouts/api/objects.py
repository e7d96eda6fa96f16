"""What every object has: metadata and conditions."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field

from agentrollouts.api.model.base import ApiModel, ReasonStr, Time, cleaned
from agentrollouts.api.model.marks import list_map


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
    finalizers: tuple[str, ...] = ()


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
    message: Annotated[str, Field(max_length=32768), BeforeValidator(cleaned(32768))]
    """Explanation, with the numbers that decided it."""
    last_transition_time: Time
    """Time at which `status` last changed."""
    observed_generation: Annotated[int, Field(ge=0)] = 0
    """Generation of the spec that this condition describes. It is out of date if `metadata.generation` is
    newer."""


Conditions = Annotated[tuple[Condition, ...], Field(max_length=16, json_schema_extra=list_map("type"))]
"""The conditions of an object, one of each type."""
