"""Which releases have requests, had them, or may have them again: by routes, and by a history."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from agentrollouts.api.status import AgentRolloutStatus, Outcome, ReleaseRecord
from agentrollouts.core.effects import Manifest
from agentrollouts.core.history import was_healthy


def weighted(routes: Iterable[Manifest]) -> frozenset[str]:
    """Names of the Services to which routes send requests."""
    rules = (rule for route in routes for rule in (route.get("spec") or {}).get("rules") or ())
    refs = (ref for rule in rules for ref in rule.get("backendRefs") or ())
    return frozenset(str(ref.get("name")) for ref in refs if ref.get("weight", 1))


def names_of(*records: ReleaseRecord | None) -> frozenset[str]:
    """Names of the Services of releases, which are those of their Deployments."""
    return frozenset(record.service.name for record in records if record and record.service)


def past_healthy(status: AgentRolloutStatus) -> Iterator[ReleaseRecord]:
    """The healthy releases before stable to which a rollback could return, the newest first."""
    seen = {status.stable.digest} if status.stable else set[str]()
    banned = {entry.digest for entry in status.quarantined}
    for entry in status.history:
        is_healthy = entry.outcome is Outcome.HEALTHY and was_healthy(entry.record, status)
        if is_healthy and entry.digest not in seen | banned:
            seen.add(entry.digest)
            yield entry.record


def left_time(status: AgentRolloutStatus, release: str) -> datetime | None:
    """When a release lost its traffic: at its end or, of a healthy one, when the next became stable."""
    mine = next((entry for entry in status.history if entry.release == release), None)
    if mine is None or mine.outcome is not Outcome.HEALTHY:
        return mine.end_time if mine else None
    back, since = status.last_rollback, mine.end_time
    if back and back.to == release:
        since = max(since, back.decided_time)
    healthy = (entry.end_time for entry in status.history if entry.outcome is Outcome.HEALTHY)
    return min((time for time in healthy if time > since), default=since)
