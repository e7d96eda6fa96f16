"""Whether a rollback is refused or undone, and what that means in one sentence: the loudest that is said."""

from agentrollouts.api.attempt import State
from agentrollouts.api.status import AgentRolloutStatus, ReleaseRecord
from agentrollouts.core.history import is_drill, is_returning
from agentrollouts.core.rollout.situation import Situation
from agentrollouts.core.states import is_progressing
from agentrollouts.core.traffic.observed import Contest
from agentrollouts.core.traffic.state import TrafficState


def not_rolled_back(s: Situation, traffic: TrafficState) -> str:
    """Which release keeps which share, and why; empty if no rollback is refused, or undone by others.

    Args:
        s: What the decision rests on. What was refused is a write of the persisted status.
        traffic: The traffic, compared with the next status.
    """
    problem = traffic.blocked or s.obs.traffic_problem
    if problem is None:
        return _undone(s.obs.status, s.obs.contest)
    release = _left(s.obs.status)
    if release is None:
        return ""
    share = s.routing.share(release)
    if traffic.is_shown or share == 0:
        return ""
    kept = "an unknown share is" if share is None else f"{share}%"
    return f"NOT ROLLED BACK: {kept} still on {release.release}: {problem.message}"


def _undone(status: AgentRolloutStatus, contest: Contest | None) -> str:
    """That others undo a rollback again and again. No share is named: it is another one in every moment."""
    attempt = status.attempt
    is_verified = attempt is not None and attempt.state is State.VERIFYING and not is_drill(status)
    release = status.canary if is_verified else _left(status)
    if contest is None or release is None:
        return ""
    return f"NOT ROLLED BACK: {release.release} gets requests again and again: {contest.problem.message}"


def _left(status: AgentRolloutStatus) -> ReleaseRecord | None:
    """The release that is to lose its traffic; None if no rollback, and no return, is being written."""
    if status.attempt is not None and status.attempt.state is State.ROLLING_BACK:
        return status.canary
    return status.stable if is_progressing(status) and is_returning(status.canary, status) else None
