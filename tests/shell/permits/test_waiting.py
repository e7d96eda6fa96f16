"""Inputs: releases that come, wait and go, and what is free. Outputs: which are marked, and at what cost."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.adapters.cluster.resources import Ref
from agentrollouts.shell.ages import Ages
from agentrollouts.shell.cache import Cache
from agentrollouts.shell.permits.waiting import Places, Rooms

KEYS = [Ref("AgentRelease", "a", str(number)) for number in range(8)]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["make", "delete", "look", "limit"]), st.integers(0, len(KEYS) - 1), st.integers(1, 4)
    ),
    max_size=40,
)


class Releases:
    """A cache and what was marked."""

    def __init__(self) -> None:
        self.cache = Cache()
        self.marked: list[Ref] = []
        self._version = 0

    def make(self, key: Ref, age: int) -> None:
        """One of that age is there; the larger the number, the younger it is."""
        self._version += 1
        metadata = {"name": key.name, "namespace": key.namespace, "resourceVersion": str(self._version)}
        made = f"2026-11-20T10:00:{age:02}Z"
        self.cache.put({"kind": key.kind, "metadata": metadata | {"creationTimestamp": made}, "spec": {}})

    def delete(self, key: Ref) -> None:
        """One is gone."""
        self._version += 1
        metadata = {"name": key.name, "namespace": key.namespace, "resourceVersion": str(self._version)}
        self.cache.drop({"kind": key.kind, "metadata": metadata})


@given(STEPS)
def test_what_waits_is_marked_once_it_has_a_place(steps: list[tuple[str, int, int]]) -> None:
    """As a sort of all that is there says after each change, and never before."""
    world, most = Releases(), 2
    places = Places("AgentRelease", world.cache, world.marked.append, most)
    there: dict[Ref, tuple[int, str]] = {}
    waiting: set[Ref] = set()
    for what, index, number in steps:
        key = KEYS[index]
        world.marked.clear()
        if what == "make":
            world.make(key, number)
            there[key] = number, key.name
        elif what == "delete":
            world.delete(key)
            there.pop(key, None)
            places.leave(key)
            waiting.discard(key)
        elif what == "limit":
            most = number
            places.replace(most)
        elif key in there:
            has_place = places.take(key)
            assert has_place == (key in sorted(there, key=there.__getitem__)[:most])
            waiting = waiting - {key} if has_place else waiting | {key}
        places.give("a")
        served = waiting.intersection(sorted(there, key=there.__getitem__)[:most])
        assert sorted(world.marked) == sorted(served)
        waiting -= served


def test_one_that_was_made_again_waits_at_its_new_age() -> None:
    """Also if it was the first in line, and no pass has run since."""
    world = Releases()
    places = Places("AgentRelease", world.cache, world.marked.append, 1)
    served, first, second = KEYS[:3]
    for age, key in enumerate((served, first, second)):
        world.make(key, age)
        places.take(key)
    world.make(first, 9)
    world.delete(served)
    places.give("a")
    assert world.marked == [second]


class Full:
    """A namespace whose releases wait for room."""

    def __init__(self, needs: list[int]) -> None:
        self.world, self.room, self.asked = Releases(), 0, 0
        self.rooms = Rooms("AgentRelease", self.world.cache, self.world.marked.append, self._left)
        self.needs = {Ref("AgentRelease", "a", f"{age:04}"): need for age, need in enumerate(needs)}
        for age, (key, need) in enumerate(self.needs.items()):
            self.world.make(key, age % 60)
            self.rooms.wait(key, need)

    def _left(self, _namespace: str) -> int:
        self.asked += 1
        return self.room

    def serve(self) -> list[Ref]:
        """Let everyone who has a turn take its room, and so the next one."""
        served, marked = [], self.world.marked
        self.rooms.give("a")
        while marked:
            [key] = marked
            marked.clear()
            assert self.rooms.has_turn(key)
            self.rooms.give("a")  # any other change of the namespace
            assert marked == [], "one at a time"
            self.room -= self.needs[key]
            served.append(key)
            self.rooms.end_turn(key)
        return served


@given(st.lists(st.integers(1, 6), max_size=12), st.lists(st.integers(0, 10), max_size=4))
def test_room_goes_to_the_oldest_that_fits(needs: list[int], frees: list[int]) -> None:
    """One after the other until none fits; none is forgotten, and none has room twice."""
    full = Full(needs)
    left = dict(full.needs)
    for freed in frees:
        full.room += freed
        room, expected = full.room, []
        while (key := next((key for key, need in left.items() if need <= room), None)) is not None:
            room -= left.pop(key)
            expected.append(key)
        assert full.serve() == expected


@pytest.mark.parametrize("how", ["end_turn", "leave"])
def test_a_turn_that_takes_no_room_is_the_next_ones(how: str) -> None:
    """It failed, or the release is gone."""
    full = Full([3, 3])
    full.room = 3
    first, second = full.needs
    full.rooms.give("a")
    if how == "leave":
        full.rooms.leave(first)
    full.rooms.end_turn(first)
    assert full.world.marked == [first, second]
    full.rooms.wait(first, 3)
    full.rooms.end_turn(first)
    assert full.world.marked == [first, second], "only its own turn ends"


@pytest.mark.parametrize("count", [20, 2000])
def test_a_change_that_frees_nothing_costs_the_same_however_many_wait(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the first in a line is compared."""
    full, compared = Full([5] * count), list[Ref]()
    places = Places("AgentRelease", full.world.cache, full.world.marked.append, 1)
    for key in full.needs:
        places.take(key)
    of = Ages.of

    def counted(ages: Ages, kind: str, namespace: str) -> Iterator[Ref]:
        for key in of(ages, kind, namespace):
            compared.append(key)
            yield key

    monkeypatch.setattr(Ages, "of", counted)
    full.room = 4
    for give in (places.give, full.rooms.give):
        give("a")
    assert len(compared) == 1
