"""Inputs: what tenants mark, urgent or not. Outputs: for how many others a victim's key waits."""

import asyncio
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from agentrollouts.shell.workqueue import HANGING_SECONDS, Shares, WorkQueue
from agentrollouts.turns import IN_A_ROW, Turns
from testkit.properties import usually
from tests.shell.test_workqueue import taken_at_once
from tests.shell.virtual import VirtualLoop, now, pass_time, run

Key = tuple[str, int]
"""Tenant and number."""

ATTACKERS = ("a", "b", "c")
FLOOD = 40
WORKERS = 6
OF_TENANT = 4
NOT_URGENT = 2

MARKS = st.lists(st.tuples(st.sampled_from(ATTACKERS), st.integers(0, FLOOD), st.booleans()), max_size=5)
"""What attackers do between two takes: tenant, number, and whether it is urgent."""


def tenant_of(key: Key) -> str:
    """Whose a key is."""
    return key[0]


@given(
    rounds=st.lists(MARKS, min_size=30, max_size=30), is_urgent=st.booleans(), flood_is_urgent=st.booleans()
)
def test_a_victim_waits_for_at_most_one_key_of_each_other_tenant(
    *, rounds: list[list[tuple[str, int, bool]]], is_urgent: bool, flood_is_urgent: bool
) -> None:
    """However much others mark, urgent or not: an urgent key waits for a turn of each; any key comes."""

    async def scenario() -> int:
        queue: WorkQueue[Key] = WorkQueue(now, Shares(tenant_of=tenant_of))
        for number in range(FLOOD):
            for tenant in ATTACKERS:
                queue.mark((tenant, number), is_urgent=flood_is_urgent)
        queue.mark(("victim", 0), is_urgent=is_urgent)
        for waited, marks in enumerate(rounds):
            for tenant, number, urgent in marks:
                queue.mark((tenant, number), is_urgent=urgent)
            key = await queue.take()
            queue.done(key)
            if key == ("victim", 0):
                return waited
        return len(rounds)

    one_each = len(ATTACKERS)
    assert run(scenario()) <= (one_each + 1 if is_urgent else (one_each + 1) * (IN_A_ROW + 1))


class Fair(RuleBasedStateMachine):
    """A queue with shares beside a model of it: nothing is lost, one worker a key, no share is exceeded."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=VirtualLoop)
        shares: Shares[Key] = Shares(
            tenant_of=tenant_of, is_urgent=lambda key: key[1] == 0, of_tenant=OF_TENANT, not_urgent=NOT_URGENT
        )
        self.queue: WorkQueue[Key] = WorkQueue(lambda: 0.0, shares)
        self.dirty: dict[Key, bool] = {}
        self.active: dict[Key, bool] = {}

    @rule(tenant=st.sampled_from("ab"), number=st.integers(0, 5), is_urgent=st.booleans())
    def mark(self, *, tenant: str, number: int, is_urgent: bool) -> None:
        """A key is dirty; once urgent, it stays so until it is taken."""
        key = tenant, number
        self.queue.mark(key, is_urgent=is_urgent)
        self.dirty[key] = self.dirty.get(key, False) or is_urgent or number == 0

    @rule()
    def take(self) -> None:
        """A worker wants a key: it gets one whenever one may be had."""
        taking = taken_at_once(self.queue)
        key = self.runner.run(taking)
        if key is None:
            assert not any(self.may(key) for key in self.dirty)
            return
        assert self.may(key)
        self.active[key] = self.dirty.pop(key)
        assert self.queue.is_urgent(key) == self.active[key]

    @rule(tenant=st.sampled_from("ab"), number=st.integers(0, 5))
    def done(self, tenant: str, number: int) -> None:
        """A worker is through."""
        key = tenant, number
        if self.active.pop(key, None) is not None:
            self.queue.done(key)

    def may(self, key: Key) -> bool:
        """Whether a key can be worked on now."""
        busy = Counter(tenant_of(one) for one in self.active)
        can_wait = sum(not urgent for urgent in self.active.values())
        is_free = key not in self.active and busy[tenant_of(key)] < OF_TENANT
        return is_free and (self.dirty[key] or can_wait < NOT_URGENT)

    def teardown(self) -> None:
        """All that was marked is taken in the end."""
        for _ in range(100):
            for key in tuple(self.active):
                self.done(*key)
            self.take()
        assert (self.dirty, len(self.queue)) == ({}, 0)
        self.runner.close()

    @invariant()
    def its_length_is_what_waits(self) -> None:
        """Nothing is lost or counted twice."""
        assert len(self.queue) == len(self.dirty)


TestFair = Fair.TestCase
TestFair.settings = usually(60)


def test_a_key_that_becomes_urgent_overtakes_its_own_tenant() -> None:
    """A person asks to roll back while ten thousand releases of the same namespace wait."""

    async def scenario() -> Key:
        queue: WorkQueue[Key] = WorkQueue(now, Shares(tenant_of=tenant_of))
        for number in range(10_000):
            queue.mark(("a", number))
        queue.mark(("a", 9_999), is_urgent=True)
        return await queue.take()

    assert run(scenario()) == ("a", 9_999)


def test_what_falls_due_is_as_urgent_as_it_is_by_then() -> None:
    """A retry of a rollback does not wait behind releases."""

    async def scenario() -> Key:
        queue: WorkQueue[Key] = WorkQueue(now, Shares(tenant_of=tenant_of, is_urgent=lambda key: key[1] == 7))
        queue.mark_at(("a", 7), 5)
        await pass_time(5)
        for number in range(5):
            queue.mark(("a", number))
        return await queue.take()

    assert run(scenario()) == ("a", 7)


@pytest.mark.parametrize(
    ("marked", "is_taken", "stuck"), [(True, True, 100), (True, False, 100), (False, False, 0)]
)
def test_a_queue_is_stuck_when_a_look_never_ends_or_nothing_is_taken(
    *, marked: bool, is_taken: bool, stuck: float
) -> None:
    """A worker that hangs shows, workers that are gone show; an empty queue is never stuck."""

    async def scenario() -> float:
        queue: WorkQueue[str] = WorkQueue(now)
        await pass_time(50)
        if marked:
            queue.mark("key")
        if is_taken:
            await queue.take()
        await pass_time(100)
        return queue.stuck_seconds()

    assert run(scenario()) == stuck


def test_a_queue_that_is_worked_on_is_never_stuck_however_long_it_is() -> None:
    """A tenant that marks faster than anyone can work makes the oldest key old, and nothing stuck."""

    async def scenario() -> tuple[float, float]:
        queue: WorkQueue[int] = WorkQueue(now)
        for number in range(1_000):
            queue.mark(number)
        worst = 0.0
        for _ in range(500):
            key = await queue.take()
            await pass_time(1)
            worst = max(worst, queue.stuck_seconds())
            queue.done(key)
        return worst, queue.oldest_seconds()

    assert run(scenario()) == (1, 500)


def test_a_turn_takes_as_long_with_many_items() -> None:
    """What is looked at to find the next of 10,000 items is one of them."""
    turns: Turns[int] = Turns()
    for number in range(10_000):
        turns.add(number, number % 3, is_urgent=False)
    items: list[int] = []

    def is_free(item: int) -> bool:
        items.append(item)
        return True

    taken = [turns.take(lambda _tenant, _urgent: True, is_free) for _ in range(6)]

    assert [turn.item for turn in taken if turn] == [0, 1, 2, 3, 4, 5]
    assert items == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("is_urgent", [True, False])
def test_looks_that_hang_count_for_their_own_tenant_alone(*, is_urgent: bool) -> None:
    """Behind a webhook of several namespaces, each takes ten seconds; a victim waits for a second or two."""

    async def scenario() -> tuple[float, Counter[str]]:
        shares: Shares[Key] = Shares(
            tenant_of=tenant_of, of_tenant=OF_TENANT, not_urgent=NOT_URGENT, at_a_time=WORKERS
        )
        queue: WorkQueue[Key] = WorkQueue(now, shares)
        taken: dict[Key, float] = {}

        async def work() -> None:
            while True:
                key = await queue.take()
                taken[key] = now()
                await pass_time(0 if key[0] == "victim" else 10)
                queue.done(key)

        workers = [asyncio.create_task(work()) for _ in range(100)]
        for tenant in ATTACKERS:
            for number in range(FLOOD):
                queue.mark((tenant, number), is_urgent=is_urgent)
        await pass_time(HANGING_SECONDS / 2)
        hung = Counter(tenant for tenant, _ in taken)
        queue.mark(("victim", 0), is_urgent=is_urgent)
        await pass_time(2 * HANGING_SECONDS)
        for worker in workers:
            worker.cancel()
        return taken["victim", 0], hung

    at, hung = run(scenario())
    assert at <= 2 * HANGING_SECONDS
    assert hung.total() == (WORKERS if is_urgent else NOT_URGENT)
