"""Which past attempts a status keeps: the newest, and those without which a way back would be lost.

Used by `progress` where an attempt ends.
"""

from collections.abc import Container
from typing import Final

from agentrollouts.api.rollout import AgentRolloutSpec
from agentrollouts.api.status import AgentRolloutStatus, HistoryEntry, Outcome
from agentrollouts.core.asked import was_healthy

HEALTHY_KEPT: Final = 3
"""Healthy releases before stable that stay reachable, whatever `spec.historyLimit` is."""
MOST_ENTRIES: Final = 50
"""The bound of `status.history` in the CRD."""


def kept(
    history: tuple[HistoryEntry, ...], spec: AgentRolloutSpec, banned: Container[str]
) -> tuple[HistoryEntry, ...]:
    """The newest `spec.historyLimit` entries, and older ones of releases that can be rolled back to.

    Args:
        history: All entries, the newest first.
        spec: The plan.
        banned: Digests in quarantine.
    """
    needed = _reachable(history, 1 + max(HEALTHY_KEPT, spec.rollback.max_walk_back), banned)
    others = [entry.number for entry in history[: spec.history_limit] if entry.number not in needed]
    chosen = needed | set(others[: MOST_ENTRIES - len(needed)])
    return tuple(entry for entry in history if entry.number in chosen)


def _reachable(history: tuple[HistoryEntry, ...], most: int, banned: Container[str]) -> set[int]:
    """Numbers of the newest healthy ends, one for each digest of which nothing else is known since."""
    status, found = AgentRolloutStatus().model_copy(update={"history": history}), dict[str, int]()
    for entry in history:
        is_able = entry.outcome is Outcome.HEALTHY and entry.digest not in banned
        if is_able and len(found) < most and was_healthy(entry.record, status):
            found.setdefault(entry.digest, entry.number)
    return set(found.values())
