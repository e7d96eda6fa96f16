"""The status of an AgentRollout: all that the operator must remember, and why it did what it did.

There is no other memory. A process that starts with this status goes on where the last one was: the state
of the attempt, its clocks, the frozen counts of finished segments, and enough of every healthy release to
serve it again.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from agentrollouts.api.attempt import (
    MAX_APPROVALS,
    Attempt,
    Hold,
    RequiredApproval,
    State,
    Weight,
)
from agentrollouts.api.meta import (
    ApiModel,
    Conditions,
    Digest,
    Message,
    ObjectName,
    ReasonStr,
    ReleaseName,
    SemVer,
    Time,
    list_map,
)
from agentrollouts.api.release import ServiceRef
from agentrollouts.api.rollback import AffectedWindow, LastRollback, LastRuns, VerifyOutcome
from agentrollouts.api.verdict import (
    Baseline,
    BoundCounts,
    CapStatus,
    Counts,
    GateStatus,
    Numerator,
    PhaseIndex,
    QueryStatus,
    SegmentStatus,
    Severity,
    Side,
    StartedRuns,
    Verdict,
)

__all__ = [
    "MAX_APPROVALS",
    "AffectedWindow",
    "AgentRolloutStatus",
    "Attempt",
    "Baseline",
    "BoundCounts",
    "CapStatus",
    "Counts",
    "GateStatus",
    "HistoryEntry",
    "Hold",
    "LastRollback",
    "LastRuns",
    "Numerator",
    "Outcome",
    "PhaseIndex",
    "Quarantined",
    "QueryStatus",
    "ReleaseRecord",
    "RequiredApproval",
    "SegmentStatus",
    "Severity",
    "Side",
    "StartedRuns",
    "State",
    "Verdict",
    "VerifyOutcome",
    "Weight",
    "WeightsStatus",
]


class Outcome(StrEnum):
    """How an attempt ended."""

    HEALTHY = "Healthy"
    ROLLED_BACK = "RolledBack"
    SUPERSEDED = "Superseded"


class ReleaseRecord(ApiModel):
    """A release, with all that is needed to serve it after its AgentRelease is gone."""

    release: ReleaseName
    """Name of the AgentRelease."""
    version: SemVer
    """Version of the bundle."""
    digest: Digest
    """Identity of the behaviour."""
    service: ServiceRef | None = None
    """Service that its agents are behind."""
    snapshot: ObjectName
    """Name of the ConfigMap that holds the bundle."""
    healthy_time: Time | None = None
    """When it was found healthy."""


class WeightsStatus(ApiModel):
    """Shares of the traffic, in percent, as the route was last seen to have them."""

    stable: Weight
    """Share of the stable release."""
    canary: Weight
    """Share of the canary."""


class Quarantined(ApiModel):
    """A digest that was rolled back for a breach; no resync, relabel or restart tries it again."""

    digest: Digest
    """What is not tried again."""
    release: ReleaseName
    """The release that had it."""
    reason: ReasonStr
    """Why, in one word."""
    message: Message = ""
    """Why, in a sentence."""
    time: Time
    """Since when."""
    attempt: Annotated[int, Field(ge=0, le=2_147_483_647)] = 0
    """Number of the attempt that was rolled back; the annotation `agentrollouts.dev/retry` has to name it."""


class HistoryEntry(ApiModel):
    """A past attempt, with enough to serve its release again."""

    number: Annotated[int, Field(ge=1, le=2_147_483_647)]
    """Number of the attempt."""
    release: ReleaseName
    """Name of the AgentRelease."""
    version: SemVer
    """Version of the bundle."""
    digest: Digest
    """Identity of the behaviour."""
    service: ServiceRef | None = None
    """Service that its agents are behind."""
    snapshot: ObjectName
    """Name of the ConfigMap that holds the bundle."""
    outcome: Outcome
    """How it ended: Healthy, RolledBack or Superseded."""
    reason: ReasonStr
    """Why, in one word."""
    message: Message = ""
    """Why, in a sentence."""
    start_time: Time
    """When it began."""
    end_time: Time
    """When it ended."""

    @property
    def record(self) -> ReleaseRecord:
        """What is needed to serve the release again."""
        return ReleaseRecord(
            release=self.release,
            version=self.version,
            digest=self.digest,
            service=self.service,
            snapshot=self.snapshot,
        )


class AgentRolloutStatus(ApiModel):
    """Where the rollout stands, and why."""

    observed_generation: Annotated[int, Field(ge=0)] = 0
    """The generation of the spec that this status speaks of."""
    stable: ReleaseRecord | None = None
    """The release that was last found healthy: where a rollback goes."""
    canary: ReleaseRecord | None = None
    """The release under trial; absent when no attempt is under way."""
    weights: WeightsStatus | None = None
    """Shares of the traffic, as the route was last seen to have them."""
    requested_weight: Weight | None = None
    """Share of the traffic of the release that `spec.releaseRef` names, in percent, as the route was last
    seen to have it: 100 once it is Healthy, 0 while it waits or was rolled back. Absent until a release
    serves."""
    attempt: Attempt | None = None
    """The attempt under way, or the last one."""
    gates: Annotated[tuple[GateStatus, ...], Field(max_length=16, json_schema_extra=list_map("name"))] = ()
    """The last answer of each gate."""
    watched: Annotated[tuple[GateStatus, ...], Field(max_length=16, json_schema_extra=list_map("name"))] = ()
    """At rest, where `spec.watch` asks for it: the last verdicts on the stable release by itself, with the
    numbers of the time at which they changed."""
    caps: Annotated[tuple[CapStatus, ...], Field(max_length=8, json_schema_extra=list_map("name"))] = ()
    """What the canary has used of each cap."""
    query: QueryStatus | None = None
    """What Prometheus is asked about one gate. Absent while nothing is judged, or where it is too long."""
    last_rollback: LastRollback | None = None
    """The last rollback."""
    affected_window: AffectedWindow | None = None
    """The time during which the last bad release had traffic."""
    quarantined: Annotated[
        tuple[Quarantined, ...], Field(max_length=20, json_schema_extra=list_map("digest"))
    ] = ()
    """Digests that are not tried again. The way out is a new digest. Newest 20."""
    history: Annotated[
        tuple[HistoryEntry, ...], Field(max_length=50, json_schema_extra=list_map("number"))
    ] = ()
    """Past attempts, newest first: at most `spec.historyLimit`, and as many older ones as it takes to keep
    the newest three healthy releases before stable. At most 50."""
    conditions: Conditions = ()
    """Ready sums up; Reconciling, Stalled, TrafficApplied, MetricsAvailable and RollbackReady say more."""
