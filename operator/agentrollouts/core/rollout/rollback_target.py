"""The release to roll back to when stable itself turned out bad.

An attempt in progress needs no search: it rolls back to stable, whatever is known of it. While idle a bad
answer is never replaced by none, so the target must have a ready endpoint.
"""

from itertools import islice

from agentrollouts.api.status import ReleaseRecord
from agentrollouts.core.history import earlier_healthy, has_failed_drill, is_trusted
from agentrollouts.core.recovery.group.requirements import misfit
from agentrollouts.core.rollout.desired import missing_service
from agentrollouts.core.rollout.situation import Situation
from agentrollouts.core.traffic.endpoints import is_ready, service_names


def candidates(s: Situation) -> tuple[ReleaseRecord, ...]:
    """The releases that may serve again and still have their snapshot; newest first.

    Those that do not fit what other agents serve come last: one of them is better than none. At most
    `spec.rollback.maxWalkBack` releases back: one that is older fits the world of today by luck. If a person
    named a target, only that one.
    """
    named = s.requests.rollback.spec.target if s.requests.rollback else None
    return tuple(record for record in able(s) if named in {None, record.release})


def able(s: Situation) -> tuple[ReleaseRecord, ...]:
    """The candidates, whatever a person named.

    One whose newest drill failed is not among them, unless a person names it.
    """
    named = s.requests.rollback.spec.target if s.requests.rollback else None
    records = (
        entry.record
        for entry in islice(earlier_healthy(s.status), s.spec.rollback.max_walk_back)
        if is_trusted(entry, s.status)
        and (entry.release == named or not has_failed_drill(entry.digest, s.status))
        and entry.snapshot in s.obs.snapshots
        and missing_service(s.spec, entry.record) is None
    )
    agent, others = s.spec.agent, s.obs.others
    return tuple(sorted(records, key=lambda record: misfit(record, agent, others) is not None))


def find_target(s: Situation, *, forced: bool = False) -> ReleaseRecord | None:
    """The newest candidate with a ready endpoint; if none is known, the newest that might have one.

    Args:
        s: A rollout at rest.
        forced: Take the newest candidate rather than none.
    """
    targets = candidates(s)
    if not s.spec.traffic.by_route:
        return next(iter(targets), None)
    ready = next((record for record in targets if is_ready(s.obs, record)), None)
    unknown = next((record for record in targets if is_ready(s.obs, record) is None), None)
    return ready or unknown or (targets[0] if forced and targets else None)


def begun_target(s: Situation) -> ReleaseRecord | None:
    """The candidate that the traffic objects already show, as a rollback to it was begun; else the newest.

    Endpoints do not matter here: what was written is finished, and never moved on to a third release.
    """
    targets, shown = candidates(s), s.routing.target()
    begun = (record for record in targets if record.service and record.service.key == shown)
    return next(begun, None) or find_target(s, forced=True)


def altered_snapshot(record: ReleaseRecord) -> str:
    """What is wrong with a snapshot that does not hold what it did, and what to do."""
    return (
        f"ConfigMap {record.snapshot} is not what the operator wrote for {record.release}: its digest is not "
        f"{record.digest}; delete it, and apply AgentRelease {record.release} again"
    )


def unasked(s: Situation) -> frozenset[str]:
    """Services of candidates whose endpoints have not been read yet."""
    if not s.spec.traffic.by_route:
        return frozenset()
    return service_names(candidates(s)) - s.obs.endpoints.keys()
