"""What people requested of the attempt in progress, by actions: a hold, a promotion, a rollback."""

from agentrollouts.api.attempt import State
from agentrollouts.api.reasons import Reason
from agentrollouts.core.attempt import moves
from agentrollouts.core.rollout.checks.approval import awaiting_approval, next_phase
from agentrollouts.core.rollout.checks.endpoints import leaves_stable
from agentrollouts.core.rollout.checks.holds import hold
from agentrollouts.core.rollout.situation import Situation


def held_by_person(s: Situation) -> moves.Move | None:
    """A person holds the attempt; only a person ends that."""
    held = s.attempt.held_by
    if held is None:
        return None
    return hold(s, Reason.HELD_BY_PERSON, f"{held.by} holds the attempt: {held.reason}")


def promoted(s: Situation) -> moves.Move | None:
    """A person said that the phase counts as passed; its weight must be on the route, and approvals given.

    A gateway that cannot find stable reports no weight as applied, so that is not waited for then.
    """
    is_there = s.applied or (leaves_stable(s) and s.traffic.is_shown and s.hindrance is None)
    if s.attempt.promoted is None or not is_there or s.base is State.INITIAL:
        return None
    if s.attempt.hold:
        return moves.Resume()
    return awaiting_approval(s, leaves_phase=True) or next_phase(s)
