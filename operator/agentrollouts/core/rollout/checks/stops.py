"""What stops a beginning, and every step of an attempt.

A freeze, a record that cannot be written, and another agent whose release does not fit this one. Nothing that
leads back to stable waits for any of them. A return to a release that was healthy before is a rollback, so
none stops it.
"""

from agentrollouts.api.reasons import Reason
from agentrollouts.api.status import ReleaseRecord
from agentrollouts.core.action.freeze import frozen_by
from agentrollouts.core.attempt import moves
from agentrollouts.core.effects import Problem
from agentrollouts.core.history import is_returning
from agentrollouts.core.record.backlog import cleared, is_behind
from agentrollouts.core.recovery.group.requirements import misfit, unmet
from agentrollouts.core.rollout.observation import Observation
from agentrollouts.core.rollout.situation import Situation


def stopped_beginning(s: Situation, record: ReleaseRecord) -> Problem | None:
    """What keeps an attempt of this release from beginning."""
    return _frozen(s, record, is_in_flight=False) or _behind(s) or _misfit(s, record)


def stopped_attempt(s: Situation) -> Problem | None:
    """What holds the attempt in progress."""
    canary = s.status.canary
    if canary is None or is_returning(canary, s.status):
        return None
    return _frozen(s, canary, is_in_flight=True) or _behind(s) or _misfit(s, canary)


def unmet_at_rest(obs: Observation) -> str | None:
    """What the stable release requires and another agent does not serve; it is reported and stops nothing."""
    stable = obs.status.stable
    return unmet(stable, obs.others) if stable and obs.others is not None else None


def leads_back(move: moves.Move) -> bool:
    """Whether a move rolls back, or is a hold at whose end the attempt is rolled back."""
    return isinstance(move, moves.RollBack) or (isinstance(move, moves.Hold) and move.until is not None)


def _frozen(s: Situation, record: ReleaseRecord, *, is_in_flight: bool) -> Problem | None:
    rollout = s.obs.rollout.metadata
    sentence = frozen_by(s.obs.freezes, rollout, record.release, s.now, is_in_flight=is_in_flight)
    return Problem(Reason.FROZEN, sentence) if sentence else None


def _misfit(s: Situation, record: ReleaseRecord) -> Problem | None:
    """Whether the release and what other agents serve exclude each other."""
    return misfit(record, s.spec.agent, s.obs.others)


def _behind(s: Situation) -> Problem | None:
    """Whether too many entries are not written."""
    record = s.obs.status.record
    if record is None or not is_behind(cleared(record, s.obs.record.head)):
        return None
    message = f"{len(record.unwritten)} entries of {record.name} are not written; see the condition Recorded"
    return Problem(Reason.RECORD_BEHIND, message)
