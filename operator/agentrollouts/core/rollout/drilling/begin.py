"""Whether a drill begins: it is due or requested, and nothing more important is in progress.

A drill is a short canary of the release that a rollback at rest would choose. What keeps it from beginning is
the answer to an action, and is only waited for by one that is due.
"""

from collections.abc import Callable
from datetime import datetime
from itertools import islice
from typing import Final

from agentrollouts.api.reasons import Reason
from agentrollouts.api.recovery.drill import DrillOutcome
from agentrollouts.api.recovery.hooks import ENDS
from agentrollouts.api.status import ReleaseRecord
from agentrollouts.core.action.freeze import frozen_by, next_edge
from agentrollouts.core.attempt import moves
from agentrollouts.core.history import earlier_healthy, is_trusted, was_healthy
from agentrollouts.core.record.backlog import cleared, is_behind
from agentrollouts.core.recovery.drill.plan import is_due, plan_of
from agentrollouts.core.rollout.checks import idle
from agentrollouts.core.rollout.checks.workload import is_managed
from agentrollouts.core.rollout.desired import Desired, Standing, missing_service
from agentrollouts.core.rollout.detours import in_the_way
from agentrollouts.core.rollout.neighbors.rivals import rival
from agentrollouts.core.rollout.rollback_target import find_target
from agentrollouts.core.rollout.situation import Situation
from agentrollouts.core.rollout.standbys import choice as standbys
from agentrollouts.core.states import is_under_way, is_unproved
from agentrollouts.core.traffic.endpoints import is_ready, service_names

Obstacle = Callable[[Situation], str | None]
"""What keeps a drill from beginning, in a sentence; None if nothing."""


def begins(s: Situation) -> moves.Move | None:
    """A drill that was requested, or is due, begins, or is skipped."""
    order = s.requests.drill
    if not (order or is_due(s.spec, s.status, s.now)) or obstacle(s):
        return None
    record = target(s)
    if record is None:
        return None
    by = order.spec.requested_by if order else None
    if without := _unserved(s, record):
        if order:
            return None  # the answer to the action says it
        proves_nothing = is_managed(s, record) or (s.spec.traffic.by_route and not record.service_name)
        outcome = DrillOutcome.SKIPPED if proves_nothing else DrillOutcome.FAILED
        return moves.SkipDrill(record, outcome, without, by)
    plan = plan_of(s.spec)
    return moves.BeginDrill(record, plan.weight, plan.duration_seconds, by)


def refusal(s: Situation) -> str:
    """Why the drill that was requested does not begin."""
    order, record = s.requests.drill, target(s)
    named = order.spec.release if order else None
    if why := obstacle(s):
        return why
    if record is None:
        names = [each.release for each in drillable(s)]
        others = " or ".join(names) if names else "there is none"
        return f"{named} is neither a rollback target nor a standby; {others}"
    return _unserved(s, record) or "the rollout is not at rest"


def target(s: Situation) -> ReleaseRecord | None:
    """The release to drill: what a rollback at rest would choose, or what was requested.

    If every drill failed there is no such target; then the newest of these releases is drilled again.
    """
    able = drillable(s)
    if order := s.requests.drill:
        return next((record for record in able if record.release == order.spec.release), None)
    return find_target(s) or next((record for record in able if was_healthy(record, s.status)), None)


def drillable(s: Situation) -> tuple[ReleaseRecord, ...]:
    """The releases that a rollback could choose, also those whose last drill failed; newest first.

    Then the standbys, on request only: a drill proves them.
    """
    targets = tuple(
        entry.record
        for entry in islice(earlier_healthy(s.status), s.spec.rollback.max_walk_back)
        if is_trusted(entry, s.status)
        and entry.snapshot in s.obs.snapshots
        and missing_service(s.spec, entry.record) is None
    )
    names = {record.release for record in targets}
    return (*targets, *(record for record in standbys.servable(s) if record.release not in names))


def unsure_of(s: Situation) -> frozenset[str]:
    """Services whose endpoints decide whether a drill begins; empty unless one would."""
    is_near = s.requests.drill is not None or is_due(s.spec, s.status, s.now)
    if not is_near or not s.spec.traffic.by_route or obstacle(s):
        return frozenset()
    return service_names(drillable(s)) - s.obs.endpoints.keys()


def wake_time(s: Situation, due: datetime | None) -> datetime | None:
    """When to look again for the sake of a drill, given when the next one is due."""
    if due is None or due > s.now:
        return due
    return next_edge(s.obs.freezes, s.now)  # nothing else that stops it ends by the clock


def obstacle(s: Situation) -> str | None:
    """The first condition that does not hold; None if a drill can begin."""
    return next((why for each in OBSTACLES if (why := each(s))), None)


def _not_at_rest(s: Situation) -> str | None:
    attempt = s.status.attempt
    if attempt is None or s.status.stable is None:
        return "no release has been healthy yet"
    if is_under_way(s.status):
        return f"attempt {attempt.number} is in progress"
    return "a rollback is requested" if s.requests.rollback else None


def _not_ready(s: Situation) -> str | None:
    if not isinstance(s.desired, Desired):
        return f"the rollout is not Ready: {s.desired.message}"
    if s.desired.standing is not Standing.STABLE:
        return f"the rollout is not Ready: {s.desired.record.release} is requested and does not serve"
    if problem := rival(s.obs) or s.obs.refused or s.unservable or s.obs.traffic_problem:
        return f"the rollout is not Ready: {problem.message}"
    if s.is_terminating:
        return "the rollout is being deleted"
    rest = idle.healthy(s)
    if isinstance(rest, moves.Rest) and rest.reason is not Reason.HEALTHY:
        return f"the rollout is not Ready: {rest.message}"
    return None if s.applied else "the rollout is not Ready: its route does not show the weights"


def _paused(s: Situation) -> str | None:
    return "spec.paused is true" if s.spec.paused else None


def _frozen(s: Situation) -> str | None:
    release = s.spec.release_ref.name
    return frozen_by(s.obs.freezes, s.obs.rollout.metadata, release, s.now, is_in_flight=False)


def _switched_off(s: Situation) -> str | None:
    return in_the_way(s.status.detour) if s.status.detour else None


def _repairing(s: Situation) -> str | None:
    """A hook may repair data by the traffic, or by the release, that a drill would change."""
    left = next((entry for entry in s.status.hooks if entry.state not in ENDS), None)
    return f"hook {left.name} of attempt {left.attempt} is not over: {left.state}" if left else None


def _unsettled(s: Situation) -> str | None:
    """What the last attempt left open, which another attempt would end."""
    record = s.obs.status.record
    if record is not None and is_behind(cleared(record, s.obs.record.head)):
        return f"{record.name} has entries that are not written; see the condition Recorded"
    return "it is not yet known whether the last rollback helped" if is_unproved(s.status) else None


OBSTACLES: Final[tuple[Obstacle, ...]] = (
    _not_at_rest,
    _switched_off,
    _not_ready,
    _paused,
    _frozen,
    _repairing,
    _unsettled,
)
"""In the order in which they are reported. Whatever else a drill must not disturb is one more row."""


def _unserved(s: Situation, record: ReleaseRecord) -> str | None:
    """Why the target would not answer: no request is lost to find that out."""
    if record.snapshot in s.obs.altered:
        return f"ConfigMap {record.snapshot} with its bundle has other content"
    if not s.spec.traffic.by_route or record.service is None:
        return None
    stable = s.status.stable
    if stable and stable.service == record.service:
        return f"it names the same Service as {stable.release}, so a route cannot tell them apart"
    if not record.service.is_service:
        return f"{record.service} of {record.release} is not a Service, so its endpoints are unknown"
    if is_ready(s.obs, record) is True:
        return None
    cause = "; the operator keeps no pods of it" if is_managed(s, record) else "; start its agents"
    return f"{record.service} of {record.release} has no ready endpoint{cause}"
