"""A decision: what to do, and when to look again."""

from dataclasses import dataclass
from datetime import datetime

from agentrollouts.api.status import AgentRolloutStatus, ReleaseRecord
from agentrollouts.core.effects import Creation, Deletion, Effect, Event
from agentrollouts.core.metrics.evidence import EvidenceQuery
from agentrollouts.core.metrics.poll import Poll
from agentrollouts.core.recovery.hooks.reads import NO_READS, HookReads
from agentrollouts.core.recovery.hooks.response import Call
from agentrollouts.core.rollout.requests.answering import Answer
from agentrollouts.core.traffic.drift import Drift


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to do, in this order: traffic and owners, then the status once, then Events, chores and hooks."""

    writes: tuple[Effect, ...] = ()
    rests_on_status: bool = False
    """Whether the writes move traffic by the persisted status, so that it must be current. A rollback depends
    on the new status."""
    status: AgentRolloutStatus | None = None
    """The whole new status; None if the persisted one already says it."""
    is_news: bool = False
    """Whether that status is reason to look again: it differs from the persisted one by more than numbers."""
    is_minor: bool = False
    """Whether that status differs from the persisted one by nothing but warnings, so that it can wait."""
    is_blocked: bool = False
    """Whether the write of a rollback is refused or undone, so that the bad release keeps its traffic."""
    drifts: tuple[Drift, ...] = ()
    """The traffic objects among the writes whose split is not as desired, each with who has changed it."""
    lost: tuple[ReleaseRecord, ...] = ()
    """Releases that serve or may be served again, and whose snapshots are not seen."""
    events: tuple[Event, ...] = ()
    services: frozenset[str] = frozenset()
    """Services whose endpoints to follow from now on; none at rest."""
    unsure_of: frozenset[str] = frozenset()
    """Services whose endpoints this decision depends on and that have not been read: read them, and decide
    again before any effect. Empty for a rollback of an attempt, which depends on none."""
    unread: frozenset[tuple[str, str]] = frozenset()
    """The same of Deployments and Services. Empty at rest, and while traffic has to be written."""
    chores: tuple[Effect, ...] = ()
    """What to write to Deployments and Services. It rests on the persisted status, and no traffic waits for
    it."""
    hook_reads: HookReads = NO_READS
    """What hooks depend on: read it, and read it again while it is listed. No traffic waits for it."""
    creations: tuple[Creation, ...] = ()
    """Jobs to create, after everything else. They rest on the persisted status."""
    calls: tuple[Call, ...] = ()
    """Requests of webhooks to make, unless that was begun. They rest on the persisted status, and nothing
    waits for them."""
    expired: tuple[Deletion, ...] = ()
    """Answered actions about attempts that the history has dropped: chores that may stay undone."""
    answers: tuple[Answer, ...] = ()
    """What to write to the status of actions, after the status of the rollout, which it is a copy of."""
    awaits_proof: bool = False
    """Whether an action that lets the canary advance waits until it is known if the API server verifies who
    creates actions: ask it, and decide again."""
    evidence: EvidenceQuery | None = None
    """What to query once for the record of the last rollback; None if nothing is missing."""
    poll: Poll | None = None
    """What to ask Prometheus on the rollout's interval; None while nothing is judged."""
    wake_at: datetime | None = None
    """When to look again though nothing changed; None while only a change can matter."""
