"""What each move of a rollback does to the status: what is recorded, from the decision to the verification.

No traffic is written here: stable 100, canary 0 is rendered from the state alone.
"""

from collections.abc import Mapping
from typing import Final

from agentrollouts.api.attempt import Attempt, AttemptKind, State, Trigger
from agentrollouts.api.reasons import Reason
from agentrollouts.api.recovery.detour import LastDetour
from agentrollouts.api.rollback import LastRollback, VerifyOutcome
from agentrollouts.api.status import Outcome, Quarantined, ReleaseRecord, WeightsStatus
from agentrollouts.core.attempt import drills, moves
from agentrollouts.core.attempt import window as window_of
from agentrollouts.core.attempt.ladder import ladder_of
from agentrollouts.core.attempt.schedule import plan_hash
from agentrollouts.core.attempt.status_draft import Progress, next_number
from agentrollouts.core.history import is_drill

REASONS: Final[Mapping[Trigger, Reason]] = {
    Trigger.BREACH: Reason.GATE_FAILED,
    Trigger.CAP: Reason.CAP_EXCEEDED,
    Trigger.SPEC_REVERTED: Reason.SPEC_REVERTED,
    Trigger.TIMEOUT: Reason.TIMED_OUT,
    Trigger.ACTION: Reason.ROLLBACK_REQUESTED,
    Trigger.SWITCH_OFF: Reason.SWITCHED_OFF,
    Trigger.GROUP: Reason.GROUP_ROLLBACK,
    Trigger.DRILL: Reason.DRILL,
}
"""What each trigger is called in a condition, where only the trigger is still known."""

PROVED: Final = frozenset({Trigger.BREACH, Trigger.CAP, Trigger.ACTION, Trigger.GROUP})
"""Triggers that speak against the release: harm that was measured, here or in its group, or a person's word.
Time that ran out does not by itself, nor does Git."""
TOLD: Final = frozenset({Reason.GATE_FAILED, Reason.ROUTE_MARKED})
"""Reasons that speak against it whatever the trigger: a gate failed until time ran out, or the route says
that a person requested it."""

QUARANTINE_LIMIT: Final = 20
"""Newest digests kept in quarantine; the bound of the list in the CRD."""


RollbackMove = moves.RollBack | moves.RollBackStable | moves.Verify | moves.Conclude | moves.Prove
"""The moves of a rollback, in their order."""


def roll_back(progress: Progress, move: RollbackMove) -> Progress:
    """Apply `move`. Raises `IllegalMoveError` for a move that the table of states does not have."""
    match move:
        case moves.RollBack():
            return (
                drills.roll_back(progress, move) if is_drill(progress.status) else _roll_back(progress, move)
            )
        case moves.RollBackStable():
            return _roll_back_stable(progress, move)
        case moves.Verify():
            return drills.verify(progress) if is_drill(progress.status) else _verify(progress)
        case moves.Conclude(outcome, message):
            return _conclude(progress, outcome, message)
        case moves.Prove(outcome, message):
            return _prove(progress, outcome, message)


def _roll_back(progress: Progress, move: moves.RollBack) -> Progress:
    """The canary is rolled back, permanently. A release that failed without an action is not tried again."""
    status, now = progress.status, progress.now
    if status.stable is None or status.canary is None:
        raise ValueError("Rolling back needs a stable release and a canary")
    record = LastRollback(
        from_=status.canary.release,
        to=status.stable.release,
        trigger=move.trigger,
        reason=move.reason,
        message=move.message,
        decided_time=now,
    )
    rolled_back = progress.moved(
        State.ROLLING_BACK, weight=0, trigger=move.trigger, hold=None, **progress.stopped
    ).then(last_rollback=record)
    is_told = move.trigger in PROVED or move.reason in TOLD
    if is_told and not move.is_unproved:
        rolled_back = rolled_back.then(quarantined=_quarantine(status.canary, move, progress))
    return rolled_back.tell(Reason.ROLLBACK_STARTED, move.message, warn=True)


def _roll_back_stable(progress: Progress, move: moves.RollBackStable) -> Progress:
    """Stable turned out bad days later: an attempt of its own, which does nothing but roll back."""
    status, now, bad = progress.status, progress.now, progress.status.stable
    if bad is None:
        raise ValueError("A rollback needs a stable release")
    served = (e.start_time for e in status.history if e.digest == bad.digest and e.outcome is Outcome.HEALTHY)
    attempt = Attempt(
        number=next_number(status),
        kind=AttemptKind.GO_BACK,
        state=State.ROLLING_BACK,
        digest=bad.digest,
        plan_hash=plan_hash(progress.spec),
        ladder=ladder_of(status),
        start_time=now,
        traffic_start_time=next(served, bad.healthy_time),
    )
    begun = progress.then(stable=move.target, canary=bad, attempt=attempt, gates=(), course=())
    if weights := status.weights:  # what the route showed as stable's share is the canary's now
        begun = begun.then(weights=WeightsStatus(stable=weights.canary, canary=weights.stable))
    if move.ended and move.ended.standby:
        why = f"{move.ended.standby.release} was made from {bad.release}"
        told = f"Detour {move.ended.id} ended, since {why}; {move.target.release} gets the traffic"
        begun = begun.then(detour=None, last_detour=move.ended, watched=(), caps=())
        begun = begun.tell(Reason.DETOUR_ENDED, told)
    is_measured = move.trigger not in {Trigger.ACTION, Trigger.GROUP}
    is_unproved = is_measured and move.reason is not Reason.ROUTE_MARKED
    return _roll_back(begun, moves.RollBack(move.trigger, move.reason, move.message, is_unproved))


def _quarantine(canary: ReleaseRecord, move: moves.RollBack, progress: Progress) -> tuple[Quarantined, ...]:
    """The spec still names this digest, so the status must record that it was tried."""
    entry = Quarantined(
        attempt=progress.attempt.number,
        digest=canary.digest,
        release=canary.release,
        reason=move.reason,
        message=move.message,
        time=progress.now,
    )
    others = (old for old in progress.status.quarantined if old.digest != entry.digest)
    return (entry, *others)[:QUARANTINE_LIMIT]


def switched_off(progress: Progress, last: LastDetour) -> Progress:
    """The detour ends without what was switched off: it is in quarantine, and no longer stable."""
    status, stable, detour = progress.status, progress.status.stable, progress.status.detour
    done = progress.then(stable=None, detour=None, last_detour=last, watched=(), caps=())
    if stable is None or detour is None:
        return done
    numbers = (entry.number for entry in status.history if entry.digest == stable.digest)
    entry = Quarantined(
        attempt=next(numbers, 0),
        digest=stable.digest,
        release=stable.release,
        reason=Reason.SWITCHED_OFF,
        message=detour.message,
        time=progress.now,
    )
    others = (old for old in status.quarantined if old.digest != entry.digest)
    return done.then(quarantined=(entry, *others)[:QUARANTINE_LIMIT])


def _verify(progress: Progress) -> Progress:
    """The route shows the rollback: the bad release no longer has traffic."""
    status, now = progress.status, progress.now
    window = window_of.opened(progress.attempt, status.canary, now) if status.canary else None
    rollback = status.last_rollback and status.last_rollback.copy_with(routed_time=now)
    return progress.moved(State.VERIFYING, clock_start_time=now, elapsed_seconds=0).then(
        last_rollback=rollback, affected_window=window
    )


def _conclude(progress: Progress, outcome: VerifyOutcome, verification: str) -> Progress:
    """The rollback is over; the spec may still ask for what failed."""
    now, rollback = progress.now, progress.status.last_rollback
    if rollback is None:
        raise ValueError("Only a rollback can be concluded")
    seconds = ((rollback.routed_time or now) - rollback.decided_time).total_seconds()
    message = f"{rollback.from_} was rolled back to {rollback.to} in {seconds:.2f} s: {rollback.message}"
    verified = None if outcome is VerifyOutcome.UNVERIFIED else now
    window = progress.status.affected_window
    done = rollback.replace(outcome=outcome, verified_time=verified, verification=verification)
    ended = (
        progress.ended(Outcome.ROLLED_BACK, rollback.reason, rollback.message)
        .then(last_rollback=done, affected_window=window and window.copy_with(is_final=True))
        .tell(Reason.ROLLED_BACK, message, warn=rollback.trigger != Trigger.SPEC_REVERTED)
    )
    if not verification:
        return ended
    return ended.tell(Reason.of(outcome), verification, warn=outcome is VerifyOutcome.NOT_RECOVERED)


def _prove(progress: Progress, outcome: VerifyOutcome, verification: str) -> Progress:
    """What serves since the rollback shows whether the release was the cause."""
    status, rollback, attempt = progress.status, progress.status.last_rollback, progress.attempt
    if rollback is None:
        raise ValueError("Only a rollback can be proved right or wrong")
    done = rollback.replace(outcome=outcome, verified_time=progress.now, verification=verification)
    proved = progress.then(last_rollback=done)
    bad = next((entry for entry in status.history if entry.number == attempt.number), None)
    if bad and outcome is VerifyOutcome.RECOVERED:
        trigger, reason = Trigger(rollback.trigger), Reason.of(rollback.reason)
        order = moves.RollBack(trigger, reason, rollback.message)
        proved = proved.then(quarantined=_quarantine(bad.record, order, progress))
    elif bad:
        cleared = bad.copy_with(reason=Reason.SHARED_CAUSE.value)
        proved = proved.then(history=tuple(cleared if old is bad else old for old in status.history))
    return proved.tell(Reason.of(outcome), verification, warn=outcome is VerifyOutcome.NOT_RECOVERED)
