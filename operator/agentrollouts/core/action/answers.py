"""The answer to an action, as its own status says it: a copy of the ledger, written until it is seen."""

from datetime import datetime

from agentrollouts.api.objects import Condition, ConditionStatus
from agentrollouts.api.people.action import ActionStatus, AgentRolloutAction
from agentrollouts.api.reasons import Reason
from agentrollouts.core.action.ledger import ON_THE_WAY, SUCCESSFUL
from agentrollouts.core.conditions import READY, RECONCILING, STALLED, condition, set_condition


def answer(
    action: AgentRolloutAction, reason: Reason, message: str, now: datetime, routed_seconds: str | None = None
) -> ActionStatus | None:
    """The status with this answer; None if the action has it already."""
    conditions = action.status.conditions
    for each in _conditions(action, reason, message, now):
        conditions = set_condition(conditions, each)
    status = ActionStatus(
        observed_generation=action.metadata.generation, routed_seconds=routed_seconds, conditions=conditions
    )
    return None if status == action.status else status


def _conditions(
    action: AgentRolloutAction, reason: Reason, message: str, now: datetime
) -> tuple[Condition, ...]:
    """Ready is the answer. By Reconciling and Stalled, tools know whether another one follows."""
    is_open = reason in ON_THE_WAY
    is_refused = not is_open and reason not in SUCCESSFUL
    generation = action.metadata.generation

    def of(kind: str, *, is_true: bool) -> Condition:
        status = ConditionStatus.TRUE if is_true else ConditionStatus.FALSE
        return condition(kind, status, reason, message, generation=generation, now=now)

    return (
        of(READY, is_true=reason in SUCCESSFUL),
        of(RECONCILING, is_true=is_open),
        of(STALLED, is_true=is_refused),
    )
