"""The windows of a freeze: when they begin, by schedules of cron in time zones, and how far they reach.

A schedule runs once on the day that has its time twice, at the first of the two; and on the day that does not
have it, when the clock is put forward.
"""

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
UTC_NAME: Final = "UTC"
"""Time zone of a schedule that names none."""
_MINUTE: Final = timedelta(minutes=1)


class Starts(NamedTuple):
    """The times around one minute at which a window begins."""

    last: datetime | None
    """At that minute or before it; None if there was none in 50 years."""
    next: datetime | None
    """After it."""


class InvalidWindow(Exception):  # noqa: N818 an answer, not an error
    """Why a window cannot be read."""


def reach(windows: Iterable[FreezeWindow], now: datetime) -> datetime | None:
    """The end of the time that windows cover from now on without a gap; None if none covers this moment.

    Raises:
        InvalidWindow: one cannot be read.
    """
    windows, end = tuple(windows), now
    for _ in range(MOST_LINKS):
        ends = (_end_at(window, end) for window in windows)
        further = max((each for each in ends if each is not None), default=end)
        if further <= end:
            break
        end = further
    return end if end > now else None


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
    found = _found(window.schedule, window.time_zone or UTC_NAME, now.replace(second=0, microsecond=0))
    if isinstance(found, str):
        raise InvalidWindow(found)
    return found


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
