"""What a record that cannot be written stops: a beginning, and every step of an attempt.

Nothing that leads back to stable waits for it, and no return to a release that was healthy before.
"""

from agentrollouts.api.reasons import Reason
from agentrollouts.core.effects import Problem
from agentrollouts.core.history import is_returning
from agentrollouts.core.record.backlog import cleared, is_behind
from agentrollouts.core.rollout.situation import Situation


def record_behind(s: Situation) -> Problem | None:
    """Why nothing goes forward while too many entries are not written."""
    record = s.obs.status.record
    if record is None or not is_behind(cleared(record, s.obs.record.head)):
        return None
    message = f"{len(record.unwritten)} entries of {record.name} are not written; see the condition Recorded"
    return Problem(Reason.RECORD_BEHIND, message)


def attempt_behind(s: Situation) -> Problem | None:
    """The same for the attempt in progress, unless it returns to a release that was healthy."""
    canary = s.status.canary
    return None if canary is None or is_returning(canary, s.status) else record_behind(s)
