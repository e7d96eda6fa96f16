"""What the analysis reads of the observation of a rollout."""

from datetime import datetime
from typing import Protocol

from agentrollouts.api.rollout import AgentRollout
from agentrollouts.core.metrics.poll import PollResult


class Observed(Protocol):
    """The inputs of this chapter; each is documented where a rollout is observed."""

    @property
    def now(self) -> datetime:
        """The one instant of the decision."""

    @property
    def rollout(self) -> AgentRollout:
        """Whose gates and caps are evaluated."""

    @property
    def known_releases(self) -> tuple[str, ...]:
        """The agent's other releases, whose series are theirs."""

    @property
    def poll_result(self) -> PollResult | None:
        """The newest result of Prometheus."""
