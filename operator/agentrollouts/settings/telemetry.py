"""What the operator's metrics show of rollouts."""

from pydantic import Field

from agentrollouts.settings.section import Section


class TelemetrySettings(Section):
    """The metrics of the operator."""

    per_rollout: bool = Field(strict=True, default=True)
    """Whether a rollout has series of its own (weights, verdicts and evidence of its gates, holds) while an
    attempt is in progress and for an hour after a rollback. Without, rollouts are only counted by state."""
