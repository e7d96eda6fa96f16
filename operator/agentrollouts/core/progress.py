"""Bookkeeping of an attempt: one move applied to a status gives the next status and the Events that tell of it.

After the chain in `decide`. Nothing is judged here; this is which clocks start and stop, what is frozen and what is
remembered. Every change of state is checked against the table in `states`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, assert_never

from agentrollouts.api.reasons import Reason, Trigger
from agentrollouts.api.rollout import AgentRolloutSpec
from agentrollouts.api.status import (
    AffectedWindow,
    AgentRolloutStatus,
    Attempt,
    HistoryEntry,
    Hold,
    LastRollback,
    Outcome,
    Quarantined,
    ReleaseRecord,
    State,
    VerifyOutcome,
)
from agentrollouts.core import moves
from agentrollouts.core.gates import freeze
from agentrollouts.core.observation import Event
from agentrollouts.core.plan import elapsed, plan_hash, steps_of
from agentrollouts.core.states import check_move

QUARANTINE_LIMIT = 20
"""Newest digests kept in quarantine; the bound of the list in the CRD."""

FULL = 100


@dataclass(frozen=True, slots=True)
class Progress:
    """A status on its way through one move."""

    spec: AgentRolloutSpec
    status: AgentRolloutStatus
    now: datetime
    events: tuple[Event, ...] = ()

    @property
    def attempt(self) -> Attempt:
        """The attempt under way; a bug in the decision where there is none."""
        if self.status.attempt is None:
            raise ValueError("This move needs an attempt under way")
        return self.status.attempt

    def then(self, *events: Event, **fields: Any) -> "Progress":
        """With these fields of the status changed and these Events added."""
        return Progress(self.spec, self.status.model_copy(update=fields), self.now, (*self.events, *events))

    def moved(self, state: State, **fields: Any) -> "Progress":
        """With the attempt in `state`, a legal move, and these of its fields changed."""
        check_move(self.attempt.state, state)
        return self.then(attempt=self.attempt.model_copy(update={"state": state, **fields}))

    def tell(self, reason: Reason, message: str, *, warn: bool = False) -> "Progress":
        """With one more Event."""
        return self.then(Event(reason, message, is_warning=warn))


def advance(progress: Progress, move: moves.Move) -> Progress:  # noqa: C901, PLR0911, PLR0912 one line per move
    """Apply `move`. Raises `IllegalMoveError` for a move that the table of states does not have."""
    match move:
        case moves.Rest() | moves.Wait():
            return progress
        case moves.Queue(record):
            return _queue(progress, record)
        case moves.Begin(record, state):
            return _begin(progress, record, state)
        case moves.EnterPhase(index):
            return _enter_phase(progress, index)
        case moves.Rise(weight):
            return _rise(progress, weight)
        case moves.Extend(message):
            return progress.moved(State.CANARY, extensions=progress.attempt.extensions + 1).tell(
                Reason.PHASE_EXTENDED, f"Phase {progress.attempt.phase_name} goes on: {message}"
            )
        case moves.AskApproval():
            return _ask_approval(progress)
        case moves.Bake():
            return progress.moved(State.BAKING, elapsed_seconds=0, clock_start_time=progress.now).tell(
                Reason.BAKING, f"All phases passed; watched for {progress.spec.bake.duration_seconds} s more"
            )
        case moves.Promote():
            return _promote(progress)
        case moves.Hold(reason, message):
            return _hold(progress, reason, message)
        case moves.Resume():
            return _resume(progress)
        case moves.Replan(index):
            return _replan(progress, index)
        case moves.RollBack():
            return _roll_back(progress, move)
        case moves.Verify():
            return _verify(progress)
        case moves.Conclude(outcome, observed):
            return _conclude(progress, outcome, observed=observed)
        case moves.Supersede(message):
            return _end(progress, Outcome.SUPERSEDED, Reason.SUPERSEDED, message).tell(
                Reason.SUPERSEDED, message
            )
        case _:
            assert_never(move)


def _next_number(status: AgentRolloutStatus) -> int:
    known = [status.attempt.number] if status.attempt else [entry.number for entry in status.history]
    return max(known, default=0) + 1


def _stands_in_line(status: AgentRolloutStatus, record: ReleaseRecord) -> bool:
    attempt = status.attempt
    return attempt is not None and attempt.state is State.PENDING and attempt.digest == record.digest


def _new_attempt(progress: Progress, record: ReleaseRecord, state: State) -> Progress:
    """The attempt that stands in line goes on under its number; anything else gets the next one."""
    if _stands_in_line(progress.status, record):
        return progress.moved(state, start_time=progress.now)
    attempt = Attempt(
        number=_next_number(progress.status),
        state=state,
        digest=record.digest,
        plan_hash=plan_hash(progress.spec),
        start_time=progress.now,
    )
    return progress.then(attempt=attempt, gates=())


def _queue(progress: Progress, record: ReleaseRecord) -> Progress:
    if _stands_in_line(progress.status, record):
        return progress
    return _new_attempt(progress, record, State.PENDING)


def _begin(progress: Progress, record: ReleaseRecord, state: State) -> Progress:
    begun = _new_attempt(progress, record, state).then(canary=record)
    told = begun.tell(Reason.ATTEMPT_STARTED, f"Attempt {begun.attempt.number}: {record.release} is on trial")
    return _enter_phase(told, 0) if state is State.CANARY else told.moved(state, weight=FULL)


def _enter_phase(progress: Progress, index: int) -> Progress:
    phase = progress.spec.phases[index]
    first = steps_of(progress.spec, index)[0]
    return (
        _freeze_segment(progress)
        .moved(
            State.CANARY,
            phase_index=index,
            phase_name=phase.name,
            step=0,
            weight=first.weight,
            phase_start_time=None,
            counting_start_time=None,
            clock_start_time=None,
            elapsed_seconds=0,
            extensions=0,
        )
        .tell(Reason.PHASE_STARTED, f"Phase {phase.name}: canary weight {first.weight} %")
    )


def _rise(progress: Progress, weight: int) -> Progress:
    return _freeze_segment(progress).moved(
        State.CANARY, step=progress.attempt.step + 1, weight=weight, counting_start_time=None
    )


def _freeze_segment(progress: Progress) -> Progress:
    """A segment at one constant weight is over: its counts become four frozen numbers."""
    return progress.then(gates=tuple(freeze(gate) for gate in progress.status.gates))


def _ask_approval(progress: Progress) -> Progress:
    attempt = progress.attempt
    wanted = f"{attempt.number}/{attempt.phase_name}"
    return progress.moved(State.AWAITING_APPROVAL, **_stopped(attempt, progress.now)).tell(
        Reason.AWAITING_APPROVAL, f"Phase {attempt.phase_name} passed; approval {wanted} is awaited"
    )


def _promote(progress: Progress) -> Progress:
    canary = progress.status.canary
    if canary is None:
        raise ValueError("There is no canary to promote")
    healthy = canary.model_copy(update={"healthy_time": progress.now})
    message = f"{canary.release} passed all phases and is stable now"
    return (
        _end(progress, Outcome.HEALTHY, Reason.HEALTHY, message)
        .then(stable=healthy)
        .tell(Reason.PROMOTED, message)
    )


def _stopped(attempt: Attempt, now: datetime) -> dict[str, Any]:
    return {"elapsed_seconds": int(elapsed(attempt, now)), "clock_start_time": None}


def _hold(progress: Progress, reason: Reason, message: str) -> Progress:
    attempt, now = progress.attempt, progress.now
    if attempt.hold and attempt.hold.reason == reason:
        return progress.then(
            attempt=attempt.model_copy(update={"hold": attempt.hold.model_copy(update={"message": message})})
        )
    resumes = attempt.hold.resumes if attempt.hold else attempt.state
    hold = Hold(reason=reason, message=message, since=now, resumes=resumes)
    return progress.moved(State.HELD, hold=hold, **_stopped(attempt, now)).tell(reason, message, warn=True)


def _resume(progress: Progress) -> Progress:
    hold = progress.attempt.hold
    if hold is None:
        raise ValueError("Only a held attempt can be resumed")
    running = progress.now if progress.attempt.phase_start_time else None
    return progress.moved(hold.resumes, hold=None, clock_start_time=running).tell(
        Reason.HOLD_ENDED, f"No longer held for {hold.reason}"
    )


def _replan(progress: Progress, index: int) -> Progress:
    weight = progress.attempt.weight
    return (
        _enter_phase(progress, index)
        .moved(State.CANARY, weight=weight, plan_hash=plan_hash(progress.spec), hold=None)
        .then(gates=())
        .tell(
            Reason.PHASE_STARTED,
            f"The plan changed: phase {progress.spec.phases[index].name} starts anew at {weight} %",
        )
    )


def _roll_back(progress: Progress, move: moves.RollBack) -> Progress:
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
    back = progress.moved(
        State.ROLLING_BACK, weight=0, trigger=move.trigger, hold=None, **_stopped(progress.attempt, now)
    ).then(last_rollback=record)
    if move.trigger is not Trigger.SPEC_REVERTED:
        back = back.then(quarantined=_quarantine(status.canary, move, progress))
    return back.tell(Reason.ROLLBACK_STARTED, move.message, warn=True)


def _quarantine(canary: ReleaseRecord, move: moves.RollBack, progress: Progress) -> tuple[Quarantined, ...]:
    """The spec still asks for this digest, so it has to be remembered that it was tried."""
    entry = Quarantined(
        digest=canary.digest,
        release=canary.release,
        reason=move.reason,
        message=move.message,
        time=progress.now,
    )
    others = (old for old in progress.status.quarantined if old.digest != entry.digest)
    return (entry, *others)[:QUARANTINE_LIMIT]


def _verify(progress: Progress) -> Progress:
    status, now = progress.status, progress.now
    window = None
    if status.canary:
        window = AffectedWindow(
            release=status.canary.release, start_time=progress.attempt.start_time, end_time=now
        )
    rollback = status.last_rollback and status.last_rollback.model_copy(update={"routed_time": now})
    return progress.moved(State.VERIFYING, clock_start_time=now, elapsed_seconds=0).then(
        last_rollback=rollback, affected_window=window
    )


def _conclude(progress: Progress, outcome: VerifyOutcome, *, observed: bool) -> Progress:
    now, rollback = progress.now, progress.status.last_rollback
    if rollback is None:
        raise ValueError("Only a rollback can be concluded")
    seconds = ((rollback.routed_time or now) - rollback.decided_time).total_seconds()
    message = f"{rollback.from_} was rolled back to {rollback.to} in {seconds:.2f} s: {rollback.message}"
    done = rollback.model_copy(update={"outcome": outcome, "observed_time": now if observed else None})
    return (
        _end(progress, Outcome.ROLLED_BACK, Reason.of(rollback.reason), rollback.message)
        .then(last_rollback=done)
        .tell(Reason.ROLLED_BACK, message, warn=rollback.trigger != Trigger.SPEC_REVERTED)
    )


def _end(progress: Progress, outcome: Outcome, reason: Reason, message: str) -> Progress:
    """The attempt is over: remembered in the history, enough of it to serve the release again."""
    attempt, canary = progress.attempt, progress.status.canary
    ended = progress.moved(State(outcome), hold=None, clock_start_time=None).then(canary=None)
    if canary is None:  # stood in line, never served
        return ended
    entry = HistoryEntry(
        number=attempt.number,
        release=canary.release,
        version=canary.version,
        digest=canary.digest,
        service=canary.service,
        snapshot=canary.snapshot,
        outcome=outcome,
        reason=reason,
        message=message,
        start_time=attempt.start_time,
        end_time=progress.now,
    )
    return ended.then(history=(entry, *progress.status.history)[: progress.spec.history_limit])
