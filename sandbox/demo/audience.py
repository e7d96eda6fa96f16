"""The audience of the demo: waits until a step is seen, shows what changes, and counts who was served.

Between the story (`demo`) and what can be seen of it (`onlooker` for the route, `load` for the customers).
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sandbox.demo.screen import Screen
from sandbox.errors import SandboxError
from sandbox.people.load import Answer, Ledger
from sandbox.people.onlooker import Stretch, Watched, Weights, stretches, version_of, weights_of

SETTLE_SECONDS: Final = 0.5
"""From a new weight on the route to the gateway's using it; requests sent in between are not compared."""
ENOUGH: Final = 200
"""Requests after which a share is compared with its weight."""
TOLERANCE: Final = 0.02
"""How far a share may be from its weight. The gateway deals requests out in turn: luck has no part in it."""

_POLL_SECONDS: Final = 0.1
_WHOLE: Final = 100


class MissedError(SandboxError):
    """A step of the story was not observed."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the story as it was observed."""

    what: str
    observed: str
    seconds: float
    """How long it was waited for."""


class Audience:
    """Sees route, rollout and customers.

    Args:
        screen: where changes are shown.
        route: the HTTPRoute of the rollout.
        rollout: the rollout itself; what it says is shown and not believed.
        ledger: the customers' record.

    Attributes:
        steps: what was seen so far.
        passes: the gates' sentences when all of them last said Pass.
    """

    def __init__(self, screen: Screen, route: Watched, rollout: Watched, ledger: Ledger) -> None:
        self.steps: list[Step] = []
        self.route = route
        self.rollout = rollout
        self.ledger = ledger
        self._screen = screen
        self._shown: Weights = {}
        self._shown_versions = 0
        self._failed: set[str] = set()
        self.passes: tuple[str, ...] = ()

    @property
    def weights(self) -> Weights:
        """The weights that the route shows now."""
        return weights_of(self.route.latest)

    @property
    def status(self) -> Mapping[str, Any]:
        """What the operator says now."""
        status: Mapping[str, Any] = self.rollout.latest.get("status", {})
        return status

    @property
    def attempt(self) -> Mapping[str, Any]:
        """What the operator says of the attempt under way, or the last one."""
        attempt: Mapping[str, Any] = self.status.get("attempt") or {}
        return attempt

    def see(self, what: str, expected: str, look: Callable[[], str | None], seconds: float) -> None:
        """Wait until something is seen.

        Args:
            what: the step, for the table at the end.
            expected: what has to be seen.
            look: what was seen, once it was; None until then.
            seconds: how long to wait.

        Raises:
            MissedError: it was not seen in time; with what was seen instead.
        """
        began = time.monotonic()
        while (observed := look()) is None:
            self._show()
            if time.monotonic() - began > seconds:
                raise MissedError(f"{what}: expected {expected} within {seconds:g} s; {self._situation()}")
            time.sleep(_POLL_SECONDS)
        self._show()
        self.steps.append(Step(what, observed, time.monotonic() - began))
        self._screen.good(f"{what}: {observed}")

    def sent(self, since: float, until: float = float("inf")) -> list[Answer]:
        """Answers to requests that were sent in the window [since, until) of monotonic time."""
        return [answer for answer in self.ledger.answers(since) if since <= answer.sent < until]

    def share(self, version: str, weight: int) -> str | None:
        """The share of the requests that a release answered while the route had it at this weight.

        None while the route never had it, requests are too few, or the share does not fit.
        """
        had = [stretch for stretch in self.stretches if stretch.weights.get(version, 0) == weight]
        if not had:
            return None
        answers = self._answers(had[-1])
        if len(answers) < ENOUGH:
            return None
        got = _share(answers, version)
        if abs(got - weight / 100) > TOLERANCE:
            return None
        return f"{weight}% on the route; {got:.1%} of {len(answers)} requests at the customers"

    def deviation(self) -> str | None:
        """How far any share was from its weight; None if too far, or if weights did not sum to 100."""
        compared = [
            (stretch, answers)
            for stretch in self.stretches
            if len(answers := self._answers(stretch)) >= ENOUGH
        ]
        off = max(
            abs(_share(answers, version) - weight / 100)
            for stretch, answers in compared
            for version, weight in stretch.weights.items()
        )
        if off > TOLERANCE or any(sum(stretch.weights.values()) != _WHOLE for stretch in self.stretches):
            return None
        return f"{len(compared)} splits of 100%; each share within {off * 100:.1f} points of its weight"

    def _answers(self, stretch: Stretch) -> list[Answer]:
        return self.sent(stretch.start + SETTLE_SECONDS, stretch.end)

    @property
    def stretches(self) -> list[Stretch]:
        """The times of constant weights on the route, oldest first."""
        return stretches(self.route.versions)

    def condition(self, kind: str) -> Mapping[str, Any]:
        """A condition of the rollout; empty if it has none."""
        conditions = self.status.get("conditions", [])
        return next((condition for condition in conditions if condition["type"] == kind), {})

    def _show(self) -> None:
        """Print what is new, and bring the living line up to date."""
        versions = self.route.versions
        for seen in versions[self._shown_versions :]:
            weights = weights_of(seen.manifest)
            if weights != self._shown:
                self._shown = weights
                phase = self.attempt.get("phaseName", "") if len(weights) > 1 else ""
                self._screen.say(f"route   {_split(weights):23s}  {phase:9s}  served: {self._served()}")
        self._shown_versions = len(versions)
        gates = self.status.get("gates", [])
        if gates and all(gate["verdict"] == "Pass" for gate in gates):
            self.passes = tuple(f"{gate['name']}: {gate['message']}" for gate in gates)
        for gate in gates:
            if gate["verdict"] == "Fail" and gate["message"] not in self._failed:
                self._failed.add(gate["message"])
                self._screen.say(f"gate    {gate['name']}: {gate['message']}")
        self._screen.live(self._now())

    def _served(self, since: float = 0.0) -> str:
        counts = sorted(self.ledger.counts(since).items())
        return ", ".join(f"{version_of(name) or 'nobody'} {count}" for name, count in counts) or "none"

    def _now(self) -> str:
        verdicts = Counter(gate["verdict"] for gate in self.status.get("gates", []))
        gates = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.items())
        state = self.attempt.get("state", "")
        return f"{_split(self.weights)}   {state}   served: {self._served()}   gates: {gates or 'none'}"

    def _situation(self) -> str:
        ready = self.condition("Ready")
        said = f"{ready.get('reason', 'nothing')}: {ready.get('message', '')}"
        return (
            f"saw the route at {_split(self.weights) or 'no weights'}, served in the last 5 s: "
            f"{self._served(time.monotonic() - 5)}; the operator says {said}"
        )


def _share(answers: Sequence[Answer], version: str) -> float:
    return sum(version_of(answer.release) == version for answer in answers) / len(answers)


def _split(weights: Weights) -> str:
    return "  ".join(f"{version} {weight:3d}%" for version, weight in weights.items())
