"""Inputs: a write that hangs, and when it no longer would. Outputs: the answer, and how many calls wait."""

import asyncio

import pytest

from agentrollouts.adapters.cluster.errors import UnavailableError
from agentrollouts.shell.effects.insist import AGAIN_SECONDS, LOUD_SECONDS, Insistence
from tests.shell.virtual import now, run

LIMIT = 10.0
"""Seconds after which a call gives up."""


class Server:
    """Holds every call that begins before `free`, until the call gives up."""

    def __init__(self, free: float, slow: float = 0.0, limit: float = LIMIT) -> None:
        self.free = free
        self.slow = slow
        self.limit = limit
        self.done = 0
        self.calls = 0
        self.waiting = 0
        self.most = 0

    async def answer(self) -> str:
        """An answer, as late as the server is slow."""
        self.calls += 1
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        try:
            is_free = now() >= self.free
            await asyncio.sleep(self.slow if is_free else self.limit)
            if not is_free:
                raise TimeoutError
            self.done += 1
        finally:
            self.waiting -= 1
        return "done"


@pytest.mark.parametrize("free", [0.0, 0.5, 1.4])
def test_a_write_goes_through_soon_after_nothing_holds_it(free: float) -> None:
    """Not only once the call that hangs has given up; and at most two calls wait."""

    async def scenario() -> None:
        server = Server(free)
        assert await Insistence[str]().send("route", server.answer) == "done"
        assert now() <= free + AGAIN_SECONDS
        assert (server.most <= 2, server.waiting) == (True, 0)

    run(scenario())


def test_a_slow_server_gets_the_time_that_it_needs() -> None:
    """The rollout says that there was no answer, and one call stays until it has one; more are not left."""

    async def scenario() -> None:
        server, insistence = Server(0.0, slow=7.0), Insistence[str]()
        for times in (1, 2):
            with pytest.raises(UnavailableError, match="not responded for 3 s"):
                await insistence.send("route", server.answer)
            await asyncio.sleep(0)
            assert (now(), server.waiting) == (times * LOUD_SECONDS, 1)
        await asyncio.sleep(7)
        assert (server.done, server.waiting) == (1, 0)

    run(scenario())


def test_a_call_that_gives_up_is_the_answer() -> None:
    """So that the rollout can say what is wrong; the write is decided again."""

    async def scenario() -> None:
        server = Server(1000.0, limit=1.0)
        with pytest.raises(TimeoutError):
            await Insistence[str]().send("route", server.answer)
        assert (now(), server.waiting) == (1.0, 0)

    run(scenario())
