"""The warning that someone still requests something by annotation: the condition `AnnotationIgnored`."""

from collections.abc import Mapping
from typing import Final

from agentrollouts.api.names import GROUP
from agentrollouts.api.objects import Condition, ConditionStatus
from agentrollouts.api.reasons import Reason
from agentrollouts.core.conditions import ANNOTATION_IGNORED, condition
from agentrollouts.core.rollout.observation import Observation

COMMANDS: Final[Mapping[str, str]] = {
    f"{GROUP}/approve": "approve",
    f"{GROUP}/roll-back": "roll-back",
    f"{GROUP}/retry": "retry",
}
"""What each annotation requested before there were actions, as a command."""


def annotation_ignored(obs: Observation) -> Condition | None:
    """Names the annotations that have no effect, and the commands that have; None without one."""
    metadata = obs.rollout.metadata
    names = [name for name in COMMANDS if name in metadata.annotations]
    if not names:
        return None
    commands = " or ".join(f"agentrollouts {COMMANDS[name]} {metadata.name}" for name in names)
    verb = "has" if len(names) == 1 else "have"
    message = f"{', '.join(names)} {verb} no effect; remove it, and create an AgentRolloutAction: {commands}"
    why, generation = Reason.ANNOTATION_IGNORED, metadata.generation
    return condition(
        ANNOTATION_IGNORED, ConditionStatus.TRUE, why, message, generation=generation, now=obs.now
    )
