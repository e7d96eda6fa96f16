"""How an attempt begins, or becomes pending: what is in the way, the most lasting first."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from agentrollouts.api.attempt import State
from agentrollouts.api.reasons import Reason
from agentrollouts.api.status import ReleaseRecord
from agentrollouts.core.attempt import moves
from agentrollouts.core.effects import Problem
from agentrollouts.core.history import is_returning
from agentrollouts.core.rollout import detours
from agentrollouts.core.rollout.checks.hooks import unprepared, unrepaired
from agentrollouts.core.rollout.checks.idle import stuck_stable, with_cause
from agentrollouts.core.rollout.checks.stops import stopped_beginning
from agentrollouts.core.rollout.checks.workload import is_managed, unanswered
from agentrollouts.core.rollout.desired import missing_service
from agentrollouts.core.rollout.neighbors.rivals import rival
from agentrollouts.core.rollout.rollback_target import altered_snapshot
from agentrollouts.core.rollout.situation import Situation

ENDPOINT_POLL: Final = timedelta(seconds=2)
"""Interval between checks of endpoints while an attempt is pending."""


def start_attempt(s: Situation) -> moves.Move | None:
    """A digest that was not tried, or that was healthy before: an attempt begins, or is pending."""
    if isinstance(s.desired, Problem):
        return None
    record = s.desired.record
    is_return = _is_return(s, record)
    obstacle = (
        next(_obstacles(s, record), None)
        or unanswered(s, record, is_return=is_return)
        or detours.obstacle(s, is_return=is_return)
        or (None if is_return else unprepared(s, record))
    )
    if obstacle:
        is_polled = obstacle.reason is Reason.NO_READY_ENDPOINTS
        until = s.now + ENDPOINT_POLL if is_polled else None
        stuck = stuck_stable(s)
        until = until or (stuck.until if stuck else None)
        return moves.Enqueue(record, *with_cause(s, obstacle.reason, obstacle.message), until)
    if s.status.stable is None:
        return moves.Begin(record, State.INITIAL)
    return moves.Begin(record, State.BAKING if is_returning(record, s.status) else State.CANARY)


def awaits_pods(s: Situation, record: ReleaseRecord) -> bool:
    """Whether nothing but its pods, which the operator makes, can be in the way of a beginning."""
    return is_managed(s, record) and next(_obstacles(s, record), None) is None


def awaiting_hooks(s: Situation, move: moves.Move) -> ReleaseRecord | None:
    """The release for whose beginning nothing but hooks can be missing."""
    record = move.record if s.spec.hooks and isinstance(move, moves.Enqueue) else None
    if record is None or _is_return(s, record) or next(_obstacles(s, record), None):
        return None
    if detours.obstacle(s, is_return=False):
        return None
    return None if unanswered(s, record, is_return=False) else record


def _is_return(s: Situation, record: ReleaseRecord) -> bool:
    return is_returning(record, s.status) and not s.obs.rule_taken_by


def _obstacles(s: Situation, record: ReleaseRecord) -> Iterator[Problem]:
    """What is in the way of a beginning before its endpoints, the most lasting first.

    A return to a release that was healthy is a rollback, so it needs neither a valid plan nor the end of a
    pause or a freeze, only what it takes to serve the release.
    """
    if other := rival(s.obs):
        yield other
    is_return = _is_return(s, record)
    if is_return:
        problem = missing_service(s.spec, record) or s.routing.obstacle((record,), is_return=True)
    else:
        problem = (
            s.unservable
            or missing_service(s.spec, record)
            or s.routing.obstacle((s.status.stable, record), is_return=False)
        )
    if problem:
        yield problem
    if record.snapshot in s.obs.altered:
        yield Problem(Reason.SNAPSHOT_ALTERED, altered_snapshot(record))
    elif record.snapshot not in s.obs.snapshots:
        yield Problem(
            Reason.SNAPSHOT_MISSING,
            f"ConfigMap {record.snapshot} with the bundle of {record.release} is gone; apply its "
            "AgentRelease again",
        )
    if s.spec.paused and not is_return:
        yield Problem(Reason.PAUSED, "spec.paused is true; set it to false to begin")
    if not is_return and (stop := stopped_beginning(s, record)):
        yield stop
    if not is_return and (problem := unrepaired(s)):
        yield problem
    stable = s.status.stable
    if s.spec.traffic.by_route and stable and stable.service == record.service:
        yield Problem(
            Reason.SERVICE_SHARED,
            f"{record.release} names the same service as {stable.release}, so a route cannot tell them "
            "apart; give each release its own Service",
        )
