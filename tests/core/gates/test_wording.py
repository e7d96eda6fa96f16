"""Numbers as people read them: rounded, never across the limit that they are held against."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agentrollouts.core.gates.wording import Words, about, count, money, odds, percent, short_of, times


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "0"),
        (8, "8"),
        (7.97, "8"),
        (2.57, "2.6"),
        (12.57, "13"),
        (0.4, "0.4"),
        (99.7, "100"),
        (950.4, "950"),
        (1e6, "1,000,000"),
    ],
)
def test_counts(value: float, expected: str) -> None:
    """Whole where they are nearly whole or large, one decimal where that matters."""
    assert count(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, "0.00"), (0.0123, "0.012"), (0.31, "0.31"), (74.041, "74.04"), (1234.5, "1,234.50")],
)
def test_money(value: float, expected: str) -> None:
    """Cents, and two digits of what is less than a dollar."""
    assert money(value) == expected


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (0, "0%"),
        (0.00034, "0.034%"),
        (0.012, "1.2%"),
        (0.05, "5.0%"),
        (0.0996, "10%"),
        (0.421, "42%"),
        (1, "100%"),
    ],
)
def test_percent(share: float, expected: str) -> None:
    """Two digits, and none that mean nothing."""
    assert percent(share) == expected


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [(13.818, "13.8x"), (1.1, "1.1x"), (0.8452, "0.845x"), (1234.5, "1,234x"), (math.inf, "infinitely more")],
)
def test_times(ratio: float, expected: str) -> None:
    """Three digits."""
    assert times(ratio) == expected


@pytest.mark.parametrize(
    ("evidence", "needed", "expected"),
    [
        (17_971, 100, "18,000:1"),
        (162.64, 100, "163:1"),
        (99.97, 100, "99.9:1"),
        (9_960, 10_000, "9,900:1"),
        (0.389, 100, "0.39:1"),
        (1.0, 100, "1:1"),
        (0.0, 100, "0:1"),
        (2.4e16, 100, "over 1,000,000:1"),
    ],
)
def test_odds(evidence: float, needed: float, expected: str) -> None:
    """Two or three digits, rounded down where rounding up would look like enough."""
    assert odds(evidence, needed) == expected


@given(st.integers(1, 10**6), st.floats(0, 1, exclude_max=True))
def test_a_count_that_is_too_small_never_seems_enough(needed: float, part: float) -> None:
    """A reader sees that something is missing."""
    value = needed * part
    assume(value < needed)

    assert float(short_of(value, needed).replace(",", "")) < needed


@given(st.floats(1e-9, 999_999), st.sampled_from([20.0, 100.0, 1000.0, 10_000.0]))
def test_odds_never_seem_enough_before_they_are(evidence: float, needed: float) -> None:
    """A reader of the sentence comes to the verdict that the judge came to."""
    shown = float(odds(evidence, needed).removesuffix(":1").replace(",", ""))

    assert (shown >= needed) == (evidence >= needed)


def test_units() -> None:
    """Dollars are amounts, other sums have a name or none, and a bound stands where it belongs."""
    assert (Words("runs", "$").amount(74.04), Words("runs", "$").named) == ("$74.04", "")
    assert (Words("runs", "tool calls").amount(12), Words("runs", "tool calls").named) == (
        "12",
        " tool calls",
    )
    assert (Words("runs", "").amount(12), Words("runs", "").named) == ("12", "")
    assert Words("runs", "runs slower than {bound} s").about(12.8).bad == "runs slower than 12.8 s"


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, "0"), (0.4, "0"), (7.2, "7"), (50.4, "50"), (451, "450"), (1905, "1,900"), (99_600, "100,000")],
)
def test_an_expected_count_has_two_digits(value: float, expected: str) -> None:
    """More would be a promise."""
    assert about(value) == expected


@pytest.mark.parametrize("evidence", [5e-324, 1e-320, 1e-300, 1e-10])
def test_hardly_any_evidence_is_none(evidence: float) -> None:
    """The smallest floats have no digits to round."""
    assert odds(evidence, 100) == "0:1"
