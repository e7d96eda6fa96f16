"""Inputs: marks, due times and the passing of time. Outputs: which key a worker gets, and when."""

import asyncio
from collections.abc import Hashable
from typing import TypeVar

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from agentrollouts.shell.workqueue import SLACK, WorkQueue
from testkit.properties import usually
from tests.shell.virtual import VirtualLoop, now, pass_time, run

K = TypeVar("K", bound=Hashable)
KEYS = st.sampled_from("abcde")


class Queue(RuleBasedStateMachine):
    """A queue beside a model of it: what is dirty since when, who is at work, and what is due."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 0.0
        self.runner = asyncio.Runner(loop_factory=VirtualLoop)
        self.queue: WorkQueue[str] = WorkQueue(lambda: self.time)
        self.dirty: dict[str, float] = {}
        self.due: dict[str, float] = {}
        self.active: set[str] = set()

    @rule(key=KEYS)
    def mark(self, key: str) -> None:
        """A key is dirty."""
        self.queue.mark(key)
        self.dirty.setdefault(key, self.time)

    @rule(key=KEYS, seconds=st.none() | st.integers(0, 20))
    def mark_at(self, key: str, seconds: int | None) -> None:
        """A key is to be looked at later, or after all not."""
        due = None if seconds is None else self.time + seconds
        self.queue.mark_at(key, due)
        self.due.pop(key, None)
        if due is not None:
            self.due[key] = due

    @rule(seconds=st.integers(1, 10))
    def wait(self, seconds: int) -> None:
        """Time passes."""
        self.time += seconds

    @rule()
    def take(self) -> None:
        """A worker asks: it gets what has been marked longest and nobody is at, or has to wait."""
        for key in sorted(self.due, key=lambda key: self.due[key]):
            if self.due[key] <= self.time:
                self.dirty.setdefault(key, self.due.pop(key))
        free = [key for key in self.dirty if key not in self.active]
        taking = taken_at_once(self.queue)
        taken = self.runner.run(taking)
        assert taken == next(iter(free), None)
        if taken is not None:
            self.active.add(taken)
            del self.dirty[taken]

    @rule(key=KEYS)
    def done(self, key: str) -> None:
        """A worker is through."""
        if key in self.active:
            self.queue.done(key)
            self.active.discard(key)

    def teardown(self) -> None:
        """Close the loop."""
        self.runner.close()

    @invariant()
    def its_length_is_what_waits(self) -> None:
        """What is due counts as waiting once a worker has asked."""
        assert len(self.queue) == len(self.dirty)

    @invariant()
    def its_age_is_that_of_the_oldest(self) -> None:
        """Told in metrics and by the probe."""
        assert self.queue.oldest_seconds() == self.time - min(self.dirty.values(), default=self.time)


async def taken_at_once(queue: WorkQueue[K]) -> K | None:
    """What a worker gets without waiting."""
    taking = asyncio.create_task(queue.take())
    await asyncio.sleep(0)
    if taking.done():
        return taking.result()
    taking.cancel()
    return None


TestQueue = Queue.TestCase
TestQueue.settings = settings(usually(60), stateful_step_count=30)


@given(
    work=st.lists(st.tuples(st.integers(0, 50), st.sampled_from("abc"), st.integers(0, 5)), max_size=30),
    workers=st.integers(1, 4),
)
def test_every_mark_is_followed_by_a_look_and_no_two_workers_share_a_key(
    work: list[tuple[int, str, int]], workers: int
) -> None:
    """Whenever a key is marked, somebody begins to look at it afterwards, and alone."""

    async def scenario() -> None:
        queue: WorkQueue[str] = WorkQueue(now)
        looks: dict[str, float] = {}
        at_work: set[str] = set()
        lengths = {(float(at), key): float(length) for at, key, length in work}

        async def worker() -> None:
            while True:
                key = await queue.take()
                assert key not in at_work
                at_work.add(key)
                looks[key] = now()
                await pass_time(lengths.get((looks[key], key), 0.5))
                at_work.remove(key)
                queue.done(key)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(worker()) for _ in range(workers)]
            for at, key, _ in sorted(work):
                await pass_time(at - now())
                queue.mark(key)
            await pass_time(1000)
            for task in tasks:
                task.cancel()
        assert looks.keys() == {key for _, key, _ in work}
        assert all(looks[key] >= at for at, key, _ in work)
        assert (len(queue), at_work) == (0, set())

    run(scenario())


def test_a_due_time_wakes_a_waiting_worker_at_that_very_moment() -> None:
    """Waiting is neither a poll nor late, and the last due time that was set is the one that counts."""

    async def scenario() -> list[tuple[str, float]]:
        queue: WorkQueue[str] = WorkQueue(now)
        queue.mark_at("moved", 10)
        queue.mark_at("called off", 20)
        taking = asyncio.create_task(queue.take())
        await pass_time(5)
        queue.mark_at("moved", 3600)
        queue.mark_at("called off", None)
        queue.mark_at("soon", 30)
        return [(await taking, now()), (await queue.take(), now())]

    assert run(scenario()) == [("soon", 30), ("moved", 3600)]


def test_due_times_that_are_set_again_and_again_take_no_room() -> None:
    """A phase of hours is looked at every few seconds, and each look says anew when it ends."""

    async def scenario() -> int:
        queue: WorkQueue[int] = WorkQueue(now)
        for look in range(10_000):
            queue.mark_at(look % 10, 3600 + look / 1000)
        return len(queue._heap)  # noqa: SLF001 what would grow is not to be seen from outside

    assert run(scenario()) <= 2 * 10 + SLACK


def test_a_key_marked_while_it_is_worked_on_goes_to_whoever_waits() -> None:
    """The worker that had it may be busy otherwise, or gone."""

    async def scenario() -> tuple[str, float]:
        queue: WorkQueue[str] = WorkQueue(now)
        queue.mark("key")
        await queue.take()
        waiting = asyncio.create_task(queue.take())
        await pass_time(1)
        queue.mark("key")
        await pass_time(1)
        queue.done("key")
        return await waiting, now()

    assert run(scenario()) == ("key", 2)


def test_a_worker_that_is_cancelled_while_it_waits_takes_nothing_along() -> None:
    """The next one gets the key."""

    async def scenario() -> str:
        queue: WorkQueue[str] = WorkQueue(now)
        waiting = asyncio.create_task(queue.take())
        await pass_time(1)
        queue.mark("key")
        waiting.cancel()
        return await queue.take()

    assert run(scenario()) == "key"
