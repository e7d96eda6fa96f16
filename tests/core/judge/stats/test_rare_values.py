"""Rare values: what only one release has is found, and what is merely rare is not."""

import math
import random
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.api.reasons import Reason
from agentrollouts.api.verdict import Verdict
from agentrollouts.core.gates.counts import Bound, Mix, Segment
from agentrollouts.core.gates.reading import Reading
from agentrollouts.core.judge.facts import PlanPosition
from agentrollouts.core.judge.judge import judge
from agentrollouts.core.judge.stats.rare_values import binomial_tail, chance_of
from agentrollouts.core.judge.stats.shifts import Shift, of_histogram, of_mix
from testkit.builders.names import START
from testkit.gates import a_gate

MODEL = a_gate(
    name="model",
    type="Shift",
    source={"total": "runs_total", "label": "gen_ai_response_model"},
    action="Hold",
)
ONE_LOOK = 0.05 / 15
"""What a look may err by: confidence 0.95, three phases, five looks each."""


def mix(*counts: tuple[str, float, float]) -> tuple[Mix, ...]:
    """Counts of canary and stable by label."""
    return tuple(Mix(*count) for count in counts)


def shift_of(*counts: tuple[str, float, float]) -> Shift:
    """What is found on these counts."""
    shift = of_mix(mix(*counts), 1.0)
    assert shift is not None
    return shift


def test_a_value_that_stable_never_had_fails_and_is_named() -> None:
    """27 of 133 canary runs that another model served are a shift, in words that name it."""
    counts = mix(("fast-5", 106, 2500), ("large-4-8", 27, 0))
    runs = Segment(0, 133, 0, 2500)

    judgment = judge(MODEL, Reading(runs, (), START, mix=counts), PlanPosition(0, 1, time_over=True))

    assert (judgment.verdict, judgment.reason) == (Verdict.FAIL, Reason.GATE_FAILED)
    assert judgment.message == (
        "133 runs of the canary: large-4-8 20% vs 0% of stable; 20% moved, by chance less than 0.0001% "
        "of the time, needed at most 5.0%; only the canary has large-4-8 (27 of 133 vs 0 of 2,500)"
    )


FOUND = {
    "new, at a small share": [("a", 94, 1900), ("new", 6, 0)],
    "new, beside a common value that grew less": [("a", 70, 1500), ("b", 55, 900), ("new", 10, 0)],
    "new, with a residue of stable": [("a", 106, 2500), ("new", 27, 0.3)],
    "several new ones": [("a", 110, 2500), *((f"new-{i}", 5, 0) for i in range(5))],
    "as many new ones as outcomes": [("a", 106, 2500), *((f"new-{i}", 1, 0) for i in range(27))],
    "lost, where stable is the smaller one": [("a", 2500, 106), ("lost", 0, 27)],
    "lost, where the canary is the smaller one": [("a", 133, 1500), ("lost", 0, 1000)],
    "replaced altogether": [("old", 0, 2500), ("new", 133, 0)],
}


@pytest.mark.parametrize("counts", FOUND.values(), ids=list(FOUND))
def test_a_value_of_one_release_alone_is_found(counts: list[tuple[str, float, float]]) -> None:
    """A new value, a lost one, and several at once are each a shift at a single look."""
    assert shift_of(*counts).is_found(ONE_LOOK)


NOT_FOUND = {
    "one outcome": [("a", 99, 1900), ("new", 1, 0)],
    "three of a thousand": [("a", 997, 19_000), ("new", 3, 0)],
    "sure, and two percent of them": [("a", 980, 19_000), ("new", 20, 0)],
    "new where nearly all traffic is the canary's": [("a", 2473, 133), ("new", 150, 0)],
    "singles that stable has as many of": [
        ("a", 50, 950),
        *((f"c-{i}", 1, 0) for i in range(4)),
        *((f"s-{i}", 0, 1) for i in range(50)),
    ],
}


@pytest.mark.parametrize("counts", NOT_FOUND.values(), ids=list(NOT_FOUND))
def test_a_rare_value_is_not_a_shift(counts: list[tuple[str, float, float]]) -> None:
    """What chance gives, and what is too little to matter, is not found."""
    assert not shift_of(*counts).is_found(ONE_LOOK)


def test_a_lost_value_is_named() -> None:
    """A model that no longer answers is as much of a shift as one that begins to."""
    counts = mix(("a", 133, 1500), ("lost", 0, 1000))
    reading = Reading(Segment(0, 133, 0, 2500), (), START, mix=counts)

    judgment = judge(MODEL, reading, PlanPosition(0, 1, time_over=True))

    assert judgment.message.endswith("; only stable has lost (0 of 133 vs 1,000 of 2,500)")


def test_without_stable_nothing_is_new() -> None:
    """Beside a stable without outcomes there is nothing to compare."""
    assert of_mix(mix(("new", 133, 0)), 1.0) is None


def test_clusters_make_a_new_value_less_certain() -> None:
    """Outcomes that come in groups of twenty prove a twentieth."""
    counts = mix(("a", 1060, 25_000), ("new", 60, 0))
    alone, clustered = of_mix(counts, 1.0), of_mix(counts, 20.0)

    assert alone is not None
    assert clustered is not None
    assert alone.chance < clustered.chance


def test_buckets_that_stable_never_reached_are_found() -> None:
    """A fifth of the canary's outputs above every output of stable is a shift of its distribution."""
    bounds = (Bound(256, 60, 1100), Bound(4096, 27, 0))

    shift = of_histogram(bounds, Segment(0, 133, 0, 2500), 1.0)

    assert shift is not None
    assert (shift.where, shift.stable) == ("4096", 0)
    assert shift.is_found(ONE_LOOK)


@pytest.mark.parametrize("share", [0.01, 0.05, 0.3, 0.5, 0.95])
@pytest.mark.parametrize(("successes", "failures"), [(1, 0), (3, 0), (3, 2), (27, 30), (5, 80), (80, 5)])
def test_the_binomial_tail_is_its_sum(successes: int, failures: int, share: float) -> None:
    """For whole counts the tail is the sum of its terms."""
    trials = successes + failures
    terms = [
        math.comb(trials, k) * share**k * (1 - share) ** (trials - k) for k in range(successes, trials + 1)
    ]

    assert binomial_tail(successes, failures, share) == pytest.approx(math.fsum(terms), rel=1e-8, abs=1e-13)


counts = st.just(0.0) | st.floats(1e-9, 1e4)


@given(counts, counts, st.floats(1e-6, 1 - 1e-6))
def test_a_chance_is_a_probability(canary: float, stable: float, share: float) -> None:
    """Whatever the counts."""
    assert 0 <= chance_of(canary, stable, share) <= 1


HARMLESS = {
    "one rare value": [0.9995, 0.0005],
    "one of 1%": [0.99, 0.01],
    "ten of 0.1%": [0.99, *[0.001] * 10],
    "a long tail": [0.95, *[0.05 / 59] * 59],
}


@pytest.mark.parametrize("shares", HARMLESS.values(), ids=list(HARMLESS))
@pytest.mark.parametrize(("weight", "runs"), [(0.05, 60), (0.25, 100), (0.5, 60)])
def test_rare_values_of_both_rarely_look_like_a_shift(shares: list[float], weight: float, runs: int) -> None:
    """A rare value that happens to show at the canary first is found in at most 1% of harmless releases."""
    luck, cumulative = random.Random(11), list(accumulate(shares))

    def drawn(number: int) -> list[int]:
        picks = luck.choices(range(len(shares)), cum_weights=cumulative, k=number)
        return [picks.count(value) for value in range(len(shares))]

    false_alarms = 0
    for _ in range(200):
        both = zip(drawn(runs), drawn(round(runs * (1 - weight) / weight)), strict=True)
        shift = of_mix(mix(*((str(i), c, s) for i, (c, s) in enumerate(both) if c or s)), 1.0)
        false_alarms += shift is not None and shift.is_found(ONE_LOOK)

    assert false_alarms <= 2
