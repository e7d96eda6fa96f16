"""How much a tenant may request."""

from pydantic import Field

from agentrollouts.settings.section import Section


class Limits(Section):
    """How much a tenant may ask for."""

    rollouts_per_namespace: int = Field(strict=True, default=1000, ge=1, le=100_000)
    """Number of AgentRollouts in one namespace that are served. Younger ones ship nothing, with the reason
    LimitExceeded. A release that they already serve continues, and can be rolled back."""
    gates_per_rollout: int = Field(strict=True, default=16, ge=1, le=16)
    """Gates of one rollout. A rollout with more ships nothing, with the reason LimitExceeded."""
