"""The warning that another agent does not serve what stable requires: the condition `RequirementUnmet`."""

from agentrollouts.api.objects import Condition, ConditionStatus
from agentrollouts.api.reasons import Reason
from agentrollouts.core.conditions import REQUIREMENT_UNMET, condition
from agentrollouts.core.rollout.checks.stops import unmet_at_rest
from agentrollouts.core.rollout.observation import Observation


def requirement_unmet(obs: Observation) -> Condition | None:
    """The first requirement of stable that is not met, whatever the attempt does; None if all are met."""
    message, kind, holds = unmet_at_rest(obs), REQUIREMENT_UNMET, ConditionStatus.TRUE
    if message is None:
        return None
    generation = obs.rollout.metadata.generation
    return condition(kind, holds, Reason.REQUIREMENT_UNMET, message, generation=generation, now=obs.now)
