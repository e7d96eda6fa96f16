"""Inputs: namespaces that hold and want slots. Outputs: who gets one, and when."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress

from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.adapters.prometheus.slots import REMEMBERED, REPORTED_SECONDS, SLOW_SECONDS, Slots
from tests.shell.virtual import now, pass_time, run

COUNT = 8
TIMEOUT = 5.0


class House:
    """Turns, who holds one, and in which order they were given."""

    def __init__(self, count: int = COUNT) -> None:
        self.slots = Slots(count, quick_seconds=1.0, clock=now)
        self.running: Counter[str] = Counter()
        self.given: list[str] = []
        self.most_at_once: Counter[str] = Counter()
        self.tasks: list[asyncio.Task[None]] = []

    @asynccontextmanager
    async def holding(self, namespace: str) -> AsyncIterator[None]:
        """A turn, counted."""
        async with self.slots.take(namespace):
            self.given.append(namespace)
            self.running[namespace] += 1
            self.most_at_once[namespace] = max(self.most_at_once[namespace], self.running[namespace])
            try:
                yield
            finally:
                self.running[namespace] -= 1

    async def query(self, namespace: str, seconds: float) -> None:
        """A query that takes so long."""
        async with self.holding(namespace):
            await asyncio.sleep(seconds)
            self.slots.note(namespace, seconds, is_answer=seconds < TIMEOUT)

    def begin(self, namespace: str, seconds: float, times: int = 1) -> None:
        """So many such queries at once."""
        self.tasks += [asyncio.create_task(self.query(namespace, seconds)) for _ in range(times)]

    async def end(self) -> None:
        """Give up everything, and wait until it is."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


async def known_as_quick(house: House, *namespaces: str) -> None:
    """Each of these has been answered quickly."""
    for namespace in namespaces:
        await house.query(namespace, 0.01)


async def seconds_until_answered(house: House, namespace: str) -> float:
    """How long a quick query takes, with its wait."""
    began = now()
    await house.query(namespace, 0.01)
    return now() - began


def test_a_namespace_has_at_most_half_and_a_quarter_before_it_is_known() -> None:
    """However many queries it has, and although no one else has any."""

    async def scenario() -> None:
        house = House()
        house.begin("new", TIMEOUT, times=50)
        await known_as_quick(house, "known")
        house.begin("known", 0.5, times=50)
        await pass_time(0.1)
        assert house.running == {"new": 2, "known": 4}
        await house.end()

    run(scenario())


def test_slow_namespaces_never_delay_a_quick_one() -> None:
    """Twenty hostile namespaces whose queries hang from the first on: others find a free turn at once."""

    async def scenario() -> None:
        house = House()
        await known_as_quick(house, "victim")
        for index in range(20):
            house.begin(f"hostile-{index}", TIMEOUT, times=8)
        waits = []
        for _ in range(100):
            await pass_time(1)
            waits.append(await seconds_until_answered(house, "victim"))
        assert max(waits) < 0.011
        assert sum(house.running.values()) == COUNT // 2
        await house.end()

    run(scenario())


def test_a_namespace_whose_queries_turn_slow_is_slow_for_a_while() -> None:
    """A quick query between slow ones does not buy a place among the quick."""

    async def scenario() -> None:
        house = House()
        await known_as_quick(house, "a")
        house.begin("a", TIMEOUT, times=10)
        await pass_time(0.1)
        assert house.running["a"] == 4
        await pass_time(TIMEOUT)
        assert house.running["a"] == 2, "those that waited already"
        await house.end()
        await known_as_quick(house, "a")
        house.begin("a", 0.5, times=10)
        await pass_time(0.1)
        assert house.running["a"] == 2
        await house.end()
        await pass_time(SLOW_SECONDS)
        house.begin("a", 0.5, times=10)
        await pass_time(0.1)
        assert house.running["a"] == 4
        await house.end()

    run(scenario())


def test_a_new_namespace_waits_for_one_turn_at_most() -> None:
    """One hostile namespace leaves room for whoever comes first, before anything is known about it."""

    async def scenario() -> None:
        house = House()
        house.begin("hostile", TIMEOUT, times=100)
        await pass_time(0.1)
        assert await seconds_until_answered(house, "new") < 0.011
        await house.end()

    run(scenario())


def test_who_waits_gets_turns_namespace_by_namespace() -> None:
    """A namespace with one query does not wait behind the hundred of another."""

    async def scenario() -> None:
        house = House(count=2)
        await known_as_quick(house, "a", "b", "c")
        house.given.clear()
        house.begin("a", 0.5, times=100)
        await pass_time(0.1)
        for namespace in ("b", "c"):
            house.begin(namespace, 0.5, times=3)
        await pass_time(4)
        order = [namespace for namespace in house.given if namespace != "a"]
        assert order == ["b", "b", "c", "b", "c", "c"]  # the first found a free slot
        await house.end()

    run(scenario())


def test_who_gives_up_leaves_no_trace() -> None:
    """Cancelled while it waits, or in the very moment in which it gets its turn."""

    async def scenario() -> None:
        house = House(count=2)
        await known_as_quick(house, "a")
        first = asyncio.create_task(house.query("a", 1.0))
        await asyncio.sleep(0)
        second = asyncio.create_task(house.query("a", 1.0))
        third = asyncio.create_task(house.query("a", 1.0))
        await pass_time(0.1)
        second.cancel()
        await pass_time(0.1)
        first.cancel()
        with suppress(asyncio.CancelledError):
            await first
        third.cancel()  # its turn has just come
        await pass_time(0.1)
        assert await seconds_until_answered(house, "a") < 0.011
        assert house.running == {"a": 0}

    run(scenario())


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c", "d"]), st.sampled_from([0.01, 0.3, 2.0, TIMEOUT]), st.booleans()
    ),
    max_size=60,
)


@given(STEPS, st.integers(2, 9))
def test_whatever_happens_no_bound_is_broken_and_no_turn_is_lost(
    steps: Iterable[tuple[str, float, bool]], count: int
) -> None:
    """At most `count` run, at most half of one namespace; at the end every query was made or given up."""

    async def scenario() -> None:
        house = House(count)
        for namespace, seconds, is_given_up in steps:
            house.begin(namespace, seconds)
            await pass_time(0.1)
            if is_given_up:
                house.tasks[len(house.tasks) // 2].cancel()
            assert sum(house.running.values()) <= count
        await pass_time(len(house.tasks) * TIMEOUT + 1)
        assert all(task.done() for task in house.tasks)
        assert max(house.most_at_once.values(), default=0) <= max(1, count // 2)
        assert sum(house.running.values()) == 0
        house.begin("last", 100.0)
        await pass_time(0.1)
        assert house.running["last"] == 1
        await house.end()

    run(scenario())


def test_a_wait_behind_own_queries_is_reported_for_a_while() -> None:
    """Of the namespace that has too many, and of no other; and not while the server answers no one."""

    async def scenario() -> None:
        house = House()
        house.begin("hostile", TIMEOUT, times=8)
        await pass_time(TIMEOUT + 1)
        assert house.slots.crowded_seconds("hostile") is None, "it may be the server that is down"
        await known_as_quick(house, "victim")
        assert house.slots.crowded_seconds("hostile") == TIMEOUT
        assert house.slots.crowded_seconds("victim") is None
        assert house.slots.crowded_seconds("unknown") is None
        await pass_time(4 * TIMEOUT + REPORTED_SECONDS)
        await known_as_quick(house, "victim")
        assert house.slots.crowded_seconds("hostile") is None

    run(scenario())


def test_namespaces_that_are_gone_are_forgotten() -> None:
    """What is remembered does not grow with every namespace that ever was."""

    async def scenario() -> None:
        house = House()
        house.begin("early", 1.0, times=9)
        await pass_time(10)
        for index in range(REMEMBERED + 10):
            house.slots.note(f"n-{index}", 0.1, is_answer=True)
        tenants = house.slots._tenants  # noqa: SLF001 - memory shows nowhere else
        assert len(tenants) <= REMEMBERED
        assert "early" not in tenants

    run(scenario())
