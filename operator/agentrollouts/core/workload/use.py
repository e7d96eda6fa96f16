"""Which Deployments releases have, and when a release lost its traffic."""

from datetime import datetime

from agentrollouts.api.status import AgentRolloutStatus, Outcome, ReleaseRecord


def names_of(*records: ReleaseRecord | None) -> frozenset[str]:
    """Names of the Services of releases, which are those of their Deployments."""
    return frozenset(record.service_name for record in records if record and record.service_name)


def left_time(status: AgentRolloutStatus, release: str) -> datetime | None:
    """When a release lost its traffic: at its end or, of a healthy one, when the next became stable."""
    mine = next((entry for entry in status.history if entry.release == release), None)
    if mine is None or mine.outcome is not Outcome.HEALTHY:
        return mine.end_time if mine else None
    rollback, since = status.last_rollback, mine.end_time
    if rollback and rollback.to == release:
        since = max(since, rollback.decided_time)
    healthy = (entry.end_time for entry in status.history if entry.outcome is Outcome.HEALTHY)
    return min((time for time in healthy if time > since), default=since)
