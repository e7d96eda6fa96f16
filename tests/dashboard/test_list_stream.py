"""Inputs: changes of rollouts that never cease. Outputs: how often a tab in the cluster is to read them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from itertools import pairwise
from typing import Any, Final, cast

import pytest

from agentrollouts.dashboard.api import Api
from agentrollouts.dashboard.incluster.source import Desk
from agentrollouts.dashboard.source import Part
from tests.shell.virtual import now, run

LIST: Final = Part()
ROLLOUT: Final = Part("support", "agent-0")


class Busy:
    """An API server whose rollouts change ten times a second, in turn, for a minute."""

    def __init__(self, rollouts: int) -> None:
        self._objects = [self._metadata(number, "1") for number in range(rollouts)]

    @staticmethod
    def _metadata(number: int, version: str) -> dict[str, Any]:
        return {"metadata": {"namespace": "support", "name": f"agent-{number}", "resourceVersion": version}}

    async def get(self, _path: str, **_query: str) -> dict[str, Any]:
        """The list."""
        return {"metadata": {"resourceVersion": "1"}, "items": self._objects}

    async def watch(self, _path: str, _version: str, **_query: str) -> AsyncIterator[dict[str, Any]]:
        """Changes, and then silence."""
        for number in range(600):
            await asyncio.sleep(0.1)
            changed = self._metadata(number % len(self._objects), str(number + 2))
            yield {"type": "MODIFIED", "object": changed}
        await asyncio.sleep(3600)


def changes(rollouts: int, part: Part) -> list[float]:
    """When a tab is asked to draw, within two minutes."""

    async def scenario() -> list[float]:
        times: list[float] = []
        async with aclosing(Desk(cast("Api", Busy(rollouts))).changes(part)) as found:
            async for is_new in found:
                if now() > 120:
                    return times
                if is_new:
                    times.append(now())
        return times

    return run(scenario())


@pytest.mark.parametrize(("rollouts", "seconds"), [(1, 0.02), (100, 2.0), (500, 10.0), (5000, 15.0)])
def test_a_list_is_read_less_often_the_longer_it_is(rollouts: int, seconds: float) -> None:
    """As each time reads all of it; the last change is shown, too."""
    times = changes(rollouts, LIST)

    gaps = [round(after - before, 6) for before, after in pairwise(times)]
    assert min(gaps) >= seconds
    assert len(times) >= min(600, int(60 / (seconds + 0.2)))
    assert 60 <= times[-1] < 60 + seconds + 0.2


def test_the_page_of_one_rollout_follows_each_change() -> None:
    """It reads one object."""
    assert len(changes(1, ROLLOUT)) == 600
