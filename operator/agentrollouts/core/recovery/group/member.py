"""A member of a group as its siblings see it: what its persisted status says about its changes.

A change is a release with the time of its attempt: from its start to its end, or to now. Of a return to a
release that was healthy before, the change is the attempt that once shipped that release: a return is a
rollback, and nothing that a group could roll back.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from agentrollouts.api.attempt import Attempt, AttemptKind, State, Trigger
from agentrollouts.api.reasons import Reason
from agentrollouts.api.status import AgentRolloutStatus, HistoryEntry, Outcome
from agentrollouts.core.states import ENDS, JUDGED, LATCHED

HARMFUL: Final = frozenset({Trigger.BREACH, Trigger.CAP, Trigger.TIMEOUT, Trigger.ACTION})
"""Triggers of a rollback that the group follows. A group follows no revert in Git, and no other group."""
GOING_BACK: Final = LATCHED - ENDS
ON_TRIAL: Final = JUDGED | {State.INITIAL}


@dataclass(frozen=True, slots=True)
class Change:
    """A release that serves or is tried, and the time of the attempt that shipped it."""

    release: str
    start: datetime
    end: datetime | None = None
    """None while the attempt is in progress."""


@dataclass(frozen=True, slots=True)
class Harm:
    """An attempt that was rolled back for harm, before it could become stable."""

    attempt: int
    release: str
    start: datetime
    decided: datetime
    """When its rollback was decided, which is its end."""
    message: str


@dataclass(frozen=True, slots=True)
class Member:
    """A rollout of a group."""

    name: str
    since: datetime
    """Since when it has been a member."""
    serving: Change | None = None
    """How its stable release was shipped; None if that is not known."""
    canary: Change | None = None
    """What has a share of the traffic, and is not being rolled back."""
    harms: tuple[Harm, ...] = ()
    """Newest first."""
    is_stuck: bool = False
    """Whether there is no release that it could roll back to."""


def member_of(name: str, group: str | None, status: AgentRolloutStatus) -> Member | None:
    """A rollout as a member of its group; None while its status does not say that it is one.

    Args:
        name: Name of the rollout.
        group: Its group by its spec.
        status: Its persisted status.
    """
    if group is None or status.group is None or status.group.name != group:
        return None
    return Member(
        name,
        status.group.since,
        _serving(status),
        _canary(status),
        tuple(_harms(status)),
        is_stuck=status.stable is None or status.group.is_stuck,
    )


def _serving(status: AgentRolloutStatus) -> Change | None:
    digest = status.stable.digest if status.stable else None
    shipped = (
        Change(entry.release, entry.start_time, entry.end_time)
        for entry in status.history
        if entry.digest == digest and entry.outcome is Outcome.HEALTHY and entry.kind is AttemptKind.RELEASE
    )
    return next(shipped, None)


def _canary(status: AgentRolloutStatus) -> Change | None:
    attempt, canary = status.attempt, status.canary
    if attempt is None or canary is None or attempt.state not in ON_TRIAL:
        return None
    return Change(canary.release, attempt.start_time) if attempt.kind is AttemptKind.RELEASE else None


def _harms(status: AgentRolloutStatus) -> Iterator[Harm]:
    """From the decision on, whatever becomes of its verification."""
    attempt, rollback, canary = status.attempt, status.last_rollback, status.canary
    is_current = attempt is not None and attempt.state in GOING_BACK
    if attempt and is_current and canary and rollback and _is_harmful(attempt, rollback.reason):
        start, decided = attempt.start_time, rollback.decided_time
        yield Harm(attempt.number, canary.release, start, decided, rollback.message)
    for entry in status.history:
        is_harmful = entry.outcome is Outcome.ROLLED_BACK and _is_harmful(entry, entry.reason)
        if is_harmful and entry.decided_time:
            yield Harm(entry.number, entry.release, entry.start_time, entry.decided_time, entry.message)


def _is_harmful(attempt: Attempt | HistoryEntry, reason: str) -> bool:
    """A mark on a route that nothing else confirms does not spread."""
    is_release = attempt.kind is AttemptKind.RELEASE and reason != Reason.ROUTE_MARKED
    return is_release and attempt.trigger in HARMFUL
