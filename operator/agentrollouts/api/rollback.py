"""Rolling back: how a plan configures it, and what a status records of the last one."""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from agentrollouts.api.attempt import Trigger, Weight
from agentrollouts.api.model.base import (
    SECONDS_MAX,
    ApiModel,
    Digest,
    DnsLabel,
    Message,
    ReasonStr,
    ReleaseName,
    Time,
)
from agentrollouts.api.model.marks import LIST_SET


class Verify(ApiModel):
    """How the operator checks whether a rollback helped."""

    within_seconds: Annotated[int, Field(ge=1, le=86400)] = 120
    """Time within which traffic and metrics should recover, in seconds. If a metric is still worse then, the
    outcome is NotRecovered: the cause is elsewhere. Defaults to 120."""
    watch_seconds: Annotated[int, Field(ge=0, le=SECONDS_MAX)] = 1800
    """Time after which an undecided verification ends as Unverified, in seconds. Another desired release ends
    it at once. 0 turns verification off. Defaults to 1800."""
    gates: Annotated[tuple[DnsLabel, ...], Field(max_length=16, json_schema_extra=LIST_SET)] | None = None
    """Names of the gates that check the recovery, of type Ratio, Mean or Histogram. Defaults to all gates of
    these types, unless their `during` excludes Verify."""


class LastResort(StrEnum):
    """What follows if stable fails and no release is left that could serve instead."""

    HOLD = "Hold"
    FALLBACK = "Fallback"


class HarmCause(StrEnum):
    """Causes of a rollback that can leave data behind that must be repaired."""

    BREACH = "Breach"
    CAP = "Cap"
    TIMEOUT = "Timeout"
    ACTION = "Action"
    SWITCH_OFF = "SwitchOff"
    GROUP = "Group"


HOOKS_AFTER: Final = tuple(cause for cause in HarmCause if cause is not HarmCause.GROUP)
"""A member of a group does no harm itself."""


class Rollback(ApiModel):
    """How rollbacks are done. No field can disable them."""

    budget_seconds: Annotated[int, Field(ge=1, le=3600)] = 60
    """Time from the decision to the last request after which a rollback is reported as late, in seconds.
    Defaults to 60."""
    verify: Verify = Verify()
    """How the operator checks whether the rollback helped."""
    max_walk_back: Annotated[int, Field(ge=1, le=10)] = 3
    """Number of earlier releases among which a rollback looks for a healthy one. Defaults to 3."""
    after_hold_seconds: Annotated[int, Field(ge=1, le=SECONDS_MAX)] | None = None
    """Time after which a held attempt is rolled back, in seconds. A paused attempt waits indefinitely. If
    absent, a held attempt waits until someone decides."""
    last_resort: LastResort = LastResort.HOLD
    """What follows at rest if stable fails and cannot be rolled back to any release. Hold: stable serves on.
    Fallback: all traffic goes to `fallback` until someone switches the agent on, or another agent that is the
    fallback cannot answer. Defaults to Hold."""
    hooks_after: Annotated[
        tuple[HarmCause, ...], Field(min_length=1, max_length=6, json_schema_extra=LIST_SET)
    ] = HOOKS_AFTER
    """Causes of a rollback after which the hooks with `at: AfterRollback` run. A drill, and a return to an
    earlier release in `spec.releaseRef`, repair nothing. Defaults to all causes but Group."""


class VerifyOutcome(StrEnum):
    """Whether a rollback helped."""

    RECOVERED = "Recovered"
    NOT_RECOVERED = "NotRecovered"
    UNVERIFIED = "Unverified"


class LastRuns(ApiModel):
    """The runs of a release that was rolled back, until they end."""

    runs: Annotated[int, Field(ge=0, le=2_147_483_647)]
    """Sum of its counters of runs, as last seen."""
    time: Time
    """Time of the newest sample in which they had grown."""
    scrapes: Annotated[int, Field(ge=0, le=2_147_483_647)]
    """Number of samples from the rollback to that one."""


class LastRollback(ApiModel):
    """The last rollback: from where to where, why, how fast, and whether it helped."""

    from_: Annotated[ReleaseName, Field(alias="from")]
    """Release that was rolled back."""
    to: ReleaseName | None = None
    """Release that serves instead. Absent if there was none."""
    trigger: Trigger
    """Cause: Breach, Cap, SpecReverted, Timeout, Action, SwitchOff, Group or Drill."""
    reason: ReasonStr
    """Reason, as one CamelCase word."""
    message: Message = ""
    """Explanation, with its numbers."""
    decided_time: Time
    """Time of the decision."""
    routed_time: Time | None = None
    """Time at which the route was written."""
    observed_time: Time | None = None
    """Time at which the traffic had moved: the gateway reported the route, or the last runs ended."""
    last_runs: LastRuns | None = None
    """Last runs of the release that was rolled back. Absent while none were counted."""
    verified_time: Time | None = None
    """Time at which the verification ended."""
    outcome: VerifyOutcome | None = None
    """Outcome of the verification: Recovered, NotRecovered (the cause is elsewhere) or Unverified."""
    verification: Message = ""
    """Explanation of the outcome, with its numbers."""


class WeightChange(ApiModel):
    """A weight of a release, and since when the route had it."""

    time: Time
    """Time at which the route first had the weight, to the second."""
    canary: Weight
    """Share of the traffic for the bad release, in percent."""


MAX_WINDOW_WEIGHTS: Final = 24
"""Changes of the weight that an affected window keeps."""


class AffectedWindow(ApiModel):
    """The time during which a bad release had traffic. What it wrote and sent might need repair."""

    release: ReleaseName
    """Name of the bad release."""
    start_time: Time
    """Time at which it first had traffic."""
    end_time: Time | None = None
    """Time at which it no longer had traffic: its last runs, or when the route was written."""
    attempt: Annotated[int, Field(ge=1, le=2_147_483_647)] | None = None
    """Number of the attempt that was rolled back."""
    digest: Digest | None = None
    """Identity of the bad behavior."""
    last_run_time: Time | None = None
    """Time of the newest sample in which its counters of runs had grown. Absent while none were counted."""
    is_final: bool = False
    """Whether the operator has stopped waiting for its last runs: they were seen,
    `rollback.verify.withinSeconds` has passed, or the rollback is over. A run that ends later
    still extends the window."""
    runs: Annotated[int, Field(ge=0, le=2_147_483_647)] | None = None
    """Runs of the bad release that were counted, by a gate or by its counters of runs, whichever counted
    more. Absent if none were."""
    weights: Annotated[tuple[WeightChange, ...], Field(max_length=MAX_WINDOW_WEIGHTS)] = ()
    """Changes of its weight on the route, oldest first. The newest 24."""
