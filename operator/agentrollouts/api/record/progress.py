"""Where a rollout's record stands, as its status says it: the newest entry, and those to be written."""

from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import Field

from agentrollouts.api.model.base import ApiModel, Digest, Hash, ObjectName, ReleaseName, SemVer

MAX_ENTRIES: Final = 128
"""Entries of one record."""
MAX_UNWRITTEN: Final = 256
"""The bound of the list in the CRD; the decision stops adding long before."""


class EvidenceState(StrEnum):
    """Whether a record has the metrics of the time before a rollback."""

    PENDING = "Pending"
    CAPTURED = "Captured"
    UNAVAILABLE = "Unavailable"


class RecordPart(ApiModel):
    """One AgentRolloutRecord, and how far it goes."""

    name: ObjectName
    """Name of the AgentRolloutRecord."""
    attempt: Annotated[int, Field(ge=1, le=2_147_483_647)]
    """Number of the attempt that it is about."""
    part: Annotated[int, Field(ge=1, le=2_147_483_647)] = 1
    """Number of the part, from 1. A record that becomes too large continues in another part."""
    release: ReleaseName
    """Name of the AgentRelease."""
    version: SemVer | None = None
    """Version of the bundle. Absent if it is not known."""
    digest: Digest
    """Identity of the behavior."""
    previous: Hash = ""
    """Hash of the last entry before this record. Empty for the first one of the rollout."""
    sequence: Annotated[int, Field(ge=0, le=MAX_ENTRIES)] = 0
    """Number of its newest entry."""


class RecordStatus(RecordPart):
    """The newest AgentRolloutRecord, and the entries that it does not have yet."""

    head: Hash = ""
    """Hash of the newest entry. It proves every entry before."""
    bytes_: Annotated[int, Field(alias="bytes", ge=0, le=2_147_483_647)] = 0
    """Size of the entries of the record, in bytes."""
    refusals: Annotated[int, Field(ge=0, le=2_147_483_647)] = 0
    """Number of refused actions among the entries of the attempt."""
    evidence: EvidenceState | None = None
    """Whether the metrics before the rollback were captured. Absent without a rollback."""
    unwritten: Annotated[tuple[dict[str, Any], ...], Field(max_length=MAX_UNWRITTEN)] = ()
    """Entries that might not be in a record yet, oldest first. They are removed with a later write."""
    earlier: Annotated[tuple[RecordPart, ...], Field(max_length=MAX_UNWRITTEN)] = ()
    """Earlier records that some of these entries belong to, oldest first."""
