"""Checks of a rollout that is being deleted: its canary loses its traffic, and nothing begins.

A finalizer can keep such a rollout for long. Until it is gone, it still rolls back by its gates and on
request.
"""

from typing import Final

from agentrollouts.api.attempt import Trigger
from agentrollouts.api.reasons import Reason
from agentrollouts.core.attempt import moves
from agentrollouts.core.history import is_returning
from agentrollouts.core.rollout.checks.idle import rest
from agentrollouts.core.rollout.situation import Situation

DELETION: Final = "The rollout is being deleted"


def canary_returns(s: Situation) -> moves.Move | None:
    """The canary is rolled back, not quarantined; a return to a healthy release is a rollback and stays."""
    if not s.is_terminating or is_returning(s.status.canary, s.status):
        return None
    if s.status.stable is None:
        return moves.Hold(Reason.TERMINATING, f"{_why(s)}; there is no release to roll back to")
    return moves.RollBack(Trigger.SPEC_REVERTED, Reason.TERMINATING, _why(s))


def begins_nothing(s: Situation) -> moves.Move | None:
    """A pending attempt ends before it has any traffic."""
    return moves.Supersede(_why(s)) if s.is_terminating else None


def rests(s: Situation) -> moves.Move | None:
    """Stable serves until the rollout is gone."""
    if not s.is_terminating:
        return None
    served = f"{s.status.stable.release} has all traffic" if s.status.stable else "no release serves"
    return rest(s, Reason.TERMINATING, f"{_why(s)}; {served}, and nothing begins")


def _why(s: Situation) -> str:
    names = ", ".join(s.obs.rollout.metadata.finalizers)
    return DELETION + (f" and waits for finalizer {names}" if names else "")
