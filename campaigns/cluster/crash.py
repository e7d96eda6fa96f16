"""T1: the operator is killed at every single write of every course, in three ways, and started again.

First each course is played calmly, which gives its end and the number of its writes; then once for each write
and way. The end has to be the same, and nothing that must never be seen may be seen in between.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Final

from campaigns.cases import Campaign, Case, Choice, Tell
from campaigns.cluster.lanes.apiproxy import Answer, Call, Network, Send, Severed
from campaigns.cluster.lanes.courses import COURSES, Course
from campaigns.cluster.lanes.lane import Lane, Played, Site, lanes_on, on_own_site, played_calm, share
from campaigns.cluster.lanes.recovery import RECOVERY

LANES: Final = 6
ALL: Final = (*COURSES, *RECOVERY)


class How(StrEnum):
    """When the operator dies, as seen from the write."""

    BEFORE = "before"
    """The write never reaches the API server."""
    UNTOLD = "untold"
    """The write is done; the operator dies before it hears of it."""
    AFTER = "after"
    """The operator has got the answer."""


class Crash(Network):
    """Ends the operator at its write number `index`, from 1, and is calm from then on."""

    def __init__(self, lane: Lane, index: int, how: How) -> None:
        self._lane = lane
        self._index = index
        self._how = how
        self._count = 0
        self.at: str | None = None
        """The write at which it happened; None as long as it did not."""

    async def carry(self, call: Call, send: Send) -> Answer:
        """Count writes, and end the operator at the one that was chosen."""
        self._count += call.is_write
        if not call.is_write or self._count != self._index:
            return await send()
        self.at = str(call)
        if self._how is How.BEFORE:
            self._lane.kill()
            raise Severed
        response = await send()
        if self._how is How.UNTOLD:
            self._lane.kill()
            raise Severed
        return Answer(response.status, response.body, response.headers, then=self._lane.kill)


@dataclass(frozen=True, slots=True)
class Point:
    """Where and how the operator is killed."""

    course: Course
    index: int
    how: How

    @property
    def name(self) -> str:
        """Unique in the campaign."""
        return f"{self.course.name}-{self.index}-{self.how}"


def play(choice: Choice) -> Iterator[Case]:
    """Every point, or those that are chosen."""
    return on_own_site(lambda site, tell: play_on(site, choice, tell))


async def play_on(site: Site, choice: Choice, tell: Tell) -> None:
    """The campaign on a stack that runs."""
    named = [course for course in ALL if f"{choice.only or course.name}-".startswith(f"{course.name}-")]
    chosen = choice.spread(named)
    async with lanes_on(site, LANES) as lanes:
        calm = await played_calm(lanes, chosen, tell)
        await share(lanes, [partial(_crash, point, calm, tell) for point in _chosen(calm, choice)])


def _chosen(calm: Mapping[str, Played], choice: Choice) -> Sequence[Point]:
    """All points, one of them, or those of one course; or as many as wanted, spread over courses and ways."""
    points = [
        Point(course, index, how)
        for course in ALL
        if course.name in calm
        for index in range(1, len(calm[course.name].writes) + 1)
        for how in How
    ]
    wanted = [point for point in points if choice.wants(point.name) or choice.only == point.course.name]
    return choice.spread(wanted)


async def _crash(point: Point, calm: Mapping[str, Played], tell: Tell, lane: Lane) -> None:
    network = Crash(lane, point.index, point.how)
    played = await lane.play(point.course, network, calm[point.course.name].end)
    problems = list(played.broken)
    if played.starts != int(network.at is not None):
        problems.append(f"the operator was started {played.starts} times")
    where = f"killed {point.how} {network.at}: " if network.at else "not killed: "
    text = where + "; ".join(problems) if problems else None
    tell(Case(point.name, text, counts=int(network.at is not None)))


CAMPAIGN: Final = Campaign(
    "crash",
    "killed at any write, in any of three ways, the operator comes to the same end; S1-S6 and L2 hold",
    play,
    "crash points",
)
