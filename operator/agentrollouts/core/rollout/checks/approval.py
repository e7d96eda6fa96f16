"""The last checks of a phase: the approvals that it needs, and what comes after it."""

from agentrollouts.api.attempt import Attempt, RequiredApproval, State
from agentrollouts.api.people.action import GivenApproval
from agentrollouts.api.rollout import AgentRollout, Approval
from agentrollouts.core.action.people import of_phase
from agentrollouts.core.attempt import moves
from agentrollouts.core.attempt.approvals import needed
from agentrollouts.core.attempt.schedule import rises_left
from agentrollouts.core.rollout.commands import create_action
from agentrollouts.core.rollout.situation import Situation


def awaiting_approval(s: Situation, *, leaves_phase: bool = False) -> moves.Move | None:
    """The plan, or the one that the attempt began with, requires that people agree.

    Args:
        s: An attempt in progress.
        leaves_phase: Whether the steps of the ramp that are left are skipped.
    """
    if s.base is State.BAKING:
        return None
    missing = request(s.obs.rollout, s.attempt, leaves_phase=leaves_phase)
    if not missing:
        return None
    return moves.AskApproval(missing) if s.base is State.CANARY else moves.Wait(missing)


def request(rollout: AgentRollout, attempt: Attempt, *, leaves_phase: bool = False) -> str:
    """Which approval is missing, as a sentence with the command that gives it; empty if none is."""
    due = needed(rollout.spec, attempt, leaves_phase=leaves_phase)
    missing = next((each for each in due if len(_given(attempt, each)) < each.count), None)
    if missing is None:
        return ""
    name, given = missing.phase_name, _given(attempt, missing)
    is_current = any(p.name == name and p.approval is Approval.REQUIRED for p in rollout.spec.phases)
    why = "" if is_current else "; approval was required by the plan when the attempt began"
    people = f" ({len(given)} of {missing.count}, by {', '.join(each.by for each in given)})" if given else ""
    command = create_action(rollout, "approve", attempt.number, phase=name)
    return f"Phase {attempt.phase_name} passed; to approve{people}: {command}{why}"


def next_step(s: Situation) -> moves.Move:
    """Everything passed: the next step of a ramp that stopped to be approved, or the next phase."""
    rises = () if s.base is State.BAKING else rises_left(s.spec, s.attempt)
    return moves.Rise(rises[0].weight) if rises else next_phase(s)


def next_phase(s: Situation) -> moves.Move:
    """The next phase, then the bake, then stable."""
    if s.base is State.BAKING:
        return moves.Promote()
    following = s.attempt.phase_index + 1
    return moves.EnterPhase(following) if following < len(s.spec.phases) else moves.Bake()


def _given(attempt: Attempt, required: RequiredApproval) -> tuple[GivenApproval, ...]:
    return of_phase(attempt.approved_by, required.phase_name)
