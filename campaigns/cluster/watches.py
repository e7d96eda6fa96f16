"""T4: the watch is the one input that nobody acknowledges; here it loses, repeats, delays and forgets.

Each trial plays one course while one thing happens to all watches of the operator, drawn from a seed.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from functools import partial
from typing import Final

from campaigns.cases import Campaign, Case, Choice
from campaigns.cluster import trials
from campaigns.cluster.lanes.apiproxy import Call, Event, Network, Severed
from campaigns.cluster.lanes.lane import Lane, Played
from campaigns.cluster.trials import Trial, course_named

SEEDS: Final = 20
SILENCE_SECONDS: Final = 75.0
"""After this long without a word kopf begins a watch anew."""
SILENCES: Final = 3
"""So many in a row: a watch that begins anew may stall again before it has told the news."""
_LATE_SECONDS: Final = 10.0
"""What late events and new lists may add to a course."""
STALLS: Final = 3
"""A silent stall takes over a minute each: so long kopf waits for a bookmark."""
_COURSES: Final = ("first", "promote", "revert", "supersede", "breach", "switch")

Events = AsyncIterator[Event]
Tamper = Callable[[random.Random, Events], Events]


async def _dropped(dice: random.Random, events: Events) -> Events:
    """The connection breaks after a few events; the next one begins where it broke."""
    left = dice.randint(1, 4)
    async for event in events:
        yield event
        left -= 1
        if not left:
            raise Severed


async def _stalled(dice: random.Random, events: Events) -> Events:
    """Nothing is told any more after a few events, not even bookmarks; the connection stays open."""
    left = dice.randint(2, 6)
    async for event in events:
        if left:
            yield event
        left = max(0, left - 1)


async def _gone(dice: random.Random, events: Events) -> Events:
    """The version is too old (410): everything has to be listed again."""
    left = dice.randint(1, 4)
    async for event in events:
        yield event
        left -= 1
        if not left:
            yield GONE
            return


async def _twice(dice: random.Random, events: Events) -> Events:
    """Some events are told twice."""
    async for event in events:
        yield event
        if dice.random() < 0.5:  # noqa: PLR2004 every other
            yield event


async def _older(dice: random.Random, events: Events) -> Events:
    """After an event, an older one of the object is told again: the one before, or any."""
    delivered: dict[str, list[Event]] = defaultdict(list)
    async for event in events:
        yield event
        older = delivered[_name(event)]
        if event["type"] != "BOOKMARK" and older:
            yield older[-1] if dice.random() < 0.5 else dice.choice(older)  # noqa: PLR2004 every other
        older.append(event)


async def _late(dice: random.Random, events: Events) -> Events:
    """Every event is late, by up to a second and a half."""
    async for event in events:
        await asyncio.sleep(dice.uniform(0, 1.5))
        yield event


async def _swapped(dice: random.Random, events: Events) -> Events:
    """An event waits for the next one of another object, for a second at most."""
    held: Event | None = None
    coming = _coming(events)
    try:
        while True:
            await asyncio.wait({coming}, timeout=None if held is None else 1.0)
            event = coming.result() if coming.done() else None
            if coming.done() and event is None:
                return
            if held is not None and (event is None or _name(held) == _name(event)):
                yield held
                held = None
            if event is None:
                continue
            coming = _coming(events)
            if held is None and dice.random() < 0.5:  # noqa: PLR2004 every other
                held = event
                continue
            yield event
            if held is not None:
                yield held
                held = None
    finally:
        coming.cancel()


def _coming(events: Events) -> "asyncio.Future[Event | None]":
    """The next event, or None at the end; how it failed does not matter where nobody waits any more."""
    coming = asyncio.ensure_future(anext(events, None))
    coming.add_done_callback(lambda done: done.cancelled() or done.exception())
    return coming


async def _deleted_in_a_gap(dice: random.Random, events: Events) -> Events:
    """The end of an object falls into a gap of the watch: 410, and the next list does not have it."""
    del dice
    async for event in events:
        if event["type"] == "DELETED":
            yield GONE
            return
        yield event


GONE: Final[Event] = {
    "type": "ERROR",
    "object": {"kind": "Status", "apiVersion": "v1", "code": 410, "reason": "Expired", "message": "too old"},
}
TAMPERS: Final[Mapping[str, Tamper]] = {
    "dropped": _dropped,
    "gone": _gone,
    "twice": _twice,
    "older": _older,
    "late": _late,
    "swapped": _swapped,
    "deleted": _deleted_in_a_gap,
    "stalled": _stalled,
}


class Watches(Network):
    """All watches of the operator are tampered with from the first step of the course on."""

    def __init__(self, tamper: Tamper, dice: random.Random) -> None:
        self.lasts = SILENCES * SILENCE_SECONDS if tamper is _stalled else _LATE_SECONDS
        self._tamper = tamper
        self._dice = dice

    def tell(self, call: Call, events: Events) -> Events:
        """Bring a watch's events to the operator, more or less."""
        del call
        return self._tamper(self._dice, events)


def _name(event: Event) -> str:
    return str(event["object"].get("metadata", {}).get("name"))


def _watches(_: Lane, __: Played, *, tamper: Tamper, seed: str) -> Network:
    return Watches(tamper, random.Random(seed))


def trials_of(choice: Choice) -> list[Trial]:
    """Every manner with so many seeds, each on a course of its own choosing."""
    drawn = []
    for name, tamper in TAMPERS.items():
        for number in range(STALLS if tamper is _stalled else SEEDS):
            dice = random.Random(f"{choice.seed}-{name}-{number}")
            course = "delete" if tamper is _deleted_in_a_gap else dice.choice(_COURSES)
            seed = f"{choice.seed}-{name}-{number}-{course}"
            make = partial(_watches, tamper=tamper, seed=seed)
            drawn.append(Trial(f"{name}-{number}-{course}", course_named(course), make))
    return drawn


def play(choice: Choice) -> Iterator[Case]:
    """All of them, or those that are chosen."""
    return trials.play(choice, trials_of(choice))


CAMPAIGN: Final = Campaign(
    "watches",
    "events that are lost, late, doubled or old change no end; nothing is done for what is gone",
    play,
    "trials",
)
