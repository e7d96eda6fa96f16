"""The exhaustive search leaves out what looks the same, so that has to have the same future."""

import random

from campaigns.virtual.equivalence import Key, key_of
from campaigns.virtual.exhaustive import Search
from campaigns.virtual.happenings import HAPPENINGS
from campaigns.virtual.small_world import Small, beginning
from testkit.builders.names import NEW

WALKS, STEPS, TWINS = 40, 24, 30
GOOD = ("answers pass, pass", "time passes", "approve")
"""What leads on, and is chosen as often as all the rest."""


def at_rest(world: Small) -> list[Small]:
    """What comes of a world, first without an end of the process, then with one at each place."""
    search = Search()
    search.follow(world)
    assert search.broken is None
    return [*search.left]


def a_walk(rng: random.Random) -> list[Small]:
    """Worlds in which one thing happened after the other, at random, from the beginning of an attempt."""
    [world], happenings, worlds = at_rest(beginning()), HAPPENINGS, []
    for what in [f"ask for {NEW}", *(rng.choice(rng.choice((GOOD, [*happenings]))) for _ in range(STEPS))]:
        after = world.fork(what)
        if happenings[what](after):
            world, *_ = at_rest(after)
            worlds.append(world)
    return worlds


def future(world: Small) -> dict[str, set[Key]]:
    """What each kind of happening makes of this world, beside the world itself; releases are only parts."""
    keys_by_kind: dict[str, set[Key]] = {}
    for what, happen in HAPPENINGS.items():
        after = world.fork(what)
        if happen(after):
            kind = "ask" if what.startswith("ask") else what
            keys_by_kind.setdefault(kind, {key_of(world)}).update(map(key_of, at_rest(after)))
    return {what: keys for what, keys in keys_by_kind.items() if len(keys) > 1}


def test_what_looks_the_same_has_the_same_future() -> None:
    """Two worlds with one key, reached in different ways, lead to the same worlds whatever happens."""
    rng, first = random.Random(4), dict[Key, Small]()
    twins: dict[Key, tuple[Small, Small]] = {}
    for world in (world for _ in range(WALKS) for world in a_walk(rng)):
        twin = first.setdefault(key_of(world), world)
        if twin.trail != world.trail:
            twins[key_of(world)] = twin, world

    assert len(twins) > TWINS
    for one, other in rng.sample(list(twins.values()), TWINS):
        assert future(one) == future(other), (one.trail, other.trail)
