"""T12: every state that a small rollout can get into, breadth first, through the shipped `decide`.

What can happen to a rollout at rest, and when two states are one, is in `small` and `sameness`. The process
may end after any effect of any decision, those of its recovery included, and another one begins with what the
API server has. At each decision the rules of `testkit/world.py` are asked, and at each write the observer.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from agentrollouts.core.containment.detour import on_standby, share_off
from agentrollouts.core.history import is_drill
from agentrollouts.core.rollout.decision import Decision
from agentrollouts.core.states import ENDS
from agentrollouts.simulation.world import SETTLED, RestlessError
from campaigns.cases import Campaign, Case, Choice
from campaigns.virtual.equivalence import Key, key_of
from campaigns.virtual.happenings import EVERY_ACT, EVERY_ANSWER, HAPPENINGS, Happening
from campaigns.virtual.recovering import EVERY_RECOVERY, STEPS
from campaigns.virtual.small_world import (
    CRASH,
    RELEASES,
    Small,
    beginning,
    managed_beginning,
    recovery_beginning,
)
from testkit.builders.routes import ROUTE

Moment = tuple[Key, object, bool]
"""What a decision can depend on, with what was just heard of Prometheus, and whether the process may end."""
BATCH: Final = 500
"""States of one case."""


@dataclass
class Search:
    """A breadth-first search in progress."""

    states: int = 0
    """Worlds at rest, from which everything was tried that can happen."""
    transitions: int = 0
    """Decisions carried out, in whole or up to one of their effects."""
    depth: int = 0
    """The most steps after which a state was reached first: happenings and ends of the process."""
    broken: str | None = None
    begin: Callable[[], Small] = beginning
    happenings: Mapping[str, Happening] = field(default_factory=lambda: HAPPENINGS)
    key: Callable[[Small], Key] = key_of
    """What decisions about a world can depend on."""
    check: Callable[[Small], None] = field(default=lambda _: None)
    """What must be true besides of a world at rest."""
    steps: int | None = None
    """Happenings after which a world is not led further; None if the search has no bound."""
    once: bool = False
    """Whether the process ends at most once between two happenings."""
    left: deque[Small] = field(default_factory=deque)
    decided: set[Moment] = field(default_factory=set)
    """Where a decision was made: what comes of it was seen."""
    _seen: set[Key] = field(default_factory=set)

    def run(self, limit: int | None = None) -> Iterator[int]:
        """Visit all states; yields their number from time to time."""
        self.follow(self.begin())
        while self.left and self.broken is None and (limit is None or self.states < limit):
            world = self.left.popleft()
            self.states, self.depth = self.states + 1, len(world.trail)
            is_within = self.steps is None or world.steps < self.steps
            for what, happen in self.happenings.items() if is_within else ():
                after = world.fork(what)
                if happen(after):
                    self.follow(after)
            if self.states % BATCH == 0:
                yield self.states
        yield self.states

    def follow(self, world: Small) -> None:
        """Let it come to rest; then from each place where the process may have ended on the way."""
        worlds = [world]
        while worlds and self.broken is None:
            world = worlds.pop()
            try:
                worlds += self._settle(world)
            except Exception as error:  # noqa: BLE001 whatever comes out of a decision breaks the search
                self.broken = f"{error!r} after: {' > '.join(world.trail)}"

    def _settle(self, world: Small) -> list[Small]:
        """Decide until there is nothing to do; returns the worlds in which the process ended before that."""
        mine, crashed = set[Moment](), list[Small]()
        may_end = not (self.once and world.trail and world.trail[-1].startswith(CRASH))
        for _ in range(SETTLED):
            assert not world.observer.broken, world.observer.broken  # noqa: S101 a rule, like those of testkit/world.py
            moment = self.key(world), world.known_words, may_end
            if moment not in mine and self.decided & {moment, (*moment[:2], True)}:
                return crashed
            mine.add(moment)
            self.decided.add(moment)
            decision = world.decide()
            effects = effects_of(decision) if may_end else 0
            for done in range(1, effects + 1):
                crashed.append(world.fork(f"{CRASH} {done}"))
                crashed[-1].carry_out(decision, done)
                crashed[-1].restart()
            self.transitions += 1 + effects
            if not world.carry_out(decision):
                self._reach(world)
                return crashed
        raise RestlessError(f"no fixed point after {SETTLED} decisions")

    def _reach(self, world: Small) -> None:
        """A world at rest; the next answer of Prometheus is another happening."""
        world.poll_result, world.words = None, ()
        world.forget()
        key = self.key(world)
        if key not in self._seen:
            self._seen.add(key)
            _check(world)
            self.check(world)
            self.left.append(world)


def effects_of(decision: Decision) -> int:
    """After how many effects the process may end."""
    kinds = (decision.writes, decision.answers, decision.chores, decision.expired, decision.creations)
    return sum(map(len, kinds)) + (decision.status is not None)


def _check(world: Small) -> None:
    """No dead end without a condition: what is not over is waited for, by name; and the route shows it."""
    world.check_round_trip()
    attempt, stable = world.status.attempt, world.status.stable
    conditions = {condition.type: condition for condition in world.status.conditions}
    weight = 0 if attempt is None or attempt.state in ENDS else attempt.weight
    if attempt is not None and attempt.state not in ENDS:
        waits = [conditions["Reconciling"], conditions["Stalled"]]
        is_told = any(condition.status == "True" for condition in waits) or is_drill(world.status)
        assert is_told, "a dead end without a condition"  # noqa: S101 the same
        assert ROUTE in world.traffic, "there is no route"  # noqa: S101 the same
    assert sum(world.shares().values()) in {0, 100}, f"the route has {world.shares()}"  # noqa: S101 the same
    given, left = _canary_share(world), _left(world)
    is_left = stable is None and not weight  # a first release that was given up, until another one begins
    assert is_left or given == weight * left // 100, f"the route gives {given}% of {weight}%"  # noqa: S101 the same


def _canary_share(world: Small) -> int:
    """Percent of the requests that a release other than stable gets."""
    status = world.status
    serving = on_standby(status) or status.stable
    stable = serving.release if serving else None
    return sum(n for release, n in world.shares().items() if release in RELEASES and release != stable)


def _left(world: Small) -> int:
    """Percent of the requests that a detour leaves to stable and a canary; a standby leaves none."""
    return 0 if on_standby(world.status) else 100 - share_off(world.status)


def play(
    choice: Choice,
    begin: Callable[[], Small] = beginning,
    happenings: Mapping[str, Happening] = EVERY_ANSWER,
    check: Callable[[Small], None] = lambda _: None,
    steps: int | None = None,
) -> Iterator[Case]:
    """The whole search, told every few hundred states."""
    search, reported = Search(begin=begin, happenings=happenings, check=check, steps=steps), 0
    for states in search.run(choice.size):
        done = f"{states:,} states, {search.transitions:,} transitions, at most {search.depth} steps deep"
        name = f"{done}, {len(search.left):,} left"
        yield Case(name, search.broken, counts=states - reported)
        reported = states


EXHAUSTIVE: Final = Campaign(
    "exhaustive",
    "S1, S3-S6 in every state of a small rollout (3 phases, 2 gates, 2 new releases, a crash after every"
    " effect), and no dead end without a condition",
    play,
    unit="states",
)


def play_people(choice: Choice) -> Iterator[Case]:
    """The same search with everything that people do, and few answers."""
    return play(choice, happenings=EVERY_ACT)


PEOPLE: Final = Campaign(
    "people",
    "The same with every action and a freeze, and one answer for each thing that a gate can do",
    play_people,
    unit="states",
)


def play_managed(choice: Choice) -> Iterator[Case]:
    """The same search where the operator makes the agents."""
    return play(choice, managed_beginning)


WORKLOADS: Final = Campaign(
    "workloads",
    "The same with `spec.workload`, without a warm release or a delay: no pods are taken from"
    " what has requests",
    play_managed,
    unit="states",
)


def play_recoveries(choice: Choice) -> Iterator[Case]:
    """The same search with detours, hooks and drills, in a smaller world and within a bound."""
    return play(choice, recovery_beginning, EVERY_RECOVERY, steps=STEPS)


RECOVERIES: Final = Campaign(
    "recoveries",
    "The same with one phase, one gate and one new release, with SwitchOff and SwitchOn, and with hooks whose"
    " Jobs succeed, fail or vanish, within a bound",
    play_recoveries,
    unit="states",
)
