import math
import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agentrollouts.api.crd.structural import structural
from agentrollouts.api.model.base import FIRST_TIME, LAST_TIME, ApiModel, Message, Time
from agentrollouts.api.model.decimals import DecimalStr, MaybeMeasured
from agentrollouts.api.objects import Condition, ConditionStatus

NOW = datetime(2026, 11, 21, 10, 53, 0, 123456, UTC)


class Sample(ApiModel):
    """One field of each scalar type."""

    max_ratio: DecimalStr = 0.0
    seen_time: Time = NOW
    evidence: MaybeMeasured = None
    message: Message = ""


SCHEMA = structural(Sample)["properties"]


@pytest.mark.parametrize(
    ("text", "number"),
    [("1.10", 1.1), ("50", 50.0), ("0", 0.0), ("0.00001", 0.00001), ("9" * 32, float("9" * 32))],
)
def test_a_decimal_string_is_a_number_inside(text: str, number: float) -> None:
    """A user's decimal string reads as the number that it says."""
    assert Sample.model_validate({"maxRatio": text}).max_ratio == number


@given(st.floats(0, 1e9).filter(lambda number: number == 0 or number > 1e-9))
def test_a_decimal_survives_the_round_trip(number: float) -> None:
    """What is written reads back as the same number, and is a text that the schema admits."""
    written = Sample(max_ratio=number).to_json()["maxRatio"]

    assert re.fullmatch(SCHEMA["maxRatio"]["pattern"], written)
    assert Sample.model_validate({"maxRatio": written}).max_ratio == number


@given(st.floats(1e-300, 9e307) | st.just(0.0))
def test_a_measured_number_survives_the_round_trip(number: float) -> None:
    """Evidence of any size is written in few characters that the schema admits, and reads back the same."""
    written = Sample(evidence=number).to_json()["evidence"]

    assert re.fullmatch(SCHEMA["evidence"]["pattern"], written)
    assert len(written) <= SCHEMA["evidence"]["maxLength"]
    assert Sample.model_validate({"evidence": written}).evidence == number


@given(st.floats(min_value=0, allow_infinity=False))
def test_a_status_is_always_writable(number: float) -> None:
    """Every number that is not negative has a text that the schema admits, however small or large it is."""
    assert re.fullmatch(SCHEMA["evidence"]["pattern"], Sample(evidence=number).to_json()["evidence"])


def test_an_infinite_ratio_is_absent() -> None:
    """Infinite means that nothing was expected; there is no number to report."""
    assert Sample(evidence=math.inf) == Sample(evidence=None)


@pytest.mark.parametrize("number", [math.nan, -1.0])
def test_what_is_no_measurement_is_refused(number: float) -> None:
    """NaN or a negative count in a status is a bug of ours, and is not written."""
    with pytest.raises(ValidationError):
        Sample(evidence=number)


@pytest.mark.parametrize("number", [math.nan, math.inf, -1.0])
def test_a_limit_is_a_number(number: float) -> None:
    """A decimal that a plan rests on is finite and not negative."""
    with pytest.raises(ValidationError):
        Sample(max_ratio=number)


@given(st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - bounds
def test_a_time_survives_the_round_trip(time: datetime) -> None:
    """A time is written in UTC with a Z, to the microsecond."""
    written = Sample(seen_time=time).to_json()["seenTime"]

    assert written.endswith("Z")
    assert Sample.model_validate({"seenTime": written}).seen_time == time


def test_a_time_of_another_zone_is_told_in_utc() -> None:
    """The zone of whoever wrote it does not matter."""
    there = NOW.astimezone(timezone(timedelta(hours=5)))

    assert Sample(seen_time=there).to_json()["seenTime"] == "2026-11-21T10:53:00.123456Z"


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ("9999-12-31T23:59:59-05:00", LAST_TIME),
        ("0001-01-01T00:00:00+14:00", FIRST_TIME),
    ],
)
def test_a_time_that_utc_does_not_have_is_the_nearest_one(text: str, nearest: datetime) -> None:
    """The API server accepts such times, as the end of something that has none."""
    assert Sample.model_validate({"seenTime": text}).seen_time == nearest


def test_a_time_without_a_zone_is_refused() -> None:
    """A time that could mean several instants is no time."""
    with pytest.raises(ValidationError):
        Sample.model_validate({"seenTime": "2026-11-21T10:53:00"})


def test_a_long_message_is_cut_and_not_refused() -> None:
    """An error of somebody else, however long, never makes a status unwritable."""
    message = Sample(message="x" * 5000).message

    assert message == "x" * 1023 + "…"


def test_a_value_is_frozen() -> None:
    """Nothing changes a value that another part may hold."""
    with pytest.raises(ValidationError, match="frozen"):
        Sample().message = "other"  # type: ignore[misc]


def test_a_copy_with_a_change_is_checked() -> None:
    """A changed copy holds to the same bounds as a new value."""
    sample = Sample(max_ratio=2.0)

    assert sample.replace(message="new") == Sample(max_ratio=2.0, message="new")
    with pytest.raises(ValidationError):
        sample.replace(max_ratio=math.nan)


def test_unknown_fields_are_ignored() -> None:
    """An object that a newer version wrote can still be read."""
    assert Sample.model_validate({"message": "a", "later": 1}) == Sample(message="a")


def test_a_condition_reads_as_the_api_server_wants_it() -> None:
    """A condition has the six fields of the standard."""
    condition = Condition(
        type="Ready",
        status=ConditionStatus.FALSE,
        reason="Held",
        message="Waiting.",
        last_transition_time=NOW,
        observed_generation=7,
    )

    assert condition.to_json() == {
        "type": "Ready",
        "status": "False",
        "reason": "Held",
        "message": "Waiting.",
        "lastTransitionTime": "2026-11-21T10:53:00.123456Z",
        "observedGeneration": 7,
    }
