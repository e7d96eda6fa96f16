"""The ledger in a rollout's status: which actions were taken or refused, so that none is taken twice.

An action and its effect are one write of the status. After a crash the ledger has both, or neither.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from agentrollouts.api.model.base import MAX_MESSAGE
from agentrollouts.api.model.text import writable
from agentrollouts.api.people.action import ActionType, AgentRolloutAction, TakenAction
from agentrollouts.api.reasons import Reason
from agentrollouts.api.status import MAX_LEDGER
from agentrollouts.core.conditions import READY, find_condition
from agentrollouts.core.effects import Event

KEPT: Final = 20
"""Newest entries that are kept in any case."""
FULL: Final = 40
"""Entries with which no further action is taken but a rollback: their actions have not been answered yet."""
LOOKED_AT: Final = 50
"""Actions that one decision looks at."""

SUCCESSFUL: Final = frozenset({Reason.DONE, Reason.COUNTED, Reason.NOTHING_TO_DO})
"""Answers that say yes."""
ON_THE_WAY: Final = frozenset({Reason.ROLLING_BACK, Reason.WAITING})
"""Answers that another one follows."""
FINAL: Final = SUCCESSFUL | {
    Reason.REFUSED,
    Reason.STALE,
    Reason.NO_SUCH_ROLLOUT,
    Reason.IDENTITY_NOT_PROVED,
}
"""Answers after which nothing is done for an action anymore."""


def rollback_order(action: AgentRolloutAction) -> str:
    """Who rolls back what, and why: the sentence of a rollback that a person requested."""
    spec = action.spec
    return f"{spec.requested_by} requested a rollback of {spec.release}: {spec.reason}"


def has_begun(action: AgentRolloutAction, sentence: str) -> bool:
    """Whether the rollback that the route shows with this sentence is the one that the action requested."""
    is_rollback = bool(sentence) and action.spec.type is ActionType.ROLL_BACK
    return is_rollback and writable(rollback_order(action), MAX_MESSAGE) == sentence


def entry_of(
    action: AgentRolloutAction, result: Reason, message: str, now: datetime, routed_seconds: str | None = None
) -> TakenAction:
    """What the ledger says of an action."""
    spec, metadata = action.spec, action.metadata
    return TakenAction(
        uid=metadata.uid,
        name=metadata.name,
        type=spec.type,
        attempt=spec.attempt,
        by=spec.requested_by,
        time=now,
        result=result,
        message=message,
        routed_seconds=routed_seconds,
    )


def event_of(action: AgentRolloutAction, reason: Reason, message: str) -> Event:
    """Who requested what, and what became of it."""
    is_refused = reason not in SUCCESSFUL | ON_THE_WAY
    what = f"{action.spec.type} by {action.spec.requested_by}: {message}"
    return Event(Reason.ACTION_REFUSED if is_refused else Reason.ACTION_TAKEN, what, is_warning=is_refused)


def refusal(entry: TakenAction, message: str) -> Event:
    """Why something that was taken has no effect after all."""
    return Event(Reason.ACTION_REFUSED, f"{entry.type} by {entry.by}: {message}", is_warning=True)


def is_answered(action: AgentRolloutAction) -> bool:
    """Whether the action itself has its last answer. Only the operator may write that."""
    ready = find_condition(action.status.conditions, READY)
    return ready is not None and ready.reason in FINAL


def open_actions(
    actions: Iterable[AgentRolloutAction], ledger: Iterable[TakenAction]
) -> tuple[AgentRolloutAction, ...]:
    """Those that were neither taken nor refused yet."""
    taken = {entry.uid for entry in ledger}
    return tuple(a for a in actions if a.metadata.uid not in taken and not is_answered(a))


def trimmed(
    ledger: tuple[TakenAction, ...], actions: Iterable[AgentRolloutAction]
) -> tuple[TakenAction, ...]:
    """The newest entries, and all whose actions have not been answered yet, as many as there is room for.

    Only refused rollbacks can be more than that. One that is taken once more is refused once more.
    """
    if len(ledger) <= KEPT:
        return ledger
    unanswered = {action.metadata.uid for action in actions if not is_answered(action)}
    kept = (*ledger[:KEPT], *(entry for entry in ledger[KEPT:] if entry.uid in unanswered))
    return kept[:MAX_LEDGER]
