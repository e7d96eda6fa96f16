"""What people requested of the attempt in progress, by actions: a hold, a promotion, a rollback."""

from agentrollouts.api.attempt import State
from agentrollouts.api.reasons import Reason
from agentrollouts.core.attempt import moves
from agentrollouts.core.rollout.checks.approval import awaiting_approval, next_phase
from agentrollouts.core.rollout.checks.holds import hold
from agentrollouts.core.rollout.situation import Situation


def held_by_person(s: Situation) -> moves.Move | None:
    """A person holds the attempt; only a person ends that."""
    held = s.attempt.held_by
    if held is None:
        return None
    return hold(s, Reason.HELD_BY_PERSON, f"{held.by} holds the attempt: {held.reason}")


def promoted(s: Situation) -> moves.Move | None:
    """A person said that the phase counts as passed; its weight must be on the route, and approvals given."""
    if s.attempt.promoted is None or not s.applied or s.base is State.INITIAL:
        return None
    if s.attempt.hold:
        return moves.Resume()
    return awaiting_approval(s, leaves_phase=True) or next_phase(s)
