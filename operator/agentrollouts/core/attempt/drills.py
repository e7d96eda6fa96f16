"""What the moves of a drill do to the status: an attempt that is rolled back on purpose.

`status.lastDrill` has what a drill shows, and its rollback. `lastRollback`, `affectedWindow` and the
quarantine stay as they are: they are about harm.
"""

from typing import Final

from agentrollouts.api.attempt import Attempt, AttemptKind, State, Trigger
from agentrollouts.api.reasons import Reason
from agentrollouts.api.recovery.drill import DrillOutcome, LastDrill
from agentrollouts.api.rollback import LastRollback
from agentrollouts.api.status import Outcome
from agentrollouts.core.attempt import moves
from agentrollouts.core.attempt.ladder import ladder_of
from agentrollouts.core.attempt.schedule import plan_hash
from agentrollouts.core.attempt.status_draft import Progress, next_number
from agentrollouts.core.history import rollback_of, with_rollback

REASONS: Final = {
    DrillOutcome.PASSED: Reason.DRILL_PASSED,
    DrillOutcome.FAILED: Reason.DRILL_FAILED,
    DrillOutcome.SKIPPED: Reason.DRILL_SKIPPED,
}
"""What each outcome is called in the history and in Events."""

SPARED: Final = frozenset({Trigger.ACTION, Trigger.SWITCH_OFF})
"""Triggers that say nothing about the release that is drilled: a person ended everything."""

DrillMove = moves.BeginDrill | moves.EndDrill | moves.SkipDrill
"""The moves that only drills have."""


def drill(progress: Progress, move: DrillMove) -> Progress:
    """Apply `move`. Raises `IllegalMoveError` for a move that the table of states does not have."""
    match move:
        case moves.BeginDrill():
            return _begin(progress, move)
        case moves.EndDrill():
            return _end(progress, move)
        case moves.SkipDrill():
            return _skip(progress, move)


def _begin(progress: Progress, move: moves.BeginDrill) -> Progress:
    record, stable, now = move.record, progress.status.stable, progress.now
    if stable is None:
        raise ValueError("A drill needs a stable release")
    attempt = Attempt(
        number=next_number(progress.status),
        kind=AttemptKind.DRILL,
        state=State.CANARY,
        digest=record.digest,
        plan_hash=plan_hash(progress.spec),
        ladder=ladder_of(progress.status),
        weight=move.weight,
        start_time=now,
    )
    last = LastDrill(
        time=now,
        target=record.release,
        digest=record.digest,
        attempt=attempt.number,
        weight=move.weight,
        requested_by=move.by,
    )
    message = (
        f"Attempt {attempt.number} is a drill: {record.release} gets {move.weight}% for {move.seconds} s, "
        f"and is rolled back to {stable.release} on purpose"
    )
    begun = progress.then(canary=record, attempt=attempt, last_drill=last, gates=(), course=())
    return begun.tell(Reason.DRILL_STARTED, message)


def roll_back(progress: Progress, move: moves.RollBack) -> Progress:
    """The canary of a drill loses its traffic: because its time is over, or because the drill failed."""
    status, drill_ = progress.status, progress.status.last_drill
    if status.stable is None or status.canary is None or drill_ is None:
        raise ValueError("Rolling back a drill needs a stable release and a canary")
    record = LastRollback(
        from_=status.canary.release,
        to=status.stable.release,
        trigger=move.trigger,
        reason=move.reason,
        message=move.message,
        decided_time=progress.now,
    )
    done = drill_.copy_with(rollback=record)
    if move.trigger in SPARED:
        done = done.copy_with(outcome=DrillOutcome.SKIPPED, message=move.message)
    elif move.trigger is not Trigger.DRILL:
        done = done.copy_with(outcome=DrillOutcome.FAILED, message=move.message)
    return progress.moved(
        State.ROLLING_BACK, weight=0, trigger=move.trigger, hold=None, **progress.stopped
    ).then(last_drill=done)


def verify(progress: Progress) -> Progress:
    """The route shows the rollback."""
    now, rollback = progress.now, rollback_of(progress.status)
    moved = progress.moved(State.VERIFYING, clock_start_time=now, elapsed_seconds=0)
    if rollback is None:
        return moved
    status = with_rollback(moved.status, rollback.copy_with(routed_time=now))
    return moved.then(last_drill=status.last_drill)


def _end(progress: Progress, move: moves.EndDrill) -> Progress:
    """The drill is over; stable has all traffic. Only a rollback that began leads to RolledBack."""
    is_back = progress.attempt.state is State.VERIFYING
    outcome = Outcome.ROLLED_BACK if is_back else Outcome.SUPERSEDED
    reason, last = REASONS[move.outcome], progress.status.last_drill
    ended = progress.ended(outcome, reason, move.message)
    if last is None:
        return ended
    done = last.copy_with(outcome=move.outcome, message=move.message)
    if rollback := done.rollback:
        routed = rollback.routed_time or progress.now
        seconds = f"{(routed - rollback.decided_time).total_seconds():.3f}"
        done = done.copy_with(decided_to_routed_seconds=seconds)
    is_failure = move.outcome is DrillOutcome.FAILED
    return ended.then(last_drill=done).tell(
        reason, f"Drill of {last.target}: {move.message}", warn=is_failure
    )


def _skip(progress: Progress, move: moves.SkipDrill) -> Progress:
    """No attempt begins: nothing would answer the requests."""
    record, reason = move.record, REASONS[move.outcome]
    last = LastDrill(
        time=progress.now,
        target=record.release,
        digest=record.digest,
        outcome=move.outcome,
        message=move.message,
        requested_by=move.by,
    )
    is_failure = move.outcome is DrillOutcome.FAILED
    return progress.then(last_drill=last).tell(
        reason, f"Drill of {record.release}: {move.message}", warn=is_failure
    )
