"""From a move to a decision: the next status, its conditions, the writes and the next poll.

A status is written only if it says something new, so a rollout at rest writes nothing, and one in progress
does not write at every result of Prometheus.
"""

from collections.abc import Iterator
from dataclasses import replace
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
from agentrollouts.core.attempt.status_draft import Progress
from agentrollouts.core.attempt.window import with_weights
from agentrollouts.core.conditions import (
    ANNOTATION_IGNORED,
    DATA_RECOVERED,
    FALLBACK_NOT_READY,
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
from agentrollouts.core.effects import Event
from agentrollouts.core.record.backlog import cleared
from agentrollouts.core.recovery.drill.plan import next_time as next_drill_time
from agentrollouts.core.rollout import beginning
from agentrollouts.core.rollout.checks import idle
from agentrollouts.core.rollout.checks.workload import workloads
from agentrollouts.core.rollout.decision import Decision
from agentrollouts.core.rollout.desired import Desired
from agentrollouts.core.rollout.drilling import begin
from agentrollouts.core.rollout.neighbors.consistency import group_consistent
from agentrollouts.core.rollout.recording.entries import entries
from agentrollouts.core.rollout.recording.evidence import evidence_query
from agentrollouts.core.rollout.recording.writing import may_be_cleared, recorded
from agentrollouts.core.rollout.reporting.conditions import conditions_of, route_conflict
from agentrollouts.core.rollout.reporting.detours import detour_events, fallback_not_ready, switched_off
from agentrollouts.core.rollout.reporting.hooks import data_recovered, hook_events
from agentrollouts.core.rollout.reporting.ignored import annotation_ignored
from agentrollouts.core.rollout.reporting.records import not_recorded
from agentrollouts.core.rollout.reporting.requirements import requirement_unmet
from agentrollouts.core.rollout.reporting.shares import share_exceeded
from agentrollouts.core.rollout.reporting.size import bounded
from agentrollouts.core.rollout.reporting.status_change import are_numbers_due, is_minor, is_news
from agentrollouts.core.rollout.reporting.warning_events import notices
from agentrollouts.core.rollout.requests.answering import answers
from agentrollouts.core.rollout.situation import Situation
from agentrollouts.core.rollout.snapshots.owners import lost_records
from agentrollouts.core.rollout.standbys import course as standbys
from agentrollouts.core.rollout.standbys.reporting import not_ready
from agentrollouts.core.rollout.upshot import Upshot
from agentrollouts.core.states import is_progressing, is_under_way
from agentrollouts.core.traffic import endpoints
from agentrollouts.core.traffic.drift import drifts, restorations
from agentrollouts.core.traffic.latch import is_latched
from agentrollouts.core.traffic.state import TrafficState
from agentrollouts.core.workload.plan import Workloads
from agentrollouts.core.workload.template import workload_name


def conclude(upshot: Upshot) -> Decision:
    """Turn what a move comes to into a decision."""
    upshot = replace(upshot, status=_with_fate(upshot.situation, upshot.status))
    s, move, progress, hooks = upshot.situation, upshot.move, upshot.progress, upshot.hooks
    questions, pods, reads = poll(s.analysis, upshot.status), _workloads(s, move), hooks.reads(upshot.status)
    is_polled = questions is not None or is_progressing(upshot.status)  # none between two segments
    conditions = _conditions(s, upshot.status, move, upshot.traffic, is_polled=is_polled)
    status = _completed(s, move, upshot.status, conditions, pods)
    news = is_news(s, status)
    status, is_due = _without_written(s, status, is_due=news or are_numbers_due(s.obs, status))
    events = (*upshot.requests.events, *progress.events)
    decision = Decision(
        writes=upshot.writes,
        rests_on_status=upshot.moves_traffic and not upshot.goes_first,
        status=_written(s, status) if is_due else None,
        is_news=news,
        is_minor=news and is_minor(s, status),
        lost=lost_records(s.obs, status),
        is_blocked=any(condition.reason == Reason.NOT_ROLLED_BACK for condition in status.conditions),
        drifts=drifts(s.obs, upshot.routed),
        events=tuple(_events(s, status, events, progress, is_written=news)),
        answers=answers(s, move, replace(upshot.requests, status=status)),
        awaits_proof=upshot.requests.awaits_proof,
        services=endpoints.services(s.spec, status),
        unsure_of=upshot.unsure_of,
        unread=frozenset() if upshot.moves_traffic else pods.unread(),
        hook_reads=reads,
        evidence=evidence_query(s, status),
        poll=questions,
        wake_at=_wake_at(s, status, move, pods.until(), hooks.until(reads, status)),
    )
    if is_due:  # chores rest on the persisted status, so they wait until that is the new one
        return decision
    return replace(
        decision,
        chores=tuple(pods.changes()),
        creations=tuple(hooks.creations()),
        calls=tuple(hooks.calls()),
        expired=expired(s.obs.answered, s.obs.rollout),
    )


def _with_fate(s: Situation, status: AgentRolloutStatus) -> AgentRolloutStatus:
    """With whether stable can be rolled back with its group. `Ready` may have something else to say."""
    group = status.group
    if group is None or is_progressing(status):  # an attempt changes nothing in it, until it is over
        return status
    before, stable = s.status.stable, status.stable
    is_same = before is not None and stable is not None and before.digest == stable.digest
    is_stuck = is_same and idle.stuck_stable(s) is not None
    return (
        status if is_stuck == group.is_stuck else status.copy_with(group=group.copy_with(is_stuck=is_stuck))
    )


def _completed(
    s: Situation,
    move: moves.Move,
    status: AgentRolloutStatus,
    conditions: tuple[Condition, ...],
    pods: Workloads,
) -> AgentRolloutStatus:
    """With what follows from the rest of it, within the size that a status may have."""
    return bounded(
        status.copy_with(
            observed_generation=s.obs.rollout.metadata.generation,
            conditions=conditions,
            workloads=pods.noted(_recalled(s, move)),
            requested_weight=_requested_weight(s, status),
            next_drill_time=next_drill_time(s.obs.rollout, status, s.now),
            record=recorded(s, entries(s, move, status), status),
        )
    )


def _events(
    s: Situation, status: AgentRolloutStatus, made: tuple[Event, ...], progress: Progress, *, is_written: bool
) -> Iterator[Event]:
    """In the order in which people should read them; warnings only if the status that has them is written."""
    yield from made
    yield from detour_events(s.obs.status, status)
    yield from hook_events(s.obs.status, status)
    if is_written:
        yield from notices(s, status, progress.events)
    yield from restorations(s.obs, s.traffic)


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
        FALLBACK_NOT_READY: fallback_not_ready(s, status),
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
        s.obs.contest.until if s.obs.contest else None,
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
    is_ours = stable and stable.service_name == workload_name(stable.release)
    return stable if is_ours and s.spec.workload else None
