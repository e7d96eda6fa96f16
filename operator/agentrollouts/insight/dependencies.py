"""Who requires whom in a namespace, whether that fits, and what a rollback would break.

For `agentrollouts deps`. Pure: from the rollouts of a namespace to lines and JSON.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from agentrollouts.api.model.versions import fits
from agentrollouts.api.release import Requirement
from agentrollouts.api.status import AgentRolloutStatus, ReleaseRecord
from agentrollouts.core.effects import Manifest
from agentrollouts.core.history import earlier_healthy, is_trusted
from agentrollouts.core.recovery.group.requirements import Other, Served, other_of, unmet

NOTHING: Final = "nothing"


@dataclass(frozen=True, slots=True)
class Agent:
    """A rollout, with what its agent could be rolled back to."""

    other: Other
    targets: tuple[ReleaseRecord, ...] = ()
    """The releases that a rollback of stable can lead to, the newest first."""

    @classmethod
    def of(cls, rollout: Manifest) -> "Agent":
        """An agent as the API server returns its rollout.

        Raises:
            pydantic.ValidationError: the status is of a version that cannot be read.
        """
        status = AgentRolloutStatus.model_validate(rollout.get("status") or {})
        targets = (entry.record for entry in earlier_healthy(status) if is_trusted(entry, status))
        return cls(other_of(rollout), tuple(targets))


def concerned(agents: Sequence[Agent]) -> tuple[Agent, ...]:
    """Those that require another agent, or that another agent requires; in the order of their names."""
    required = {
        each.agent for agent in agents for served in agent.other.served for each in served.requires
    } | {each.agent for agent in agents for record in agent.targets for each in record.requires}
    found = (
        agent
        for agent in agents
        if agent.other.agent in required
        or any(served.requires for served in agent.other.served)
        or any(record.requires for record in agent.targets)
    )
    return tuple(sorted(found, key=lambda agent: (agent.other.agent, agent.other.rollout)))


def lines_of(agents: Sequence[Agent]) -> Iterator[str]:
    """A block of lines for each agent."""
    for agent in concerned(agents):
        others, name = _others(agents, agent), agent.other.agent
        yield f"{name} (rollout {agent.other.rollout})"
        for served in agent.other.served:
            yield f"  {served.release}, {_side(agent.other, served)}"
            yield from (f"    {each}" for each in _requirements(served, others))
            yield from (f"    {each}" for each in _requirers(served, name, others))
        for target in agent.targets:
            victims = "; ".join(_breaks(target, name, others))
            yield f"  a rollback to {target.release} breaks {victims or NOTHING}"


def is_sound(agents: Sequence[Agent]) -> bool:
    """Whether everything that is served fits what others serve."""
    return not any(
        not verdict
        for agent in agents
        for served in agent.other.served
        for _, _, verdict in _pairs(served, _others(agents, agent))
    )


def json_of(agents: Sequence[Agent]) -> list[dict[str, Any]]:
    """The same as JSON."""
    return [
        {
            "agent": agent.other.agent,
            "rollout": agent.other.rollout,
            "served": [
                {
                    "release": served.release,
                    "version": served.version,
                    "side": _side(agent.other, served),
                    "requires": [
                        {
                            "agent": each.agent,
                            "versions": each.versions,
                            "release": one.release if one else None,
                            "fits": verdict,
                        }
                        for each, one, verdict in _pairs(served, _others(agents, agent))
                    ],
                }
                for served in agent.other.served
            ],
            "rollbacks": [
                {
                    "release": target.release,
                    "breaks": _breaks(target, agent.other.agent, _others(agents, agent)),
                }
                for target in agent.targets
            ],
        }
        for agent in concerned(agents)
    ]


def _others(agents: Iterable[Agent], agent: Agent) -> tuple[Other, ...]:
    return tuple(each.other for each in agents if each.other.rollout != agent.other.rollout)


def _side(other: Other, served: Served) -> str:
    if served == other.served[0]:
        return "stable"
    return "canary" if served.has_share else "canary without a share"


def _pairs(served: Served, others: Sequence[Other]) -> Iterator[tuple[Requirement, Served | None, bool]]:
    """Each requirement with each release that it is about, and whether they fit; None if no one ships it."""
    for each in served.requires:
        matching = [other for other in others if other.agent == each.agent]
        if not matching:
            yield each, None, False
        for one in (one for other in matching for one in other.served if one.has_share):
            yield each, one, fits(one.version, each.versions)


def _requirements(served: Served, others: Sequence[Other]) -> Iterator[str]:
    for each, one, verdict in _pairs(served, others):
        found = f"{one.release} {_word(verdict)}" if one else "no rollout ships it"
        yield f"requires {each.agent} {each.versions}: {found}"


def _requirers(served: Served, agent: str, others: Sequence[Other]) -> Iterator[str]:
    for other in others:
        for one in other.served:
            for each in (each for each in one.requires if each.agent == agent):
                word = _word(fits(served.version, each.versions))
                yield f"is required by {one.release}: {each.versions} {word}"


def _word(verdict: bool) -> str:  # noqa: FBT001 a verdict in words
    return "fits" if verdict else "DOES NOT FIT"


def _breaks(target: ReleaseRecord, agent: str, others: Sequence[Other]) -> list[str]:
    """What would not fit if this release served alone."""
    found = [
        f"{one.release}, which requires {each.versions}"
        for other in others
        for one in other.served
        for each in one.requires
        if each.agent == agent and not fits(target.version, each.versions)
    ]
    lacking = unmet(target, tuple(others))
    return found + ([f"itself: {lacking.partition('; ')[0]}"] if lacking else [])
