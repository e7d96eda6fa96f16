"""Which snapshots outlive their releases: of what serves or may be served again, and of what hooks repair."""

from collections.abc import Iterator

from agentrollouts.api.recovery.hooks import Moment
from agentrollouts.api.status import AgentRolloutStatus, HistoryEntry, Outcome, ReleaseRecord
from agentrollouts.core.attempt.status_draft import NO_INPUT
from agentrollouts.core.containment.detour import on_standby
from agentrollouts.core.effects import Write
from agentrollouts.core.release.snapshot import is_owned, owner_write, release_write
from agentrollouts.core.rollout.observation import Observation


def owner_writes(obs: Observation, status: AgentRolloutStatus) -> Iterator[Write]:
    """A snapshot that this rollout may have to serve (again) must outlive its release; no other one must.

    Nor may it be deleted before the hooks that repair what its release did have ended.
    While nothing is known to serve, nothing is given up either.
    """
    needed = {
        record.snapshot for each in (obs.status, status) for record in (*_needed(each), *_examined(each))
    }
    rollout = obs.rollout
    for name in sorted(needed):
        snapshot = obs.snapshots.get(name)
        if snapshot and not is_owned(snapshot, rollout):
            yield owner_write(snapshot, rollout)
    for name, snapshot in sorted(obs.snapshots.items()):
        if status.stable and name not in needed and is_owned(snapshot, rollout):
            yield release_write(snapshot, rollout)


def _needed(status: AgentRolloutStatus) -> Iterator[ReleaseRecord | HistoryEntry]:
    """What serves and what may be served again."""
    yield from (record for record in (status.stable, status.canary, on_standby(status)) if record)
    yield from (entry for entry in status.history if entry.outcome is Outcome.HEALTHY)


def _examined(status: AgentRolloutStatus) -> Iterator[HistoryEntry]:
    """Bad releases that hooks repair: also if a hook failed, since someone may redo it."""
    hooks = (hook for hook in status.hooks if hook.at is Moment.AFTER_ROLLBACK)
    numbers = {hook.attempt for hook in hooks if hook.state not in NO_INPUT}
    yield from (entry for entry in status.history if entry.number in numbers)


def lost_records(obs: Observation, status: AgentRolloutStatus) -> tuple[ReleaseRecord, ...]:
    """What serves or may be served again, and whose snapshot is not seen."""
    seen = obs.snapshots.keys() | obs.altered
    lost = {entry.snapshot: entry for entry in _needed(status) if entry.snapshot not in seen}
    return tuple(entry.record if isinstance(entry, HistoryEntry) else entry for entry in lost.values())
