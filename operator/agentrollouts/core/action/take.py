"""Takes the open actions of a rollout: each becomes a fact of the status, or is refused with a sentence.

Before the chain of checks, and whatever that decides. The facts are persisted with the ledger in one write. A
rollback is an order, not a fact: the chain carries it out, and only then is it in the ledger.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from agentrollouts.api.people.action import FORWARD, ActionType, AgentRolloutAction
from agentrollouts.api.reasons import Reason
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.action.facts import FACTS, Desk, Refused
from agentrollouts.core.action.ledger import FULL, LOOKED_AT, entry_of, event_of, open_actions, trimmed
from agentrollouts.core.action.people import Unproved
from agentrollouts.core.effects import Event
from agentrollouts.core.history import is_about_rest, is_drill, rollback_of
from agentrollouts.core.states import ENDS, LATCHED, is_progressing

FIRST: Final = (ActionType.ROLL_BACK, ActionType.HOLD)
"""What is looked at first, in this order; everything else by age."""
ABOUT_REST: Final = (ActionType.ROLL_BACK, ActionType.DRILL)
"""Types that a rollout at rest can carry out."""
UNPROVED: Final = (
    "the API server does not verify who creates actions, so {consequence}; "
    "install the policies of the chart (policies.authority), and create the action again"
)
CONSEQUENCES: Final = {
    Unproved.BACK_ONLY: "one that advances a canary has no effect",
    Unproved.REFUSE: "only a rollback of an attempt in progress has an effect (authority.unproved: Refuse)",
}


@dataclass(frozen=True, slots=True)
class Requests:
    """What people have requested, as far as it is not carried out by a fact of the status."""

    status: AgentRolloutStatus
    """With the facts, and the ledger of them."""
    rollback: AgentRolloutAction | None = None
    """The order to roll back; None if there is none."""
    drill: AgentRolloutAction | None = None
    """The request for a drill, which begins with this decision or is refused; None if there is none."""
    events: tuple[Event, ...] = ()
    awaits_proof: bool = False
    """Whether an action waits until it is known if the API server verifies who creates actions."""


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


def _order(action: AgentRolloutAction, number: int) -> tuple[int, bool, float, bool, bool, str]:
    """Of one type, those about the current attempt first: no number of wrong ones delays a right one.

    The API server knows the age to the second. Within one second, what waits already is older, and what uses
    force is what someone wants who knows why the other one waits.
    """
    kind, made = action.spec.type, action.metadata.creation_timestamp
    rank = FIRST.index(kind) if kind in FIRST else len(FIRST)
    is_new, is_forced = not action.status.conditions, bool(action.spec.force)
    age = made.timestamp() if made else 0.0
    return rank, action.spec.attempt != number, age, is_new, is_forced, action.metadata.name


def _taken(action: AgentRolloutAction, requests: Requests, desk: Desk) -> Requests:
    status = requests.status
    _require_current(action, status, desk.rollout)
    unproved = desk.authority.unproved
    if desk.is_proved is not True and _needs_proof(action.spec.type, status, unproved):
        if desk.is_proved is None:
            return replace(requests, awaits_proof=True)
        sentence = UNPROVED.format(consequence=CONSEQUENCES[unproved])
        raise Refused(sentence, Reason.IDENTITY_NOT_PROVED)
    if action.spec.type is ActionType.ROLL_BACK:
        _require_rollback(action, status)
        if earlier := requests.rollback:  # it waits, and the later one may name a target, or use force
            message = f"replaced by the later action {action.metadata.name}"
            requests = answered(requests, earlier, Reason.STALE, message, desk.now)
        return replace(requests, rollback=action)
    if action.spec.type is ActionType.DRILL:
        if requests.drill:
            raise Refused("another drill is requested already")
        return replace(requests, drill=action)
    if is_drill(status) and action.spec.type is not ActionType.RETRY:
        raise Refused(f"attempt {action.spec.attempt} is a drill, which ends by itself")
    fact = FACTS[action.spec.type](action, status, desk)
    done = replace(requests, status=fact.status)
    return answered(done, action, fact.reason, fact.message, desk.now)


def _needs_proof(kind: ActionType, status: AgentRolloutStatus, unproved: Unproved) -> bool:
    """Whether an action has an effect only if it is known who creates it; never a rollback of a canary."""
    match unproved:
        case Unproved.ACCEPT:
            return False
        case Unproved.REFUSE:
            return kind is not ActionType.ROLL_BACK or not is_progressing(status)
        case _:
            return kind in FORWARD


def _require_current(action: AgentRolloutAction, status: AgentRolloutStatus, rollout: AgentRollout) -> None:
    """An action that names another attempt, or an earlier rollout of this name, has no effect."""
    spec, attempt = action.spec, status.attempt
    made, begun = action.metadata.creation_timestamp, rollout.metadata.creation_timestamp
    if made and begun and made < begun:
        raise Refused("the rollout was created again after this action", Reason.STALE)
    if spec.type is ActionType.RETRY:
        return
    if spec.type in ABOUT_REST and attempt and _is_about_rest(action, status):
        return
    if attempt is None or spec.attempt > attempt.number:
        raise Refused(f"attempt {spec.attempt} has not begun")
    if spec.attempt < attempt.number:
        ends = (entry for entry in status.history if entry.number == spec.attempt)
        outcome = next((f": {entry.outcome}" for entry in ends), "")
        raise Refused(f"attempt {spec.attempt} is over{outcome}", Reason.STALE)
    if attempt.state in ENDS and spec.type is not ActionType.ROLL_BACK:
        raise Refused(f"attempt {spec.attempt} is over: {attempt.state}", Reason.STALE)


def _is_about_rest(action: AgentRolloutAction, status: AgentRolloutStatus) -> bool:
    """Whether it is about a rollout at rest, as it was: a drill in between does not make it stale."""
    is_drill_order = action.spec.type is ActionType.DRILL
    return (is_drill_order or _is_of_stable(action, status)) and is_about_rest(action.spec.attempt, status)


def _is_of_stable(action: AgentRolloutAction, status: AgentRolloutStatus) -> bool:
    return status.stable is not None and action.spec.release == status.stable.release


def _require_rollback(action: AgentRolloutAction, status: AgentRolloutStatus) -> None:
    """A rollback in progress is of the canary; at rest, and while a release is pending, of stable."""
    release, attempt, rollback = action.spec.release, status.attempt, rollback_of(status)
    if _is_of_stable(action, status) and is_drill(status):
        return
    if attempt and attempt.state in LATCHED:
        rolled_back = rollback.from_ if rollback else ""
        if release == rolled_back:
            raise Refused(f"{release} is rolled back already", Reason.NOTHING_TO_DO)
    record, what = (status.canary, "the canary") if is_progressing(status) else (status.stable, "stable")
    if record is None or record.release != release:
        raise Refused(f"{release} is not {what}" + (f"; {record.release} is" if record else ""))
