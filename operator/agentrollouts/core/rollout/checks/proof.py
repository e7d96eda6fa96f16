"""After a rollback that proved nothing: is the release the cause, or is the cause shared?

While idle, stable serves alone, so nothing distinguishes an outage of a provider from a fault of stable. It
is rolled back anyway, and the release that serves instead is watched with the same limits. If it keeps
them, the release was the cause and is quarantined. If it exceeds them too, the cause is shared, and the
release returns once the limits are kept again.
"""

from datetime import timedelta
from typing import Final

from agentrollouts.api.attempt import Trigger
from agentrollouts.api.gates import OnFail
from agentrollouts.api.reasons import Reason
from agentrollouts.api.rollback import LastRollback, VerifyOutcome
from agentrollouts.api.verdict import Verdict
from agentrollouts.core.attempt import moves
from agentrollouts.core.containment.detour import on_standby
from agentrollouts.core.effects import Problem
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.rollout.checks.idle import rest
from agentrollouts.core.rollout.checks.verifying import ELSEWHERE
from agentrollouts.core.rollout.commands import create_action
from agentrollouts.core.rollout.desired import Desired, Standing
from agentrollouts.core.rollout.situation import Situation, sentences
from agentrollouts.core.states import is_unproved

CALM: Final = frozenset({Verdict.PASS, Verdict.INCONCLUSIVE})


def proved(s: Situation) -> moves.Move | None:
    """What serves since the rollback exceeds the limits too, or has kept them for a whole window."""
    rollback = s.status.last_rollback
    if rollback is None or not is_unproved(s.status) or not _serves_since(s, rollback):
        return None
    if harm := _harm(s):
        message = f"{rollback.to} exceeds the limits as well, so {ELSEWHERE}. {harm}"
        return moves.Prove(VerifyOutcome.NOT_RECOVERED, message)
    keeps = _keeps(s, rollback)
    if not keeps:
        return None
    message = f"{rollback.to} stays within the limits that {rollback.from_} exceeded: {keeps}"
    return moves.Prove(VerifyOutcome.RECOVERED, message)


def _harm(s: Situation) -> str:
    """What is measured of stable that would roll it back; empty if nothing."""
    if on_standby(s.status):
        return ""
    failing = tuple(judgment for judgment in s.analysis.failing if judgment.action is OnFail.ROLL_BACK)
    return sentences(failing) or sentences(s.analysis.exceeded(OnFail.ROLL_BACK))


def _serves_since(s: Situation, rollback: LastRollback) -> bool:
    return s.status.stable is not None and s.status.stable.release == rollback.to


def _keeps(s: Situation, rollback: LastRollback) -> str:
    """By which numbers the limits are kept; empty while that is not known for the whole window."""
    due = s.analysis.gates_at_rest
    if rollback.trigger is Trigger.CAP:
        seconds = max((cap.cap.per_seconds for cap in s.analysis.caps), default=0)
        readings = tuple(reading for reading in s.analysis.cap_readings if reading.is_seen)
        is_known, text = bool(readings) and len(readings) == len(s.analysis.caps), sentences(readings)
    else:
        seconds = max((_needed_seconds_of(gate) for gate in due), default=0)
        is_known = bool(s.analysis.judgments) and all(j.verdict is Verdict.PASS for j in s.analysis.judgments)
        text = sentences(s.analysis.judgments)
    since = rollback.routed_time or rollback.decided_time
    return text if is_known and s.now - since >= timedelta(seconds=seconds) else ""


def _needed_seconds_of(gate: ResolvedGate) -> int:
    return gate.recent_seconds + (gate.limit.for_seconds if gate.limit else 0)


def given_up(s: Situation) -> moves.Move | None:
    """It was rolled back without proof, and no one has requested a retry."""
    if isinstance(s.desired, Problem) or s.desired.standing is not Standing.GIVEN_UP:
        return None
    release, rollback = s.desired.record.release, s.status.last_rollback
    if s.attempt.trigger is Trigger.TIMEOUT:
        why, reason = "after waiting, not because anything was proved against it", Reason.TIMED_OUT
    else:
        why, reason = "at rest, and it is not yet known whether it was the cause", Reason.UNPROVED
    retry = create_action(s.obs.rollout, "retry", s.attempt.number, release=release)
    message = (
        f"{release} was rolled back {why}; it is not in quarantine and is not tried again without an action. "
        f"Run {retry}, change the plan, or roll out another release. {rollback.message if rollback else ''}"
    )
    return rest(s, reason, message.rstrip())


def shared_cause(s: Situation) -> moves.Move | None:
    """The desired release was cleared of a fault that affects all releases, and that is not over."""
    rollback = s.status.last_rollback
    if (
        rollback is None
        or rollback.outcome is not VerifyOutcome.NOT_RECOVERED
        or not isinstance(s.desired, Desired)
    ):
        return None
    is_cleared = s.desired.standing is Standing.KNOWN_HEALTHY and s.desired.record.release == rollback.from_
    if not is_cleared or not _serves_since(s, rollback) or not _lasts(s):
        return None
    message = f"{rollback.from_} returns once {rollback.to} stays within the limits; {rollback.verification}"
    return moves.Rest(Reason.SHARED_CAUSE, message)


def _lasts(s: Situation) -> bool:
    """Whether the limits are still exceeded, or that is unknown; irrelevant without `watch`."""
    if s.analysis.exceeded(OnFail.ROLL_BACK):
        return True
    if not s.analysis.is_gated(s.status):
        return bool(s.analysis.caps and s.spec.watch and len(s.analysis.cap_readings) < len(s.analysis.caps))
    return not s.analysis.judgments or any(judgment.verdict not in CALM for judgment in s.analysis.judgments)
