"""The warning that the namespace of a rollout requests more than its share: the condition `ShareExceeded`."""

from agentrollouts.api.objects import Condition, ConditionStatus
from agentrollouts.api.reasons import Reason
from agentrollouts.core.conditions import SHARE_EXCEEDED, condition, find_condition
from agentrollouts.core.rollout.observation import Observation


def share_exceeded(obs: Observation) -> Condition | None:
    """As the newest result of Prometheus says; before there is one, as persisted. None without one."""
    result = obs.poll_result
    if result is None:
        return find_condition(obs.status.conditions, SHARE_EXCEEDED)
    if result.excess is None:
        return None
    why, generation = Reason.SHARE_EXCEEDED, obs.rollout.metadata.generation
    message = f"{result.excess[:1].upper()}{result.excess[1:]}"
    return condition(SHARE_EXCEEDED, ConditionStatus.TRUE, why, message, generation=generation, now=obs.now)
