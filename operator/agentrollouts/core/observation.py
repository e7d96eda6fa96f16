"""What a decision reads and what it gives: the two values between which `decide` is a pure function.

`shell.observe` builds an `Observation` from the cache, `core.decide` answers with a `Decision`, `shell.act`
carries it out. Time is a field like any other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from agentrollouts.api.meta import ObjectMeta
from agentrollouts.api.release import AgentRelease
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.effects import Effect, Event, Manifest, Problem
from agentrollouts.core.metrics.poll import Asking, Heard


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """The world of one rollout as it is now."""

    now: datetime
    rollout: AgentRollout
    release: AgentRelease | None = None
    """The release that `spec.releaseRef` names; None where no such object exists."""
    endpoints_ready: bool | None = None
    """Whether that release's service has a ready endpoint.

    None where nobody looked, since nothing depends on it.
    """
    endpoints: Mapping[str, bool | None] = field(default_factory=dict)
    """Whether a Service has a ready endpoint, by name; None where the API server did not answer.

    Nobody has asked about a Service that is not in it.
    """
    traffic: Mapping[tuple[str, str], Manifest] = field(default_factory=dict)
    """Our traffic objects as the API server has them, by (kind, name)."""
    refused: Problem | None = None
    """Why the administrator does not permit this rollout to move forward; None where nothing stands against
    it. A rollback does not ask.
    """
    rule_taken_by: str | None = None
    """An older rollout that sets the weights of the same rule; None where there is none."""
    agent_taken_by: str | None = None
    """The rollout that ships the agent instead of this one; None where there is none."""
    same_door: tuple[str, ...] = ()
    """Other routes with the same hostname at the same parent, as `namespace/name`."""
    traffic_problem: Problem | None = None
    """Why the last write of a traffic object failed; None once one succeeded."""
    snapshots: Mapping[str, ObjectMeta] = field(default_factory=dict)
    """Metadata of the agent's snapshot ConfigMaps, by name."""
    heard: Heard | None = None

    @property
    def status(self) -> AgentRolloutStatus:
        """The persisted status; empty on the first visit."""
        return self.rollout.status


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to do, in this order: traffic and owners, then the status once, then Events."""

    writes: tuple[Effect, ...] = ()
    rests_on_status: bool = False
    """Whether the writes move traffic as the persisted status says, so that it has to be the present one. The
    way back rests on the new status.
    """
    status: AgentRolloutStatus | None = None
    """The whole new status; None where the persisted one already says it."""
    is_news: bool = False
    """Whether that status is reason to look again: it differs from the persisted one by more than numbers."""
    events: tuple[Event, ...] = ()
    services: frozenset[str] = frozenset()
    """Services whose endpoints to follow from now on; none at rest."""
    unsure_of: frozenset[str] = frozenset()
    """Services whose endpoints this decision depends on and that nobody has asked about: ask, and decide
    again before anything is done. Empty for a rollback of an attempt, which asks nothing.
    """
    asking: Asking | None = None
    """What to ask Prometheus on the rollout's interval; None while nothing is judged."""
    wake_at: datetime | None = None
    """When to look again though nothing changed; None while only a change can matter."""
