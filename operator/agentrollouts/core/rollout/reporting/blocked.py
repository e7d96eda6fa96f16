"""Whether a rollback is refused, and what that means in one sentence: the loudest that a rollout can say."""

from agentrollouts.api.attempt import State
from agentrollouts.api.status import AgentRolloutStatus, ReleaseRecord
from agentrollouts.core.history import is_returning
from agentrollouts.core.rollout.situation import Situation
from agentrollouts.core.states import is_progressing
from agentrollouts.core.traffic.state import TrafficState


def not_rolled_back(s: Situation, traffic: TrafficState) -> str:
    """Which release keeps which share, and why; empty if no rollback is refused.

    Args:
        s: What the decision rests on. What was refused is a write of the persisted status.
        traffic: The traffic, compared with the next status.
    """
    problem = traffic.blocked or s.obs.traffic_problem
    release = _left(s.obs.status) if problem else None
    if problem is None or release is None or traffic.is_shown:
        return ""
    share = s.routing.share(release)
    if share == 0:
        return ""
    kept = "an unknown share is" if share is None else f"{share}%"
    return f"NOT ROLLED BACK: {kept} still on {release.release}: {problem.message}"


def _left(status: AgentRolloutStatus) -> ReleaseRecord | None:
    """The release that is to lose its traffic; None if no rollback, and no return, is being written."""
    if status.attempt is not None and status.attempt.state is State.ROLLING_BACK:
        return status.canary
    return status.stable if is_progressing(status) and is_returning(status.canary, status) else None
