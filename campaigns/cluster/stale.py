"""T5: a new operator begins with a view of the past, as from an API server that lags behind.

At some write of a course the lists are kept; at a later one the operator is killed, and for some seconds the
next one is given those lists and no watch event, while what it writes arrives. It has to find out from the
refusals of its writes, and from the truth when that comes, that it was wrong.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Final

from campaigns.cases import Campaign, Case, Choice
from campaigns.cluster import trials
from campaigns.cluster.lanes.apiproxy import Answer, Call, Event, Network, Send, Severed
from campaigns.cluster.lanes.lane import Lane, Played
from campaigns.cluster.trials import Trial, course_named

SEEDS: Final = 100
LAG_SECONDS: Final = 4.0
"""From the first list of the new operator to the truth: longer than any phase."""
_COURSES: Final = ("promote", "revert", "breach", "supersede", "switch")
_LISTS: Final = {
    "agentreleases": "apis/agentrollouts.dev/v1alpha1",
    "agentrollouts": "apis/agentrollouts.dev/v1alpha1",
    "configmaps": "api/v1",
    "httproutes": "apis/gateway.networking.k8s.io/v1",
}
OURS: Final = "?labelSelector=app.kubernetes.io/managed-by%3Dagentrollouts"


class Lagging(Network):
    """Keeps the lists at write `kept`, kills at write `killed`, then tells of the past for a while."""

    def __init__(self, lane: Lane, kept: int, killed: int) -> None:
        self._lane = lane
        self.lasts = LAG_SECONDS
        self._kept = kept
        self._killed = killed
        self._count = 0
        self._past: dict[str, Answer] = {}
        self._is_past = False
        self._over = asyncio.Event()

    async def carry(self, call: Call, send: Send) -> Answer:
        """Keep, kill, and tell of the past."""
        self._count += call.is_write
        if call.is_write and self._count == self._kept:
            self._past = await self._read()
        if call.is_write and self._count == self._killed and not self._is_past:
            self._is_past = True
            await send()
            self._lane.kill()
            raise Severed
        kind = call.path.partition("?")[0].rpartition("/")[2]
        if call.method != "GET" or kind not in _LISTS:
            return await send()
        if self._is_past and not self._over.is_set() and kind in self._past:
            asyncio.get_running_loop().call_later(LAG_SECONDS, self._over.set)
            return self._past[kind]
        return await send()

    async def tell(self, call: Call, events: AsyncIterator[Event]) -> AsyncIterator[Event]:
        """No event of a watch arrives before the past is over."""
        del call
        async for event in events:
            if self._is_past:
                await self._over.wait()
            yield event

    async def _read(self) -> dict[str, Answer]:
        """What an operator is told that lists everything now."""
        where = f"namespaces/{self._lane.namespace}"
        headers = {"Authorization": f"Bearer {self._lane.site.stack.admin_token}"}
        past = {}
        for kind, group in _LISTS.items():
            labels = "" if group.startswith("apis/agentrollouts") else OURS
            call = Call("GET", f"/{group}/{where}/{kind}{labels}", headers, b"")
            past[kind] = await self._lane.proxy.send(call)
        return past


def _lagging(lane: Lane, calm: Played, *, seed: str) -> Network:
    kept, killed = sorted(random.Random(seed).sample(range(1, len(calm.writes) + 1), 2))
    return Lagging(lane, kept, killed)


def trials_of(choice: Choice) -> list[Trial]:
    """So many seeds: each draws a course, and two of its writes."""
    drawn = []
    for number in range(SEEDS):
        course = random.Random(f"{choice.seed}-{number}").choice(_COURSES)
        make = partial(_lagging, seed=f"{choice.seed}-{number}-{course}")
        drawn.append(Trial(f"{number}-{course}", course_named(course), make))
    return drawn


def play(choice: Choice) -> Iterator[Case]:
    """All of them, or those that are chosen."""
    return trials.play(choice, trials_of(choice))


CAMPAIGN: Final = Campaign(
    "stale",
    "started with a view of the past, the operator does nothing that the present forbids; S1-S6 hold",
    play,
    "restarts",
)
