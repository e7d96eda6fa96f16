"""A group of two in the exhaustive search: each member is a small world, and each hears of the other late.

What one member persists reaches the other as a happening of its own, so that it can be stale for any time.
The worlds are smaller than that of `exhaustive`: one phase, one gate, one new release. The process of one
member may end after any effect, once between two happenings; the rules of the single worlds hold in both, and
those of `group_rules`. The search has a bound: what can happen within so many happenings.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final

from agentrollouts.core.recovery.group.member import member_of
from campaigns.cases import Campaign, Case, Choice
from campaigns.virtual import group_rules as rules
from campaigns.virtual.equivalence import Key, key_of
from campaigns.virtual.exhaustive import Moment, Search
from campaigns.virtual.happenings import ALWAYS, TICK, Happening, answering, asking_for
from campaigns.virtual.small_world import ONE_PHASE, Small, beginning
from testkit.builders.names import NEW, OLD
from testkit.builders.rollouts import a_rollout

GROUP: Final = "pair"
BATCH: Final = 500
"""States of one case."""
STEPS: Final = 9
"""Happenings after which a pair is not led further."""
NAMES: Final = ("one", "two")
MOMENT: Final = timedelta(milliseconds=1)
"""Between two happenings, so that no two of them are at the same time."""
SPEC: Final[Mapping[str, Any]] = {**ONE_PHASE, "group": GROUP}
APART: Final[Mapping[str, Happening]] = {
    **{f"ask for {release}": asking_for(release) for release in (OLD, NEW)},
    "take back": ALWAYS["take back"],
    "retry": ALWAYS["retry"],
    **{f"answers {word}": answering(word, "pass") for word in ("pass", "fail")},
}
"""What can happen to one member, without the other one."""


@dataclass(frozen=True)
class Pair:
    """Two members at rest, and what happened so far."""

    worlds: tuple[Small, Small]
    trail: tuple[str, ...] = ()

    def key(self) -> Key:
        """What any later decision can depend on; it makes no difference which of the two is which."""
        sides = (_side(*self.worlds), _side(*self.worlds[::-1]))
        return tuple(sorted(sides, key=repr))

    def after(self, what: str) -> "Pair":
        """A moment later, to be led elsewhere."""
        one, two = (world.fork(what) for world in self.worlds)
        one.now, two.now = one.now + MOMENT, two.now + MOMENT
        return Pair((one, two), (*self.trail, what))

    def having(self, index: int, world: Small) -> "Pair":
        """With another world as one of its members."""
        worlds = (world, self.worlds[1]) if index == 0 else (self.worlds[0], world)
        return replace(self, worlds=worlds)

    def hears(self, index: int) -> bool:
        """A member sees what the other one has persisted; whether it is anything new."""
        world, other = self.worlds[index], self.worlds[1 - index]
        seen = member_of(NAMES[1 - index], GROUP, other.status)
        before, world.siblings = world.siblings, (seen,) if seen else ()
        return world.siblings != before


def _side(world: Small, other: Small) -> Key:
    """A member: its world, and how its changes stand to what the other one rolled back or still can."""
    status, beside = world.status.to_json(), other.status.to_json()
    harms = rules.harms(beside)
    heard = {harm.decided for sibling in world.siblings for harm in sibling.harms}
    begun = rules.begun(beside)
    changes = filter(None, [rules.on_trial(status), *rules.healthy(status)])
    stands = (
        (
            change.release,
            change.end is None,
            {harm.end in heard for harm in harms if change.overlaps(harm)},
            begun is not None and (change.end is None or change.end >= begun),
        )
        for change in changes
    )
    return key_of(world), tuple(sorted((*each[:2], tuple(sorted(each[2])), each[3]) for each in stands))


def resting(world: Small, search: Search) -> list[Small]:
    """What comes of a world: first without an end of the process, then with one after each effect.

    Raises:
        AssertionError: a rule of a single world is broken.
    """
    search.follow(world)
    assert search.broken is None, search.broken  # noqa: S101 a rule, like those of testkit/world.py
    return [*search.left]


@dataclass
class PairSearch:
    """A breadth-first search in progress, as in `exhaustive`."""

    states: int = 0
    moves: int = 0
    """Worlds at rest that came of a happening."""
    broken: str | None = None
    begin: Callable[[], Pair] = field(default_factory=lambda: beginning_of_two)
    steps: int = STEPS
    left: deque[Pair] = field(default_factory=deque)
    decided: set[Moment] = field(default_factory=set)
    """Where one member made a decision beside the other: what comes of it was seen."""
    _seen: set[Key] = field(default_factory=set)

    def run(self, limit: int | None = None) -> Iterator[int]:
        """Visit all states; yields their number from time to time."""
        self._reach(self.begin())
        while self.left and self.broken is None and (limit is None or self.states < limit):
            pair = self.left.popleft()
            self.states += 1
            try:
                for after in following(pair, self.decided) if len(pair.trail) < self.steps else ():
                    self._reach(after)
            except Exception as error:  # noqa: BLE001 whatever comes out of a decision breaks the search
                self.broken = f"{error!r} after: {' > '.join(pair.trail)}"
            if self.states % BATCH == 0:
                yield self.states
        yield self.states

    def _reach(self, pair: Pair) -> None:
        self.moves += 1
        key = pair.key()
        if key not in self._seen:
            self._seen.add(key)
            self.left.append(pair)


def following(pair: Pair, decided: set[Moment]) -> Iterator[Pair]:
    """What comes of anything that can happen to a pair, and has not been seen yet.

    Raises:
        AssertionError: a rule is broken.
    """
    yield from checked(pair, _later(pair))
    for index, name in enumerate(NAMES):
        hearing = pair.after(f"{name} hears")
        if hearing.hears(index):
            yield from checked(pair, _settled(hearing, index, decided))
        for what, happen in APART.items():
            after = pair.after(f"{name}: {what}")
            if happen(after.worlds[index]):
                yield from checked(pair, _settled(after, index, decided))


def _settled(pair: Pair, index: int, decided: set[Moment]) -> list[Pair]:
    """The pair after one of its members has come to rest in any way that has not been seen yet."""
    other = pair.worlds[1 - index]

    def key(world: Small) -> Key:
        return _side(world, other), _side(other, world)

    worlds = resting(pair.worlds[index], Search(key=key, once=True, decided=decided))
    return [pair.having(index, world) for world in worlds]


def _later(pair: Pair) -> list[Pair]:
    """A phase later; the process of one member alone ends on the way."""
    after = pair.after("time passes")
    for world in after.worlds:
        world.now += TICK
    one, two = (resting(world, Search(once=True)) for world in after.worlds)
    return [Pair((each, two[0]), after.trail) for each in one] + [
        Pair((one[0], each), after.trail) for each in two[1:]
    ]


def checked(before: Pair, pairs: list[Pair]) -> list[Pair]:
    """The same pairs, which break no rule.

    Raises:
        AssertionError: one does; with what happened.
    """
    for pair in pairs:
        broken = [sentence for index in range(2) for sentence in _broken(before, pair, index)]
        assert not broken, f"{broken} after: {' > '.join(pair.trail)}"  # noqa: S101 the same
    return pairs


def _broken(before: Pair, pair: Pair, index: int) -> Iterator[str]:
    world, other = (pair.worlds[each].status.to_json() for each in (index, 1 - index))
    former = before.worlds[index].status.to_json()
    yield from rules.caused(former, world, other)
    if not pair.after("").hears(index):  # it has heard everything
        yield from rules.left(world, other)


def beginning_of_two() -> Pair:
    """Both serve their first release, and have heard of each other."""
    [one, *_] = resting(beginning(a_rollout(**SPEC).serving(OLD).asking_for(OLD)), Search())
    pair = Pair((one, one.fork()))
    for index in range(2):
        pair.hears(index)
    return pair


def play(choice: Choice) -> Iterator[Case]:
    """The whole search, told every few hundred states."""
    search, reported = PairSearch(), 0
    for states in search.run(choice.size):
        name = f"{states:,} states, {search.moves:,} moves, {len(search.left):,} left"
        yield Case(name, search.broken, counts=states - reported)
        reported = states


PAIRS: Final = Campaign(
    "pairs",
    "The same for a group of two, of which each member hears of the other late: nothing is left that"
    " overlaps, nothing is rolled back without a cause",
    play,
    unit="states",
)
