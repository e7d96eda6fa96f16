"""Another rollout that ships the same agent: of two, the older one does."""

from collections.abc import Iterable

from agentrollouts.api.reasons import Reason
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.core.effects import Manifest, Problem
from agentrollouts.core.rollout.observation import Observation


def agent_taken_by(rollout: AgentRollout, others: Iterable[Manifest]) -> str | None:
    """The rollout that ships the agent, where it is not this one.

    The older one does. Creation times have whole seconds: of two made in one second it is the one that has
    begun, then the first by name.

    Args:
        rollout: The one to check.
        others: The other rollouts of its agent in its namespace, as returned by the API server.
    """
    metadata = rollout.metadata
    created = f"{metadata.creation_timestamp:%Y-%m-%dT%H:%M:%SZ}" if metadata.creation_timestamp else ""
    ours = (created, rollout.status.attempt is None and rollout.status.stable is None, metadata.name)
    rivals = [
        (
            other["metadata"].get("creationTimestamp") or "",
            not {"attempt", "stable"} & (other.get("status") or {}).keys(),
            other["metadata"]["name"],
        )
        for other in others
        if not other["metadata"].get("deletionTimestamp")
    ]
    first = min([ours, *rivals])
    return None if first is ours else first[2]


def rival(obs: Observation) -> Problem | None:
    """Which other rollout ships the agent, and what to do; None if this one does."""
    if obs.agent_taken_by is None:
        return None
    return Problem(
        Reason.AGENT_TAKEN,
        f"AgentRollout {obs.agent_taken_by} is older and ships agent {obs.rollout.spec.agent} in this "
        "namespace; delete one of the two",
    )
