"""The traffic of one rollout as it is observed: the inputs of this chapter."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from agentrollouts.api.release import AgentRelease
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.effects import Problem
from agentrollouts.core.traffic.manifests import Objects


class Observed(Protocol):
    """What the observation of a rollout says about its traffic; each field is documented there."""

    @property
    def now(self) -> datetime:
        """The one instant of the decision."""

    @property
    def rollout(self) -> AgentRollout:
        """Whose traffic it is."""

    @property
    def status(self) -> AgentRolloutStatus:
        """The persisted status."""

    @property
    def release(self) -> AgentRelease | None:
        """The release that `spec.releaseRef` names."""

    @property
    def traffic(self) -> Objects:
        """Traffic objects as returned by the API server."""

    @property
    def endpoints(self) -> Mapping[str, bool | None]:
        """Whether a Service has a ready endpoint, by name."""

    @property
    def rule_taken_by(self) -> str | None:
        """An older rollout that sets the weights of the same rule."""

    @property
    def traffic_problem(self) -> Problem | None:
        """Why the last write of a traffic object failed."""
