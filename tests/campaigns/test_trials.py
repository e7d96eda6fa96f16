"""A short cut of the campaigns that disturb the network: some trials of each."""

import asyncio

import pytest

from campaigns.cases import Case, Choice
from campaigns.cluster import outages, rivals, stale, trials, watches
from campaigns.cluster.lanes.lane import PATIENCE, Site
from campaigns.cluster.outages import Manner
from sandbox.stack import Stack
from tests.inside import INSIDE_SECONDS

pytestmark = pytest.mark.timeout(INSIDE_SECONDS)

ALL = Choice(seed=1)


def test_some_disturbances(stack: Stack) -> None:
    """Outages, watches that cannot be trusted, a view of the past: each course comes to its usual end."""
    short = outages.trials_of([(Manner.UNAVAILABLE, 3), (Manner.CUT, 3), (Manner.UNTOLD, 3)])
    quick = [trial for trial in watches.trials_of(ALL) if not trial.name.startswith("stalled")]
    cases: list[Case] = []

    async def play() -> None:
        async with Site.of(stack) as site:
            chosen = [*short[::4], *quick[::35], *stale.trials_of(ALL)[:3]]
            await trials.play_on(site, ALL, chosen, cases.append)

    asyncio.run(play())

    assert [case for case in cases if case.broken] == []
    assert sum(case.counts for case in cases) == 10


def test_a_person_edits_the_route(stack: Stack) -> None:
    """A foreign weight is put right, once, in every state."""
    cases: list[Case] = []

    async def play() -> None:
        async with Site.of(stack) as site:
            chosen = Choice(seed=1, only="person-rolled-back")
            await rivals.play_on(site, chosen, cases.append, bound=PATIENCE)

    asyncio.run(play())

    assert [case for case in cases if case.broken] == []
    assert sum(case.counts for case in cases) == 1
