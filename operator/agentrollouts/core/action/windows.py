"""The windows of a freeze: when they begin, by schedules of cron in time zones, and how far they reach.

A schedule runs once on the day that has its time twice, at the first of the two; and on the day that does not
have it, when the clock is put forward.
"""

from bisect import bisect_right
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from agentrollouts.api.people.freeze import FreezeWindow

LONGEST_SHIFT: Final = timedelta(hours=3)
"""More than any time zone puts its clock forward or back."""
MOST_LINKS: Final = 32
"""Windows that follow each other without a gap are looked through so far; the rest later."""
MOST_KNOWN: Final = 64
"""Pairs of starts that are remembered of one schedule: more than there are links."""
_NEVER: Final = datetime.min.replace(tzinfo=UTC)
UTC_NAME: Final = "UTC"
"""Time zone of a schedule that names none."""
_MINUTE: Final = timedelta(minutes=1)


class Starts(NamedTuple):
    """The times around one minute at which a window begins."""

    last: datetime | None
    """At that minute or before it; None if there was none in 50 years."""
    next: datetime | None
    """After it."""

    def are_around(self, minute: datetime) -> bool:
        """Whether they are the same for another minute: the window begins at no time between the two."""
        return (self.last is None or self.last <= minute) and (self.next is None or minute < self.next)


class InvalidWindow(Exception):  # noqa: N818 an answer, not an error
    """Why a window cannot be read."""


def reach(windows: Iterable[FreezeWindow], now: datetime) -> datetime | None:
    """The end of the time that windows cover from now on without a gap; None if none covers this moment.

    Raises:
        InvalidWindow: one cannot be read.
    """
    found = _reaches(tuple(windows), _minute_of(now))
    if isinstance(found, str):
        raise InvalidWindow(found)
    first, end = found
    return end if first > now else None


@lru_cache(maxsize=1024)
def _reaches(windows: tuple[FreezeWindow, ...], minute: datetime) -> tuple[datetime, datetime] | str:
    """Where the windows end that have begun by that minute, and those that follow; or why that is unknown.

    Once for all rollouts in a minute: hundreds of freezes with many windows each would take seconds.
    """
    ends = [minute]
    try:
        while len(ends) <= MOST_LINKS and (further := _furthest(windows, ends[-1])) > ends[-1]:
            ends.append(further)
    except InvalidWindow as invalid:
        return str(invalid)
    return ends[min(1, len(ends) - 1)], ends[-1]


def _furthest(windows: tuple[FreezeWindow, ...], time: datetime) -> datetime:
    """The latest end of those that have begun by that time; the time itself if all are over."""
    ends = (_end_at(window, time) for window in windows)
    return max((each for each in ends if each is not None), default=time)


def next_start(windows: Iterable[FreezeWindow], now: datetime) -> datetime | None:
    """When the next of them begins; None if none does in 50 years.

    Raises:
        InvalidWindow: one cannot be read.
    """
    starts = (starts_around(window, now).next for window in windows)
    return min((start for start in starts if start is not None), default=None)


def starts_around(window: FreezeWindow, now: datetime) -> Starts:
    """When a window began last, and begins next.

    Raises:
        InvalidWindow: it cannot be read.
    """
    schedule, zone, minute = window.schedule, window.time_zone or UTC_NAME, _minute_of(now)
    known = _known(schedule, zone)
    place = bisect_right(known, minute, key=_begin)
    if place and known[place - 1].are_around(minute):
        return known[place - 1]
    found = _found(schedule, zone, minute)
    if isinstance(found, str):
        raise InvalidWindow(found)
    known.insert(place, found)
    del known[:-MOST_KNOWN]
    return found


@lru_cache(maxsize=4096)
def _known(schedule: str, time_zone: str) -> list[Starts]:  # noqa: ARG001 the key of what it remembers
    """What was found of a schedule, in order; it grows with the times that are looked at."""
    return []


def _begin(starts: Starts) -> datetime:
    return starts.last or _NEVER


def _minute_of(time: datetime) -> datetime:
    return time.replace(second=0, microsecond=0)


def _end_at(window: FreezeWindow, time: datetime) -> datetime | None:
    last = starts_around(window, time).last
    return last and last + timedelta(seconds=window.duration_seconds)


@lru_cache(maxsize=4096)
def _found(schedule: str, time_zone: str, minute: datetime) -> Starts | str:
    """The starts, or why there are none; once for all rollouts in a minute."""
    try:
        zone = ZoneInfo(time_zone)
    except (KeyError, ValueError, OSError):  # no such file, a path that leads elsewhere, a folder
        return f"time zone {time_zone} is unknown"
    try:
        last = _nearest(schedule, zone, minute, is_past=True)
        following = _nearest(schedule, zone, minute, is_past=False)
    except CronSimError as error:
        return f"schedule {schedule} is invalid: {error}"
    if last is None and following is None:
        return f"schedule {schedule} never begins"
    return Starts(last, following)


def _nearest(schedule: str, zone: ZoneInfo, minute: datetime, *, is_past: bool) -> datetime | None:
    """The nearest start on one side.

    The library counts by the clock on the wall. Where that is put back, it takes the second time for the
    first, so the search begins on the other side of the shift.
    """
    is_shifted = len({(minute + shift).astimezone(zone).utcoffset() for shift in _AROUND}) > 1
    margin = LONGEST_SHIFT if is_shifted else timedelta()
    first = minute + margin + _MINUTE if is_past else minute - margin
    for start in CronSim(schedule, first.astimezone(zone), reverse=is_past):
        found = start.astimezone(UTC)
        if (found <= minute) if is_past else (found > minute):
            return found
    return None


_AROUND: Final = (-LONGEST_SHIFT, timedelta(), LONGEST_SHIFT)
