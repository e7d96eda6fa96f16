"""The status of an AgentRollout: everything that the operator must remember, and why it acted.

The operator has no other memory. A new process resumes from this status: it has the state of the attempt,
its clocks, the frozen counts of finished segments, and enough of every healthy release to serve it again.
"""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from agentrollouts.api.attempt import Attempt, AttemptKind, Trigger, Weight
from agentrollouts.api.model.base import (
    ApiModel,
    Digest,
    DnsLabel,
    Message,
    ObjectName,
    ReasonStr,
    ReleaseName,
    SemVer,
    Time,
)
from agentrollouts.api.model.marks import list_map
from agentrollouts.api.objects import Conditions
from agentrollouts.api.people.action import Retried, TakenAction
from agentrollouts.api.record.course import MAX_COURSE, Look
from agentrollouts.api.record.progress import RecordStatus
from agentrollouts.api.recovery.detour import Detour, LastDetour
from agentrollouts.api.recovery.drill import LastDrill
from agentrollouts.api.recovery.fallback import FallbackStatus
from agentrollouts.api.recovery.hooks import MAX_HOOK_STATES, HookStatus
from agentrollouts.api.release import Requirement, ServiceRef
from agentrollouts.api.rollback import AffectedWindow, LastRollback
from agentrollouts.api.verdict import CapStatus, GateStatus, QueryStatus
from agentrollouts.api.workload import StampedWorkload

Requirements = Annotated[
    tuple[Requirement, ...],
    Field(max_length=16, json_schema_extra=list_map("agent"), exclude_if=lambda value: not value),
]
"""What a release requires of other agents, kept here since its AgentRelease can be deleted."""

MAX_LEDGER: Final = 60
"""Actions that a status lists: those that are kept, and those that one decision takes beside them."""


class Outcome(StrEnum):
    """How an attempt ended."""

    HEALTHY = "Healthy"
    ROLLED_BACK = "RolledBack"
    SUPERSEDED = "Superseded"


class ReleaseRecord(ApiModel):
    """A release, with everything that is needed to serve it after its AgentRelease is deleted."""

    release: ReleaseName
    """Name of the AgentRelease."""
    version: SemVer
    """Version of the bundle."""
    digest: Digest
    """Identity of the behavior."""
    service: ServiceRef | None = None
    """Service, or other backend, in front of its agents."""
    snapshot: ObjectName
    """Name of the ConfigMap that contains the bundle."""
    healthy_time: Time | None = None
    """Time at which it became healthy."""
    requires: Requirements = ()
    """Other agents that the release works with, and their versions."""

    @property
    def service_name(self) -> str | None:
        """Name of its Service, whose endpoints can be known; None without one, or with another backend."""
        return self.service.name if self.service and self.service.is_service else None


class WeightsStatus(ApiModel):
    """Shares of the traffic, in percent, as last observed on the route.

    In a detour they are what is left for the releases: both are 0 while the agent is switched off.
    """

    stable: Weight
    """Share of the stable release."""
    canary: Weight
    """Share of the canary."""


class Quarantined(ApiModel):
    """A digest that was rolled back. It is not tried again until someone retries it."""

    digest: Digest
    """Digest that is not tried again."""
    release: ReleaseName
    """Release that had the digest."""
    reason: ReasonStr
    """Reason, as one CamelCase word."""
    message: Message = ""
    """Explanation."""
    time: Time
    """Time of the rollback."""
    attempt: Annotated[int, Field(ge=0, le=2_147_483_647)] = 0
    """Number of the attempt that was rolled back. An action of type Retry must name it."""


class HistoryEntry(ApiModel):
    """A past attempt, with enough to serve its release again."""

    number: Annotated[int, Field(ge=1, le=2_147_483_647)]
    """Number of the attempt."""
    release: ReleaseName
    """Name of the AgentRelease."""
    version: SemVer
    """Version of the bundle."""
    digest: Digest
    """Identity of the behavior."""
    service: ServiceRef | None = None
    """Service, or other backend, in front of its agents."""
    snapshot: ObjectName
    """Name of the ConfigMap that contains the bundle."""
    outcome: Outcome
    """Outcome: Healthy, RolledBack or Superseded."""
    reason: ReasonStr
    """Reason, as one CamelCase word."""
    message: Message = ""
    """Explanation."""
    start_time: Time
    """Time at which the attempt began."""
    end_time: Time
    """Time at which the attempt ended."""
    requires: Requirements = ()
    """Other agents that the release works with, and their versions. Only if the outcome is Healthy. Absent
    too if the status would be too large."""
    kind: AttemptKind = AttemptKind.RELEASE
    """Kind of the attempt: Release, Return, GoBack or Drill. Defaults to Release."""
    trigger: Trigger | None = None
    """Cause of its rollback. Absent if it was not rolled back."""
    decided_time: Time | None = None
    """Time at which its rollback was decided. Absent if it was not rolled back."""
    traffic_start_time: Time | None = None
    """Time at which its release first had traffic, as far as it is known."""
    traffic_end_time: Time | None = None
    """Time at which its release no longer had traffic. Absent if it was not rolled back."""
    runs: Annotated[int, Field(ge=0, le=2_147_483_647)] | None = None
    """Runs that were counted until then. Absent if none were."""

    @property
    def record(self) -> ReleaseRecord:
        """Everything that is needed to serve the release again."""
        return ReleaseRecord(
            release=self.release,
            version=self.version,
            digest=self.digest,
            service=self.service,
            snapshot=self.snapshot,
            requires=self.requires,
        )


class GroupStatus(ApiModel):
    """Membership of a group."""

    name: DnsLabel
    """Name of the group."""
    since: Time
    """Time since which the rollout has been a member. Rollbacks of before have no effect on or by it."""
    is_stuck: bool = False
    """Whether stable has to be rolled back, and cannot be: no release before it was healthy, or none has a
    ready endpoint. It stays until another release is stable."""


class AgentRolloutStatus(ApiModel):
    """The state of the rollout, and the reasons for it."""

    observed_generation: Annotated[int, Field(ge=0)] = 0
    """Generation of the spec that this status describes."""
    stable: ReleaseRecord | None = None
    """Release that was last healthy: the target of a rollback."""
    canary: ReleaseRecord | None = None
    """Release that is being rolled out. Absent if no attempt is in progress."""
    weights: WeightsStatus | None = None
    """Shares of the traffic, as last observed on the route."""
    requested_weight: Weight | None = None
    """Share of the traffic for the release in `spec.releaseRef`, in percent, as last observed on the route:
    100 once it is Healthy, 0 while it is pending or after a rollback. Absent until a release serves."""
    attempt: Attempt | None = None
    """Attempt in progress, or the last one."""
    gates: Annotated[tuple[GateStatus, ...], Field(max_length=16, json_schema_extra=list_map("name"))] = ()
    """Last verdict of each gate."""
    watched: Annotated[tuple[GateStatus, ...], Field(max_length=16, json_schema_extra=list_map("name"))] = ()
    """Last verdicts on the stable release at rest, with the numbers at the time of the last change. Absent
    without `spec.watch`."""
    caps: Annotated[tuple[CapStatus, ...], Field(max_length=8, json_schema_extra=list_map("name"))] = ()
    """Usage of each cap by the canary."""
    course: Annotated[tuple[Look, ...], Field(max_length=MAX_COURSE)] = ()
    """Evidence of all gates over the time of the attempt, oldest first, as of each write of this status. At
    most 120 looks: of the older ones every second is dropped, but none at which the weight changes. Empty
    once the attempt is Healthy. After a rollback it stays until the next attempt."""
    query: QueryStatus | None = None
    """Query behind one gate. Absent while no gate is evaluated, or if the query is too long."""
    last_rollback: LastRollback | None = None
    """Last rollback."""
    affected_window: AffectedWindow | None = None
    """Time during which the last bad release had traffic."""
    last_drill: LastDrill | None = None
    """Last drill, or the one in progress. Absent before the first."""
    next_drill_time: Time | None = None
    """Time from which the next drill is due. It waits while the rollout is not at rest and Ready, or is
    paused, frozen or switched off, or a hook runs. Absent without `spec.drill`."""
    quarantined: Annotated[
        tuple[Quarantined, ...], Field(max_length=20, json_schema_extra=list_map("digest"))
    ] = ()
    """Digests that are not tried again. Ship a new digest instead. The newest 20."""
    history: Annotated[
        tuple[HistoryEntry, ...], Field(max_length=50, json_schema_extra=list_map("number"))
    ] = ()
    """Past attempts, newest first: at most `spec.historyLimit`, and as many older ones as are needed to keep
    the newest three healthy releases before stable. At most 50."""
    group: GroupStatus | None = None
    """Group of the rollout. Absent without `spec.group`."""
    retried: Retried | None = None
    """Who last had a digest that was rolled back tried again. Absent if no one has."""
    actions: Annotated[
        tuple[TakenAction, ...], Field(max_length=MAX_LEDGER, json_schema_extra=list_map("uid"))
    ] = ()
    """AgentRolloutActions that were taken or refused, newest first: the newest 20, and those that have not
    been answered yet."""
    detour: Detour | None = None
    """Detour in progress: a share of the traffic that no release gets. Absent if there is none."""
    last_detour: LastDetour | None = None
    """Last detour that ended. Absent if none has."""
    fallback: FallbackStatus | None = None
    """What `spec.fallback.rollout` leads to, as last seen. Absent without it."""
    record: RecordStatus | None = None
    """Record of the attempts. Absent before the first entry."""
    workloads: Annotated[
        tuple[StampedWorkload, ...], Field(max_length=64, json_schema_extra=list_map("name"))
    ] = ()
    """Deployments and Services that were made from `spec.workload`. At most 64."""
    hooks: Annotated[tuple[HookStatus, ...], Field(max_length=MAX_HOOK_STATES)] = ()
    """Hooks of the last attempts, oldest first: the newest 24."""
    conditions: Conditions = ()
    """Conditions: Ready summarizes; Reconciling, Stalled, TrafficApplied, MetricsAvailable, RollbackReady and
    GroupConsistent give details. SwitchedOff is there only while a detour is in progress."""
