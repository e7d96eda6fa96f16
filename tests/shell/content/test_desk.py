"""Inputs: releases that want to be examined. Outputs: whose turn it is."""

from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.adapters.cluster.resources import Ref
from agentrollouts.shell.content.desk import Desk

KEYS = [Ref("AgentRelease", namespace, name) for namespace in "ab" for name in "xyz"]


def test_namespaces_take_turns() -> None:
    """A namespace with a thousand releases delays that of another by one."""
    marked: list[Ref] = []
    desk = Desk(marked.append)
    many = [Ref("AgentRelease", "many", str(index)) for index in range(10)]
    assert [desk.take(key) for key in many] == [True] + [False] * 9
    one = Ref("AgentRelease", "one", "only")
    assert not desk.take(one)
    for key in (many[0], many[1], one):
        desk.leave(key)
    assert marked == [many[1], one, many[2]]


def test_one_that_waits_is_not_forgotten_at_the_end_of_its_look() -> None:
    """A look that has to wait for a turn ends like any other, and another one follows."""
    marked: list[Ref] = []
    desk = Desk(marked.append)
    first, second = KEYS[:2]
    assert (desk.take(first), desk.take(second)) == (True, False)
    desk.done(second)
    desk.done(first)
    assert marked == [second]


def test_one_that_is_gone_holds_up_nobody() -> None:
    """It leaves the line, or gives up its turn, when it is deleted."""
    marked: list[Ref] = []
    desk = Desk(marked.append)
    first, second, third = KEYS[:3]
    assert [desk.take(key) for key in (first, second, third)] == [True, False, False]
    desk.leave(second)
    desk.leave(first)
    assert marked == [third]
    desk.leave(third)
    assert desk.take(second)


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(KEYS))))
def test_one_at_a_time_and_nobody_is_forgotten(steps: list[tuple[bool, Ref]]) -> None:
    """Whoever asked and has not left gets a turn, whatever happens in between."""
    marked: list[Ref] = []
    desk = Desk(marked.append)
    waiting: set[Ref] = set()
    holder: Ref | None = None
    for takes, key in steps:
        marked.clear()
        if takes:
            got = desk.take(key)
            assert got is (holder in {None, key})
            holder = key if got else holder
            waiting = waiting - {key} if got else waiting | {key}
        else:
            desk.leave(key)
            waiting.discard(key)
            if key == holder:
                holder = marked[0] if marked else None
                assert (holder is None) is (not waiting)
                waiting.discard(holder) if holder else None
    served = []
    while holder is not None:
        served.append(holder)
        marked.clear()
        desk.leave(holder)
        holder = marked[0] if marked else None
    assert set(served) >= waiting
