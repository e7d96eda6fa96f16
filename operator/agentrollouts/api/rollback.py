"""What a status remembers of the last rollback: why, how fast, and whether it helped.

Part of `status`, from which everybody imports it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from agentrollouts.api.meta import ApiModel, Message, ReasonStr, ReleaseName, Time
from agentrollouts.api.reasons import Trigger


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
