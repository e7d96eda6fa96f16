"""Inputs: calls of tenants, urgent or not, that end or are given up. Outputs: when each is on the wire."""

import asyncio
from collections import Counter
from math import ceil

from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.adapters.cluster.slots import HANGING, HANGING_SECONDS, PART, Caller, Slots
from testkit.properties import usually
from tests.shell.virtual import now, pass_time, run

MOST = 6
SHARE = ceil(MOST * PART)

CALLS = st.lists(
    st.tuples(
        st.integers(0, 20),
        st.sampled_from("abc"),
        st.booleans(),
        st.integers(1, 9),
        st.none() | st.integers(0, 9),
    ),
    max_size=40,
)
"""When it begins, whose it is, whether it is urgent, how long it takes, and when it is given up."""


class Wire:
    """Calls in progress, and whether there were ever more than there may be."""

    def __init__(self) -> None:
        self.slots = Slots(MOST)
        self.now: Counter[tuple[str, bool]] = Counter()
        self.young: Counter[bool] = Counter()
        """Those of them that do not hang, by whether they are urgent."""

    async def call(self, tenant: str, seconds: float, *, is_urgent: bool = True) -> float:
        """One call; gives the time at which it got its place."""
        async with self.slots.of(Caller(tenant, is_urgent)):
            began = now()
            self.now[tenant, is_urgent] += 1
            self.young[is_urgent] += 1
            try:
                assert self.young.total() <= MOST
                assert self.now.total() <= MOST * (1 + HANGING)
                assert sum(count for (whose, _), count in self.now.items() if whose == tenant) <= SHARE
                assert is_urgent or self.young[False] <= SHARE
                await self.last(seconds, is_urgent=is_urgent)
            finally:
                self.now[tenant, is_urgent] -= 1
        return began

    async def last(self, seconds: float, *, is_urgent: bool) -> None:
        """Let time pass, of which the call hangs for all but the first part."""
        try:
            await pass_time(min(seconds, HANGING_SECONDS - 0.01))
        finally:
            self.young[is_urgent] -= 1
        await pass_time(seconds - min(seconds, HANGING_SECONDS - 0.01))


@usually(150)
@given(calls=CALLS)
def test_no_share_is_exceeded_and_no_place_is_lost(
    calls: list[tuple[int, str, bool, int, int | None]],
) -> None:
    """Whatever ends or is given up while it waits, every place is free afterwards."""

    async def one(
        wire: Wire, at: int, tenant: str, patience: int | None, *, urgent: bool, takes: int
    ) -> None:
        await pass_time(at)
        try:
            async with asyncio.timeout(patience):
                await wire.call(tenant, takes, is_urgent=urgent)
        except TimeoutError:
            assert patience is not None

    async def scenario() -> list[float]:
        wire = Wire()
        async with asyncio.TaskGroup() as group:
            for at, tenant, urgent, takes, patience in calls:
                group.create_task(one(wire, at, tenant, patience, urgent=urgent, takes=takes))
        began = now()
        tasks = [asyncio.create_task(wire.call(str(number), 1)) for number in range(MOST)]
        return [at - began for at in await asyncio.gather(*tasks)]

    assert run(scenario()) == [0] * MOST


def test_a_victim_finds_a_place_while_another_tenants_calls_hang() -> None:
    """Writes that take ten seconds, as behind a webhook that hangs, take their own tenant's places alone."""

    async def scenario() -> list[float]:
        wire = Wire()
        async with asyncio.TaskGroup() as group:
            for _ in range(50):
                group.create_task(wire.call("attacker", 10))
            await pass_time(1)
            return [await wire.call("victim", 0.01) for _ in range(3)]

    assert run(scenario())[0] == 1


def test_a_victim_finds_a_place_while_the_calls_of_many_tenants_hang() -> None:
    """The webhook of ten namespaces is down: each of their calls takes ten seconds, but not its place."""

    async def scenario() -> list[float]:
        wire = Wire()
        async with asyncio.TaskGroup() as group:
            for number in range(2 * MOST):
                group.create_task(wire.call(f"attacker-{number}", 10))
            await pass_time(0.5)
            return [await wire.call("victim", 0.01) for _ in range(2)]

    assert run(scenario())[0] <= 2 * HANGING_SECONDS


def test_calls_that_hang_are_bounded() -> None:
    """Those beyond the bound keep their places, so that connections do not add up."""

    async def scenario() -> Counter[tuple[str, bool]]:
        wire = Wire()
        for number in range(100):
            asyncio.get_running_loop().create_task(wire.call(f"attacker-{number}", 100))
        await pass_time(50)
        return Counter(wire.now)

    assert run(scenario()).total() == MOST * (1 + HANGING)


def test_an_urgent_call_finds_a_place_while_what_can_wait_fills_the_rest() -> None:
    """Ten namespaces that materialize releases leave places for a rollback."""

    async def scenario() -> float:
        wire = Wire()
        async with asyncio.TaskGroup() as group:
            for number in range(50):
                group.create_task(wire.call(f"tenant-{number % 10}", 10, is_urgent=False))
            await pass_time(1)
            return await wire.call("victim", 0.01)

    assert run(scenario()) == 1


def test_a_full_wire_serves_tenants_in_turn() -> None:
    """Each tenant that has many calls costs another tenant's next call one of them."""

    async def scenario() -> list[float]:
        wire = Wire()
        async with asyncio.TaskGroup() as group:
            for number in range(3 * MOST):
                group.create_task(wire.call("abc"[number % 3], 0.5))
            await pass_time(0.25)
            victims = [group.create_task(wire.call("victim", 0.5)) for _ in range(2)]
        return [await victim for victim in victims]

    assert run(scenario()) == [0.5, 1]
