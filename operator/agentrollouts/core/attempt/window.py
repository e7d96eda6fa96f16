"""The affected window: when the release that was rolled back had traffic, how much, and how many runs."""

from datetime import datetime, timedelta

from agentrollouts.api.attempt import Attempt, State
from agentrollouts.api.rollback import MAX_WINDOW_WEIGHTS, AffectedWindow, LastRollback, WeightChange
from agentrollouts.api.status import AgentRolloutStatus, ReleaseRecord
from agentrollouts.core.attempt.course import changes_of_weight
from agentrollouts.core.history import is_drill


def opened(attempt: Attempt, bad: ReleaseRecord, now: datetime) -> AffectedWindow:
    """The window as known when the route shows the rollback."""
    return AffectedWindow(
        release=bad.release,
        start_time=attempt.traffic_start_time or attempt.start_time,
        end_time=now,
        attempt=attempt.number,
        digest=bad.digest,
    )


def counted(
    window: AffectedWindow, rollback: LastRollback, runs: int | None, *, is_final: bool
) -> AffectedWindow:
    """The window with what has been counted since the rollback.

    Args:
        window: As persisted.
        rollback: With the last runs, as far as they are known.
        runs: Runs that the gates counted during the attempt; None if none of them counts runs.
        is_final: Whether the last runs were seen, or are no longer waited for.
    """
    last = rollback.last_runs
    known = [number for number in (window.runs, runs, last.runs if last else None) if number is not None]
    end = max(last.time, rollback.routed_time or last.time) if last else window.end_time
    return window.copy_with(
        end_time=end,
        last_run_time=last.time if last else window.last_run_time,
        runs=max(known, default=None),
        is_final=window.is_final or is_final,
    )


def with_weights(status: AgentRolloutStatus) -> AgentRolloutStatus:
    """The status whose window has the weights of the course, while the rollback is verified."""
    attempt, window = status.attempt, status.affected_window
    if attempt is None or window is None or attempt.state is not State.VERIFYING or is_drill(status):
        return status
    changes = changes_of_weight(status.course)
    if changes and changes[0].weight == 0:
        changes = changes[1:]
    weights = [
        WeightChange(time=attempt.start_time + timedelta(seconds=look.seconds), canary=look.weight)
        for look in changes
    ]
    if weights:  # the course knows it to the second, and not how long a stable release had served
        weights[0] = weights[0].copy_with(time=window.start_time)
    return status.copy_with(affected_window=window.copy_with(weights=tuple(weights[-MAX_WINDOW_WEIGHTS:])))
