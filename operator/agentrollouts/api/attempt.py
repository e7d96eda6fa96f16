"""One attempt as the status records it: its state, its clocks, and the approvals that it still needs."""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from agentrollouts.api.model.base import ApiModel, Digest, DnsLabel, Message, ReasonStr, Time
from agentrollouts.api.model.marks import list_map
from agentrollouts.api.people.action import Acknowledged, GivenApproval, PersonalAct, Promotion
from agentrollouts.api.people.person import Requester
from agentrollouts.api.verdict import PhaseIndex

Weight = Annotated[int, Field(ge=0, le=100)]
"""A share of the traffic in percent."""


class State(StrEnum):
    """The states of an attempt; the moves between them are the table of `core.states`."""

    PENDING = "Pending"
    INITIAL = "Initial"
    CANARY = "Canary"
    AWAITING_APPROVAL = "AwaitingApproval"
    HELD = "Held"
    BAKING = "Baking"
    HEALTHY = "Healthy"
    ROLLING_BACK = "RollingBack"
    VERIFYING = "Verifying"
    ROLLED_BACK = "RolledBack"
    SUPERSEDED = "Superseded"


class AttemptKind(StrEnum):
    """What an attempt is about."""

    RELEASE = "Release"
    """A release is shipped."""
    RETURN = "Return"
    """`spec.releaseRef` returns to a release that was healthy before."""
    GO_BACK = "GoBack"
    """No attempt was in progress, and stable is rolled back to an earlier release."""
    DRILL = "Drill"
    """A rollback is rehearsed."""


class Trigger(StrEnum):
    """What caused a rollback."""

    BREACH = "Breach"
    CAP = "Cap"
    SPEC_REVERTED = "SpecReverted"
    TIMEOUT = "Timeout"
    ACTION = "Action"
    SWITCH_OFF = "SwitchOff"
    GROUP = "Group"
    DRILL = "Drill"


class When(StrEnum):
    """Whether a part of the plan always counts, or only in the attempts after a rollback."""

    ALWAYS = "Always"
    AFTER_ROLLBACK = "AfterRollback"


class Hold(ApiModel):
    """Why the attempt waits at its weight with its clocks stopped."""

    reason: ReasonStr
    """Reason, as one CamelCase word."""
    message: Message
    """Explanation, with what would end the hold."""
    since: Time
    """Time at which the hold began."""
    until: Time | None = None
    """Time at which the hold ends without an action. Absent if it does not."""
    resumes: State
    """State in which the attempt resumes."""


class Fuse(ApiModel):
    """The time that is left to a gate that fails and only holds the attempt."""

    gate: DnsLabel
    """Gate whose time is over first."""
    since: Time
    """Time at which the gate began to fail, or at which someone acknowledged that."""
    until: Time
    """Time at which the canary is rolled back, unless the gate recovers or someone acknowledges it."""
    warned: Annotated[int, Field(ge=0, le=2)] = 0
    """Number of Warning Events due so far: one at half time, one five minutes before the end."""


MAX_APPROVALS: Final = 40
"""Twice the phases that a plan may have, so that those of the first plan always have room."""


MAX_GIVEN: Final = 100
"""Five people for each phase of a plan."""


class RequiredApproval(ApiModel):
    """An approval that the attempt still needs, however the plan is edited."""

    phase_name: DnsLabel
    """Phase that required it."""
    weight: Weight
    """Weight of that phase, in percent. Without the approval, the canary does not get more."""
    count: Annotated[int, Field(ge=1, le=5)] = 1
    """Number of people who must approve."""


class Attempt(ApiModel):
    """The shipping of one digest to 100% under one plan."""

    number: Annotated[int, Field(ge=1, le=2_147_483_647)]
    """Number of the attempt, from 1."""
    state: State
    """State of the attempt."""
    kind: AttemptKind = AttemptKind.RELEASE
    """Kind of the attempt: Release, Return (to a release that was healthy before), GoBack (stable is rolled
    back at rest) or Drill (a rollback is rehearsed). Defaults to Release."""
    digest: Digest
    """Digest of the canary."""
    plan_hash: Annotated[str, Field(max_length=71, pattern=r"^[0-9a-z:]*$")] = ""
    """Hash of the plan. A change of the plan restarts the clock and the counts of the phase."""
    ladder: When = When.ALWAYS
    """Phases of the attempt, chosen when it began: those with `when: Always`, or, after a rollback, all."""
    phase_index: PhaseIndex = 0
    """Index of the phase among those of `ladder`, from 0."""
    phase_name: DnsLabel | None = None
    """Name of the phase."""
    step: Annotated[int, Field(ge=0, le=10)] = 0
    """Step of the ramp, from 0."""
    weight: Weight = 0
    """Desired share of the traffic for the canary, in percent."""
    start_time: Time
    """Time at which the attempt began."""
    traffic_start_time: Time | None = None
    """Time at which the canary first had a share of the traffic. Absent until then."""
    phase_start_time: Time | None = None
    """Time at which the route first had the weight of the phase. Absent until then."""
    clock_start_time: Time | None = None
    """Time at which the clock of the phase last started. Absent while it is stopped."""
    counting_start_time: Time | None = None
    """Time from which the current segment counts."""
    endpoints_lost_time: Time | None = None
    """Time since which the canary's Service has had no ready endpoint while stable's might have one. Absent
    while the canary has one."""
    elapsed_seconds: Annotated[int, Field(ge=0, le=2_147_483_647)] = 0
    """Seconds of the phase that had run before `clockStartTime`."""
    extensions: Annotated[int, Field(ge=0, le=10)] = 0
    """Number of times that the phase was extended."""
    outlook: Message | None = None
    """Expected number of canary runs in the phase, by the counted traffic, and the regressions that this
    number can detect. Set once per phase. Absent until the traffic is known."""
    trigger: Trigger | None = None
    """Cause of its rollback."""
    approvals: Annotated[
        tuple[RequiredApproval, ...], Field(max_length=MAX_APPROVALS, json_schema_extra=list_map("phaseName"))
    ] = ()
    """Approvals that the plan has required since the attempt began, for phases that the canary has not
    passed. An edit of the plan does not remove them from this attempt."""
    hold: Hold | None = None
    """Why the attempt waits. Absent if it does not."""
    fuse: Fuse | None = None
    """When a failing gate rolls the canary back. Absent if no gate with `rollBackAfterSeconds` fails."""
    acknowledged: Acknowledged | None = None
    """Who has the attempt wait longer. Absent if no one does."""
    approved_by: Annotated[tuple[GivenApproval, ...], Field(max_length=MAX_GIVEN)] = ()
    """Approvals that count, by action. At most 100."""
    promoted: Promotion | None = None
    """Phase that counts as passed because a person said so. Absent once that phase is over."""
    promoted_by: Annotated[tuple[Requester, ...], Field(max_length=MAX_APPROVALS)] = ()
    """People who promoted a phase of this attempt; their approvals do not count. At most 40."""
    held_by: PersonalAct | None = None
    """Person who holds the attempt. Absent if no one does."""
