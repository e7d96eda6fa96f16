"""The part of `agentrollouts plan` that is about a recovery: its seven points, as far as a file shows them.

A file has the plan and perhaps the release, and not what has happened. The condition `RollbackReady` has the
rest.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agentrollouts.api.release import AgentRelease
from agentrollouts.api.rollout import AgentRolloutSpec
from agentrollouts.core.gates.gate import ROLLING_BACK, ResolvedGate
from agentrollouts.core.recovery.readiness import (
    CAUTIOUS_WEIGHT,
    ENOUGH,
    POINTS,
    Facts,
    Point,
    count,
    missing,
    points,
)
from agentrollouts.core.release.bundle import declared
from agentrollouts.core.release.content import resolved

Releases = Mapping[str, AgentRelease]
"""The releases of the agent in a file, by name."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """What a file shows of a recovery."""

    found: tuple[Point, ...]
    suggestions: tuple[str, ...]
    """What to change."""

    def as_text(self) -> str:
        """How many points hold of those that the file shows, and which it does not show."""
        left, seen = missing(self.found), sum(point.holds is not None for point in self.found)
        what = f": missing {', '.join(left)}" if left else ""
        unseen = ", ".join(str(point.number) for point in self.found if point.holds is None)
        return (
            f"Recovery: {count(self.found)} of the {seen} points that this file shows hold{what}.\n"
            f"It does not show the points {unseen}; see the condition RollbackReady of the rollout."
        )

    def as_json(self) -> dict[str, Any]:
        """The numbers of the points."""
        return {
            "hold": [point.number for point in self.found if point.holds],
            "missing": list(missing(self.found)),
            "notShown": [point.number for point in self.found if point.holds is None],
        }


def releases_of(objects: Sequence[Mapping[str, Any]], agent: str) -> Releases:
    """The releases of an agent among the objects of a file, which the API server would accept."""
    releases = (AgentRelease.model_validate(each) for each in objects if each.get("kind") == "AgentRelease")
    return {each.metadata.name: each for each in releases if each.spec.agent == agent}


def recovery(spec: AgentRolloutSpec, gates: Sequence[ResolvedGate], releases: Releases) -> Recovery:
    """What a file shows of a recovery, and what to change.

    Args:
        spec: The plan.
        gates: Its gates.
        releases: The releases of its agent in the file.
    """
    release = releases.get(spec.release_ref.name)
    found = points(
        Facts(
            has_data=None,
            has_target=None,
            tools=_tools(release) if release else None,
            are_tools_seen=release is not None,
            gate_rolls_back=any(gate.rolls_back for gate in gates),
            cap_rolls_back=any(cap.action in ROLLING_BACK for cap in spec.caps),
            hooks=spec.hooks,
        )
    )
    return Recovery(found, (*_first_weight(spec, found), *_unknown_tools(spec, releases)))


def _first_weight(spec: AgentRolloutSpec, found: tuple[Point, ...]) -> Iterator[str]:
    """That the first phase has too much traffic for what is prepared; what is not shown might hold."""
    first, most = spec.phases[0], POINTS - len(missing(found))
    if most < ENOUGH and first.weight > CAUTIOUS_WEIGHT:
        yield (
            f"{first.name}: at most {most} of the {POINTS} points of a recovery hold. Begin with `weight: "
            f"{CAUTIOUS_WEIGHT}` while fewer than {ENOUGH} do, or add what is missing."
        )


def _unknown_tools(spec: AgentRolloutSpec, releases: Releases) -> Iterator[str]:
    """Tools that hooks name and that no release in the file has, if the tools of all are known."""
    tools = [_tools(release) for release in releases.values()]
    if not tools or None in tools:
        return
    known = {name for each in tools for name in each or ()}
    for index, hook in enumerate(spec.hooks):
        for name in hook.for_tools or ():
            if name not in known:
                yield (
                    f"spec.hooks[{index}].forTools: no release in this file has the tool {name}. Correct the "
                    "name, unless another release has it."
                )


def _tools(release: AgentRelease) -> Mapping[str, bool] | None:
    tools = release.spec.components.tools
    return declared({"tools": resolved(tools, {})} if tools else {})
