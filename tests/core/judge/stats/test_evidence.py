"""The share test against the reference values of its specification, its properties, and its false alarms."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.core.gates.counts import Segment
from agentrollouts.core.judge.stats.evidence import bad_ratio, evidence, expectation, good_ratio

REFERENCE = [
    # segments of each phase, planned phases, burst factor, evidence
    ([[Segment(4, 50, 11, 950)]], 1, 1.0, 16.05),
    ([[Segment(2, 50, 0, 950)]], 1, 1.0, 32.8),
    ([[Segment(3, 50, 0, 950)]], 1, 1.0, 324.0),
    ([[Segment(3, 50, 0, 950)]], 3, 1.0, 108.7),
    ([[Segment(8, 50, 11, 950)]], 1, 1.0, 17_971.0),
    ([[Segment(8, 50, 11, 950)]], 3, 1.0, 5_991.0),
    ([[Segment(8, 50, 11, 950)]], 1, 2.0, 87.9),
    ([[Segment(0, 50, 11, 950)]], 1, 1.0, 0.389),
    ([[Segment(42, 500, 114, 9500)]], 1, 1.0, 2.4e16),
    ([[Segment(7, 25, 76, 475)]], 3, 1.0, 0.998),
    ([[Segment(2, 50, 11, 950)], [Segment(30, 1000, 36, 3000)]], 3, 1.0, 162.6),
]

counts = st.floats(0, 1e12)
runs = st.floats(0.5, 1e12)
segments = st.builds(Segment, counts, counts, counts, counts)
phases = st.lists(st.lists(segments, max_size=3), max_size=4)


@pytest.mark.parametrize(("phases", "planned", "burst", "expected"), REFERENCE)
def test_reference_values(phases: list[list[Segment]], planned: int, burst: float, expected: float) -> None:
    """Every value of the specification's table comes out, to the digits that it shows."""
    assert evidence(phases, planned_phases=planned, burst=burst) == pytest.approx(expected, rel=4e-3)


@given(phases, st.integers(1, 20), st.floats(1, 100))
def test_evidence_is_finite_and_not_negative(phases: list[list[Segment]], planned: int, burst: float) -> None:
    """No counts up to 1e12 overflow, vanish or turn into NaN."""
    value = evidence(phases, planned_phases=planned, burst=burst)

    assert 0 <= value <= math.exp(700)


@given(st.lists(st.lists(st.tuples(counts, counts), max_size=3), max_size=4), st.integers(0, 20))
def test_evidence_is_one_when_nothing_bad_happened(
    phases: list[list[tuple[float, float]]], planned: int
) -> None:
    """Runs alone, however many, speak neither for nor against the canary: exactly 1."""
    without_bad = [[Segment(0, canary, 0, stable) for canary, stable in totals] for totals in phases]

    assert evidence(without_bad, planned_phases=planned) == 1.0


@given(st.lists(st.tuples(counts, counts, counts), max_size=4))
def test_evidence_is_one_when_there_is_nothing_to_compare(samples: list[tuple[float, float, float]]) -> None:
    """Where only one release had runs, its bad outcomes prove nothing."""
    only_canary = [Segment(bad, total, other, 0) for bad, other, total in samples]
    only_stable = [Segment(bad, 0, other, total) for bad, other, total in samples]

    assert evidence([only_canary, only_stable], planned_phases=3) == 1.0


@given(runs, runs, st.floats(0, 1e5), st.floats(0, 1e5), st.floats(0, 1e5))
def test_evidence_grows_with_bad_canary_runs_and_falls_with_bad_stable_runs(
    canary: float, stable: float, x: float, y: float, more: float
) -> None:
    """One more bad outcome never speaks for the release that had it."""
    now = evidence([[Segment(x, canary, y, stable)]], planned_phases=1)

    assert evidence([[Segment(x + more, canary, y, stable)]], planned_phases=1) >= now * (1 - 1e-6)
    assert evidence([[Segment(x, canary, y + more, stable)]], planned_phases=1) <= now * (1 + 1e-6)


def test_evidence_grows_and_falls_strictly() -> None:
    """At ordinary counts one outcome more is seen."""
    now = evidence([[Segment(4, 50, 11, 950)]], planned_phases=1)

    assert evidence([[Segment(5, 50, 11, 950)]], planned_phases=1) > now
    assert evidence([[Segment(4, 50, 12, 950)]], planned_phases=1) < now


def test_segments_of_one_phase_count_each_at_its_own_share() -> None:
    """The steps of a ramp are one start, but not one pooled count."""
    steps = [Segment(2, 100, 20, 900), Segment(6, 300, 14, 700)]
    pooled = Segment(8, 400, 34, 1600)

    together = evidence([steps], planned_phases=1)

    assert together == pytest.approx(evidence([[steps[1], steps[0]]], planned_phases=1))
    assert together != pytest.approx(evidence([[pooled]], planned_phases=1), rel=0.01)


def test_a_bad_start_and_a_late_regression_are_both_found() -> None:
    """Evidence counts from the start and from each phase: neither hides the other."""
    good, bad = Segment(1, 100, 9, 900), Segment(20, 100, 9, 900)

    from_the_start = evidence([[bad], [good]], planned_phases=2)
    late = evidence([[good] * 3, [bad]], planned_phases=2)

    assert from_the_start > 100
    assert late > 100


def test_ratio_is_bad_over_expected_and_never_pooled() -> None:
    """A bad hour of both releases at 5% does not hide three times the errors at 25%."""
    bad_hour = Segment(10, 50, 190, 950)
    regression = Segment(36, 1000, 36, 3000)

    assert bad_ratio([regression]) == pytest.approx(3.0)
    assert expectation([bad_hour, regression]) == (46.0, 22.0)
    assert bad_ratio([bad_hour, regression]) > 2


@pytest.mark.parametrize(
    ("segments", "expected"),
    [
        ([Segment(8, 50, 11, 950)], 8 / 50 / (11 / 950)),
        ([Segment(3, 50, 0, 950)], math.inf),
        ([Segment(0, 50, 0, 950)], 1.0),
        ([], 1.0),
        ([Segment(5, 50, 0, 0)], 1.0),
        ([Segment(0, 0, 5, 50)], 1.0),
    ],
)
def test_bad_ratio_at_its_edges(segments: list[Segment], expected: float) -> None:
    """Nothing expected and something bad is infinite; nothing to compare is as expected."""
    assert bad_ratio(segments) == pytest.approx(expected)


def test_good_ratio_compares_what_went_well() -> None:
    """71% completed against 84% is 0.845 times as good, though nearly twice as bad."""
    segment = Segment(29, 100, 160, 1000)

    assert good_ratio([segment]) == pytest.approx(0.71 / 0.84)
    assert bad_ratio([segment]) == pytest.approx(0.29 / 0.16)


def test_harmless_releases_raise_an_alarm_less_often_than_promised() -> None:
    """Asked every minute of an hour at 5% bad outcomes and 1,000 runs an hour, at most 1% ever reach 100:1.

    The random start is fixed, so the share is the same each time.
    """
    chance = random.Random(20261121)
    alarms = sum(_ever_reaches(chance, needed=100) for _ in range(300))

    assert alarms <= 3


def test_a_release_that_fails_seven_times_as_often_raises_one() -> None:
    """The same hour with 8.4% against 1.2% at 25% of 4,000 runs is found in nearly every repetition."""
    chance = random.Random(20261121)
    alarms = sum(
        _ever_reaches(
            chance, needed=100, canary_rate=0.084, stable_rate=0.012, runs_per_minute=67, share=0.25
        )
        for _ in range(50)
    )

    assert alarms >= 48


def _ever_reaches(
    chance: random.Random,
    *,
    needed: float,
    canary_rate: float = 0.05,
    stable_rate: float = 0.05,
    runs_per_minute: int = 17,
    share: float = 0.05,
) -> bool:
    x_c = n_c = x_s = n_s = 0
    for _ in range(60):
        for _ in range(runs_per_minute):
            if chance.random() < share:
                n_c, x_c = n_c + 1, x_c + (chance.random() < canary_rate)
            else:
                n_s, x_s = n_s + 1, x_s + (chance.random() < stable_rate)
        if evidence([[Segment(x_c, n_c, x_s, n_s)]], planned_phases=3) >= needed:
            return True
    return False
