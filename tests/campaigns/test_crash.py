"""A short cut of the campaign T1: some of its points, spread over the courses."""

import asyncio

import pytest

from campaigns.cases import Case, Choice
from campaigns.cluster import crash
from campaigns.cluster.lanes.lane import Site
from sandbox.stack import Stack
from tests.inside import INSIDE_SECONDS

pytestmark = pytest.mark.timeout(INSIDE_SECONDS)


def test_killed_at_some_writes(stack: Stack) -> None:
    """Wherever the operator is killed, the next one comes to the end that it would have come to."""
    cases: list[Case] = []

    async def play() -> None:
        async with Site.of(stack) as site:
            await crash.play_on(site, Choice(seed=1, size=9), cases.append)

    asyncio.run(play())

    assert [case for case in cases if case.broken] == []
    assert sum(case.counts for case in cases) >= 8
