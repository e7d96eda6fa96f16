"""The condition that says whether a group is rolled back as a whole; the same list is on every member."""

from typing import Final

from agentrollouts.api.objects import Condition, ConditionStatus
from agentrollouts.api.reasons import Reason
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.conditions import GROUP_CONSISTENT, condition
from agentrollouts.core.recovery.group.rollback import overdue
from agentrollouts.core.rollout.neighbors.group import itself
from agentrollouts.core.rollout.observation import Observation

NAMED: Final = 5
"""Members that a message names."""


def group_consistent(obs: Observation, status: AgentRolloutStatus) -> Condition | None:
    """The condition; None if the rollout is in no group.

    A member that is about to roll back does not count, only one that cannot.

    Args:
        obs: The rollout and its siblings.
        status: The next status, with its other conditions.
    """
    member, group = itself(obs, status), obs.rollout.spec.group
    if member is None or group is None:
        return None
    stuck = [(each.name, due) for each, due in overdue((member, *obs.siblings)) if each.is_stuck]
    generation, now = obs.rollout.metadata.generation, obs.now
    if not stuck:
        reason, holds, message = Reason.GROUP_CONSISTENT, ConditionStatus.TRUE, ""
    else:
        reason, holds = Reason.GROUP_INCONSISTENT, ConditionStatus.FALSE
        more = f"; and {len(stuck) - NAMED} more" if len(stuck) > NAMED else ""
        listed = "; ".join(f"{name} cannot roll back: {due.sentence(group)}" for name, due in stuck[:NAMED])
        message = f"{listed}{more}"
    return condition(GROUP_CONSISTENT, holds, reason, message, generation=generation, now=now)
