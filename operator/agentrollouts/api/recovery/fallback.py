"""What a fallback that is another agent leads to, as a status remembers it."""

from agentrollouts.api.model.base import ApiModel, Message, ObjectName, ReleaseName
from agentrollouts.api.release import ServiceRef


class FallbackStatus(ApiModel):
    """What the rollout that answers in a detour serves."""

    rollout: ObjectName
    """Name of the AgentRollout."""
    release: ReleaseName | None = None
    """Release that it serves. Absent if none can answer."""
    service: ServiceRef | None = None
    """Service of that release, which gets the traffic of a detour. Absent if none can."""
    message: Message = ""
    """Why none can answer. Empty if one can."""
