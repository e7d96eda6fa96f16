"""One replica at a time: the Lease under a clock that the test turns."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from copy import deepcopy
from itertools import cycle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.adapters.cluster.errors import ConflictError, UnavailableError
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.shell.lease import (
    DEADLINE_SECONDS,
    DURATION_SECONDS,
    LOOK_SECONDS,
    RENEW_SECONDS,
    Lease,
)

PLACE = Ref("Lease", "agentrollouts", "agentrollouts")
REQUEST_SECONDS = 0.4
"""How long a request takes at most while the API server is well."""
TAKEN_SECONDS = LOOK_SECONDS + DURATION_SECONDS + 4 * REQUEST_SECONDS
"""From a last renewal, just missed by a look, until another replica is the holder."""
JUDGED_SECONDS = 5.3
"""From there to the route if the count restarts: four scrapes, a query after each, and the writes."""
PROMISED_SECONDS = 20.0
"""From the loss of a leader until a breach is rolled back."""
APART_SECONDS = 5.0
"""Between the last write of a holder that cannot renew and the first one of the next."""


class Store:
    """An API server that keeps one Lease, and can be out of reach for some replicas."""

    def __init__(self) -> None:
        self.manifest: Manifest | None = None
        self.is_down = False
        self.loses_answers = False
        self.writes = 0

    async def get(self, ref: Ref) -> Manifest | None:
        """What is stored."""
        assert ref == PLACE
        self._reach()
        return deepcopy(self.manifest)

    async def create(self, manifest: Manifest) -> Manifest:
        """Store it, if nothing is."""
        self._reach()
        if self.manifest is not None:
            raise ConflictError("exists")
        return self._stored(manifest)

    async def replace(self, manifest: Manifest) -> Manifest:
        """Store it, if it is of the newest version."""
        self._reach()
        version = manifest["metadata"]["resourceVersion"]
        if self.manifest is None or self.manifest["metadata"]["resourceVersion"] != version:
            raise ConflictError("changed")
        return self._stored(manifest)

    def _reach(self) -> None:
        if self.is_down:
            raise UnavailableError("down")

    def _stored(self, manifest: Manifest) -> Manifest:
        self.writes += 1
        self.manifest = deepcopy(manifest)
        self.manifest["metadata"]["resourceVersion"] = str(self.writes)
        if self.loses_answers:
            raise UnavailableError("the answer was lost")
        return deepcopy(self.manifest)

    @property
    def holder(self) -> str:
        """Who has it."""
        assert self.manifest is not None
        return str(self.manifest["spec"]["holderIdentity"])


class Time:
    """Monotonic seconds that pass only when someone sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Let them pass."""
        self.now += seconds


class SlowStore(Store):
    """One that takes time to answer, and whose Lease is renewed for the last time at a certain moment.

    Args:
        time: What passes while a request is on its way.
        last: When the last renewal is stored.
        spans: For each request in turn, the seconds until it arrives and until its answer does.
    """

    def __init__(self, time: Time, last: float, spans: Sequence[tuple[float, float]]) -> None:
        super().__init__()
        self._time = time
        self._last = last
        self._spans = cycle(spans)
        self._stored({"metadata": {}, "spec": {"holderIdentity": "one"}})

    async def get(self, ref: Ref) -> Manifest | None:
        """What is stored when the request arrives."""
        back = self._arrive()
        found = await super().get(ref)
        self._time.now += back
        return found

    async def replace(self, manifest: Manifest) -> Manifest:
        """Store it when the request arrives."""
        back = self._arrive()
        stored = await super().replace(manifest)
        self._time.now += back
        return stored

    def _arrive(self) -> float:
        there, back = next(self._spans)
        self._time.now += there
        if self._time.now >= self._last and self.writes == 1:
            assert self.manifest is not None
            self._stored(self.manifest)
        return back


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    """The clock of all replicas of a test."""
    clock = Time()
    monkeypatch.setattr(asyncio, "sleep", clock.sleep)
    return clock


async def test_the_first_replica_is_the_holder_at_once(time: Time) -> None:
    """Without a Lease, it is created, and the replica may write."""
    store = Store()
    first = Lease(store, PLACE, "one", time)
    assert not first.is_held()
    await first.acquire()
    assert (first.is_held(), store.holder, time.now) == (True, "one", 1000.0)


async def test_another_replica_waits_for_the_whole_duration(time: Time) -> None:
    """After the holder was killed, the next one takes over when it has seen no renewal for the duration."""
    store = Store()
    await Lease(store, PLACE, "one", time).acquire()
    second = Lease(store, PLACE, "two", time)
    await second.acquire()
    assert (time.now - 1000.0, store.holder, second.is_held()) == (DURATION_SECONDS, "two", True)


async def test_a_planned_handover_takes_one_look(time: Time) -> None:
    """A replica that ends gives the Lease up, also in mid-renewal, and may not write anymore."""
    store = Store()
    first, second = Lease(store, PLACE, "one", time), Lease(store, PLACE, "two", time)
    await first.acquire()
    await first.release()
    assert (first.is_held(), store.holder) == (False, "")
    await second.acquire()
    await first.release()
    assert (store.holder, time.now - 1000.0 <= 1) == ("two", True)
    await Lease(store, PLACE, "two", time).acquire()  # a renewal that is stored after its sender has ended
    await second.release()
    assert (second.is_held(), store.holder) == (False, "")


async def test_a_restarted_container_takes_its_own_lease_at_once(time: Time) -> None:
    """The process before it in the same pod is dead, so there is nothing to wait for."""
    store = Store()
    await Lease(store, PLACE, "one", time).acquire()
    again = Lease(store, PLACE, "one", time)
    await again.acquire()
    assert (again.is_held(), time.now) == (True, 1000.0)


async def test_a_holder_that_cannot_renew_ends_before_another_begins(time: Time) -> None:
    """Cut off from the API server, it may not write after the deadline, which is before anyone takes over."""
    store = Store()
    first = Lease(store, PLACE, "one", time)
    await first.acquire()
    store.is_down = True
    await first.keep()
    assert (first.is_held(), DEADLINE_SECONDS <= time.now - 1000.0 < DURATION_SECONDS) == (False, True)


async def test_a_stopped_process_may_not_write_when_it_continues(time: Time) -> None:
    """Nothing runs between the stop and the next write, and the write is refused all the same."""
    store = Store()
    first = Lease(store, PLACE, "one", time)
    await first.acquire()
    time.now += DEADLINE_SECONDS
    assert not first.is_held()


async def test_a_renewal_whose_answer_is_lost_is_not_a_loss(time: Time) -> None:
    """The version that was stored is its own: it looks once, and renews again."""
    store = Store()
    first = Lease(store, PLACE, "one", time)
    await first.acquire()
    store.loses_answers = True
    steps = []
    for _ in range(3):
        time.now += 3
        steps.append(await first._tried(first._renew))  # noqa: SLF001 one step of `keep`
        store.loses_answers = False
    time.now += 3
    assert (steps, first.is_held(), store.holder) == ([False, False, True], True, "one")


async def test_a_holder_that_was_replaced_ends_at_once(time: Time) -> None:
    """Another replica's name in the Lease is enough, whatever time is left."""
    store = Store()
    first = Lease(store, PLACE, "one", time)
    await first.acquire()
    assert store.manifest is not None
    store.manifest["spec"]["holderIdentity"] = "two"
    store.manifest["metadata"]["resourceVersion"] = "99"
    await first.keep()
    assert (first.is_held(), time.now - 1000.0) == (False, 2.0)


async def test_a_holder_survives_a_renewal_that_hangs(time: Time) -> None:
    """The next one comes before the deadline, and it may write all the while."""
    store = Store()
    first = Lease(store, PLACE, "one", time)
    await first.acquire()
    time.now += RENEW_SECONDS  # until it begins
    time.now += RENEW_SECONDS  # until it is given up
    time.now += RENEW_SECONDS
    assert first.is_held()
    assert await first._tried(first._renew)  # noqa: SLF001 one step of `keep`


def test_a_breach_without_a_leader_is_rolled_back_in_time() -> None:
    """At the worst moment of a loss there is enough time left to judge, and the holders stay apart by 5 s."""
    assert TAKEN_SECONDS + JUDGED_SECONDS <= PROMISED_SECONDS
    assert DURATION_SECONDS - DEADLINE_SECONDS >= APART_SECONDS


SPANS = st.tuples(st.floats(0, REQUEST_SECONDS / 2), st.floats(0, REQUEST_SECONDS / 2))


@given(st.floats(0, 10), st.lists(SPANS, min_size=1))
def test_no_moment_of_a_loss_delays_the_next_holder_further(
    seconds: float, spans: list[tuple[float, float]]
) -> None:
    """Whenever the last renewal comes between two looks, and however long each request takes."""
    time = Time()
    last = time.now + seconds
    store = SlowStore(time, last, spans)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio, "sleep", time.sleep)
        asyncio.run(Lease(store, PLACE, "two", time).acquire())

    assert store.holder == "two"
    assert DURATION_SECONDS <= time.now - last <= TAKEN_SECONDS


STEPS = st.tuples(
    st.integers(0, 2),
    st.sampled_from(["look", "renew", "release", "cut", "lose", "heal"]),
    st.floats(0, 20),
)


@given(st.lists(STEPS, max_size=60))
def test_no_two_replicas_may_ever_write(steps: list[tuple[int, str, float]]) -> None:
    """Whatever three replicas do, however long each pauses, and whoever is cut off: at most one may write."""
    time, store = Time(), Store()
    replicas = [Lease(store, PLACE, name, time) for name in ("one", "two", "three")]
    takes: dict[str, Callable[[Lease], Awaitable[Any]]] = {
        "look": lambda lease: lease._tried(lease._take),  # noqa: SLF001 one step of `acquire`
        "renew": lambda lease: lease._tried(lease._renew),  # noqa: SLF001 one step of `keep`
        "release": lambda lease: lease.release(),
    }

    async def play() -> None:
        for which, what, pause in steps:
            time.now += pause
            store.is_down = what == "cut" or (store.is_down and what != "heal")
            store.loses_answers = what == "lose" or (store.loses_answers and what != "heal")
            if what in takes and not (what == "renew" and not replicas[which].is_held()):
                await takes[what](replicas[which])
            assert sum(lease.is_held() for lease in replicas) <= 1

    asyncio.run(play())
