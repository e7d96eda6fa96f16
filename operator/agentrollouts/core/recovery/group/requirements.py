"""What releases require of other agents, compared with what those serve: `spec.requires`, in both directions.

Enforced forward only, by the checks of `core.rollout`. A rollback prefers a release that fits and takes one
that does not rather than none.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from agentrollouts.api.model.versions import fits
from agentrollouts.api.reasons import Reason
from agentrollouts.api.release import Requirement
from agentrollouts.api.status import ReleaseRecord
from agentrollouts.core.effects import Manifest, Problem

OVERLAP: Final = "two agents cannot change in one instant, so their ranges must overlap for one release"
"""Why neither of two releases that exclude each other can begin."""


@dataclass(frozen=True, slots=True)
class Served:
    """A release that another rollout has in its status."""

    release: str
    version: str
    has_share: bool
    """Whether it has requests, or is stable and can have all of them at once."""
    requires: tuple[Requirement, ...] = ()


@dataclass(frozen=True, slots=True)
class Other:
    """Another rollout of the namespace, as far as requirements are concerned."""

    agent: str
    rollout: str
    served: tuple[Served, ...] = ()
    """Stable first, then the canary."""


Others = tuple[Other, ...]


def other_of(rollout: Manifest) -> Other:
    """What concerns requirements in a rollout, as returned by the API server."""
    spec, status = rollout.get("spec") or {}, rollout.get("status") or {}
    weights = ((status.get("attempt") or {}).get("weight"), (status.get("weights") or {}).get("canary"))
    sides = (("stable", True), ("canary", any(weights)))
    served = (
        Served(str(record.get("release")), str(record.get("version")), share, _requirements(record))
        for side, share in sides
        if (record := status.get(side))
    )
    return Other(str(spec.get("agent") or ""), rollout["metadata"]["name"], tuple(served))


def _requirements(record: Mapping[str, Any]) -> tuple[Requirement, ...]:
    """What a record requires; nothing where another version of the operator has written another form."""
    try:
        return tuple(Requirement.model_validate(each) for each in record.get("requires") or ())
    except ValidationError:
        return ()


def unmet(record: ReleaseRecord, others: Others) -> str | None:
    """The first requirement of a release that is not met: both sides, both versions, and what helps."""
    return next(_unmet(record, others), None)


def _unmet(record: ReleaseRecord, others: Others) -> Iterator[str]:
    for each in record.requires:
        subject = f"{record.release} requires {each.agent} {each.versions}"
        matching = [other for other in others if other.agent == each.agent]
        if not matching:
            yield (
                f"{subject}, but no AgentRollout in this namespace ships {each.agent}; create one, or ship a "
                "release that does not require it"
            )
        for served in (served for other in matching for served in other.served):
            if served.has_share and not fits(served.version, each.versions):
                yield (
                    f"{subject}, but {served.release} serves with version {served.version}; ship a "
                    f"{each.agent} that {record.release} accepts, or a release whose range includes "
                    f"{served.version}; {OVERLAP}"
                )


def broken(record: ReleaseRecord, agent: str, others: Others) -> str | None:
    """The first release of another agent whose range excludes this one: both sides, and what helps.

    Args:
        record: A release.
        agent: The agent that it is of.
        others: The other rollouts of its namespace.
    """
    return next(_broken(record, agent, others), None)


def _broken(record: ReleaseRecord, agent: str, others: Others) -> Iterator[str]:
    for other in others:
        for served in other.served:
            for each in served.requires:
                if each.agent == agent and not fits(record.version, each.versions):
                    yield (
                        f"{record.release} has version {record.version}, but {served.release} (version "
                        f"{served.version} of {other.agent}) requires {agent} {each.versions}; first ship a "
                        f"{other.agent} whose range includes {record.version}; {OVERLAP}"
                    )


def misfit(record: ReleaseRecord, agent: str, others: Others | None) -> Problem | None:
    """Why a release cannot go forward beside what other agents serve; None if it fits both ways.

    Args:
        record: The release.
        agent: The agent that it is of.
        others: The other rollouts of its namespace; None if they are not known, as in a simulation.
    """
    if others is None:
        return None
    if sentence := unmet(record, others):
        return Problem(Reason.REQUIREMENT_UNMET, sentence)
    if sentence := broken(record, agent, others):
        return Problem(Reason.BREAKS_DEPENDENT, sentence)
    return None
