"""The shape of the view: what happened before."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The time during which the last bad release had traffic."""

    release: str
    """Name of the bad release."""
    start_time: datetime
    """Time at which it first had traffic."""
    end_time: datetime | None = None
    """Time at which it no longer had any."""
    runs: int | None = None
    """Runs of it that were counted. Absent if none were."""
    is_final: bool = False
    """Whether the operator has stopped waiting for its last runs."""
    sentence: str = ""
    """All of it, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Whether the last rollback helped."""

    outcome: str
    """Recovered, NotRecovered, Unverified, or Verifying."""
    sentence: str
    """The numbers."""
    time: datetime | None = None
    """Time at which the verification ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollback:
    """The last rollback."""

    release: str
    """Release that was rolled back."""
    to: str | None
    """Release that serves instead."""
    trigger: str
    """Cause, as one word."""
    reason: str
    """Reason, as one word."""
    summary: str
    """When, by what, and how long after its first traffic."""
    sentence: str
    """Explanation, with its numbers."""
    decided_time: datetime
    """Time of the decision."""
    routed_time: datetime | None = None
    """Time at which the route was written."""
    outcome: str | None = None
    """Whether it helped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """An action that someone requested, with its answer."""

    name: str
    """Name of the AgentRolloutAction."""
    type: str
    """What was requested."""
    by: str
    """Who requested it."""
    time: datetime
    """Time at which it was taken."""
    result: str
    """Answer, as one word."""
    sentence: str = ""
    """Answer, as a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """What happened before."""

    rollback: Rollback | None = None
    """Last rollback. Absent if there was none."""
    sentence: str = ""
    """The last rollback in one line. Empty if there was none."""
    actions: tuple[Taken, ...] = ()
    """Actions with their answers, newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """A past attempt."""

    number: int
    """Number of the attempt."""
    release: str
    """Name of its release."""
    outcome: str
    """Healthy, RolledBack or Superseded."""
    kind: str
    """Release, Return, GoBack or Drill."""
    reason: str
    """Reason of its end, as one word."""
    sentence: str
    """Explanation of its end."""
    start_time: datetime
    """Time at which it began."""
    end_time: datetime
    """Time at which it ended."""
    trigger: str | None = None
    """Cause of its rollback. Absent if it was not rolled back."""
    runs: int | None = None
    """Runs that were counted until its rollback."""
