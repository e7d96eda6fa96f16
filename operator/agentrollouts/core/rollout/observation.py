"""The world of one rollout as it is now. Time is a field like any other."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from agentrollouts.api.objects import ObjectMeta
from agentrollouts.api.people.action import AgentRolloutAction
from agentrollouts.api.people.freeze import AgentFreeze
from agentrollouts.api.release import AgentRelease
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.action.people import Authority
from agentrollouts.core.action.retention import AnsweredAction
from agentrollouts.core.attempt.ladder import in_force
from agentrollouts.core.containment.fallback import Lead
from agentrollouts.core.effects import Manifest, Problem
from agentrollouts.core.metrics.poll import PollResult
from agentrollouts.core.record.knowledge import NOTHING_KNOWN, Knowledge
from agentrollouts.core.recovery.group.member import Member
from agentrollouts.core.recovery.group.requirements import Others
from agentrollouts.core.recovery.hooks.response import Responses
from agentrollouts.core.release.snapshot import releases_of
from agentrollouts.core.traffic.observed import Contest

MAX_KNOWN: Final = 64
"""Past releases that are distinguished from runs without a release."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """The world of one rollout as it is now."""

    now: datetime
    rollout: AgentRollout
    written: AgentRollout | None = None
    """The rollout with all its phases, where `rollout` has only those that count."""
    release: AgentRelease | None = None
    """The release that `spec.releaseRef` names; None if no such object exists."""
    standbys: Mapping[str, AgentRelease] = field(default_factory=dict)
    """The releases that `spec.standby` names, by name; without those that do not exist."""
    endpoints_ready: bool | None = None
    """Whether that release's service has a ready endpoint.

    None if it was not read, since nothing depends on it.
    """
    endpoints: Mapping[str, bool | None] = field(default_factory=dict)
    """Whether a Service has a ready endpoint, by name; None if the API server did not answer.

    A Service that is missing here has not been read.
    """
    traffic: Mapping[tuple[str, str], Manifest] = field(default_factory=dict)
    """Our traffic objects as returned by the API server, by (kind, name)."""
    refused: Problem | None = None
    """Why the administrator does not permit this rollout to move forward; None if nothing stands against
    it. A rollback does not ask.
    """
    rule_taken_by: str | None = None
    """An older rollout that sets the weights of the same rule; None if there is none."""
    agent_taken_by: str | None = None
    """The rollout that ships the agent instead of this one; None if there is none."""
    same_door: tuple[str, ...] = ()
    """Other routes with the same hostname at the same parent, as `namespace/name`."""
    traffic_problem: Problem | None = None
    """Why the last write of a traffic object failed; None once one succeeded."""
    contest: Contest | None = None
    """The fight over a traffic object that this process is in; None if none is."""
    snapshots: Mapping[str, ObjectMeta] = field(default_factory=dict)
    """Metadata of the agent's snapshot ConfigMaps, by name."""
    altered: frozenset[str] = frozenset()
    """Names of ConfigMaps that look like snapshots, but do not hold what their name or the status says. They
    are not among `snapshots`."""
    workloads: Mapping[tuple[str, str], Manifest | Problem | None] = field(default_factory=dict)
    """Deployments and Services as read for this decision, by (kind, name).

    None for one that does not exist, a problem for one that could not be read.
    """
    weighted: frozenset[str] = frozenset()
    """Those of these Services to which any route sends requests."""
    workload_problem: Problem | None = None
    """Why the last write of a Deployment or Service failed; None once one succeeded."""
    cron_jobs: Mapping[str, Manifest | Problem | None] = field(default_factory=dict)
    """CronJobs as read for hooks, by name.

    None for one that does not exist, a problem for one that could not be read. One that is missing here has
    not been read.
    """
    jobs: Mapping[str, Manifest | Problem | None] = field(default_factory=dict)
    """Jobs of hooks, by name, in the same way."""
    hook_problem: Problem | None = None
    """Why the last creation of a Job failed; None once one succeeded."""
    webhook_endpoints: frozenset[str] | None = None
    """Endpoints of the settings that webhooks of the namespace may use; None if all, as in a simulation, or
    if no hook has a webhook."""
    responses: Responses = field(default_factory=dict)
    """What became of the requests of webhooks, as far as it is known."""
    poll_result: PollResult | None = None
    actions: tuple[AgentRolloutAction, ...] = ()
    """What people have requested of this rollout, whether or not it was taken."""
    answered: tuple[AnsweredAction, ...] = ()
    """Actions about this rollout that have their last answer; of very many, a part."""
    freezes: tuple[AgentFreeze, ...] = ()
    """Those that cover this rollout, whether or not they are active now."""
    others: Others | None = None
    """The rollouts of agents that a release here requires, and those of which a release requires this agent.

    None if they are not known, as in a simulation: requirements are not enforced then.
    """
    fallback: Lead | None = None
    """What the rollout in `spec.fallback.rollout` serves; None if that is not known, or none is named."""
    siblings: tuple[Member, ...] = ()
    """The other members of its group."""
    record: Knowledge = NOTHING_KNOWN
    """What is known of the writing of the record."""
    identity_proved: bool | None = None
    """Whether the API server verifies who creates actions. None if it is not known, since nothing depends on
    it."""
    authority: Authority = field(default_factory=Authority)
    """What the administrator says about the identity of people."""

    def in_force(self) -> "Observation":
        """The same, of whose plan only the phases that count are seen."""
        rollout = in_force(self.rollout)
        return self if rollout is self.rollout else replace(self, rollout=rollout, written=self.rollout)

    @property
    def known_releases(self) -> tuple[str, ...]:
        """The agent's other releases, whose series are theirs: of the history, and those with a snapshot."""
        past = (entry.release for entry in self.status.history)
        marked = (name for snapshot in self.snapshots.values() for name in releases_of(snapshot))
        return tuple(dict.fromkeys([*past, *sorted(marked)]))[:MAX_KNOWN]

    @property
    def status(self) -> AgentRolloutStatus:
        """The persisted status; empty on the first visit."""
        return self.rollout.status
