"""Shifts: the two tails against published tables, when is looked, and what is found."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.api.verdict import Verdict
from agentrollouts.core.analysis.canary import planned_looks
from agentrollouts.core.analysis.gate_status import memory_of, to_status
from agentrollouts.core.attempt.segments import freeze
from agentrollouts.core.gates.counts import Bound, Mix, Segment
from agentrollouts.core.gates.reading import Reading, TooEarly
from agentrollouts.core.judge.facts import GateMemory, PlanPosition, allowed
from agentrollouts.core.judge.judge import Judgment, judge
from agentrollouts.core.judge.stats.shifts import (
    Shift,
    chi_squared_tail,
    kolmogorov_tail,
    looks_until,
    of_histogram,
    of_mix,
)
from testkit.builders.names import NEW, OLD, START
from testkit.builders.rollouts import a_rollout
from testkit.gates import a_gate

DECISIONS, LENGTHS = (a_gate(name=name, template=name) for name in ("decision-mix", "output-length"))


@pytest.mark.parametrize(
    ("freedom", "statistic", "chance"),
    [
        (1, 3.841, 0.05),
        (1, 6.635, 0.01),
        (2, 5.991, 0.05),
        (3, 7.815, 0.05),
        (4, 13.277, 0.01),
        (5, 11.070, 0.05),
        (10, 18.307, 0.05),
        (10, 29.588, 0.001),
        (30, 43.773, 0.05),
        (63, 82.529, 0.05),
    ],
)
def test_the_chi_squared_tail_is_that_of_the_tables(freedom: int, statistic: float, chance: float) -> None:
    """Critical values as every textbook prints them, to their three decimals."""
    assert chi_squared_tail(statistic, freedom) == pytest.approx(chance, rel=2e-3)


@pytest.mark.parametrize("freedom", [1, 2, 5, 8, 63])
@pytest.mark.parametrize("statistic", [0.5, 4.0, 30.0, 90.0])
def test_the_chi_squared_tail_is_its_integral(freedom: int, statistic: float) -> None:
    """Simpson's rule on the density, from the statistic to where nothing is left."""

    def density(x: float) -> float:
        half = freedom / 2
        return math.exp((half - 1) * math.log(x) - x / 2 - half * math.log(2) - math.lgamma(half))

    steps, end = 20_000, statistic + 400.0
    width = (end - statistic) / steps
    weights = (1 if i in {0, steps} else 4 if i % 2 else 2 for i in range(steps + 1))
    integral = sum(w * density(statistic + i * width) for i, w in enumerate(weights)) * width / 3

    assert chi_squared_tail(statistic, freedom) == pytest.approx(integral, rel=1e-4, abs=1e-12)


@pytest.mark.parametrize(
    ("scaled", "chance"), [(1.2238, 0.10), (1.3581, 0.05), (1.6276, 0.01), (1.9495, 0.001)]
)
def test_the_kolmogorov_tail_is_that_of_the_tables(scaled: float, chance: float) -> None:
    """Smirnov's critical values for large samples."""
    assert kolmogorov_tail(scaled) == pytest.approx(chance, rel=2e-3)


def test_both_series_of_the_kolmogorov_tail_meet() -> None:
    """Where one takes over from the other there is no step, and the tail falls all the way."""
    values = [kolmogorov_tail(k / 100) for k in range(400)]

    assert values == sorted(values, reverse=True)
    assert values[99] - values[100] < 0.02
    assert values[0] == 1
    assert values[-1] < 1e-10


@given(st.floats(0, 1e6), st.integers(0, 63))
def test_a_tail_is_a_probability(statistic: float, freedom: int) -> None:
    """Whatever the statistic."""
    assert 0 <= chi_squared_tail(statistic, freedom) <= 1
    assert 0 <= kolmogorov_tail(statistic) <= 1


@pytest.mark.parametrize(
    ("minutes", "looks"),
    [
        (0, 0),
        (4.9, 0),
        (5, 1),
        (10, 2),
        (20, 3),
        (40, 4),
        (60, 5),
        (119, 5),
        (120, 6),
        (240, 7),
        (480, 8),
        (959, 8),
    ],
)
def test_looks_are_few_and_ever_rarer(minutes: float, looks: int) -> None:
    """At 5, 10, 20, 40 and 60 minutes, from then on after twice the time."""
    assert looks_until(60 * minutes) == looks


def mix(*counts: tuple[str, float, float]) -> tuple[Mix, ...]:
    """Counts of canary and stable by label."""
    return tuple(Mix(*count) for count in counts)


LOANS = mix(("approve", 520, 4500), ("deny", 380, 4500), ("refer", 100, 1000))
SAME = mix(("approve", 450, 4500), ("deny", 450, 4500), ("refer", 100, 1000))


def test_chi_squared_by_hand() -> None:
    """Two labels, 60:40 against 50:50: the statistic of a fourfold table, ad - bc."""
    shift = of_mix(mix(("a", 60, 500), ("b", 40, 500)), 1.0)

    statistic = 1100 * (60 * 500 - 500 * 40) ** 2 / (560 * 540 * 100 * 1000)
    assert shift is not None
    assert shift.chance == pytest.approx(chi_squared_tail(statistic, 1))
    assert shift == Shift(shift.chance, shift.effect, "a", 0.6, 0.5)
    assert math.isclose(shift.effect, 0.1)


def test_the_loan_example_is_found() -> None:
    """Approvals 45 to 52%: more of what one may even want, and people should know."""
    shift = of_mix(LOANS, 1.0)

    assert shift is not None
    assert (shift.where, shift.canary, shift.stable) == ("approve", 0.52, 0.45)
    assert shift.effect == pytest.approx(0.07)
    assert shift.is_found(0.005)


@pytest.mark.parametrize(
    ("counts", "is_found"),
    [
        (SAME, False),
        (mix(("a", 26_500, 50_000), ("b", 23_500, 50_000)), False),  # certain, and 3% of them
        (mix(("a", 45, 500), ("b", 4, 500)), False),  # 49 decisions
        (mix(("a", 46, 500), ("b", 4, 500)), True),
        (mix(("a", 1000, 0)), False),  # stable decided nothing
    ],
)
def test_a_shift_is_sure_large_and_seen_often_enough(counts: tuple[Mix, ...], *, is_found: bool) -> None:
    """All three, or it is none."""
    shift = of_mix(counts, 1.0)

    assert (shift is not None and shift.is_found(0.005)) == is_found


def test_rare_labels_are_taken_together() -> None:
    """Thirty decisions that happened once each are one cell, as chi-squared needs five of each."""
    rare = mix(("approve", 500, 5000), ("deny", 480, 5000), *((f"odd-{i}", 1, 4) for i in range(30)))
    expected = of_mix(mix(("approve", 500, 5000), ("deny", 480, 5000), ("odd", 30, 120)), 1.0)

    shift = of_mix(rare, 1.0)

    assert shift is not None
    assert expected is not None
    assert shift.chance == pytest.approx(expected.chance)
    assert 1e-6 < shift.chance < 1e-3
    assert shift.effect == pytest.approx(expected.effect)


def test_clusters_make_a_shift_less_certain() -> None:
    """Decisions that come in fours prove a quarter."""
    alone, clustered = of_mix(LOANS, 1.0), of_mix(LOANS, 4.0)

    assert alone is not None
    assert clustered is not None
    assert clustered.effect == pytest.approx(alone.effect)
    assert clustered.chance > alone.chance


def test_lengths_are_compared_at_their_widest_gap() -> None:
    """The greatest distance of the two distributions, and at which bound."""
    runs = Segment(0, 200, 0, 2000)
    bounds = (Bound(64, 180, 1800), Bound(256, 120, 800), Bound(1024, 20, 150))

    shift = of_histogram(bounds, runs, 1.0)

    assert shift is not None
    assert shift.effect == pytest.approx(0.2)
    assert shift.where == "256"
    assert shift.is_found(0.005)
    assert of_histogram(bounds, Segment(0, 29, 0, 2000), 1.0) is None


def test_chance_alone_rarely_looks_like_a_shift() -> None:
    """Of 400 harmless releases at most their share of the permitted error is found, at one look."""
    chance = random.Random(1)

    def drawn(runs: int) -> dict[str, float]:
        picks = chance.choices(["approve", "deny", "refer"], [45, 45, 10], k=runs)
        return {label: float(picks.count(label)) for label in ("approve", "deny", "refer")}

    false_alarms = 0
    for _ in range(400):
        canary, stable = drawn(300), drawn(1500)
        shift = of_mix(mix(*((label, canary[label], stable[label]) for label in canary)), 1.0)
        false_alarms += shift is not None and shift.is_found(0.05)

    assert false_alarms <= 400 * 0.05


def looked(seconds: float, *, over: bool = False, looks: int = 6) -> PlanPosition:
    """So long after the counting start."""
    return PlanPosition(0, 3, time_over=over, counted_seconds=seconds, planned_looks=looks)


def decide_on(counts: tuple[Mix, ...], course: PlanPosition, memory: GateMemory | None = None) -> Judgment:
    """The decision gate on these counts."""
    runs = Segment(0, sum(m.canary for m in counts), 0, sum(m.stable for m in counts))
    return judge(DECISIONS, Reading(runs, (), START, mix=counts), course, memory=memory or GateMemory())


def test_a_shift_is_found_only_at_a_look() -> None:
    """Before the first look nothing is tested; between looks the last one stands, whatever is counted."""
    before = decide_on(LOANS, looked(299))
    first = decide_on(LOANS, looked(300))
    between = decide_on(SAME, looked(400), first.memory)
    second = decide_on(SAME, looked(600), between.memory)

    verdicts = [judgment.verdict for judgment in (before, first, between, second)]
    assert verdicts == [Verdict.INCONCLUSIVE, Verdict.FAIL, Verdict.FAIL, Verdict.INCONCLUSIVE]
    assert [judgment.memory.looks for judgment in (before, first, between, second)] == [0, 1, 1, 2]


def test_a_short_phase_has_one_look_at_its_end() -> None:
    """A phase that ends before the first look is not passed unseen."""
    assert decide_on(LOANS, looked(60, over=True, looks=1)).verdict is Verdict.FAIL
    assert decide_on(SAME, looked(60, over=True, looks=1)).verdict is Verdict.PASS


def test_the_looks_of_all_phases_share_the_permitted_error() -> None:
    """Each phase may err by an equal part, and each of its looks by an equal part of that."""
    assert allowed(DECISIONS, PlanPosition(0, 3, time_over=False, planned_looks=5)) == pytest.approx(
        0.05 / 15
    )


def test_the_looks_of_a_phase_are_those_of_its_segments_and_of_the_bake() -> None:
    """Of an hour five, of each six minutes of a ramp one; the last weight is looked at through the bake."""
    phases = [
        {"name": "five", "weight": 5, "durationSeconds": 3600},
        {"name": "ramp", "weight": 95, "rampSeconds": 3600, "durationSeconds": 3600},
    ]
    rollout = a_rollout(phases=phases, bake={"durationSeconds": 1800}).serving(OLD).trying(NEW)

    looks = [
        planned_looks(builder.plan, builder.build().status.attempt or pytest.fail("no attempt"))
        for builder in (rollout, rollout.in_phase(1, 3), rollout.baking())
    ]

    assert looks == [5, 9 + 3, 9 + 3]


def test_looks_survive_a_check_without_counts_and_end_with_the_segment() -> None:
    """Prometheus away is no look; another weight has looks of its own."""
    first = decide_on(LOANS, looked(300))
    away = judge(DECISIONS, TooEarly("waits"), looked(330), memory=first.memory)

    stored = memory_of(to_status(away))
    assert stored == first.memory
    assert decide_on(SAME, looked(360), stored).verdict is Verdict.FAIL
    assert memory_of(freeze(to_status(first))) == GateMemory()


def test_a_shift_explains_itself() -> None:
    """What moved, from where, by how much, and how often chance gives as much."""
    assert decide_on(LOANS, looked(300)).message == (
        "1,000 decisions of the canary: approve 52% vs 45% of stable; 7.0% moved, "
        "by chance 0.005% of the time, needed at most 0.3%"
    )
    assert decide_on(mix(("a", 9, 90)), looked(300)).message == (
        "9 decisions of the canary, too few to compare; 9 of 100 canary runs needed to pass"
    )


def test_a_length_explains_itself() -> None:
    """In the words of its metric; the status keeps no buckets of it."""
    bounds = (Bound(64, 180, 1800), Bound(256, 120, 800))
    reading = Reading(Segment(0, 200, 0, 2000), bounds, START)

    judgment = judge(LENGTHS, reading, looked(300))

    assert judgment.verdict is Verdict.FAIL
    assert judgment.message.startswith(
        "200 completions of the canary: completions of more than 256 tokens 60% vs 40% of stable; "
        "20% moved, by chance"
    )
    stored = to_status(judgment).present
    assert stored is not None
    assert stored.bounds == ()
