"""The traffic of one rollout as it is observed: the inputs of this chapter."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from agentrollouts.api.names import FIELD_MANAGER
from agentrollouts.api.reasons import Reason
from agentrollouts.api.release import AgentRelease
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.effects import Problem
from agentrollouts.core.traffic.manifests import Objects


@dataclass(frozen=True, slots=True)
class Contest:
    """A fight over a traffic object: it is changed again faster than the operator may restore it.

    What is overwritten at once is not in effect, however often it is written. Nothing goes forward meanwhile.
    """

    target: str
    """Kind and name of the object."""
    by: str | None
    """The field manager of the other writer; None if that is unknown."""
    since: datetime
    until: datetime
    """When it is over, unless the object is changed again."""
    is_deleted: bool = False
    """Whether the object is deleted each time, and not changed."""

    @property
    def problem(self) -> Problem:
        """Who changes what. The sentence stays the same for as long as the fight lasts."""
        what, cure = self._fight
        since = f"since {self.since:%Y-%m-%d %H:%M:%S} UTC"
        message = f"{self.target} {what}, {since}, so its split does not hold; {cure}"
        return Problem(Reason.ROUTE_CONTESTED, message)

    @property
    def _fight(self) -> tuple[str, str]:
        """What happens to the object, and what to do."""
        if self.is_deleted:
            return "is deleted as often as the operator creates it", "the audit log says by whom"
        if self.by is None:
            cure = (
                "managedFields names no other writer: look for an admission webhook, or for a client that "
                f"writes as {FIELD_MANAGER}"
            )
            return "does not stay as the operator writes it", cure
        cure = f"exclude the split from what {self.by} applies"
        return f"is changed by {self.by} as often as the operator restores it", cure


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

    @property
    def contest(self) -> Contest | None:
        """The fight over a traffic object that is in progress."""
