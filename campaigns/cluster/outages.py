"""T3: the API server, or the way to it, fails for a while in the middle of a course, in every manner we know.

An operator may end over it (kopf does, once its tries are used up) as long as it comes back as a Deployment's
pod would, and goes on where it was. People go on writing meanwhile: only the operator is cut off.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Iterator
from enum import StrEnum
from functools import partial
from http import HTTPStatus
from typing import Final

from campaigns.cases import Campaign, Case, Choice
from campaigns.cluster import trials
from campaigns.cluster.lanes.apiproxy import Answer, Call, Event, Network, Send, Severed, failure
from campaigns.cluster.lanes.lane import Lane, Played
from campaigns.cluster.trials import Trial, course_named
from campaigns.cluster.watches import SILENCE_SECONDS

SECONDS: Final = 30
LONG_SECONDS: Final = 90
"""More than all the tries of a client that backs off."""
LONGEST_SECONDS: Final = 360
"""Longer than the API server keeps what a watch could go on from: it compacts etcd every 5 minutes."""
_SLOW_SECONDS: Final = 2.0


class Manner(StrEnum):
    """How it fails."""

    UNAVAILABLE = "503"
    BROKEN = "500"
    BUSY = "429"
    HANG = "hang"
    """Calls and watches wait until it is over."""
    REFUSED = "refused"
    """Nobody listens."""
    HALF_OPEN = "half-open"
    """Connections stay open and carry nothing any more, not even when it is over."""
    CUT = "cut"
    """Each call's connection breaks before the call arrives."""
    UNTOLD = "untold"
    """Each call is done, and its connection breaks before the answer arrives."""
    SLOW = "slow"
    """Each call takes two seconds more."""
    ETCD = "etcd"
    """etcd is stopped and goes on."""
    SERVER = "apiserver"
    """The API server is stopped and goes on."""


_CODES: Final = {
    Manner.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    Manner.BROKEN: HTTPStatus.INTERNAL_SERVER_ERROR,
    Manner.BUSY: HTTPStatus.TOO_MANY_REQUESTS,
}
_PROGRAMS: Final = {Manner.ETCD: "etcd", Manner.SERVER: "apiserver"}
PROGRAM_SECONDS: Final = 10


class Outage(Network):
    """Begins at the operator's write number `index`, which it hits, and lasts so many seconds."""

    def __init__(self, lane: Lane, index: int, manner: Manner, seconds: float) -> None:
        self._lane = lane
        self._index = index
        self._manner = manner
        self._seconds = seconds
        self.lasts = seconds + SILENCE_SECONDS
        self._count = 0
        self._begun = asyncio.Event()
        self._over = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def carry(self, call: Call, send: Send) -> Answer:
        """Calm before and after; in between as the manner says."""
        self._count += call.is_write
        if self._task is None and self._count >= self._index:
            self._task = asyncio.create_task(self._happen())
            self._begun.set()
        if not self._begun.is_set() or self._over.is_set():
            return await send()
        return await self._suffer(call, send)

    async def tell(self, call: Call, events: AsyncIterator[Event]) -> AsyncIterator[Event]:
        """A watch that hangs goes on when it is over, one that is half open never does."""
        if self._begun.is_set() and not self._over.is_set():
            await self._meet(call)
        async for event in events:
            if self._begun.is_set() and not self._over.is_set():
                await self._meet(call)
            yield event

    async def _happen(self) -> None:
        program = self._lane.site.stack.processes.get(_PROGRAMS.get(self._manner, ""))
        if self._manner is Manner.REFUSED:
            await self._lane.proxy.refuse()
        elif self._manner in {*_CODES, Manner.CUT, Manner.UNTOLD}:
            self._lane.proxy.cut()  # a watch that lives on would need no call
        if program is not None:
            program.pause()
        await asyncio.sleep(self._seconds)
        if program is not None:
            program.resume()
        if self._manner is Manner.REFUSED:
            await self._lane.proxy.listen()
        self._over.set()

    async def _suffer(self, call: Call, send: Send) -> Answer:
        if self._manner in _CODES:
            code = _CODES[self._manner]
            return failure(code, retry_after=1 if self._manner is Manner.BUSY else None)
        if self._manner is Manner.SLOW:
            await asyncio.sleep(_SLOW_SECONDS)
        elif self._manner is Manner.UNTOLD:
            with contextlib.suppress(Exception):
                await send()
            raise Severed
        elif self._manner not in _PROGRAMS:
            await self._meet(call)
        return await send()

    async def _meet(self, call: Call) -> None:
        """What happens to a call or a watch that cannot go through."""
        del call
        if self._manner is Manner.HANG:
            await self._over.wait()
        elif self._manner is Manner.HALF_OPEN:
            await asyncio.Event().wait()  # until the operator gives up
        elif self._manner in {*_CODES, Manner.CUT, Manner.REFUSED, Manner.UNTOLD}:
            raise Severed


def trials_of(manners: Iterable[tuple[Manner, float]]) -> list[Trial]:
    """Every manner, with its seconds, at three places of a course."""
    return [
        Trial(
            f"{manner}-{seconds:g}s-{course}-{place}",
            course_named(course),
            partial(_outage, manner=manner, seconds=seconds, part=part),
        )
        for manner, seconds in manners
        for course, place, part in (
            ("promote", "early", 0.2),
            ("promote", "late", 0.7),
            ("breach", "back", 0.6),
        )
    ]


def _outage(lane: Lane, calm: Played, *, manner: Manner, seconds: float, part: float) -> Network:
    return Outage(lane, max(1, round(len(calm.writes) * part)), manner, seconds)


def play(choice: Choice) -> Iterator[Case]:
    """Every manner at three places of a course; what is stopped for all lanes at once comes last."""
    short = [(manner, SECONDS) for manner in Manner if manner not in _PROGRAMS]
    long = [(manner, LONG_SECONDS) for manner in (Manner.UNAVAILABLE, Manner.HANG, Manner.HALF_OPEN)]
    longest = [(Manner.REFUSED, LONGEST_SECONDS)]
    stopped = [(manner, PROGRAM_SECONDS) for manner in _PROGRAMS]
    yield from trials.play(choice, trials_of([*longest, *short, *long, *stopped]))


CAMPAIGN: Final = Campaign(
    "outages",
    "whatever the API server does, for up to six minutes, the operator goes on to the same end, then rests",
    play,
    "outages",
)
