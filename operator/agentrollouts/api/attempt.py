"""One attempt as the status remembers it: where it is, its clocks, and what it still needs.

A part of `status`, from which everybody imports it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from agentrollouts.api.meta import (
    ApiModel,
    Digest,
    DnsLabel,
    Message,
    ReasonStr,
    Time,
    list_map,
)
from agentrollouts.api.reasons import Trigger
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


class Hold(ApiModel):
    """Why the attempt waits at its weight with its clocks stopped."""

    reason: ReasonStr
    """Why, in one word."""
    message: Message
    """Why, in a sentence, and what would release it."""
    since: Time
    """When it began."""
    until: Time | None = None
    """When it ends by itself, if it does."""
    resumes: State
    """The state that the attempt goes back to."""


MAX_APPROVALS: Final = 40
"""Twice the phases that a plan may have: those of the first plan always have room."""


class RequiredApproval(ApiModel):
    """An approval that the attempt still needs, whatever becomes of the plan."""

    phase_name: DnsLabel
    """Phase that required it."""
    weight: Weight
    """Weight of that phase, in percent. Without the approval the canary does not get more."""


class Attempt(ApiModel):
    """One try to bring one digest to 100 % under one plan."""

    number: Annotated[int, Field(ge=1, le=2_147_483_647)]
    """Number of the attempt, from 1."""
    state: State
    """Where it is."""
    digest: Digest
    """What is tried."""
    plan_hash: Annotated[str, Field(max_length=71, pattern=r"^[0-9a-z:]*$")] = ""
    """Hash of the plan under which it is tried. A change of the plan restarts the phase's clock and its
    counts."""
    phase_index: PhaseIndex = 0
    """The phase, counted from 0."""
    phase_name: DnsLabel | None = None
    """Name of the phase."""
    step: Annotated[int, Field(ge=0, le=10)] = 0
    """Step of the ramp, counted from 0."""
    weight: Weight = 0
    """Share of the traffic that the attempt asks for the canary, in percent."""
    start_time: Time
    """When the attempt began."""
    traffic_start_time: Time | None = None
    """When the canary was first seen to have a share of the traffic; absent until then."""
    phase_start_time: Time | None = None
    """When the phase's weight was first seen on the route; absent until then."""
    clock_start_time: Time | None = None
    """When the phase's clock last started to run; absent while it is stopped."""
    counting_start_time: Time | None = None
    """When the present segment's counts began."""
    endpoints_lost_time: Time | None = None
    """Time since which the canary's Service has had no ready endpoint while stable's might have one. Absent
    while the canary has one."""
    elapsed_seconds: Annotated[int, Field(ge=0, le=2_147_483_647)] = 0
    """Seconds of the phase that had run before `clockStartTime`."""
    extensions: Annotated[int, Field(ge=0, le=10)] = 0
    """How often the phase was extended."""
    outlook: Message | None = None
    """How many canary runs the phase will have, by the traffic that was counted, and what can be caught in so
    few. Said once a phase; absent until the traffic is known."""
    trigger: Trigger | None = None
    """What made it roll back."""
    approvals: Annotated[
        tuple[RequiredApproval, ...], Field(max_length=MAX_APPROVALS, json_schema_extra=list_map("phaseName"))
    ] = ()
    """Approvals that the plan required when the attempt began, or has required since, for phases that the
    canary has not passed. An edit of the plan does not remove them from this attempt."""
    hold: Hold | None = None
    """Why it waits, if it does."""
