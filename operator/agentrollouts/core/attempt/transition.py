"""What each move does to an attempt: which clocks start and stop, what is frozen and what is remembered."""

from typing import Final, assert_never

from agentrollouts.api.attempt import Attempt, AttemptKind, Hold, State
from agentrollouts.api.reasons import Reason
from agentrollouts.api.rollout import BAKE
from agentrollouts.api.status import AgentRolloutStatus, Outcome, ReleaseRecord
from agentrollouts.core.attempt import drills, moves, rollback
from agentrollouts.core.attempt.approvals import left_above, required
from agentrollouts.core.attempt.clocks import next_extensions
from agentrollouts.core.attempt.ladder import extra_phases, ladder_of
from agentrollouts.core.attempt.schedule import plan_hash, step_at, steps_of
from agentrollouts.core.attempt.segments import freeze, fresh
from agentrollouts.core.attempt.status_draft import Progress, next_number
from agentrollouts.core.states import base_state, is_pending

FULL: Final = 100


def advance(progress: Progress, move: moves.Move) -> Progress:  # noqa: C901, PLR0911, PLR0912 one line per move
    """Apply `move`. Raises `IllegalMoveError` for a move that the table of states does not have."""
    match move:
        case moves.Rest() | moves.Wait():
            return progress
        case moves.Recall(stable):
            return recall(progress, stable, move)
        case moves.StopClock() | moves.StartClock():
            return _clock(progress, move)
        case moves.Enqueue(record):
            return _queue(progress, record)
        case moves.Begin(record, state):
            return _begin(progress, record, state)
        case moves.EnterPhase(index):
            return _enter_phase(progress, index, _first_weight(progress, index))
        case moves.Rise(weight):
            return _rise(progress, weight)
        case moves.Extend(message):
            return _extend(progress, message)
        case moves.AskApproval(message):
            return _ask_approval(progress, message)
        case moves.Bake():
            return _bake(progress)
        case moves.Promote():
            return _promote(progress)
        case moves.Hold():
            return _hold(progress, move)
        case moves.Resume():
            return _resume(progress)
        case moves.Replan() | moves.Rewatch():
            return _follow_new_plan(progress, move)
        case moves.Divert() | moves.Return():
            return _detour(progress, move)
        case moves.ShipInstead(record, ended):
            return _begin(rollback.switched_off(progress, ended), record, State.INITIAL)
        case moves.RollBack() | moves.RollBackStable() | moves.Verify() | moves.Conclude() | moves.Prove():
            return rollback.roll_back(progress, move)
        case moves.BeginDrill() | moves.EndDrill() | moves.SkipDrill():
            return drills.drill(progress, move)
        case moves.Supersede(message):
            return _supersede(progress, message)
        case _:
            assert_never(move)


def _detour(progress: Progress, move: moves.Divert | moves.Return) -> Progress:
    """A detour that the operator begins or ends alone; what was measured of stable is not about a standby."""
    if isinstance(move, moves.Return):
        done = progress.then(detour=None, last_detour=move.ended, watched=(), caps=())
        return done.tell(Reason.DETOUR_ENDED, move.message)
    away = progress.then(detour=move.detour)
    return away.then(watched=(), caps=()) if move.detour.standby else away


def _clock(progress: Progress, move: moves.StopClock | moves.StartClock) -> Progress:
    if isinstance(move, moves.StopClock):
        return progress.moved(progress.attempt.state, **progress.stopped)
    return progress.moved(progress.attempt.state, clock_start_time=progress.now)


def _stands_in_line(status: AgentRolloutStatus, record: ReleaseRecord) -> bool:
    attempt = status.attempt
    return attempt is not None and attempt.state is State.PENDING and attempt.digest == record.digest


def _new_attempt(progress: Progress, record: ReleaseRecord, state: State) -> Progress:
    """A pending attempt continues under its number; anything else gets the next one."""
    if _stands_in_line(progress.status, record):
        return progress.moved(state, start_time=progress.now, plan_hash=plan_hash(progress.spec))
    attempt = Attempt(
        number=next_number(progress.status),
        state=state,
        digest=record.digest,
        plan_hash=plan_hash(progress.spec),
        ladder=ladder_of(progress.status),
        start_time=progress.now,
    )
    return progress.then(attempt=attempt, gates=(), course=())


def _queue(progress: Progress, record: ReleaseRecord) -> Progress:
    if _stands_in_line(progress.status, record):
        return progress
    return _new_attempt(progress, record, State.PENDING)


def _begin(progress: Progress, record: ReleaseRecord, state: State) -> Progress:
    others = tuple(entry for entry in progress.status.quarantined if entry.digest != record.digest)
    begun = _new_attempt(progress, record, state).then(canary=record, quarantined=others)
    message = f"Attempt {begun.attempt.number}: {record.release} is being rolled out"
    if state is State.CANARY and (extra := extra_phases(progress.spec)):
        message += f"; the plan includes {', '.join(extra)}, as no release was Healthy since a rollback"
    started = begun.tell(Reason.ATTEMPT_STARTED, message)
    if state is State.BAKING:  # there is nothing to compare a release with that was healthy before
        return started.moved(state, weight=FULL, kind=AttemptKind.RETURN)
    if state is State.INITIAL:
        return started.moved(state, weight=FULL)
    bound = started.moved(state, approvals=required(progress.spec, 0))
    return _enter_phase(bound, 0, _first_weight(bound, 0))


def _first_weight(progress: Progress, index: int) -> int:
    """The phase's first step, or more where the plan was changed and the canary has more already."""
    return max(progress.attempt.weight, steps_of(progress.spec, index)[0].weight)


def _enter_phase(progress: Progress, index: int, weight: int) -> Progress:
    phase = progress.spec.phases[index]
    return (
        _freeze_segment(progress)
        .moved(
            State.CANARY,
            phase_index=index,
            phase_name=phase.name,
            step=step_at(progress.spec, index, weight),
            weight=weight,
            approvals=left_above(progress.attempt, weight),
            phase_start_time=None,
            counting_start_time=None,
            clock_start_time=None,
            elapsed_seconds=0,
            extensions=0,
            outlook=None,
            promoted=None,
        )
        .tell(Reason.PHASE_STARTED, f"Phase {phase.name}: canary weight {weight}%")
    )


def _rise(progress: Progress, weight: int) -> Progress:
    step = step_at(progress.spec, progress.attempt.phase_index, weight)
    approvals = left_above(progress.attempt, weight)
    return _freeze_segment(progress).moved(
        State.CANARY, step=step, weight=weight, approvals=approvals, counting_start_time=None
    )


def _freeze_segment(progress: Progress) -> Progress:
    """A segment at one constant weight is over: its counts become four frozen numbers."""
    return progress.then(gates=tuple(freeze(gate) for gate in progress.status.gates))


def _extend(progress: Progress, message: str) -> Progress:
    """Extend by one step, or by as many as it takes to see another result; reports the first and the last."""
    attempt, most = progress.attempt, progress.spec.analysis.max_extensions
    what = "The bake" if attempt.state is State.BAKING else f"Phase {attempt.phase_name}"
    count = next_extensions(progress.spec, attempt)
    extended = progress.moved(attempt.state, extensions=count)
    if attempt.extensions and count < most:
        return extended
    return extended.tell(Reason.PHASE_EXTENDED, f"{what} continues: {message}")


def _bake(progress: Progress) -> Progress:
    promoted = progress.attempt.promoted
    is_of_bake = promoted is not None and promoted.phase_name == BAKE
    answered = tuple(gate.copy_with(holding_start_time=None) for gate in progress.status.gates)
    return (
        progress.moved(
            State.BAKING,
            elapsed_seconds=0,
            clock_start_time=progress.now,
            extensions=0,
            approvals=(),
            promoted=promoted if is_of_bake else None,
        )
        .then(gates=answered)
        .tell(Reason.BAKING, f"All phases passed; baking for {progress.spec.bake.duration_seconds} s")
    )


def _ask_approval(progress: Progress, message: str) -> Progress:
    return progress.moved(State.AWAITING_APPROVAL, **progress.stopped).tell(Reason.AWAITING_APPROVAL, message)


def _promote(progress: Progress) -> Progress:
    canary = progress.status.canary
    if canary is None:
        raise ValueError("There is no canary to promote")
    healthy = canary.copy_with(healthy_time=progress.now)
    message = f"{canary.release} passed all phases and is stable now"
    return (
        progress.ended(Outcome.HEALTHY, Reason.HEALTHY, message)
        .then(stable=healthy, course=())
        .tell(Reason.PROMOTED, message)
    )


def _hold(progress: Progress, move: moves.Hold) -> Progress:
    attempt, now = progress.attempt, progress.now
    if attempt.hold and attempt.hold.reason == move.reason:
        hold = attempt.hold.replace(message=move.message, until=move.until)
        return progress.then(attempt=attempt.copy_with(hold=hold))
    resumes = attempt.hold.resumes if attempt.hold else attempt.state
    hold = Hold(reason=move.reason, message=move.message, since=now, until=move.until, resumes=resumes)
    return progress.moved(State.HELD, hold=hold, **progress.stopped).tell(
        move.reason, move.message, warn=True
    )


def _resume(progress: Progress) -> Progress:
    hold = progress.attempt.hold
    if hold is None:
        raise ValueError("Only a held attempt can be resumed")
    running = progress.now if progress.attempt.phase_start_time else None
    return progress.moved(hold.resumes, hold=None, clock_start_time=running).tell(
        Reason.HOLD_ENDED, f"No longer held for {hold.reason}"
    )


def _supersede(progress: Progress, message: str) -> Progress:
    return progress.ended(Outcome.SUPERSEDED, Reason.SUPERSEDED, message).tell(Reason.SUPERSEDED, message)


def _follow_new_plan(progress: Progress, move: moves.Replan | moves.Rewatch) -> Progress:
    """The plan was edited: the phase, or the bake, restarts by the new one."""
    return _replan(progress, move.index) if isinstance(move, moves.Replan) else _rewatch(progress)


def _rewatch(progress: Progress) -> Progress:
    """A bake is more of the last phase, which may be another one now."""
    return (
        progress.moved(
            base_state(progress.attempt),
            phase_index=len(progress.spec.phases) - 1,
            phase_name=progress.spec.phases[-1].name,
            plan_hash=plan_hash(progress.spec),
            elapsed_seconds=0,
            extensions=0,
            hold=None,
            clock_start_time=None,
            counting_start_time=None,
            phase_start_time=None,
            promoted=None,
        )
        .then(gates=tuple(fresh(gate) for gate in progress.status.gates), course=())
        .tell(Reason.BAKING, "The plan changed: the bake restarts")
    )


def _replan(progress: Progress, index: int) -> Progress:
    weight, spec = progress.attempt.weight, progress.spec
    approvals = required(spec, index, progress.attempt.approvals)
    return (
        _enter_phase(progress, index, weight)
        .moved(State.CANARY, plan_hash=plan_hash(spec), hold=None, approvals=approvals)
        .then(gates=tuple(fresh(gate) for gate in progress.status.gates), course=())
        .tell(
            Reason.PHASE_STARTED,
            f"The plan changed: phase {progress.spec.phases[index].name} restarts at {weight}%",
        )
    )


def recall(progress: Progress, stable: ReleaseRecord | None, move: moves.Recall) -> Progress:
    """Take over what was recalled; a pending attempt restarts under a number of its own."""
    status = progress.status
    if is_pending(status):
        progress = progress.moved(State.SUPERSEDED)
    done = progress.then(quarantined=move.quarantined)
    if stable is None:
        return done
    message = f"{stable.release} was healthy before this rollout was created, and continues as stable"
    return done.then(stable=stable, history=move.history).tell(Reason.RECALLED, message)
