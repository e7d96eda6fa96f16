"""Where to go back to when the stable release itself turned out bad.

Asked by the checks at rest. An attempt under way needs no search: it goes back to stable, whatever is known
of it.
"""

from collections.abc import Iterator

from agentrollouts.api.status import AgentRolloutStatus, HistoryEntry, Outcome, ReleaseRecord
from agentrollouts.core.asked import missing_service, was_healthy
from agentrollouts.core.situation import Situation


def find_target(s: Situation) -> ReleaseRecord | None:
    """The newest release that was healthy, is not in quarantine and still has its snapshot.

    One that was taken back later is no target, though a person has let it out of quarantine to try it again.
    At most `spec.rollback.maxWalkBack` releases back: one that is older fits the world of today by luck.
    """
    candidates = [*_earlier(s.status)][: s.spec.rollback.max_walk_back]
    banned = {entry.digest for entry in s.status.quarantined}
    return next(
        (
            entry.record
            for entry in candidates
            if entry.digest not in banned
            and was_healthy(entry.record, s.status)
            and entry.snapshot in s.obs.snapshots
            and missing_service(s.spec, entry.record) is None
        ),
        None,
    )


def _earlier(status: AgentRolloutStatus) -> Iterator[HistoryEntry]:
    """Each other digest that was healthy once, the newest first."""
    seen = {status.stable.digest} if status.stable else set()
    for entry in status.history:
        if entry.outcome is Outcome.HEALTHY and entry.digest not in seen:
            seen.add(entry.digest)
            yield entry
