"""What is kept of a simulation for people: the story as lines, weights and evidence as curves.

A watcher of the simulated world; it knows nothing that a person with `kubectl` could not see.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from agentrollouts.api.rollout import AgentRolloutSpec
from agentrollouts.core.effects import Manifest
from agentrollouts.core.gates.resolve import resolve_all
from agentrollouts.simulation.cluster import weights_of_config
from agentrollouts.simulation.play import HAPPENED
from agentrollouts.simulation.world import World


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the story."""

    time: datetime
    state: str
    """Of the attempt; empty before the first one."""
    weight: int
    """Percent that the attempt desires for the canary."""
    reason: str
    """In one word; empty if it was not the operator who did it."""
    message: str
    is_warning: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """What a gate had to say at a time."""

    time: datetime
    attempt: int
    verdict: str
    evidence: float | None
    """Odds to one that the canary is worse."""


@dataclass(slots=True)
class Curve:
    """The looks of one gate."""

    needed: float
    """Evidence from which on it fails, given that the difference matters."""
    compares: bool
    """Whether it has evidence at all; others answer by counts or limits alone."""
    looks: list[Look] = field(default_factory=list)


@dataclass(slots=True)
class Timeline:
    """The story so far."""

    start: datetime
    entries: list[Entry] = field(default_factory=list)
    shares: list[tuple[datetime, dict[str, int]]] = field(default_factory=list)
    """Percent of the requests by release, from each time on."""
    states: list[tuple[datetime, str]] = field(default_factory=list)
    """The attempt's state, from each time on."""
    gates: dict[str, Curve] = field(default_factory=dict)
    _attempt: Manifest = field(default_factory=dict)

    @classmethod
    def of(cls, world: World) -> "Timeline":
        """The timeline of a world that begins now."""
        timeline = cls(world.now)
        timeline.shares.append((world.now, _first_shares(world)))
        timeline.states.append((world.now, ""))
        timeline.expect(world.rollout.spec)
        world.watchers.append(timeline.see)
        return timeline

    def expect(self, spec: AgentRolloutSpec) -> None:
        """Draw a curve for each gate of the plan."""
        for gate in resolve_all(spec).gates:
            self.gates[gate.name] = Curve(gate.needed, gate.is_share_test)

    def see(self, time: datetime, manifest: Manifest) -> None:
        """An object changed."""
        match manifest["kind"]:
            case "AgentRollout":
                self._see_status(time, manifest["status"])
            case "Event":
                is_warning = manifest["type"] == "Warning"
                self._note(time, manifest["reason"], manifest["message"], is_warning=is_warning)
            case kind if kind == HAPPENED:
                self._note(time, "", manifest["message"])
            case "ConfigMap":
                self._see_split(time, manifest)

    def _note(self, time: datetime, reason: str, message: str, *, is_warning: bool = False) -> None:
        state, weight = self._attempt.get("state", ""), self._attempt.get("weight", 0)
        self.entries.append(Entry(time, state, weight, reason, message, is_warning))

    def _see_status(self, time: datetime, status: Manifest) -> None:
        self._attempt = status.get("attempt") or {}
        state = self._attempt.get("state", "")
        if state != self.states[-1][1]:
            self.states.append((time, state))
        for gate in status.get("gates") or ():
            if "lastSampleTime" in gate and gate["name"] in self.gates:
                evidence = float(gate["evidence"]) if "evidence" in gate else None
                look = Look(time, self._attempt.get("number", 0), gate["verdict"], evidence)
                self.gates[gate["name"]].looks.append(look)

    def _see_split(self, time: datetime, config: Manifest) -> None:
        """It says the same as the route, by release."""
        shares = {release: weight for release, weight in weights_of_config(config).items() if weight}
        if shares != self.shares[-1][1]:
            self.shares.append((time, shares))

    def to_json(self) -> dict[str, Any]:
        """Everything, for machines; times as in Kubernetes."""
        return {
            "timeline": [
                {
                    "time": entry.time.isoformat(),
                    "seconds": self._seconds(entry.time),
                    "state": entry.state,
                    "weight": entry.weight,
                    "reason": entry.reason,
                    "message": entry.message,
                }
                for entry in self.entries
            ],
            "shares": [{"seconds": self._seconds(time), "releases": shares} for time, shares in self.shares],
            "gates": [
                {
                    "name": name,
                    "needed": curve.needed,
                    "looks": [
                        {
                            "seconds": self._seconds(look.time),
                            "attempt": look.attempt,
                            "verdict": look.verdict,
                            "evidence": look.evidence,
                        }
                        for look in curve.looks
                    ],
                }
                for name, curve in self.gates.items()
            ],
        }

    def _seconds(self, time: datetime) -> float:
        return (time - self.start).total_seconds()


def _first_shares(world: World) -> dict[str, int]:
    """Before there is a route: all to the release that serves already, if there is one."""
    return {world.status.stable.release: 100} if world.status.stable else {}
