"""Takes the open actions of a rollout: each becomes a fact of the status, or is refused with a sentence.

Before the chain of checks, and whatever that decides. The facts are persisted with the ledger in one write. A
rollback is an order, not a fact: the chain carries it out, and only then is it in the ledger.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple, TypedDict

from agentrollouts.api.attempt import MAX_APPROVALS, MAX_GIVEN, Attempt, State
from agentrollouts.api.people.action import (
    ACKNOWLEDGED_SECONDS,
    FORWARD,
    Acknowledged,
    ActionType,
    AgentRolloutAction,
    GivenApproval,
    PersonalAct,
    Promotion,
    Retried,
)
from agentrollouts.api.reasons import Reason
from agentrollouts.api.rollout import AgentRollout, Approval
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.action.ledger import FULL, LOOKED_AT, entry_of, event_of, open_actions, trimmed
from agentrollouts.core.action.people import of_phase, why_not
from agentrollouts.core.effects import Event
from agentrollouts.core.states import ENDS, LATCHED, current_phase, is_progressing

FIRST: Final = (ActionType.ROLL_BACK, ActionType.HOLD)
"""What is looked at first, in this order; everything else by age."""
UNPROVED: Final = (
    "the API server does not verify who creates actions, so one that advances a canary has no effect; "
    "install the policies of the chart (policies.authority), and create the action again"
)


class Refused(Exception):  # noqa: N818 an answer, not an error
    """Why an action has no effect: the reason of the answer, and its sentence."""

    def __init__(self, message: str, reason: Reason = Reason.REFUSED) -> None:
        super().__init__(message)
        self.reason = reason


class Fact(NamedTuple):
    """What an action changes, and what it is answered."""

    status: AgentRolloutStatus
    message: str
    reason: Reason = Reason.DONE


class Signature(TypedDict):
    """What each fact says of its person: the fields of `PersonalAct`."""

    by: str
    action: str
    reason: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Requests:
    """What people have requested, as far as it is not carried out by a fact of the status."""

    status: AgentRolloutStatus
    """With the facts, and the ledger of them."""
    rollback: AgentRolloutAction | None = None
    """The order to roll back; None if there is none."""
    events: tuple[Event, ...] = ()
    awaits_proof: bool = False
    """Whether an action waits until it is known if the API server verifies who creates actions."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What the actions of one rollout are answered by."""

    rollout: AgentRollout
    now: datetime
    author: str | None
    """Who wrote the release of the attempt; None if that is unknown."""
    is_proved: bool | None
    """Whether the API server verifies who creates actions; None if that is not known yet."""


def take(actions: tuple[AgentRolloutAction, ...], status: AgentRolloutStatus, desk: Desk) -> Requests:
    """One pass over the open actions. Rollbacks come first, and nothing goes forward beside one."""
    requests = Requests(status)
    number = status.attempt.number if status.attempt else 0
    waiting = sorted(open_actions(actions, status.actions), key=lambda action: _order(action, number))
    for action in waiting[:LOOKED_AT]:
        if len(requests.status.actions) >= FULL and action.spec.type is not ActionType.ROLL_BACK:
            break
        try:
            requests = _taken(action, requests, desk)
        except Refused as refused:
            requests = answered(requests, action, refused.reason, str(refused), desk.now)
        if requests.rollback is not None and is_progressing(requests.status):
            break
    kept = trimmed(requests.status.actions, actions)
    if kept == requests.status.actions:
        return requests
    return replace(requests, status=requests.status.copy_with(actions=kept))


def answered(
    requests: Requests, action: AgentRolloutAction, reason: Reason, message: str, now: datetime
) -> Requests:
    """With an entry in the ledger, and the Event that reports it."""
    entry = entry_of(action, reason, message, now)
    status = requests.status.copy_with(actions=(entry, *requests.status.actions))
    return replace(requests, status=status, events=(*requests.events, event_of(action, reason, message)))


def _order(action: AgentRolloutAction, number: int) -> tuple[int, bool, float, str]:
    """Of one type, those about the current attempt first: no number of wrong ones delays a right one."""
    kind, made = action.spec.type, action.metadata.creation_timestamp
    rank = FIRST.index(kind) if kind in FIRST else len(FIRST)
    return rank, action.spec.attempt != number, made.timestamp() if made else 0.0, action.metadata.name


def _taken(action: AgentRolloutAction, requests: Requests, desk: Desk) -> Requests:
    status = requests.status
    _require_current(action, status, desk.rollout)
    if action.spec.type in FORWARD and desk.is_proved is not True:
        if desk.is_proved is None:
            return replace(requests, awaits_proof=True)
        raise Refused(UNPROVED, Reason.IDENTITY_NOT_PROVED)
    if action.spec.type is ActionType.ROLL_BACK:
        _require_rollback(action, status)
        if earlier := requests.rollback:  # it waits, and the later one may name a target, or use force
            message = f"replaced by the later action {action.metadata.name}"
            requests = answered(requests, earlier, Reason.STALE, message, desk.now)
        return replace(requests, rollback=action)
    fact = FACTS[action.spec.type](action, status, desk)
    done = replace(requests, status=fact.status)
    return answered(done, action, fact.reason, fact.message, desk.now)


def _require_current(action: AgentRolloutAction, status: AgentRolloutStatus, rollout: AgentRollout) -> None:
    """An action that names another attempt, or an earlier rollout of this name, has no effect."""
    spec, attempt = action.spec, status.attempt
    made, begun = action.metadata.creation_timestamp, rollout.metadata.creation_timestamp
    if made and begun and made < begun:
        raise Refused("the rollout was created again after this action", Reason.STALE)
    if spec.type is ActionType.RETRY:
        return
    if attempt is None or spec.attempt > attempt.number:
        raise Refused(f"attempt {spec.attempt} has not begun")
    if spec.attempt < attempt.number:
        ends = (entry for entry in status.history if entry.number == spec.attempt)
        outcome = next((f": {entry.outcome}" for entry in ends), "")
        raise Refused(f"attempt {spec.attempt} is over{outcome}", Reason.STALE)
    if attempt.state in ENDS and spec.type is not ActionType.ROLL_BACK:
        raise Refused(f"attempt {spec.attempt} is over: {attempt.state}", Reason.STALE)


def _require_rollback(action: AgentRolloutAction, status: AgentRolloutStatus) -> None:
    """A rollback in progress is of the canary; at rest, and while a release is pending, of stable."""
    release, attempt = action.spec.release, status.attempt
    if attempt and attempt.state in LATCHED:
        rolled_back = status.last_rollback.from_ if status.last_rollback else ""
        if release == rolled_back:
            raise Refused(f"{release} is rolled back already", Reason.NOTHING_TO_DO)
    record, what = (status.canary, "the canary") if is_progressing(status) else (status.stable, "stable")
    if record is None or record.release != release:
        raise Refused(f"{release} is not {what}" + (f"; {record.release} is" if record else ""))


def _attempt_of(status: AgentRolloutStatus) -> Attempt:
    """The attempt in progress, which is not being rolled back."""
    attempt = status.attempt
    if attempt is None:
        raise Refused("there is no attempt")
    if attempt.state in LATCHED:
        raise Refused("the attempt is being rolled back", Reason.STALE)
    return attempt


def _with_traffic(status: AgentRolloutStatus) -> Attempt:
    attempt = _attempt_of(status)
    if attempt.state is State.PENDING:
        raise Refused("no attempt is in progress: the release is pending and has no traffic")
    return attempt


def _signature(action: AgentRolloutAction, now: datetime) -> Signature:
    spec = action.spec
    return {"by": spec.requested_by, "action": action.metadata.name, "reason": spec.reason, "time": now}


def _approve(action: AgentRolloutAction, status: AgentRolloutStatus, desk: Desk) -> Fact:
    attempt, phase = _attempt_of(status), action.spec.phase or ""
    plan = [each for each in desk.rollout.spec.phases if each.approval is Approval.REQUIRED]
    counts = {each.name: each.approvals or 1 for each in plan}
    for approval in attempt.approvals:
        counts[approval.phase_name] = max(approval.count, counts.get(approval.phase_name, 1))
    if phase not in counts:
        names = ", ".join(counts) or "none"
        raise Refused(f"phase {phase} needs no approval; phases that do: {names}")
    if len(attempt.approved_by) >= MAX_GIVEN:
        raise Refused(f"the attempt has {MAX_GIVEN} approvals, and no room for more")
    if why := why_not(action.spec.requested_by, phase, attempt, desk.author, status.retried):
        raise Refused(why)
    given = GivenApproval(**_signature(action, desk.now), phase_name=phase)
    approved = (*attempt.approved_by, given)
    message = f"phase {phase} has {len(of_phase(approved, phase))} of {counts[phase]} approvals"
    if not desk.author:
        message += "; the author of the release is unknown"
    changed = status.copy_with(attempt=attempt.copy_with(approved_by=approved))
    return Fact(changed, message, Reason.COUNTED)


def _promote(action: AgentRolloutAction, status: AgentRolloutStatus, desk: Desk) -> Fact:
    attempt, phase = _with_traffic(status), action.spec.phase or ""
    if phase != (current := current_phase(attempt) or ""):
        raise Refused(f"the attempt is in phase {current}, not in {phase}")
    promotion = Promotion(**_signature(action, desk.now), phase_name=phase)
    people = tuple(dict.fromkeys([action.spec.requested_by, *attempt.promoted_by]))[:MAX_APPROVALS]
    changed = attempt.copy_with(promoted=promotion, promoted_by=people)
    return Fact(status.copy_with(attempt=changed), f"phase {phase} counts as passed")


def _hold(action: AgentRolloutAction, status: AgentRolloutStatus, desk: Desk) -> Fact:
    attempt = _with_traffic(status)
    if attempt.held_by:
        return Fact(status, f"{attempt.held_by.by} holds the attempt already", Reason.NOTHING_TO_DO)
    held = attempt.copy_with(held_by=PersonalAct(**_signature(action, desk.now)))
    return Fact(status.copy_with(attempt=held), f"the canary keeps {attempt.weight}%")


def _resume(_: AgentRolloutAction, status: AgentRolloutStatus, __: Desk) -> Fact:
    attempt = _with_traffic(status)
    if attempt.held_by is None:
        raise Refused("no person holds the attempt")
    message = f"the hold by {attempt.held_by.by} is over"
    return Fact(status.copy_with(attempt=attempt.copy_with(held_by=None)), message)


def _retry(action: AgentRolloutAction, status: AgentRolloutStatus, desk: Desk) -> Fact:
    """Out of quarantine; or once more, after an attempt that was rolled back without proof."""
    attempt, spec = status.attempt, action.spec
    named = (spec.attempt, spec.release)
    digest = next((each.digest for each in status.quarantined if (each.attempt, each.release) == named), None)
    is_last = attempt is not None and attempt.number == spec.attempt
    if digest is None and is_last and attempt and attempt.state is State.ROLLED_BACK:
        digest = next((each.digest for each in status.history if (each.number, each.release) == named), None)
    if digest is None:
        listed = ", ".join(f"{each.release} (attempt {each.attempt})" for each in status.quarantined)
        raise Refused(
            f"{spec.release} of attempt {spec.attempt} is not in quarantine; {listed or 'nothing'} is"
        )
    last = attempt.number if attempt else 0
    retried = Retried(**_signature(action, desk.now), digest=digest, attempt=last)
    left = tuple(each for each in status.quarantined if each.digest != digest)
    return Fact(
        status.copy_with(quarantined=left, retried=retried),
        f"{spec.release} is tried again once spec.releaseRef names it",
    )


def _acknowledge(action: AgentRolloutAction, status: AgentRolloutStatus, desk: Desk) -> Fact:
    attempt = _with_traffic(status)
    hold = attempt.hold
    if attempt.fuse is None and (hold is None or hold.until is None):
        raise Refused("there is no hold that ends by itself")
    until = desk.now + timedelta(seconds=action.spec.for_seconds or ACKNOWLEDGED_SECONDS)
    gates = tuple(gate.name for gate in status.gates if gate.holding_start_time)
    acknowledged = Acknowledged(**_signature(action, desk.now), until=until, gates=gates)
    held = attempt.copy_with(hold=hold and hold.copy_with(until=until), acknowledged=acknowledged)
    what = f"{', '.join(gates)} may fail" if attempt.fuse and gates else "the hold lasts"
    return Fact(status.copy_with(attempt=held), f"{what} until {until:%Y-%m-%d %H:%M:%S} UTC")


FACTS: Final[Mapping[ActionType, Callable[[AgentRolloutAction, AgentRolloutStatus, Desk], Fact]]] = {
    ActionType.APPROVE: _approve,
    ActionType.PROMOTE: _promote,
    ActionType.HOLD: _hold,
    ActionType.RESUME: _resume,
    ActionType.RETRY: _retry,
    ActionType.ACKNOWLEDGE: _acknowledge,
}
"""What each type but RollBack makes of a status. Each raises `Refused` where it does not apply."""
