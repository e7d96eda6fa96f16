"""T12: every state that a small rollout can get into, breadth first, through the shipped `decide`.

What can happen between any two decisions, and when two states are one, is in
`small` and `sameness`. The process may end
after any effect of any decision, and another one begins with what the API server has. At each decision the
rules of `tests/world.py` are asked, and at each write the observer.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from agentrollouts.core.states import ENDS
from agentrollouts.simulation.world import SETTLED, RestlessError
from campaigns.cases import Campaign, Case, Choice
from campaigns.sameness import Key, key_of
from campaigns.small import HAPPENINGS, Happening, Small, beginning
from tests.builders import ROUTE

BATCH: Final = 500
"""States of one case."""


@dataclass
class Search:
    """A breadth-first search in progress."""

    states: int = 0
    transitions: int = 0
    """Happenings in a state, with and without a crash at each place."""
    depth: int = 0
    """The most happenings after which a state was reached first."""
    broken: str | None = None
    left: deque[Small] = field(default_factory=deque)
    _seen: set[Key] = field(default_factory=set)
    _crashed: set[Key] = field(default_factory=set)
    """What the API server had when the process ended: what comes of it was seen."""

    def run(self, limit: int | None) -> Iterator[int]:
        """Visit all states; yields their number from time to time."""
        world = beginning()
        world.settle()
        self._reach(world)
        while self.left and self.broken is None and (limit is None or self.states < limit):
            world = self.left.popleft()
            self.states, self.depth = self.states + 1, len(world.trail)
            for what, happen in HAPPENINGS.items():
                self._try(world.fork(what), happen)
            if self.states % BATCH == 0:
                yield self.states
        yield self.states

    def _try(self, world: Small, happen: Happening) -> None:
        """Let it happen; note where that leads to, and what is broken by it."""
        if self.broken or not happen(world):
            return
        try:
            for after in self.outcomes(world):
                self.transitions += 1
                self._reach(after)
        except Exception as error:  # noqa: BLE001 whatever comes out of a decision breaks the search
            self.broken = f"{error!r} after: {' > '.join(world.trail)}"

    def _reach(self, world: Small) -> None:
        _check_seen(world)
        key = key_of(world)
        if key not in self._seen:
            self._seen.add(key)
            _check(world)
            self.left.append(world)

    def outcomes(self, world: Small) -> Iterator[Small]:
        """Decide until there is nothing to do; then the same with another process after each effect."""
        crashed: list[Small] = []
        for _ in range(SETTLED):
            decision = world.decide()
            for done in range(1, len(decision.writes) + (decision.status is not None) + 1):
                crashed.append(world.fork(f"crash after {done}"))
                crashed[-1].carry_out(decision, done)
            if not world.carry_out(decision):
                break
        else:
            raise RestlessError(f"no fixed point after {SETTLED} decisions")
        world.heard = None
        yield world
        yield from self._restarted(crashed)

    def _restarted(self, crashed: Iterable[Small]) -> Iterator[Small]:
        """What other processes make of what they find; where that was at rest, nothing."""
        for world in crashed:
            world.restart()
            _check_seen(world)
            key = key_of(world)
            if key not in self._seen and key not in self._crashed:
                self._crashed.add(key)
                world.settle()
                yield world


def _check_seen(world: Small) -> None:
    assert not world.observer.broken, world.observer.broken  # noqa: S101 a rule, like those of tests/world.py


def _check(world: Small) -> None:
    """No dead end without a condition: what is not over is waited for, by name; and the route shows it."""
    world.check_round_trip()
    attempt, conditions = world.status.attempt, {found.type: found for found in world.status.conditions}
    if attempt is None or attempt.state in ENDS:
        assert world.canary_weight == 0, f"canary at {world.canary_weight} % though nothing is under way"  # noqa: S101 the same
        return
    waits = [conditions["Reconciling"], conditions["Stalled"]]
    assert any(found.status == "True" for found in waits), "a dead end without a condition"  # noqa: S101 the same
    assert world.canary_weight == attempt.weight, "the route does not show the weight"  # noqa: S101 the same
    assert ROUTE in world.traffic, "there is no route"  # noqa: S101 the same


def play(choice: Choice) -> Iterator[Case]:
    """The whole search, told every few hundred states."""
    search, told = Search(), 0
    for states in search.run(choice.size):
        done = f"{states:,} states, {search.transitions:,} transitions, {search.depth} happenings deep"
        name = f"{done}, {len(search.left):,} left"
        yield Case(name, search.broken, counts=states - told)
        told = states


EXHAUSTIVE: Final = Campaign(
    "exhaustive",
    "S1, S3-S6 in every state of a small rollout (3 phases, 2 gates, 2 releases, crash after every effect),"
    " and no dead end without a condition",
    play,
    unit="states",
)
