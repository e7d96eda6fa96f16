"""Burst factors: what clusters are worth, and what is done where stable has no history."""

import math
import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from statistics import fmean, pvariance

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.api.rollout import AgentRolloutSpec
from agentrollouts.api.verdict import Baseline
from agentrollouts.core.analysis.baseline import baselines, factors
from agentrollouts.core.gates.counts import LARGEST, SMALLEST, Segment
from agentrollouts.core.gates.resolve import resolve_all
from agentrollouts.core.judge.stats.burst import UNMEASURED_SUM, Minute, effective, of_counts, of_sums
from agentrollouts.core.metrics.queries import Subject, Term, plan_queries, tag

START = datetime(2026, 11, 21, 6, 0, tzinfo=UTC)
ERRORS, COMPLETION, LATENCY, COST = GATES = resolve_all(
    AgentRolloutSpec.model_validate({"agent": "a", "releaseRef": {"name": "r"}})
).gates
PLAN = plan_queries(
    GATES, Subject("shop", "support", "c", "s"), counting_start=START + timedelta(hours=4), warmup_seconds=120
)


def minutes(values: list[Minute]) -> Mapping[datetime, Minute]:
    """Values minute by minute."""
    return {START + timedelta(minutes=index): value for index, value in enumerate(values)}


def samples(values: list[float]) -> list[tuple[datetime, float]]:
    """A series with a value each minute."""
    return [(START + timedelta(minutes=index), value) for index, value in enumerate(values)]


def steady(chance: random.Random, length: int, cluster: int) -> list[Minute]:
    """1.2% of 160 runs a minute fail, in incidents of `cluster` failures each."""
    incidents = [sum(chance.random() < 0.012 / cluster for _ in range(160)) for _ in range(length)]
    return [(float(n * cluster), 160.0) for n in incidents]


def test_independent_failures_have_a_factor_of_about_one() -> None:
    """Evidence is not thrown away where failures come singly."""
    factor = of_counts(minutes(steady(random.Random(1), 240, cluster=1)))

    assert factor is not None
    assert 1 <= factor < 1.25


def test_failures_in_fives_have_a_factor_of_about_five() -> None:
    """An incident of five failures is one proof."""
    factor = of_counts(minutes(steady(random.Random(1), 240, cluster=5)))

    assert factor is not None
    assert 3.5 < factor < 6.5


def test_the_formula_of_one_block() -> None:
    """A block of 30 minutes with one minute of failures, by hand: p = 10.5 / 301."""
    p = 10.5 / 301
    expected = (29 * (10 * p) ** 2 + (10 - 10 * p) ** 2) / (10 * p * (1 - p)) / 29

    assert of_counts(minutes([(10.0, 10.0)] + [(0.0, 10.0)] * 29)) == pytest.approx(expected)


def test_a_rate_that_drifts_is_no_cluster() -> None:
    """Each half hour has its own rate: a bad hour after a good one is not taken for bursts."""
    chance = random.Random(1)
    good = steady(chance, 120, cluster=1)
    bad = [(float(sum(chance.random() < 0.2 for _ in range(160))), 160.0) for _ in range(120)]

    factor = of_counts(minutes([*good, *bad]))

    assert factor is not None
    assert factor < 1.25


@pytest.mark.parametrize("length", [0, 1, 29])
def test_without_a_full_half_hour_nothing_is_measured(length: int) -> None:
    """A history that is too short gives no factor rather than a wrong one."""
    assert of_counts(minutes([(1.0, 10.0)] * length)) is None
    assert of_sums(minutes([(1.0, 10.0)] * length)) is None


def test_a_half_hour_with_a_hole_is_left_out() -> None:
    """Minutes that Prometheus did not see are not minutes without failures."""
    whole = dict(minutes([(10.0, 10.0)] + [(0.0, 10.0)] * 29))
    holed = {time: value for time, value in whole.items() if time != START + timedelta(minutes=7)}

    assert of_counts(holed) is None


def test_sums_have_the_unit_of_the_sum() -> None:
    """Variance over mean of the dollars per minute, raised by half."""
    dollars = [float(1 + index % 7) for index in range(60)]

    factor = of_sums(minutes([(x, 10.0) for x in dollars]))

    assert factor == pytest.approx(1.5 * pvariance(dollars) / fmean(dollars))


def test_a_sum_is_never_less_bursty_than_a_run() -> None:
    """A load that arrives like clockwork does not make each cent a proof."""
    assert of_sums(minutes([(5.0, 10.0)] * 60)) == pytest.approx(0.5)


def test_a_sum_that_never_happened_has_no_factor() -> None:
    """Nothing was spent, so nothing can be said about how."""
    assert of_sums(minutes([(0.0, 10.0)] * 60)) is None


amounts = st.just(0.0) | st.floats(SMALLEST, LARGEST)


@given(st.lists(st.tuples(amounts, amounts), min_size=30, max_size=90))
def test_factors_are_finite(values: list[Minute]) -> None:
    """Whatever stands in the history, a factor of counts is at least 1 and one of sums positive."""
    counts, sums = of_counts(minutes(values)), of_sums(minutes(values))

    assert counts is None or 1 <= counts < math.inf
    assert sums is None or 0 < sums < math.inf


def test_factors_are_read_by_gate() -> None:
    """Each gate finds its own series in one answer; failures that are not there are zero of them."""
    runs, failed = ({"src": tag(PLAN, s, Term.INCREASE)} for s in (ERRORS.sources.total, ERRORS.sources.bad))
    dollars, paid = ({"src": tag(PLAN, s, Term.INCREASE)} for s in (COST.sources.bad, COST.sources.total))
    buckets = tag(PLAN, LATENCY.sources.bad, Term.INCREASE)
    series = [
        (runs, samples([10.0] * 30)),
        (failed, samples([10.0])),
        (dollars, samples([5.0] * 30)),
        (paid, samples([10.0] * 30)),
        ({"src": buckets, "le": "0.1"}, samples([0.0] * 30)),  # every run is slower: says nothing
        ({"src": buckets, "le": "12.8"}, samples([0.0] + [10.0] * 29)),
        ({"src": buckets, "le": "+Inf"}, samples([10.0] * 30)),
    ]
    one_bad_minute = of_counts(minutes([(10.0, 10.0)] + [(0.0, 10.0)] * 29))

    by_gate = factors(PLAN, GATES, series)

    assert by_gate == {"errors": one_bad_minute, "completion": 1.0, "latency": one_bad_minute, "cost": 0.5}


def test_without_history_no_factor_is_given() -> None:
    """An empty answer measures nothing, and NaN is no minute."""
    nothing = [({"src": tag(PLAN, ERRORS.sources.total, Term.INCREASE)}, samples([math.nan] * 30))]

    assert factors(PLAN, GATES, []) == {}
    assert factors(PLAN, GATES, nothing) == {}


@pytest.mark.parametrize(
    ("is_sum", "measured", "segment", "expected"),
    [
        (False, None, Segment(1, 50, 1, 950), 1.0),
        (False, 3.0, Segment(1, 50, 1, 950), 3.0),
        (True, 0.4, Segment(1, 50, 1, 950), 0.4),
        (True, None, Segment(9, 50, 95, 950), UNMEASURED_SUM * 0.1),
        (True, None, Segment(10, 50, 0, 950), UNMEASURED_SUM * 0.2),
        (True, None, Segment(0, 0, 0, 0), UNMEASURED_SUM),
    ],
)
def test_a_fresh_install_judges_cautiously(
    measured: float | None, segment: Segment, expected: float, *, is_sum: bool
) -> None:
    """Baseline are taken as independent; a sum gets a heavy-tailed cost's factor of stable's mean per run."""
    assert effective(measured, [segment], is_sum=is_sum) == pytest.approx(expected)


def test_the_cautious_factor_is_that_of_a_lognormal() -> None:
    """1.5 x e^(1.2^2) = 6.3 times the mean per run."""
    assert abs(UNMEASURED_SUM - 6.33) < 0.01


def test_the_baseline_is_all_that_stable_did_before() -> None:
    """Of a share, of the tail above a limit, and of a sum, which may be more than the runs."""
    series = [
        ({"src": tag(PLAN, ERRORS.sources.total, Term.INCREASE)}, samples([100.0, 60.0])),
        ({"src": tag(PLAN, ERRORS.sources.bad, Term.INCREASE)}, samples([2.0, 1.0])),
        *(
            ({"src": tag(PLAN, LATENCY.sources.bad, Term.INCREASE), "le": le}, samples(values))
            for le, values in {"5": [50.0, 30.0], "12.8": [97.0, 58.0], "+Inf": [100.0, 60.0]}.items()
        ),
        ({"src": tag(PLAN, COST.sources.total, Term.INCREASE)}, samples([100.0, 60.0])),
        ({"src": tag(PLAN, COST.sources.bad, Term.INCREASE)}, samples([250.0, 230.0])),
    ]

    assert baselines(PLAN, GATES, series) == {
        "errors": Baseline(bad=3, total=160),
        "completion": Baseline(bad=0, total=160),
        "latency": Baseline(bad=5, total=160),
        "cost": Baseline(bad=480, total=160),
    }
    assert baselines(PLAN, GATES, []) == {}
