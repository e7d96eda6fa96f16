"""One entry of a record: what happened at one instant, why, by whom, and what the decision was made on.

An entry is made once and never changed. Its hash covers every other field, and the hash of the entry before
it; so anyone who has the last hash can prove every entry before.
"""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from agentrollouts.api.attempt import Trigger, Weight
from agentrollouts.api.model.base import (
    ApiModel,
    Digest,
    DnsLabel,
    Hash,
    Message,
    ObjectName,
    ReasonStr,
    ReleaseName,
    SemVer,
    Time,
)
from agentrollouts.api.model.decimals import MaybeMeasured
from agentrollouts.api.model.marks import ATOMIC, cel, rules
from agentrollouts.api.people.person import Requester
from agentrollouts.api.record.course import MAX_COURSE, Look
from agentrollouts.api.release import ComponentDiff
from agentrollouts.api.verdict import (
    Baseline,
    Counts,
    MixCounts,
    QueryStatus,
    RecentCounts,
    SegmentStatus,
    Verdict,
)


class RecordEvent(StrEnum):
    """What an entry reports."""

    ATTEMPT_STARTED = "AttemptStarted"
    PHASE_STARTED = "PhaseStarted"
    ROSE = "Rose"
    APPROVAL_COUNTED = "ApprovalCounted"
    PHASE_PROMOTED = "PhasePromoted"
    HELD = "Held"
    RESUMED = "Resumed"
    ACKNOWLEDGED = "Acknowledged"
    EXTENDED = "Extended"
    PLAN_CHANGED = "PlanChanged"
    FROZEN = "Frozen"
    BAKE_STARTED = "BakeStarted"
    HEALTHY = "Healthy"
    ROLLBACK_STARTED = "RollbackStarted"
    ROUTED = "Routed"
    OBSERVED = "Observed"
    EVIDENCE_CAPTURED = "EvidenceCaptured"
    ROLLED_BACK = "RolledBack"
    SUPERSEDED = "Superseded"
    QUARANTINE_LIFTED = "QuarantineLifted"
    DRILL_ENDED = "DrillEnded"
    ACTION_REFUSED = "ActionRefused"
    DETOUR_STARTED = "DetourStarted"
    DETOUR_ENDED = "DetourEnded"
    GROUP_ROLLBACK = "GroupRollback"
    HOOK_STARTED = "HookStarted"
    HOOK_ENDED = "HookEnded"
    HOOK_WAIVED = "HookWaived"


class GateRecord(ApiModel):
    """The verdict of one gate, with the numbers that it was found from."""

    name: DnsLabel
    """Name of the gate."""
    verdict: Verdict
    """Verdict."""
    canary: Counts = Counts()
    """Outcomes of the canary in the whole attempt."""
    stable: Counts = Counts()
    """Outcomes of stable in the same time."""
    evidence: MaybeMeasured = None
    """Evidence that the canary is worse, as odds to one."""
    ratio: MaybeMeasured = None
    """Ratio of the canary's rate to stable's rate."""
    last_sample_time: Time | None = None
    """Time of the newest sample."""
    message: Message = ""
    """Explanation, with its numbers."""
    burst_factor: MaybeMeasured = None
    """Factor by which failures come in clusters. Only of a gate that failed, in a decision to roll back, like
    the fields below: with them and the plan, `agentrollouts judge` gives the verdict again."""
    baseline: Baseline | None = None
    """Outcomes of stable before the attempt."""
    segments: Annotated[tuple[SegmentStatus, ...], Field(max_length=201)] | None = None
    """Counts of each segment of the attempt; the last one was the current one."""
    recent: RecentCounts | None = None
    """Outcomes in the window of `limit`."""
    mix: Annotated[tuple[MixCounts, ...], Field(max_length=64)] | None = None
    """Runs by the value of the label, or above each bucket bound, for type Shift."""


class ServedRelease(ApiModel):
    """A release by its name and by the behavior behind it."""

    release: ReleaseName
    """Name of the AgentRelease."""
    digest: Digest
    """Identity of the behavior."""


class Window(ApiModel):
    """A span of time."""

    start_time: Time
    """Time at which it begins."""
    end_time: Time | None = None
    """Time at which it ends. Absent while it has not."""


class RecordIdentity(ApiModel):
    """What a record is about: the fields beside its entries that never change."""

    rollout: ObjectName
    """Name of the AgentRollout."""
    rollout_uid: Annotated[str, Field(max_length=128)]
    """UID of the AgentRollout."""
    agent: DnsLabel
    """Name of the agent."""
    attempt: Annotated[int, Field(ge=1, le=2_147_483_647)]
    """Number of the attempt."""
    part: Annotated[int, Field(ge=1, le=2_147_483_647)]
    """Number of the part, from 1."""
    release: ReleaseName
    """Name of the AgentRelease."""
    version: SemVer | None = None
    """Version of the bundle. Absent if it is not known."""
    digest: Digest
    """Identity of the behavior."""


class RecordEntry(ApiModel):
    """What happened at one instant."""

    model_config = ConfigDict(
        json_schema_extra=ATOMIC | rules(cel("self == oldSelf", "an entry may not be changed"))
    )

    sequence: Annotated[int, Field(ge=1, le=2_147_483_647)]
    """Number of the entry in its record, from 1."""
    time: Time
    """Time of the decision."""
    event: RecordEvent
    """What happened."""
    identity: RecordIdentity | None = None
    """What the record is about, in its first entry, so that the hashes cover that as well."""
    state: ReasonStr | None = None
    """State of the attempt from then on."""
    phase: DnsLabel | None = None
    """Phase of the plan."""
    weight: Weight | None = None
    """Share of the traffic that the canary is to have, in percent."""
    by: Requester | None = None
    """Who requested it. Absent if the operator decided alone."""
    proved: bool | None = None
    """Whether the API server verified that name."""
    action: ObjectName | None = None
    """Name of the AgentRolloutAction that requested it."""
    reason: Message | None = None
    """Why, in that person's words."""
    message: Message | None = None
    """Explanation, with its numbers."""
    trigger: Trigger | None = None
    """Cause of a rollback."""
    from_: Annotated[ReleaseName | None, Field(alias="from")] = None
    """Release that is rolled back."""
    to: ReleaseName | None = None
    """Release that serves instead."""
    stable: ServedRelease | None = None
    """Release that served when the attempt began."""
    plan: dict[str, Any] | None = None
    """Plan of the attempt: the fields of the spec that it is judged by."""
    plan_hash: Annotated[str, Field(max_length=71)] | None = None
    """Hash of that plan."""
    diff: Annotated[tuple[ComponentDiff, ...], Field(max_length=16)] | None = None
    """Components that differ from those of stable."""
    author: Annotated[str, Field(max_length=253)] | None = None
    """Who wrote the release, as its source says. That is not proved."""
    released_by: Requester | None = None
    """Who changed `spec.releaseRef`, where the API server stamps it."""
    approved_by: Annotated[tuple[Requester, ...], Field(max_length=100)] | None = None
    """People whose approvals count."""
    gates: Annotated[tuple[GateRecord, ...], Field(max_length=64)] | None = None
    """Verdicts that the decision was made on."""
    query: QueryStatus | None = None
    """Query behind one gate, with the time at which it was evaluated."""
    routed_time: Time | None = None
    """Time at which the route was written."""
    window: Window | None = None
    """Time during which the release that was rolled back had traffic."""
    evidence: Annotated[str, Field(max_length=71)] | None = None
    """Hash of the evidence that was captured."""
    outcome: ReasonStr | None = None
    """How the attempt ended, or whether its rollback helped."""
    recovered: bool | None = None
    """Whether the operator found on the route, after a crash, that it had rolled back."""
    course: Annotated[tuple[Look, ...], Field(max_length=MAX_COURSE)] | None = None
    """Course of the attempt."""
    links: Annotated[dict[str, Annotated[str, Field(max_length=4096)]], Field(max_length=8)] | None = None
    """Addresses of logs, traces and dashboards of the time, by name."""
    previous: Hash
    """Hash of the entry before, across records and attempts. Empty for the first."""
    hash: Hash
    """Hash of this entry: SHA-256 over its canonical JSON (RFC 8785) without this field."""
