"""Whether a rollback is possible now: the condition `RollbackReady`.

A rollback never waits for this. It is reported so that a missing rollback target is repaired before anyone
needs it.
"""

from dataclasses import replace

from agentrollouts.api.reasons import Reason
from agentrollouts.api.status import AgentRolloutStatus, Outcome, ReleaseRecord
from agentrollouts.core.history import was_healthy
from agentrollouts.core.rollout.rollback_target import altered_snapshot, candidates
from agentrollouts.core.rollout.situation import Situation
from agentrollouts.core.states import is_progressing

Word = tuple[bool | None, Reason, str]


def rollback_ready(s: Situation, status: AgentRolloutStatus) -> Word:
    """Whether it holds, why in one word, and in a sentence; unknown while there is nothing to return to."""
    stable = status.stable
    if stable is None:
        return None, Reason.NOTHING_EARLIER, "No release serves yet"
    if stable.snapshot in s.obs.altered:
        return False, Reason.SNAPSHOT_ALTERED, f"{altered_snapshot(stable)}. It serves"
    if stable.snapshot not in s.obs.snapshots:
        return False, Reason.SNAPSHOT_MISSING, f"{_lost(stable)}, which serves"
    if is_progressing(status):
        return True, Reason.ROLLBACK_READY, f"{stable.release} can take over all traffic"
    return _at_rest(s, status, stable)


def _at_rest(s: Situation, status: AgentRolloutStatus, stable: ReleaseRecord) -> Word:
    altered = [record for record in _unreachable(s, status) if record.snapshot in s.obs.altered]
    earlier = candidates(replace(s, analysis=replace(s.analysis, status=status)))
    if altered:
        others = f"; {earlier[0].release} is available for a rollback" if earlier else ""
        return bool(earlier), Reason.SNAPSHOT_ALTERED, f"{'; '.join(map(altered_snapshot, altered))}{others}"
    if earlier:
        return True, Reason.ROLLBACK_READY, f"{earlier[0].release} is available for a rollback"
    if lost := _unreachable(s, status):
        return False, Reason.SNAPSHOT_MISSING, "; ".join(map(_lost, lost))
    return None, Reason.NOTHING_EARLIER, f"No other healthy release is known beside {stable.release}"


def _unreachable(s: Situation, status: AgentRolloutStatus) -> tuple[ReleaseRecord, ...]:
    """The releases that could be rolled back to, if their snapshots were there."""
    banned = {entry.digest for entry in status.quarantined} | {status.stable and status.stable.digest}
    by_digest = {
        entry.digest: entry.record
        for entry in reversed(status.history)
        if entry.outcome is Outcome.HEALTHY and entry.digest not in banned
    }
    return tuple(
        record
        for record in reversed(by_digest.values())
        if was_healthy(record, status) and record.snapshot not in s.obs.snapshots
    )


def _lost(record: ReleaseRecord) -> str:
    return (
        f"ConfigMap {record.snapshot} is missing or has other content; apply AgentRelease {record.release} "
        f"again with the content that it had, or roll out another release. It contained the bundle of "
        f"{record.release}"
    )
