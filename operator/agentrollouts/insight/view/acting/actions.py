"""All actions that would have an effect now, most useful first."""

from collections.abc import Iterator

from agentrollouts.api.reasons import Reason
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.core.states import is_progressing
from agentrollouts.insight.view.acting.attempt import about_attempt
from agentrollouts.insight.view.acting.command import in_git
from agentrollouts.insight.view.acting.rest import about_agent, about_git, about_hooks, about_stable
from agentrollouts.insight.view.headline import state_of
from agentrollouts.insight.view.shape import Action


def actions(rollout: AgentRollout) -> tuple[Action, ...]:
    """Nothing is listed twice, and a rollout that is being deleted has only what takes traffic away."""
    return tuple(_actions(rollout))


def _actions(rollout: AgentRollout) -> Iterator[Action]:
    status = rollout.status
    yield from about_hooks(rollout)
    if is_progressing(status):
        yield from about_attempt(rollout)
    else:
        yield from about_git(rollout)
        if rollout.spec.paused and state_of(status) == Reason.PAUSED:
            yield in_git("End the pause", "The attempt begins", "spec.paused: false")
        yield from about_stable(rollout)
    yield from about_agent(rollout)
