"""What actions are answered once the decision is made, and the order to roll back in the ledger.

All other actions are answered before the decision, by `core.action.take`. A rollback is carried out by the
decision, and waits, or is refused, if the decision says so.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from agentrollouts.api.attempt import State, Trigger
from agentrollouts.api.people.action import ActionStatus, AgentRolloutAction
from agentrollouts.api.reasons import Reason
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.action.answers import answer
from agentrollouts.core.action.take import Requests, answered
from agentrollouts.core.attempt import moves
from agentrollouts.core.effects import Problem
from agentrollouts.core.history import rollback_of
from agentrollouts.core.rollout.detours import fix_of
from agentrollouts.core.rollout.drilling.begin import refusal
from agentrollouts.core.rollout.requests import promotions
from agentrollouts.core.rollout.rollback_target import able, candidates
from agentrollouts.core.rollout.situation import Situation
from agentrollouts.core.states import is_progressing


@dataclass(frozen=True, slots=True)
class Answer:
    """The status that an action is to have."""

    action: AgentRolloutAction
    status: ActionStatus


def noted(s: Situation, move: moves.Move, status: AgentRolloutStatus, *, is_shown: bool) -> Requests:
    """The status after the move, with what became of orders and promotions, and the Events.

    Args:
        s: What the decision rests on.
        move: What follows.
        status: The status after it.
        is_shown: Whether the route shows the weights of that status.
    """
    requests = replace(s.requests, status=_settled(status))
    requests = _switched_on(s, move, promotions.settled(s, move, requests, is_shown=is_shown))
    requests = _drilled(s, move, requests)
    order = requests.rollback
    if order is None:
        return requests
    if isinstance(move, moves.RollBack | moves.RollBackStable) and move.trigger is Trigger.ACTION:
        rollback = rollback_of(status)
        target = rollback.to if rollback else "stable"
        message = f"{order.spec.release} is being rolled back to {target}"
        return answered(requests, order, Reason.ROLLING_BACK, message, s.now)
    if not is_progressing(s.status) and not candidates(s):
        return answered(requests, order, Reason.REFUSED, _no_target(s, order), s.now)
    return requests


def answers(s: Situation, move: moves.Move, requests: Requests) -> tuple[Answer, ...]:
    """What the actions do not say yet of what the ledger knows, and why an order waits."""
    ledger = {entry.uid: entry for entry in requests.status.actions}
    waiting = {action.metadata.uid: message for action, message in requests.waiting}
    due: list[Answer] = []
    for action in s.obs.actions:
        if entry := ledger.get(action.metadata.uid):
            is_waiting = promotions.waits(entry)
            message = promotions.sentence(entry, move, requests.status) if is_waiting else entry.message
            status = answer(action, Reason.of(entry.result), message, s.now, entry.routed_seconds)
        elif action == requests.switch_on:
            status = answer(action, Reason.WAITING, requests.waits, s.now)
        elif action == requests.rollback:
            status = answer(action, Reason.WAITING, getattr(move, "message", ""), s.now)
        elif action.metadata.uid in waiting:
            status = answer(action, Reason.WAITING, waiting[action.metadata.uid], s.now)
        else:
            continue
        if status:
            due.append(Answer(action, status))
    return tuple(due)


def without_rollout(actions: Iterable[AgentRolloutAction], name: str, now: datetime) -> tuple[Answer, ...]:
    """The answer to actions about a rollout that does not exist."""
    message = f"there is no AgentRollout {name} in this namespace"
    statuses = ((action, answer(action, Reason.NO_SUCH_ROLLOUT, message, now)) for action in actions)
    return tuple(Answer(action, status) for action, status in statuses if status)


def _switched_on(s: Situation, move: moves.Move, requests: Requests) -> Requests:
    """With the answer to who ends a detour with another release, or what that waits for."""
    order, fix = requests.switch_on, fix_of(s)
    if order is None or fix is None:
        return requests
    if isinstance(move, moves.ShipInstead):
        message = f"{move.record.release} begins as the first release"
        return answered(replace(requests, switch_on=None), order, Reason.DONE, message, s.now)
    if isinstance(fix, Problem) and fix.reason is Reason.REFUSED:
        return answered(replace(requests, switch_on=None), order, Reason.REFUSED, fix.message, s.now)
    return replace(requests, waits=fix.message if isinstance(fix, Problem) else "")


def _drilled(s: Situation, move: moves.Move, requests: Requests) -> Requests:
    """With the answer to a request for a drill, in the same write as its beginning."""
    order, attempt = requests.drill, requests.status.attempt
    if order is None:
        return requests
    if isinstance(move, moves.BeginDrill) and attempt:
        message = f"attempt {attempt.number} drills {move.record.release} for {move.seconds} s"
        return answered(requests, order, Reason.DONE, message, s.now)
    if isinstance(move, moves.Recall):
        return requests
    return answered(requests, order, Reason.REFUSED, refusal(s), s.now)


def _settled(status: AgentRolloutStatus) -> AgentRolloutStatus:
    """Orders to roll back are done once the route shows it."""
    rollback = rollback_of(status)
    is_open = any(entry.result == Reason.ROLLING_BACK for entry in status.actions)
    if not is_open or rollback is None or rollback.routed_time is None:
        return status
    if status.attempt is None or status.attempt.state is State.ROLLING_BACK:
        return status
    seconds = f"{(rollback.routed_time - rollback.decided_time).total_seconds():.3f}"
    message = f"{rollback.from_} was rolled back to {rollback.to}"
    return status.copy_with(
        actions=tuple(
            entry.copy_with(result=Reason.DONE.value, message=message, routed_seconds=seconds)
            if entry.result == Reason.ROLLING_BACK
            else entry
            for entry in status.actions
        )
    )


def _no_target(s: Situation, order: AgentRolloutAction) -> str:
    release, target, names = order.spec.release, order.spec.target, [record.release for record in able(s)]
    if target and names:
        return (
            f"{release} cannot be rolled back to {target}, which was not healthy or has no snapshot; name "
            f"{' or '.join(names)}"
        )
    return (
        f"{release} cannot be rolled back: none of the {s.spec.rollback.max_walk_back} releases before it "
        "(spec.rollback.maxWalkBack) was healthy and still has its snapshot; ship a fix"
    )
