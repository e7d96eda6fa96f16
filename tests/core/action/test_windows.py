"""The windows of a freeze in virtual time, also where a clock is put forward or back."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.api.people.freeze import SCHEDULE, FreezeWindow
from agentrollouts.core.action.windows import InvalidWindow, next_start, reach, starts_around
from testkit.properties import usually

AMSTERDAM = "Europe/Amsterdam"
"""Its clock is put forward on 2026-03-29 at 02:00, and back on 2026-10-25 at 03:00."""
ZONES = ("UTC", AMSTERDAM, "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata")


def window(schedule: str, seconds: int = 3600, zone: str = AMSTERDAM) -> FreezeWindow:
    """A window, by default in the time of Amsterdam."""
    return FreezeWindow.model_validate({"schedule": schedule, "durationSeconds": seconds, "timeZone": zone})


def utc(text: str) -> datetime:
    """A time in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "last", "following"),
    [
        ("2026-03-28T12:00", "2026-03-28T01:30", "2026-03-29T01:00"),
        ("2026-03-29T00:59", "2026-03-28T01:30", "2026-03-29T01:00"),
        ("2026-03-29T01:00", "2026-03-29T01:00", "2026-03-30T00:30"),
        ("2026-03-29T01:01", "2026-03-29T01:00", "2026-03-30T00:30"),
        ("2026-03-29T12:00", "2026-03-29T01:00", "2026-03-30T00:30"),
    ],
)
def test_a_time_that_a_day_does_not_have_is_when_the_clock_is_put_forward(
    now: str, last: str, following: str
) -> None:
    """02:30 of 29 March does not exist: the window begins at 03:00, which is 01:00 UTC."""
    starts = starts_around(window("30 2 * * *"), utc(now))

    assert starts == (utc(last), utc(following))


@pytest.mark.parametrize(
    ("now", "last", "following"),
    [
        ("2026-10-25T00:29", "2026-10-24T00:30", "2026-10-25T00:30"),
        ("2026-10-25T00:30", "2026-10-25T00:30", "2026-10-26T01:30"),
        ("2026-10-25T00:45", "2026-10-25T00:30", "2026-10-26T01:30"),
        ("2026-10-25T01:10", "2026-10-25T00:30", "2026-10-26T01:30"),  # 02:10 for the second time
        ("2026-10-25T01:30", "2026-10-25T00:30", "2026-10-26T01:30"),
        ("2026-10-25T01:45", "2026-10-25T00:30", "2026-10-26T01:30"),
        ("2026-10-25T03:00", "2026-10-25T00:30", "2026-10-26T01:30"),
    ],
)
def test_a_time_that_a_day_has_twice_counts_once(now: str, last: str, following: str) -> None:
    """02:30 of 25 October comes twice: the window begins at the first of the two, which is 00:30 UTC."""
    starts = starts_around(window("30 2 * * *"), utc(now))

    assert starts == (utc(last), utc(following))


def test_a_window_lasts_its_seconds_when_the_clock_is_put_back() -> None:
    """From Friday 16:00 for 64 hours: it ends at 07:00 local time on that weekend, since Sunday has 25."""
    weekend = window("0 16 * * FRI", 64 * 3600)

    assert reach([weekend], utc("2026-10-24T12:00")) == utc("2026-10-26T06:00")


def test_windows_without_a_gap_are_one() -> None:
    """The end is that of the last window; with a gap of a minute it is that of the first."""
    morning, day = window("0 6 * * *", 6 * 3600, "UTC"), window("0 12 * * *", 6 * 3600, "UTC")
    short = window("0 6 * * *", 6 * 3600 - 60, "UTC")
    now = utc("2026-11-21T07:00")

    assert reach([day, morning], now) == utc("2026-11-21T18:00")
    assert reach([day, short], now) == utc("2026-11-21T11:59")


def test_a_window_begins_at_its_first_instant_and_is_over_at_its_end() -> None:
    """The start belongs to it, the end does not."""
    hour = window("0 6 * * *", 3600, "UTC")
    before = utc("2026-11-21T06:00") - timedelta(microseconds=1)

    assert reach([hour], before) is None
    assert reach([hour], utc("2026-11-21T06:00")) == utc("2026-11-21T07:00")
    assert reach([hour], utc("2026-11-21T07:00") - timedelta(microseconds=1)) == utc("2026-11-21T07:00")
    assert reach([hour], utc("2026-11-21T07:00")) is None
    assert next_start([hour], before) == utc("2026-11-21T06:00")


@pytest.mark.parametrize(
    ("schedule", "zone", "problem"),
    [
        ("61 * * * *", "UTC", "schedule 61 * * * * is invalid: Bad minute"),
        ("0 0 31 2 *", "UTC", "schedule 0 0 31 2 * is invalid: Bad day-of-month"),
        ("0 0 * 2 MON#6", "UTC", "schedule 0 0 * 2 MON#6 is invalid: Bad day-of-week"),
        ("0 16 * * FRI", "Europe/Amsterdm", "time zone Europe/Amsterdm is unknown"),
        ("0 16 * * FRI", "Europe", "time zone Europe is unknown"),
        ("0 16 * * FRI", "../etc/passwd", "time zone ../etc/passwd is unknown"),
        ("0 16 * * FRI", "/etc/localtime", "time zone /etc/localtime is unknown"),
    ],
)
def test_a_window_that_cannot_be_read_says_why(schedule: str, zone: str, problem: str) -> None:
    """The sentence names the schedule or the time zone."""
    bad = window("* * * * *").copy_with(schedule=schedule, time_zone=zone)

    with pytest.raises(InvalidWindow) as raised:
        starts_around(bad, utc("2026-11-21T10:00"))

    assert str(raised.value) == problem


@given(st.from_regex(SCHEDULE, fullmatch=True), st.datetimes(datetime(2026, 1, 1), datetime(2030, 1, 1)))  # noqa: DTZ001 UTC is added
def test_whatever_the_schema_accepts_has_starts_or_a_reason(schedule: str, now: datetime) -> None:
    """No text makes the calculation fail otherwise."""
    try:
        starts = starts_around(window(schedule), now.replace(tzinfo=UTC))
    except InvalidWindow:
        return
    assert starts.last is None or starts.last <= now.replace(tzinfo=UTC)
    assert starts.next is None or starts.next > now.replace(tzinfo=UTC)


FIELDS = (
    ("0", "30", "59", "*/20"),
    ("0", "2", "3", "23", "*", "1,2"),
    ("*", "29", "25"),
    ("*", "SUN", "1-5"),
)
NEAR_SHIFTS = (
    "2026-03-29T01:00",
    "2026-10-25T01:00",
    "2026-11-01T06:00",
    "2026-04-04T15:00",
    "2026-07-01T00:00",
)


@given(
    st.tuples(*map(st.sampled_from, FIELDS)),
    st.sampled_from(ZONES),
    st.sampled_from(NEAR_SHIFTS),
    st.integers(-3 * 24 * 3600, 3 * 24 * 3600),
)
def test_the_starts_are_those_of_a_count_from_far_before(
    fields: tuple[str, ...], zone: str, shift: str, seconds: int
) -> None:
    """Whichever minute the search begins at, it finds what counting forward from weeks before finds."""
    now = utc(shift) + timedelta(seconds=seconds)
    schedule = f"{fields[0]} {fields[1]} {fields[2]} * {fields[3]}"
    far = (now - timedelta(days=12)).astimezone(ZoneInfo(zone)).replace(hour=12)
    counted: list[datetime] = []
    for start in CronSim(schedule, far):
        counted.append(start.astimezone(UTC))
        if counted[-1] > now:
            break

    starts: Any = starts_around(window(schedule, zone=zone), now)

    assert starts.next == counted[-1]
    if len(counted) > 1:
        assert starts.last == counted[-2]


@given(
    st.sampled_from(["30 2 * * *", "15 */3 * * *", "0 9 * * MON-FRI", "45 1 * * SUN", "0 0 29 2 *"]),
    st.sampled_from(ZONES),
    st.sampled_from(["2026-03-28", "2026-04-04", "2026-10-24", "2026-11-01", "2028-02-28"]),
    st.lists(st.integers(0, 3 * 24 * 60), min_size=2, max_size=6),
)
@usually(60)
def test_what_is_remembered_of_a_schedule_is_what_would_be_found(
    schedule: str, zone: str, day: str, minutes: list[int]
) -> None:
    """In any order of times, also around a day on which a clock is put forward or back."""
    times = [utc(day) + timedelta(minutes=minute) for minute in minutes]
    remembered = [starts_around(window(schedule, zone=zone), time) for time in times]

    for number, time in enumerate(times, 1):  # the same schedule, written so that nothing is remembered of it
        fresh = window(f"{'0' * (number + minutes[0] % 40)}{schedule}", zone=zone)
        assert starts_around(fresh, time) == remembered[number - 1]


def test_the_end_of_many_windows_is_what_one_at_a_time_gives() -> None:
    """The chain goes on as long as one begins before the others are over, from any second of a minute."""
    hourly = [window(f"{minute} * * * *", 900, "UTC") for minute in (0, 10, 20)]
    for text, end in (
        ("2026-11-30T10:00:59", "2026-11-30T10:35"),
        ("2026-11-30T10:34:59", "2026-11-30T10:35"),
        ("2026-11-30T10:35", None),
        ("2026-11-30T10:59:59", None),
    ):
        assert reach(hourly, utc(text)) == (utc(end) if end else None)
    odd = [window("0 * * * *", 630, "UTC")]
    assert reach(odd, utc("2026-11-30T10:10:29")) == utc("2026-11-30T10:10:30")
    assert reach(odd, utc("2026-11-30T10:10:30")) is None
