"""Other routes with the same hostname at the same parent.

They share the requests of that hostname by the rules of the Gateway API, so the weights of one of them may
not hold. That is reported and stops nothing.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from agentrollouts.api.reasons import Reason
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.core.effects import Manifest, Problem
from agentrollouts.core.observation import Observation

NAMED: Final = 3
"""How many routes are named by a warning; with more, only that there are more, which stays true for long."""


def agent_taken_by(rollout: AgentRollout, others: Iterable[Manifest]) -> str | None:
    """The rollout that ships the agent, where it is not this one.

    The older one does. Creation times have whole seconds: of two made in one second it is the one that has
    begun, then the first by name.

    Args:
        rollout: The one that asks.
        others: The other rollouts of its agent in its namespace, as the API server has them.
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
    """Which other rollout ships the agent, and what to do; None where this one does."""
    if obs.agent_taken_by is None:
        return None
    return Problem(
        Reason.AGENT_TAKEN,
        f"AgentRollout {obs.agent_taken_by} is older and ships agent {obs.rollout.spec.agent} in this "
        "namespace; delete one of the two",
    )


class Door(NamedTuple):
    """Where requests come in: a hostname at a parent of a route."""

    kind: str
    namespace: str
    name: str
    hostname: str
    """Empty for all hostnames of the listener."""


def doors(route: Manifest) -> Iterator[tuple[Door, Mapping[str, Any]]]:
    """The doors of a route, each with the `parentRef` that names it."""
    spec, namespace = route.get("spec") or {}, route["metadata"].get("namespace") or ""
    for parent in spec.get("parentRefs") or ():
        kind, where = parent.get("kind") or "Gateway", parent.get("namespace") or namespace
        for hostname in spec.get("hostnames") or ("",):
            yield Door(kind, where, parent.get("name") or "", hostname), parent


def with_same_door(ours: Manifest, others: Iterable[Manifest]) -> tuple[str, ...]:
    """The routes that share a door with ours, as `namespace/name`, in order; all of those that are given.

    Two listeners of one Gateway are two doors; a route that names no listener, or no port, is at all of them.
    """
    here = list(doors(ours))
    return tuple(
        sorted(
            f"{other['metadata'].get('namespace')}/{other['metadata']['name']}"
            for other in others
            if any(_is_same(mine, theirs) for mine in here for theirs in doors(other))
        )
    )


def _is_same(one: tuple[Door, Mapping[str, Any]], other: tuple[Door, Mapping[str, Any]]) -> bool:
    (mine, parent), (theirs, their_parent) = one, other
    return mine == theirs and all(
        None in {parent.get(field), their_parent.get(field)} or parent[field] == their_parent[field]
        for field in ("sectionName", "port")
    )
