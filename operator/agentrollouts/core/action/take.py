"""Takes the open actions of a rollout: each becomes a fact of the status, or is refused with a sentence.

Before the chain of checks, and whatever that decides. The facts are persisted with the ledger in one write. A
rollback is an order, not a fact: the chain carries it out, and only then is it in the ledger.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from agentrollouts.api.people.action import FORWARD, OF_NO_ATTEMPT, ActionType, AgentRolloutAction
from agentrollouts.api.reasons import Reason
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.action.facts import FACTS, Desk, Refused, Waits
from agentrollouts.core.action.hooks import HOOK_FACTS
from agentrollouts.core.action.ledger import (
    FULL,
    LOOKED_AT,
    ON_THE_WAY,
    SUCCESSFUL,
    entry_of,
    event_of,
    has_begun,
    open_actions,
    trimmed,
)
from agentrollouts.core.action.people import Unproved
from agentrollouts.core.effects import Event
from agentrollouts.core.history import is_about_rest, is_drill, rollback_of
from agentrollouts.core.states import ENDS, LATCHED, is_progressing

FIRST: Final = (ActionType.SWITCH_OFF, ActionType.ROLL_BACK, ActionType.HOLD)
"""What is looked at first, in this order; everything else by age."""
UNLIMITED: Final = frozenset({ActionType.SWITCH_OFF, ActionType.ROLL_BACK})
"""What is taken though the ledger is full."""
ABOUT_REST: Final = (ActionType.ROLL_BACK, ActionType.DRILL)
"""Types that a rollout at rest can carry out."""
UNPROVED: Final = (
    "the API server does not verify who creates actions, so {consequence}; "
    "install the policies of the chart (policies.authority), and create the action again"
)
CONSEQUENCES: Final = {
    Unproved.BACK_ONLY: "one that advances a canary has no effect",
    Unproved.REFUSE: (
        "only SwitchOff and a rollback of an attempt in progress have an effect (authority.unproved: Refuse)"
    ),
}
_FACTS: Final = {**FACTS, **HOOK_FACTS}


@dataclass(frozen=True, slots=True)
class Requests:
    """What people have requested, as far as it is not carried out by a fact of the status."""

    status: AgentRolloutStatus
    """With the facts, and the ledger of them."""
    rollback: AgentRolloutAction | None = None
    """The order to roll back; None if there is none."""
    switch_on: AgentRolloutAction | None = None
    """The order to end the detour; None if there is none."""
    drill: AgentRolloutAction | None = None
    """The request for a drill, which begins with this decision or is refused; None if there is none."""
    events: tuple[Event, ...] = ()
    waits: str = ""
    """What the order to end the detour waits for."""
    unread: frozenset[str] = frozenset()
    """Services whose endpoints decide on that order, and that have not been read."""
    waiting: tuple[tuple[AgentRolloutAction, str], ...] = ()
    """Actions that are taken once something else has happened, and what they wait for."""
    awaits_proof: bool = False
    """Whether an action waits until it is known if the API server verifies who creates actions."""


def take(actions: tuple[AgentRolloutAction, ...], status: AgentRolloutStatus, desk: Desk) -> Requests:
    """One pass over the open actions. SwitchOff and rollbacks are first; nothing goes forward beside them."""
    requests = Requests(status)
    number = status.attempt.number if status.attempt else 0
    waiting = sorted(
        open_actions(actions, status.actions), key=lambda action: _order(action, number, desk.begun)
    )
    for action in waiting[:LOOKED_AT]:
        if len(requests.status.actions) >= FULL and action.spec.type not in UNLIMITED:
            break
        try:
            requests = _taken(action, requests, desk)
        except Waits as waits:
            requests = replace(requests, waiting=(*requests.waiting, (action, str(waits))))
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


def _order(
    action: AgentRolloutAction, number: int, begun: str
) -> tuple[int, bool, bool, float, bool, bool, str]:
    """Of one type, those about the current attempt first: no number of wrong ones delays a right one.

    A rollback that the route shows already is the first of its type: it is credited, whatever came after it.
    The API server knows the age to the second. Within one second, what waits already is older, and what uses
    force is what someone wants who knows why the other one waits.
    """
    kind, made = action.spec.type, action.metadata.creation_timestamp
    rank = FIRST.index(kind) if kind in FIRST else len(FIRST)
    is_new, is_forced = not action.status.conditions, bool(action.spec.force)
    age = made.timestamp() if made else 0.0
    is_later = not has_begun(action, begun)
    return rank, is_later, action.spec.attempt != number, age, is_new, is_forced, action.metadata.name


def _taken(action: AgentRolloutAction, requests: Requests, desk: Desk) -> Requests:
    status = requests.status
    _require_current(action, status, desk.rollout)
    _require_new(action, status)
    unproved = desk.authority.unproved
    if desk.is_proved is not True and _needs_proof(action.spec.type, status, unproved):
        if desk.is_proved is None:
            return replace(requests, awaits_proof=True)
        sentence = UNPROVED.format(consequence=CONSEQUENCES[unproved])
        raise Refused(sentence, Reason.IDENTITY_NOT_PROVED)
    if action.spec.type is ActionType.ROLL_BACK:
        _require_rollback(action, status)
        if requests.rollback and has_begun(requests.rollback, desk.begun):
            return requests  # answered once the status shows that rollback too
        if earlier := requests.rollback:  # it waits, and the later one may name a target, or use force
            message = f"replaced by the later action {action.metadata.name}"
            requests = answered(requests, earlier, Reason.STALE, message, desk.now)
        return replace(requests, rollback=action)
    if action.spec.type is ActionType.SWITCH_ON:
        return _switching_on(action, requests, desk)
    if action.spec.type is ActionType.DRILL:
        if requests.drill:
            raise Refused("another drill is requested already")
        return replace(requests, drill=action)
    _require_no_drill(action, status)
    fact = _FACTS[action.spec.type](action, status, desk)
    done = replace(requests, status=fact.status)
    return answered(done, action, fact.reason, fact.message, desk.now)


def _switching_on(action: AgentRolloutAction, requests: Requests, desk: Desk) -> Requests:
    """An order to end the detour that the action names."""
    named, detour = action.spec.detour, requests.status.detour
    if detour is None or detour.id != named:
        current = f"the current one is {detour.id}" if detour else "there is none now"
        raise Refused(f"detour {named} is not in progress; {current}", Reason.STALE)
    if earlier := requests.switch_on:
        message = f"replaced by the later action {action.metadata.name}"
        requests = answered(requests, earlier, Reason.STALE, message, desk.now)
    return replace(requests, switch_on=action)


def _needs_proof(kind: ActionType, status: AgentRolloutStatus, unproved: Unproved) -> bool:
    """Whether its creator must be known; never for a SwitchOff, nor to roll a canary back."""
    match unproved:
        case Unproved.ACCEPT:
            return False
        case Unproved.REFUSE:
            is_rollback = kind is ActionType.ROLL_BACK and is_progressing(status)
            return not is_rollback and kind is not ActionType.SWITCH_OFF
        case _:
            return kind in FORWARD


def _require_current(action: AgentRolloutAction, status: AgentRolloutStatus, rollout: AgentRollout) -> None:
    """An action that names another attempt, or an earlier rollout of this name, has no effect."""
    spec, attempt = action.spec, status.attempt
    made, begun = action.metadata.creation_timestamp, rollout.metadata.creation_timestamp
    if made and begun and made < begun:
        raise Refused("the rollout was created again after this action", Reason.STALE)
    is_of_hooks = spec.type in HOOK_FACTS and any(each.attempt == spec.attempt for each in status.hooks)
    is_elsewhere = spec.type is ActionType.RETRY or spec.type in OF_NO_ATTEMPT or is_of_hooks
    if is_elsewhere or spec.attempt is None:
        return
    if spec.type in ABOUT_REST and attempt and _is_about_rest(action, spec.attempt, status):
        return
    if attempt is None or spec.attempt > attempt.number:
        raise Refused(f"attempt {spec.attempt} has not begun")
    if spec.attempt < attempt.number:
        ends = (entry for entry in status.history if entry.number == spec.attempt)
        outcome = next((f": {entry.outcome}" for entry in ends), "")
        raise Refused(f"attempt {spec.attempt} is over{outcome}", Reason.STALE)
    if attempt.state in ENDS and spec.type is not ActionType.ROLL_BACK:
        raise Refused(f"attempt {spec.attempt} is over: {attempt.state}", Reason.STALE)


def _require_new(action: AgentRolloutAction, status: AgentRolloutStatus) -> None:
    """An action that was restored from a backup has another uid, and the name of one that was taken."""
    spec = action.spec
    if spec.type in UNLIMITED or spec.attempt is None:
        return  # a rollback that names the wrong release is refused anyway, and a right one never
    same = (action.metadata.name, spec.type, spec.attempt)
    entries = (each for each in status.actions if (each.name, each.type, each.attempt) == same)
    earlier = next((each for each in entries if each.result in SUCCESSFUL | ON_THE_WAY), None)
    if earlier:
        when = f"{earlier.time:%Y-%m-%d %H:%M:%S} UTC"
        raise Refused(f"an action of this name was taken at {when}; create one of another name", Reason.STALE)


def _is_about_rest(action: AgentRolloutAction, number: int, status: AgentRolloutStatus) -> bool:
    """Whether it is about a rollout at rest, as it was: a drill in between does not make it stale."""
    is_drill_order = action.spec.type is ActionType.DRILL
    return (is_drill_order or _is_of_stable(action, status)) and is_about_rest(number, status)


def _require_no_drill(action: AgentRolloutAction, status: AgentRolloutStatus) -> None:
    """No one steers a drill. What is about the agent, or about hooks of another attempt, has its effect."""
    kind, attempt = action.spec.type, status.attempt
    is_of_drill = is_drill(status) and attempt is not None and action.spec.attempt == attempt.number
    if is_of_drill and kind is not ActionType.RETRY:
        raise Refused(f"attempt {action.spec.attempt} is a drill, which ends by itself")


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
