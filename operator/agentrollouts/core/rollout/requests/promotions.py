"""What becomes of a promotion: it waits until its phase is left, and the new weight is on the route.

The decision leaves the phase as soon as no person's hold, no freeze and no missing approval stops it. A
promotion overrides none of them.
"""

from dataclasses import replace

from agentrollouts.api.attempt import State
from agentrollouts.api.people.action import ActionType, TakenAction
from agentrollouts.api.reasons import Reason
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.action.ledger import refusal
from agentrollouts.core.action.take import Requests
from agentrollouts.core.attempt import moves
from agentrollouts.core.endings import UNVARYING
from agentrollouts.core.rollout.situation import Situation
from agentrollouts.core.states import ENDS, LATCHED


def waits(entry: TakenAction) -> bool:
    """Whether it is a promotion that is not carried out yet. No other entry waits."""
    return entry.type is ActionType.PROMOTE and entry.result == Reason.WAITING


def settled(s: Situation, move: moves.Move, requests: Requests, *, is_shown: bool) -> Requests:
    """With the last answer to promotions, as soon as it is known.

    Args:
        s: What the decision rests on.
        move: What follows.
        requests: The status after the move, with the ledger.
        is_shown: Whether the route shows the weights of that status.
    """
    status = requests.status
    waiting = tuple(filter(waits, status.actions))
    end = _end(s, move, status, is_shown=is_shown) if waiting else None
    if end is None:
        return requests
    reason, message = end
    ledger = tuple(
        entry.copy_with(result=reason.value, message=message) if waits(entry) else entry
        for entry in status.actions
    )
    refusals = tuple(refusal(entry, message) for entry in waiting if reason is Reason.STALE)
    changed = status.copy_with(actions=ledger)
    return replace(requests, status=changed, events=(*requests.events, *refusals))


def _end(
    s: Situation, move: moves.Move, status: AgentRolloutStatus, *, is_shown: bool
) -> tuple[Reason, str] | None:
    """The answer, and its sentence; None while the promotion waits."""
    attempt, before = status.attempt, s.status.attempt
    if attempt is None:
        return None
    if attempt.state in LATCHED or attempt.state is State.SUPERSEDED:
        how = "superseded" if attempt.state is State.SUPERSEDED else "rolled back"
        return Reason.STALE, f"the attempt was {how} before the promotion took effect"
    is_pending = before is not None and before.promoted is not None
    if is_pending and isinstance(move, moves.Replan | moves.Rewatch):
        return Reason.STALE, "the plan changed, so the phase restarts; to promote it, create another action"
    is_left = attempt.promoted is None or attempt.state in ENDS
    return (Reason.DONE, _done(status)) if is_left and is_shown else None


def _done(status: AgentRolloutStatus) -> str:
    """What the route has now."""
    attempt, stable = status.attempt, status.stable
    if attempt is not None and status.canary is not None:
        return f"{status.canary.release} has {attempt.weight}%"
    return f"{stable.release} has all traffic" if stable else ""


def sentence(entry: TakenAction, move: moves.Move, status: AgentRolloutStatus) -> str:
    """What the promotion waits for. Nothing that was measured: it would be another answer each time."""
    state = status.attempt.state if status.attempt else None
    match move:
        case moves.Hold(reason, message):
            why = message if reason in UNVARYING else f"the attempt is held for {reason}"
        case moves.AskApproval(message):
            why = message
        case moves.Wait(message) if state is State.AWAITING_APPROVAL:
            why = message
        case _:
            return entry.message
    return f"{entry.message}; {why}"
