"""From a move to a decision: the next status, its conditions, the writes and the next poll.

A status is written only if it says something new, so a rollout at rest writes nothing, and one in progress
does not write at every result of Prometheus.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from agentrollouts.api.objects import Condition
from agentrollouts.api.reasons import Reason
from agentrollouts.api.status import AgentRolloutStatus, ReleaseRecord
from agentrollouts.core.action.freeze import next_edge
from agentrollouts.core.action.retention import expired
from agentrollouts.core.analysis.analyze import poll, with_query
from agentrollouts.core.attempt import moves
from agentrollouts.core.attempt.course import with_look
from agentrollouts.core.attempt.fuses import next_time
from agentrollouts.core.attempt.fuses import noted as noted_fuse
from agentrollouts.core.attempt.segments import is_same_segment
from agentrollouts.core.attempt.status_draft import Progress
from agentrollouts.core.attempt.transition import advance
from agentrollouts.core.attempt.window import with_weights
from agentrollouts.core.conditions import (
    ANNOTATION_IGNORED,
    DATA_RECOVERED,
    GROUP_CONSISTENT,
    RECORDED,
    REQUIREMENT_UNMET,
    ROUTE_CONFLICT,
    SHARE_EXCEEDED,
    STANDBY_NOT_READY,
    SWITCHED_OFF,
    set_condition,
    without_condition,
)
from agentrollouts.core.containment.detour import begins
from agentrollouts.core.effects import Creation, Deletion, Effect, Event
from agentrollouts.core.metrics.evidence import EvidenceQuery
from agentrollouts.core.metrics.poll import Poll
from agentrollouts.core.record.backlog import cleared
from agentrollouts.core.recovery.drill.plan import next_time as next_drill_time
from agentrollouts.core.recovery.hooks.reads import NO_READS, HookReads
from agentrollouts.core.rollout import beginning, detours
from agentrollouts.core.rollout.checks import idle
from agentrollouts.core.rollout.checks.fuses import burning
from agentrollouts.core.rollout.checks.hooks import hooks_of
from agentrollouts.core.rollout.checks.workload import workloads
from agentrollouts.core.rollout.commands import create_action
from agentrollouts.core.rollout.desired import Desired
from agentrollouts.core.rollout.drilling import begin
from agentrollouts.core.rollout.neighbors.consistency import group_consistent
from agentrollouts.core.rollout.neighbors.group import with_membership
from agentrollouts.core.rollout.recording.entries import entries
from agentrollouts.core.rollout.recording.evidence import evidence_query
from agentrollouts.core.rollout.recording.writing import may_be_cleared, recorded
from agentrollouts.core.rollout.reporting.conditions import conditions_of, route_conflict
from agentrollouts.core.rollout.reporting.detours import detour_events, switched_off
from agentrollouts.core.rollout.reporting.hooks import data_recovered, hook_events
from agentrollouts.core.rollout.reporting.ignored import annotation_ignored
from agentrollouts.core.rollout.reporting.records import not_recorded
from agentrollouts.core.rollout.reporting.requirements import requirement_unmet
from agentrollouts.core.rollout.reporting.shares import share_exceeded
from agentrollouts.core.rollout.reporting.size import bounded
from agentrollouts.core.rollout.reporting.status_change import are_numbers_due, is_news
from agentrollouts.core.rollout.reporting.warning_events import notices
from agentrollouts.core.rollout.requests.answering import Answer, answers, noted
from agentrollouts.core.rollout.situation import Situation
from agentrollouts.core.rollout.snapshot_facts import fact_writes
from agentrollouts.core.rollout.snapshot_owners import lost_records, owner_writes
from agentrollouts.core.rollout.standbys import course as standbys
from agentrollouts.core.rollout.standbys.reporting import not_ready
from agentrollouts.core.states import is_progressing, is_under_way
from agentrollouts.core.traffic import endpoints
from agentrollouts.core.traffic.drift import restorations
from agentrollouts.core.traffic.latch import is_latched
from agentrollouts.core.traffic.state import TrafficState
from agentrollouts.core.workload.plan import Workloads
from agentrollouts.core.workload.template import workload_name


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
    is_blocked: bool = False
    """Whether the write of a rollback is refused, so that the bad release keeps its traffic."""
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


def conclude(s: Situation, move: moves.Move) -> Decision:
    """Turn the move into a decision."""
    progress = _with_fuse(s, advance(Progress(s.spec, s.status, s.now), move))
    before, after = s.obs.status, progress.status
    is_same = is_same_segment(before, after) and before.detour == after.detour
    traffic = s.traffic if is_same else s.routing.state(progress.status)
    requests = noted(s, move, progress.status, is_shown=traffic.is_shown)
    hooks = hooks_of(s, beginning.awaiting_hooks(s, move), progress.status)
    status = hooks.after(with_membership(requests.status, s.obs))
    questions = poll(s.analysis, status)
    is_polled = questions is not None or is_progressing(status)  # between two segments there is no poll
    conditions = _conditions(s, status, move, traffic, is_polled=is_polled)
    pods, reads = _workloads(s, move), hooks.reads(status)
    status = bounded(
        status.copy_with(
            observed_generation=s.obs.rollout.metadata.generation,
            conditions=conditions,
            workloads=pods.noted(_recalled(s, move)),
            requested_weight=_requested_weight(s, status),
            next_drill_time=next_drill_time(s.obs.rollout, status, s.now),
            record=recorded(s, entries(s, move, status), status),
        )
    )
    news = is_news(s, status)
    status, is_due = _without_written(s, status, is_due=news or are_numbers_due(s.obs, status))
    noticed = tuple(notices(s, status, progress.events)) if news else ()  # else they are not persisted
    writes = tuple(s.routing.writes(status, s.traffic, traffic, waits=_raises_what_is_lost(s)))
    return Decision(
        writes=(*writes, *owner_writes(s.obs, status), *fact_writes(s.obs)),
        rests_on_status=bool(writes) and not _goes_first(s, status),
        status=_written(s, status) if is_due else None,
        is_news=news,
        lost=lost_records(s.obs, status),
        is_blocked=any(condition.reason == Reason.NOT_ROLLED_BACK for condition in status.conditions),
        events=(
            *requests.events,
            *progress.events,
            *detour_events(s.obs.status, status),
            *hook_events(s.obs.status, status),
            *noticed,
            *restorations(s.obs, s.traffic),
        ),
        answers=answers(s, move, replace(requests, status=status)),
        awaits_proof=requests.awaits_proof,
        services=endpoints.services(s.spec, status),
        unsure_of=_unsure_of(s, move) | detours.unread(s),
        unread=frozenset() if writes else pods.unread(),
        chores=() if is_due else tuple(pods.changes()),
        hook_reads=reads,
        creations=() if is_due else tuple(hooks.creations()),
        evidence=evidence_query(s, status),
        expired=() if is_due else expired(s.obs.answered, s.obs.rollout),
        poll=questions,
        wake_at=_wake_at(s, status, move, pods.until(), hooks.until(reads)),
    )


def _goes_first(s: Situation, status: AgentRolloutStatus) -> bool:
    """Whether the route is written before the status: for what takes traffic away, and nothing else."""
    is_back = is_latched(status) and not s.routing.ends_detour(status)
    return is_back or begins(s.obs.status, status)


def _without_written(
    s: Situation, status: AgentRolloutStatus, *, is_due: bool
) -> tuple[AgentRolloutStatus, bool]:
    """Without the entries that their record has, if it is written anyway or at rest; whether it is due."""
    left = cleared(status.record, s.obs.record.head)
    if left is status.record or not (is_due or may_be_cleared(status)):
        return status, is_due
    return status.copy_with(record=left), True


def _written(s: Situation, status: AgentRolloutStatus) -> AgentRolloutStatus:
    """The status with what only one that is written has: none of it is a reason to write it."""
    return with_query(s.analysis, with_weights(with_look(s.obs.status, status, s.spec, s.now)))


def _with_fuse(s: Situation, progress: Progress) -> Progress:
    """With the fuse that burns after the move, and what is announced about it."""
    status = progress.status
    number = status.attempt.number if status.attempt else 0
    return noted_fuse(progress, burning(s, status), create_action(s.obs.rollout, "acknowledge", number))


def _conditions(
    s: Situation, status: AgentRolloutStatus, move: moves.Move, traffic: TrafficState, *, is_polled: bool
) -> tuple[Condition, ...]:
    """The persisted conditions, as they are now; warnings are there only while they hold."""
    conditions = status.conditions
    for condition in conditions_of(s, status, move, traffic):
        conditions = set_condition(conditions, condition)
    warnings = {
        ROUTE_CONFLICT: route_conflict(s.obs),
        ANNOTATION_IGNORED: annotation_ignored(s.obs),
        SHARE_EXCEEDED: share_exceeded(s.obs) if is_polled else None,
        RECORDED: not_recorded(s.obs),
        REQUIREMENT_UNMET: requirement_unmet(s.obs),
        SWITCHED_OFF: switched_off(s, status),
        STANDBY_NOT_READY: not_ready(s),
        GROUP_CONSISTENT: group_consistent(s.obs, status.copy_with(conditions=conditions)),
        DATA_RECOVERED: data_recovered(s, status),
    }
    for kind, warning in warnings.items():
        conditions = set_condition(conditions, warning) if warning else without_condition(conditions, kind)
    return conditions


def _requested_weight(s: Situation, status: AgentRolloutStatus) -> int | None:
    """The share of the release that people want; by digest, as two names may be one behavior."""
    weights = status.weights
    if weights is None:
        return None
    digest = s.desired.record.digest if isinstance(s.desired, Desired) else None
    sides = ((status.stable, weights.stable), (status.canary, weights.canary))
    return next((weight for record, weight in sides if record and record.digest == digest), 0)


def _unsure_of(s: Situation, move: moves.Move) -> frozenset[str]:
    """If endpoints have not been read yet, before stable is rolled back or a step forward is made.

    A hold for them would else end and begin again without a pause, where they are not watched.
    """
    if not is_progressing(s.obs.status):
        return idle.unsure_of(s) | begin.unsure_of(s) | standbys.unsure_of(s)
    if isinstance(move, moves.EnterPhase | moves.Rise | moves.Bake | moves.Promote | moves.Resume):
        return endpoints.services(s.spec, s.status) - s.obs.endpoints.keys()
    return frozenset()


def _wake_at(
    s: Situation, status: AgentRolloutStatus, move: moves.Move, *others: datetime | None
) -> datetime | None:
    """The earliest time at which the decision may be another one though nothing changed."""
    lost = status.attempt.endpoints_lost_time if status.attempt and not is_latched(status) else None
    deserted = lost + endpoints.grace(s.spec) if lost else None
    edge = next_edge(s.obs.freezes, s.now) if is_under_way(status) else None
    fuse = status.attempt.fuse if status.attempt else None
    times: tuple[datetime | None, ...] = (
        next_time(fuse, s.now) if fuse else None,
        getattr(move, "until", None),
        s.gateways.until,
        deserted,
        s.now + idle.TARGET_POLL if s.requests.switch_on else None,
        edge,
        standbys.wake_time(s, status),
        *others,
        None if is_under_way(status) else begin.wake_time(s, status.next_drill_time),
    )
    return min((time for time in times if time and time > s.now), default=None)


def _workloads(s: Situation, move: moves.Move) -> Workloads:
    """The workloads, with what the move needs of them."""
    record = move.record if isinstance(move, moves.Enqueue | moves.Begin) else None
    starting = record if record and beginning.awaits_pods(s, record) else None
    target = idle.cold_target(s) if s.spec.workload and not is_progressing(s.status) else None
    return workloads(s, starting, target)


def _recalled(s: Situation, move: moves.Move) -> ReleaseRecord | None:
    """The release that an earlier rollout has left as stable, if that rollout made its agents."""
    stable = move.stable if isinstance(move, moves.Recall) else None
    is_ours = stable and stable.service and stable.service.name == workload_name(stable.release)
    return stable if is_ours and s.spec.workload else None


def _raises_what_is_lost(s: Situation) -> bool:
    """Whether the canary would get more than it was ever seen to have, without a ready endpoint."""
    attempt, confirmed = s.status.attempt, s.obs.status.weights
    if attempt is None or attempt.endpoints_lost_time is None or not is_progressing(s.obs.status):
        return False
    return attempt.weight > (confirmed.canary if confirmed else 0)
