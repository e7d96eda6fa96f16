"""The entries of one decision: derived from the status before, the status after, and the move between them.

No code that moves traffic mentions a record. What changes the status in a way that a record has to tell makes
an entry here, and nothing else does.
"""

from collections.abc import Iterator
from typing import Final

from agentrollouts.api.attempt import Attempt, State, Trigger
from agentrollouts.api.people.action import FORWARD, ActionType, TakenAction
from agentrollouts.api.people.person import MAX_NAME
from agentrollouts.api.reasons import Reason
from agentrollouts.api.record.entry import RecordEvent, ServedRelease
from agentrollouts.api.record.progress import EvidenceState
from agentrollouts.api.status import AgentRolloutStatus, Outcome, ReleaseRecord
from agentrollouts.core.action.freeze import excepted_from
from agentrollouts.core.action.ledger import ON_THE_WAY, SUCCESSFUL
from agentrollouts.core.action.people import of_phase
from agentrollouts.core.attempt import moves
from agentrollouts.core.attempt.schedule import JUDGED_BY
from agentrollouts.core.history import is_drill
from agentrollouts.core.rollout.recording.draft import Draft, gate_records, now_of, person_of
from agentrollouts.core.rollout.recording.hooks import hook_entries
from agentrollouts.core.rollout.recording.links import addresses
from agentrollouts.core.rollout.recording.rollbacks import observed, routed, started_rollback, window_of
from agentrollouts.core.rollout.situation import Situation, origin_of
from agentrollouts.core.states import current_phase, is_progressing

MAX_REFUSALS: Final = 16
"""Refused actions that one attempt records; further ones are only Events, so that no one fills a record."""
FACTS: Final = {
    ActionType.APPROVE: RecordEvent.APPROVAL_COUNTED,
    ActionType.PROMOTE: RecordEvent.PHASE_PROMOTED,
    ActionType.ACKNOWLEDGE: RecordEvent.ACKNOWLEDGED,
    ActionType.RETRY: RecordEvent.QUARANTINE_LIFTED,
}
"""What an action did by itself. The move that follows reports a hold, its end and a rollback."""
EVENT_OF_HOLD: Final = {Reason.FROZEN: RecordEvent.FROZEN}


def entries(s: Situation, move: moves.Move, after: AgentRolloutStatus) -> Iterator[Draft]:
    """What the next status tells that the persisted one does not, in the order in which it happened.

    Args:
        s: What was decided on.
        move: What was decided.
        after: The next status.
    """
    if _is_evidence_new(s):
        yield _captured(s, after)
    if not _is_told(s.obs.status, after):
        return
    yield from _requests(s, after)
    yield from _detour(s, after)
    yield from observed(s, after)
    yield from _moved(s, move, after)
    yield from hook_entries(s, after)


def _is_told(before: AgentRolloutStatus, after: AgentRolloutStatus) -> bool:
    """Whether anything changed of which entries tell; cheap, as most decisions change nothing of it."""
    return (
        before.attempt is not after.attempt
        or before.last_rollback is not after.last_rollback
        or before.last_drill is not after.last_drill
        or before.actions is not after.actions
        or before.detour is not after.detour
        or before.hooks is not after.hooks
    )


def _is_evidence_new(s: Situation) -> bool:
    record, captured = s.obs.status.record, s.obs.record.captured
    is_due = record is not None and record.evidence is EvidenceState.PENDING
    return is_due and captured is not None and record is not None and captured.record == record.name


def _captured(s: Situation, after: AgentRolloutStatus) -> Draft:
    """The record has the metrics of the time before, or cannot have them."""
    captured = s.obs.record.captured
    if captured is None or not captured.hash:
        message = f"The evidence is not available: {captured.problem if captured else 'unknown'}"
        return now_of(s, RecordEvent.EVIDENCE_CAPTURED, after, message=message)
    return now_of(s, RecordEvent.EVIDENCE_CAPTURED, after, evidence=captured.hash)


def _requests(s: Situation, after: AgentRolloutStatus) -> Iterator[Draft]:
    """What people requested, as far as it is taken or refused now."""
    known = {entry.uid for entry in s.obs.status.actions}
    refused = s.obs.status.record.refusals if s.obs.status.record and _is_same_attempt(s, after) else 0
    for entry in reversed([each for each in after.actions if each.uid not in known]):
        result = Reason.of(entry.result) if entry.result in set(Reason) else Reason.REFUSED
        is_taken = result in SUCCESSFUL | ON_THE_WAY
        if is_taken and result is not Reason.NOTHING_TO_DO and entry.type in FACTS:
            yield _by(s, entry, now_of(s, FACTS[entry.type], after, message=entry.message))
        elif not is_taken and refused < MAX_REFUSALS:
            refused += 1
            yield _by(s, entry, now_of(s, RecordEvent.ACTION_REFUSED, after, message=entry.message))


def _detour(s: Situation, after: AgentRolloutStatus) -> Iterator[Draft]:
    """The traffic is sent elsewhere, or no longer."""
    old, new, last = s.obs.status.detour, after.detour, after.last_detour
    if new and (old is None or old.id != new.id):
        place = f", to {new.standby.release}" if new.standby else ""
        told = f"{new.percent}%, {new.cause}{place}: {new.message}"
        draft = now_of(s, RecordEvent.DETOUR_STARTED, after, message=told)
        order = next((each for each in s.obs.actions if each.metadata.name == new.action), None)
        yield draft.replace(**person_of(s, order)) if order else draft
    if old and new is None and last:
        yield now_of(s, RecordEvent.DETOUR_ENDED, after, by=last.by, message=f"detour {old.id} is over")


def _is_same_attempt(s: Situation, after: AgentRolloutStatus) -> bool:
    record, attempt = s.obs.status.record, after.attempt
    return record is not None and attempt is not None and record.attempt == attempt.number


def _moved(s: Situation, move: moves.Move, after: AgentRolloutStatus) -> Iterator[Draft]:  # noqa: C901, PLR0912 one line per move
    match move:
        case moves.Begin(record):
            yield _started(s, record, after)
        case moves.EnterPhase():
            yield _left(s, RecordEvent.PHASE_STARTED, after)
        case moves.Bake():
            yield _left(s, RecordEvent.BAKE_STARTED, after)
        case moves.Rise():
            yield now_of(s, RecordEvent.ROSE, after)
        case moves.Extend(message):
            yield now_of(s, RecordEvent.EXTENDED, after, message=message)
        case moves.Replan() | moves.Rewatch():
            yield now_of(s, RecordEvent.PLAN_CHANGED, after, **_plan(s, after))
        case moves.Hold(reason) if _is_new_hold(s.obs.status.attempt, after.attempt):
            yield _held(s, EVENT_OF_HOLD.get(reason, RecordEvent.HELD), after)
        case moves.Resume():
            yield _resumed(s, after)
        case moves.Promote():
            healthy = _left(s, RecordEvent.HEALTHY, after)
            yield _at_end(s, healthy.copy_with(outcome=Outcome.HEALTHY.value, weight=100), after)
        case moves.RollBack(trigger) | moves.RollBackStable(_, trigger):
            if trigger is Trigger.GROUP:
                yield now_of(s, RecordEvent.GROUP_ROLLBACK, after, message=move.message)
            yield started_rollback(s, after)
        case moves.Verify():
            yield routed(s, after)
        case moves.Prove(outcome, message):
            yield now_of(s, RecordEvent.OBSERVED, after, outcome=outcome.value, message=message)
        case moves.BeginDrill(record):
            started, drill = _started(s, record, after), s.requests.drill
            yield started.replace(**person_of(s, drill)) if drill else started
        case moves.EndDrill(outcome, message):
            yield now_of(s, RecordEvent.DRILL_ENDED, after, outcome=outcome.value, message=message)
            is_back = after.attempt is not None and after.attempt.state is State.ROLLED_BACK
            event = RecordEvent.ROLLED_BACK if is_back else RecordEvent.SUPERSEDED
            yield _ended(s, event, after, event.value)
        case moves.Conclude(outcome):
            yield _ended(s, RecordEvent.ROLLED_BACK, after, str(outcome))
        case moves.Supersede() if is_progressing(s.obs.status) or _is_same_attempt(s, after):
            yield _ended(s, RecordEvent.SUPERSEDED, after, Outcome.SUPERSEDED.value)
        case _:
            return


def _started(s: Situation, record: ReleaseRecord, after: AgentRolloutStatus) -> Draft:
    stable, release, origin = s.status.stable, s.obs.release, origin_of(s.obs, record.digest)
    served = ServedRelease(release=stable.release, digest=stable.digest) if stable else None
    diff = None
    if release is not None and release.status.digest == record.digest:
        parent = release.spec.parent.name if release.spec.parent else None
        diff = release.status.diff if stable and parent == stable.release else None
    return now_of(
        s,
        RecordEvent.ATTEMPT_STARTED,
        after,
        stable=served,
        author=origin.author and origin.author[:MAX_NAME],
        released_by=origin.releaser,
        diff=diff or None,
        message=excepted_from(s.obs.freezes, s.obs.rollout.metadata, record.release, s.now),
        **_plan(s, after),
    )


def _plan(s: Situation, after: AgentRolloutStatus) -> dict[str, object]:
    plan = s.spec.to_json()
    hashed = after.attempt.plan_hash if after.attempt else None
    return {"plan": {name: plan[name] for name in JUDGED_BY if name in plan}, "plan_hash": hashed or None}


def _left(s: Situation, event: RecordEvent, after: AgentRolloutStatus) -> Draft:
    """A phase, or the bake, was left: what its gates said, and who approved."""
    attempt = s.attempt
    people = of_phase(attempt.approved_by, current_phase(attempt) or "")
    approved = tuple(dict.fromkeys(each.by for each in people)) or None
    return now_of(s, event, after, gates=gate_records(s.status.gates), approved_by=approved)


def _is_new_hold(before: Attempt | None, after: Attempt | None) -> bool:
    old, new = (each.hold if each else None for each in (before, after))
    return new is not None and (old is None or old.reason != new.reason)


def _held(s: Situation, event: RecordEvent, after: AgentRolloutStatus) -> Draft:
    attempt = s.attempt
    hold = after.attempt.hold if after.attempt else None
    message = f"{hold.reason}: {hold.message}" if hold else None
    draft = now_of(s, event, after, message=message, gates=gate_records(s.status.gates))
    act = attempt.held_by
    if hold is None or hold.reason != Reason.HELD_BY_PERSON or act is None:
        return draft
    return draft.replace(by=act.by, action=act.action, reason=act.reason, proved=s.obs.identity_proved)


def _resumed(s: Situation, after: AgentRolloutStatus) -> Draft:
    hold = s.attempt.hold
    draft = now_of(
        s, RecordEvent.RESUMED, after, message=f"no longer held for {hold.reason}" if hold else None
    )
    if hold is None or hold.reason != Reason.HELD_BY_PERSON:
        return draft
    newest = (each for each in after.actions if each.type is ActionType.RESUME and each.time >= hold.since)
    act = next((each for each in newest if each.result == Reason.DONE), None)
    return _by(s, act, draft) if act else draft


def _ended(s: Situation, event: RecordEvent, after: AgentRolloutStatus, outcome: str) -> Draft:
    """The attempt is over without the canary."""
    is_harm = event is RecordEvent.ROLLED_BACK and not is_drill(after)
    rollback = after.last_rollback if is_harm else None
    entry = next((each for each in after.history if s.attempt.number == each.number), None)
    message = (rollback.verification or None) if rollback else (entry.message if entry else None)
    window = window_of(after) if rollback else None
    ended = now_of(s, event, after, outcome=outcome, message=message, window=window)
    return _at_end(s, ended.copy_with(weight=0), after)


def _at_end(s: Situation, draft: Draft, after: AgentRolloutStatus) -> Draft:
    """With what the entry that ends an attempt has besides: its course, and where to look further."""
    return draft.copy_with(course=s.obs.status.course or None, links=addresses(s, after))


def _by(s: Situation, entry: TakenAction, draft: Draft) -> Draft:
    """With the person behind an action that was taken or refused."""
    order = next((each for each in s.obs.actions if each.metadata.uid == entry.uid), None)
    if order is None:
        proved = True if entry.type in FORWARD else s.obs.identity_proved
        return draft.replace(by=entry.by, action=entry.name, proved=proved)
    return draft.replace(**person_of(s, order), phase=order.spec.phase or draft.phase)
