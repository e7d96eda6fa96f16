"""What people read of standbys: the condition that one could not serve, and what is missing."""

from agentrollouts.api.objects import Condition, ConditionStatus
from agentrollouts.api.reasons import Reason
from agentrollouts.core.conditions import STANDBY_NOT_READY, condition
from agentrollouts.core.rollout.situation import Situation
from agentrollouts.core.rollout.standbys.choice import unfit


def not_ready(s: Situation) -> Condition | None:
    """The warning that a standby could not serve if a gate failed now; None if all could."""
    if not s.spec.standby or s.status.stable is None:
        return None
    reasons = [why for each in s.spec.standby if (why := unfit(s, each))]
    if not reasons:
        return None
    kind, why, generation = STANDBY_NOT_READY, Reason.STANDBY_NOT_READY, s.obs.rollout.metadata.generation
    message = "; ".join(reasons)
    return condition(kind, ConditionStatus.TRUE, why, message, generation=generation, now=s.now)
