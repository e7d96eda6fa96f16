"""AgentRolloutRecord: what happened in one attempt, written by the operator and never changed.

The rules of the CRD hold against everyone, administrators included: entries may be added, and nothing that
is there may be changed.
"""

from typing import Annotated, ClassVar, Final, Literal

from pydantic import ConfigDict, Field

from agentrollouts.api.model.base import ApiModel, DnsLabel, Hash, ObjectName, ReleaseName, Time
from agentrollouts.api.model.marks import AGE, Column, Resource, cel, list_map, rules
from agentrollouts.api.names import API_VERSION
from agentrollouts.api.objects import ObjectMeta
from agentrollouts.api.record.entry import RecordEntry, RecordIdentity
from agentrollouts.api.record.progress import MAX_ENTRIES

EVIDENCE_SERIES: Final = 2048
"""Series of the evidence of one rollback, and values of each: bounds of the lists in the CRD."""
EVIDENCE_VALUES: Final = 64


def _kept(*fields: str) -> dict[str, str]:
    """The rule of fields that say what a record is about."""
    rule = " && ".join(f"self.{field} == oldSelf.{field}" for field in fields)
    return cel(rule, "what a record is about may not be changed")


def _kept_once(field: str, when: str) -> dict[str, str]:
    """The rule of a field that is set once."""
    return cel(
        f"!has(oldSelf.{field}) || (has(self.{field}) && self.{field} == oldSelf.{field})",
        f"`{field}` may not be changed once it is {when}",
        field,
    )


class EvidenceSeries(ApiModel):
    """The increase of one count in each minute."""

    gate: DnsLabel
    """Gate that counts it."""
    source: Literal["Bad", "Total"]
    """Bad: bad outcomes, or the sum for type Mean. Total: runs."""
    release: ReleaseName
    """Release that it was counted for."""
    le: Annotated[str, Field(max_length=32)] | None = None
    """Bucket bound, for a histogram."""
    values: Annotated[tuple[Annotated[str, Field(max_length=32)], ...], Field(max_length=EVIDENCE_VALUES)]
    """One number for each step, oldest first. Empty text where Prometheus had none."""


class Evidence(ApiModel):
    """The metrics of the time before a rollback, as Prometheus had them."""

    start_time: Time
    """Time of the first values."""
    end_time: Time
    """Time of the last values: the decision."""
    step_seconds: Annotated[int, Field(ge=1, le=3600)]
    """Seconds between two values."""
    series: Annotated[tuple[EvidenceSeries, ...], Field(max_length=EVIDENCE_SERIES)]
    """Counts by gate, release and bucket bound."""


class RecordSpec(RecordIdentity):
    """What the record is about, its entries, and what was captured with them."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            _kept("rollout", "rolloutUid", "agent", "attempt", "part"),
            _kept("release", "digest", "previous"),
            _kept_once("version", "known"),
            _kept_once("outcome", "known"),
            _kept_once("evidence", "there"),
        )
    )

    previous: Hash
    """Hash of the last entry before this record. Empty for the first one of the rollout."""
    entries: Annotated[
        tuple[RecordEntry, ...],
        Field(
            min_length=1,
            max_length=MAX_ENTRIES,
            json_schema_extra=list_map("sequence")
            | rules(
                cel("self.size() >= oldSelf.size()", "entries may only be added"),
                cel(
                    "self.all(e, e.sequence <= self.size())",
                    "entries must be numbered from 1 without a gap",
                ),
            ),
        ),
    ]
    """What happened, in this order. Entries are added and never changed."""
    evidence: Evidence | None = None
    """Metrics of the time before a rollback. Absent until they are captured."""
    outcome: Literal["Healthy", "RolledBack", "Superseded"] | None = None
    """How the attempt ended. Absent until then."""


class AgentRolloutRecord(ApiModel):
    """What happened in one attempt of a rollout, and why."""

    resource: ClassVar[Resource] = Resource(
        kind="AgentRolloutRecord",
        plural="agentrolloutrecords",
        short_name="aror",
        columns=(
            Column("Rollout", ".spec.rollout"),
            Column("Attempt", ".spec.attempt", "integer"),
            Column("Release", ".spec.release"),
            Column("Outcome", ".spec.outcome"),
            AGE,
        ),
        selectable=(".spec.rollout", ".spec.digest"),
    )

    api_version: Literal["agentrollouts.dev/v1alpha1"] = API_VERSION
    kind: Literal["AgentRolloutRecord"] = "AgentRolloutRecord"
    metadata: ObjectMeta
    spec: RecordSpec
    """The record. Written only by the operator."""


def record_name(rollout: str, uid: str, attempt: int, part: int) -> ObjectName:
    """The name of the record of an attempt: it can be found without a list, and sorts by attempt."""
    first = f"{rollout[:200]}-{uid.replace('-', '')[:8] or '0' * 8}-{attempt:06d}"
    return first if part == 1 else f"{first}-{part}"
