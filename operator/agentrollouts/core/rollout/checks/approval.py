"""Which approval is missing, as a sentence with the command that gives it."""

from agentrollouts.api.attempt import Attempt
from agentrollouts.api.rollout import AgentRollout, Approval
from agentrollouts.core.action.annotations import approve
from agentrollouts.core.attempt.approvals import needed


def request(rollout: AgentRollout, attempt: Attempt) -> str:
    """What needs approval; empty if nothing is missing, or if it was given."""
    missing = next(iter(needed(rollout.spec, attempt)), None)
    if missing is None:
        return ""
    order = approve(attempt, missing.phase_name)
    if order.is_given(rollout):
        return ""
    stale = order.stale(rollout)
    phases = rollout.spec.phases
    is_current = any(p.name == missing.phase_name and p.approval is Approval.REQUIRED for p in phases)
    why = "" if is_current else "; approval was required by the plan when the attempt began"
    return f"Phase {attempt.phase_name} passed; to approve: {order.command(rollout)}{stale}{why}"
