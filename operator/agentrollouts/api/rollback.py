"""Rolling back: how a plan wants it, and what a status remembers of the last one.

Parts of `rollout` and of `status`, from which everybody imports them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from agentrollouts.api.meta import (
    LIST_SET,
    SECONDS_MAX,
    ApiModel,
    DnsLabel,
    Message,
    ReasonStr,
    ReleaseName,
    Time,
)
from agentrollouts.api.reasons import Trigger


class Verify(ApiModel):
    """After a rollback: did it help?"""

    within_seconds: Annotated[int, Field(ge=1, le=86400)] = 120
    """How soon the traffic and the metrics should be back where stable had them, in seconds. What is still
    worse then has its cause elsewhere: NotRecovered. Default 120."""
    watch_seconds: Annotated[int, Field(ge=0, le=SECONDS_MAX)] = 1800
    """How long to go on watching while it is not known whether the rollback helped, in seconds; then it is
    Unverified. Another release that is asked for ends the watch at once. With 0 there is none. Default
    1800."""
    gates: Annotated[tuple[DnsLabel, ...], Field(max_length=16, json_schema_extra=LIST_SET)] | None = None
    """Names of the gates that judge it, of type Ratio, Mean or Histogram. By default all of those, unless
    their `during` says otherwise."""


class Rollback(ApiModel):
    """How releases are taken back. That they are, no field can prevent."""

    budget_seconds: Annotated[int, Field(ge=1, le=3600)] = 60
    """How long a rollback may take, decision to last request, before it is reported as late, in seconds.
    Default 60."""
    verify: Verify = Verify()
    """How it is checked that the rollback helped."""
    max_walk_back: Annotated[int, Field(ge=1, le=10)] = 3
    """How many releases back a rollback may go to find a healthy one. Default 3."""
    after_hold_seconds: Annotated[int, Field(ge=1, le=SECONDS_MAX)] | None = None
    """How long an attempt may be held before it is rolled back by itself, in seconds. One that is
    paused waits for ever. By default a held attempt waits for a person."""


class VerifyOutcome(StrEnum):
    """Whether a rollback helped."""

    RECOVERED = "Recovered"
    NOT_RECOVERED = "NotRecovered"
    UNVERIFIED = "Unverified"


class LastRuns(ApiModel):
    """The runs of a release that was taken back, until they end."""

    runs: Annotated[int, Field(ge=0, le=2_147_483_647)]
    """Its counters of runs as last seen, added up."""
    time: Time
    """The newest sample in which they had grown."""
    scrapes: Annotated[int, Field(ge=0, le=2_147_483_647)]
    """Samples of it since the rollback, up to that one."""


class LastRollback(ApiModel):
    """The last rollback: from where to where, why, how fast, and whether it helped."""

    from_: Annotated[ReleaseName, Field(alias="from")]
    """Release that was taken back."""
    to: ReleaseName | None = None
    """Release that serves instead; absent when there was none."""
    trigger: Trigger
    """What caused it: Breach, Cap, SpecReverted, Timeout or Action."""
    reason: ReasonStr
    """Why, in one word."""
    message: Message = ""
    """Why, in a sentence with its numbers."""
    decided_time: Time
    """When it was decided."""
    routed_time: Time | None = None
    """When the route was written."""
    observed_time: Time | None = None
    """When the traffic was seen to be back: the gateway reported the route, or the last runs were seen."""
    last_runs: LastRuns | None = None
    """The last runs of the release that was taken back; absent while nothing of it was counted."""
    verified_time: Time | None = None
    """When it was known whether it helped."""
    outcome: VerifyOutcome | None = None
    """Whether it helped: Recovered, NotRecovered (the cause is elsewhere) or Unverified."""
    verification: Message = ""
    """Whether it helped, in a sentence with its numbers."""


class AffectedWindow(ApiModel):
    """The time during which a bad release had traffic: what it wrote and sent may need repair."""

    release: ReleaseName
    """The bad release."""
    start_time: Time
    """When it first had traffic."""
    end_time: Time | None = None
    """When it had none any more: its last runs, or when the route was written."""
