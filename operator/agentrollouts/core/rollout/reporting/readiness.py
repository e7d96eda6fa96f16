"""Whether a rollback is possible now, and what a recovery lacks: the condition `RollbackReady`.

A rollback never waits for this. It is reported so that a missing rollback target, or repair, is there before
anyone needs it. It follows from the status, the plan and the snapshots alone, so a rollout at rest reads
nothing for it. A missing snapshot is reported without the points: it is the first thing to correct.
"""

from dataclasses import replace

from agentrollouts.api.attempt import AttemptKind
from agentrollouts.api.reasons import Reason
from agentrollouts.api.recovery.tools import Tools, tools_of
from agentrollouts.api.status import AgentRolloutStatus, Outcome, ReleaseRecord
from agentrollouts.core.gates.gate import ROLLING_BACK
from agentrollouts.core.history import has_passed_drill, was_healthy
from agentrollouts.core.recovery.readiness import Facts, count, points, sentence
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
        facts = _facts(s, status, stable)
        return _counted(facts, f"{stable.release} can take over all traffic", holds=True)
    return _at_rest(s, status, stable)


def _at_rest(s: Situation, status: AgentRolloutStatus, stable: ReleaseRecord) -> Word:
    altered = [record for record in _unreachable(s, status) if record.snapshot in s.obs.altered]
    earlier = candidates(replace(s, analysis=replace(s.analysis, status=status)))
    if altered:
        others = f"; {earlier[0].release} is available for a rollback" if earlier else ""
        return bool(earlier), Reason.SNAPSHOT_ALTERED, f"{'; '.join(map(altered_snapshot, altered))}{others}"
    if earlier:
        facts = _facts(s, status, earlier[0])
        return _counted(facts, f"{earlier[0].release} is available for a rollback", holds=True)
    if lost := _unreachable(s, status):
        return False, Reason.SNAPSHOT_MISSING, "; ".join(map(_lost, lost))
    known = f"No other healthy release is known beside {stable.release}"
    return _counted(_facts(s, status, None), known, holds=None)


def _counted(facts: Facts, message: str, *, holds: bool | None) -> Word:
    """The word with the points that hold, and those that do not."""
    found = points(facts)
    reason = Reason.ROLLBACK_READY if count(found) == len(found) else Reason.RECOVERY_INCOMPLETE
    return holds, reason if holds else Reason.NOTHING_EARLIER, f"{sentence(found)}. {message}"


def _facts(s: Situation, status: AgentRolloutStatus, target: ReleaseRecord | None) -> Facts:
    """What the seven points rest on.

    Args:
        s: What the decision rests on.
        status: The next status.
        target: What could be rolled back to; None if there is nothing. If it does not serve, and the plan has
            drills, its newest one must have passed.
    """
    is_drilled = s.spec.drill is not None and target is not status.stable
    lacks_drill = is_drilled and target is not None and not has_passed_drill(target.digest, status)
    gates = s.analysis.gates
    return Facts(
        has_data=bool(gates) and _had_data(status),
        has_target=target is not None and not lacks_drill,
        wanted=f"a passed drill of {target.release}" if target and lacks_drill else "a rollback target",
        tools=_tools(s, status),
        gate_rolls_back=any(gate.rolls_back for gate in gates),
        cap_rolls_back=any(cap.action in ROLLING_BACK for cap in s.spec.caps),
        hooks=s.spec.hooks,
    )


def _had_data(status: AgentRolloutStatus) -> bool:
    """Whether a gate has had data of a release; also if another attempt has just begun.

    A second healthy release was compared with the first.
    """
    gates = (*status.gates, *status.watched)
    if any(gate.last_sample_time for gate in gates) or any(entry.runs for entry in status.history):
        return True
    return sum(e.outcome is Outcome.HEALTHY and e.kind is AttemptKind.RELEASE for e in status.history) > 1


def _tools(s: Situation, status: AgentRolloutStatus) -> Tools | None:
    """The tools of all releases with traffic; None if those of one are unknown."""
    tools = dict[str, bool]()
    for record in (status.stable, status.canary):
        of_one = tools_of(s.obs.snapshots.get(record.snapshot)) if record else {}
        if of_one is None:
            return None
        tools |= {name: acts or tools.get(name, False) for name, acts in of_one.items()}
    return tools


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
