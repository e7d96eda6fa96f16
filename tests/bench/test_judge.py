"""The judge's bench: its random counts are right, the shipped judge holds, and wrong ones are found out.

The random start is fixed, so every figure is the same each time.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean, median, pvariance

import pytest

from agentrollouts.api.verdict import Verdict
from agentrollouts.core.gates.counts import Segment
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.reading import Reading
from agentrollouts.core.judge.facts import PlanPosition
from agentrollouts.core.judge.judge import Judgment
from agentrollouts.core.judge.straying import has_strayed
from bench.judge.ours import ALL, GATES, Judge, Known, Past, burst_of, first_fail, shipped
from bench.judge.rules import LIMITS, RULES, Minutes, argo, flagger, kayenta, ratio_at_end
from bench.judge.sampling import Lognormal, geometric, poisson
from bench.judge.streams import HARMLESS, MINUTES, WORSE, Column, Minute, attempt, history
from bench.judge.table import is_chance
from bench.judge.tables import cost, labels, latency, slow
from bench.judge.tables.cost import CostTask
from bench.judge.tables.labels import LabelTask
from bench.judge.tables.latency import LatencyTask
from bench.judge.tables.runs import TRAFFIC, median_minute
from bench.judge.tables.slow import FINISHED, STARTED, TIMED, SlowTask
from bench.judge.tasks import OURS

SEED = 20261121
CLUSTERED = next(column for column in HARMLESS if column.is_clustered)
TINY = HARMLESS[-1]


def rolled_back(
    column: Column,
    runs_per_hour: int,
    repetitions: int,
    *,
    judge_of: Judge = shipped,
    burst: float | None = None,
    screened: bool = True,
) -> list[float]:
    """Minutes of the rollbacks of a column; infinite where there is none."""
    gate = GATES[column.gate]
    rollbacks = []
    for repetition in range(repetitions):
        chance = random.Random(f"{SEED}/{column.name}/{runs_per_hour}/{repetition}")
        factor = burst or burst_of(gate, history(column, runs_per_hour, chance))
        minutes = attempt(column, runs_per_hour, chance)
        minute = first_fail(gate, minutes, factor, judge_of=judge_of, screened=screened)
        rollbacks.append(math.inf if minute is None else float(minute))
    return rollbacks


def count(minutes: Sequence[float]) -> int:
    """How many were rolled back."""
    return sum(map(math.isfinite, minutes))


@pytest.mark.parametrize("mean", [0.01, 0.7, 9.9, 10.1, 83.3, 1583.0])
def test_poisson_counts_have_the_mean_and_the_variance_of_their_rate(mean: float) -> None:
    """By inversion and by rejection alike."""
    chance = random.Random(SEED)
    counts = [poisson(chance, mean) for _ in range(4000)]

    assert fmean(counts) == pytest.approx(mean, abs=4 * math.sqrt(mean / 4000))
    assert pvariance(counts) == pytest.approx(mean, rel=0.15 if mean > 0.1 else 0.6)


def test_incidents_have_their_mean_size() -> None:
    """At least one failure each, five in the mean."""
    chance = random.Random(SEED)
    sizes = [geometric(chance, 5.0) for _ in range(4000)]

    assert min(sizes) == 1
    assert fmean(sizes) == pytest.approx(5, rel=0.06)


def test_sums_drawn_at_once_are_like_sums_drawn_one_by_one() -> None:
    """Mean and variance of 60 lognormal amounts, whose variance is made by the tail."""
    chance, price = random.Random(SEED), Lognormal(0.02, 1.2)
    at_once = [price.total(chance, 60) for _ in range(6000)]

    assert fmean(at_once) == pytest.approx(60 * 0.02 * math.exp(0.72), rel=0.02)
    assert pvariance(at_once) == pytest.approx(60 * 0.02**2 * math.exp(1.44) * (math.exp(1.44) - 1), rel=0.2)


def test_harmless_releases_are_left_alone() -> None:
    """Over all harmless columns and three traffics, no more rollbacks than 1% would give by chance."""
    columns = [column for column in HARMLESS if column not in (CLUSTERED, TINY)]
    counts = [count(rolled_back(column, runs, 40)) for column in columns for runs in TRAFFIC]

    assert is_chance(sum(counts), 40 * len(counts), 0.01)


@pytest.mark.parametrize(("runs_per_hour", "allowed"), [(1_000, 0.06), (10_000, 0.02), (100_000, 0.02)])
def test_failures_in_clusters_are_left_alone(runs_per_hour: int, allowed: float) -> None:
    """The measured burst factor takes an incident of five failures for one proof."""
    assert is_chance(count(rolled_back(CLUSTERED, runs_per_hour, 60)), 60, allowed)


@pytest.mark.parametrize(
    ("column", "expected"), [(WORSE[0], (70, 10, 2)), (WORSE[3], (95, 20, 3)), (WORSE[-1], (4, 1, 1))]
)
def test_regressions_are_found_in_time(column: Column, expected: tuple[int, ...]) -> None:
    """Medians of the specification, with leeway for the few repetitions."""
    for runs_per_hour, minutes in zip(TRAFFIC, expected, strict=True):
        assert median(rolled_back(column, runs_per_hour, 25)) <= max(1.25 * minutes, minutes + 1)


def test_unfinished_runs_delay_no_rollback_where_runs_are_known_to_end_in_seconds() -> None:
    """Each attempt is rolled back in the minute in which the runs that finished are proof by themselves."""
    completion, gate = WORSE[3], GATES["completion"]
    attempts = [[*attempt(completion, 10_000, random.Random(f"{SEED}/{each}"))] for each in range(100)]

    finished, informed = (
        [first_fail(gate, minutes, 1.0, knows=numbers) for minutes in attempts]
        for numbers in (Known(weight=False), ALL)
    )

    assert informed == finished


def test_slow_and_dear_canaries_are_found_and_others_are_not() -> None:
    """At 10,000 runs an hour: nothing against a canary like stable, minutes for one far worse."""
    slow = [LatencyTask(c, 10_000, SEED, range(4)).run()[OURS] for c in latency.COLUMNS[:4:3]]
    dear = [CostTask(c, 10_000, SEED, range(6)).run()[OURS] for c in cost.COLUMNS[:4:3]]

    assert [median_minute(ends) <= 10 for ends in (*slow, *dear)] == [False, True, False, True]


def test_other_habits_are_found_and_the_same_are_not() -> None:
    """At 10,000 runs an hour, 45 to 52% approvals are seen within the first two phases' looks."""
    habits = [LabelTask(c, 10_000, SEED, range(6)).run()[OURS] for c in labels.COLUMNS[:3:2]]

    assert [median_minute(ends) <= 80 for ends in habits] == [False, True]


@pytest.mark.parametrize("column", [slow.EQUAL[2], slow.EQUAL[5]], ids=lambda column: column.name)
def test_equal_releases_whose_runs_take_minutes_are_left_alone(column: slow.Duration) -> None:
    """Also where only the weight is known; the share of the finished runs alone rolls most of them back."""
    ends = SlowTask(column, 10_000, SEED, range(20)).run()
    rollbacks = {judge: sum(end.minute is not None for end in ends[judge]) for judge in ends}

    assert all(is_chance(rollbacks[judge], 20, 0.01) for judge in (OURS, TIMED, STARTED))
    assert rollbacks[FINISHED] > 10


def test_worse_releases_whose_runs_take_minutes_are_found_in_time() -> None:
    """About as soon as where runs end at once."""
    ends = SlowTask(slow.WORSE[2], 10_000, SEED, range(15)).run()

    assert all(median_minute(ends[judge]) <= 14 for judge in (OURS, TIMED, STARTED))


def test_every_run_that_begins_ends() -> None:
    """Of one run a minute, what ends on both sides is one; the canary's share lags behind its weight."""
    canary, stable = slow._ending(15.0)  # noqa: SLF001 the law of the columns

    assert [a + b for a, b in zip(canary, stable, strict=True)] == pytest.approx([1.0] * MINUTES)
    assert canary[10] < 0.02 < canary[59] < 0.05
    assert canary[-1] == pytest.approx(0.25, abs=1e-3)


def test_a_judge_without_a_burst_factor_is_found_out() -> None:
    """It rolls back half of the harmless releases whose failures come in clusters."""
    assert not is_chance(count(rolled_back(CLUSTERED, 10_000, 40, burst=1.0)), 40, 0.02)


def test_a_judge_that_pools_its_counts_is_found_out() -> None:
    """After a bad hour of both releases it does not see three times the errors; the shipped one does."""

    def pooled(gate: ResolvedGate, reading: Reading, course: PlanPosition, past: Past) -> Judgment:
        judgment = shipped(gate, reading, course, past)
        assert judgment.finding is not None
        total = judgment.finding.total
        is_worse = total.canary_bad * total.stable_total > gate.margin * total.stable_bad * total.canary_total
        return judgment if is_worse else replace(judgment, verdict=Verdict.INCONCLUSIVE)

    chance = random.Random(SEED)
    bad_hour = list(attempt(replace(WORSE[2], stable=0.2, canary=0.2), 10_000, chance))[:60]
    minutes = [*bad_hour, *list(attempt(WORSE[2], 10_000, chance))[60:120]]

    assert first_fail(GATES["errors"], minutes, 1.0) is not None
    assert first_fail(GATES["errors"], minutes, 1.0, judge_of=pooled, screened=False) is None


def test_a_judge_with_the_margin_alone_is_found_out() -> None:
    """The playbooks' ratio, asked every minute, rolls back every harmless release."""

    def margin_only(gate: ResolvedGate, reading: Reading, course: PlanPosition, past: Past) -> Judgment:
        judgment = shipped(gate, reading, course, past)
        assert judgment.finding is not None
        is_worse = judgment.finding.ratio > gate.margin and judgment.finding.total.canary_bad >= gate.min_bad
        return replace(judgment, verdict=Verdict.FAIL) if is_worse else judgment

    rollbacks = rolled_back(HARMLESS[0], 1_000, 20, judge_of=margin_only, screened=False)

    assert not is_chance(count(rollbacks), 20, 0.01)


def test_a_judge_with_evidence_alone_is_found_out() -> None:
    """With enough traffic it is sure of a worsening that does not matter; the shipped one tolerates it."""

    def sure_only(gate: ResolvedGate, reading: Reading, course: PlanPosition, past: Past) -> Judgment:
        judgment = shipped(gate, reading, course, past)
        assert judgment.finding is not None
        return (
            replace(judgment, verdict=Verdict.FAIL) if judgment.finding.evidence >= gate.needed else judgment
        )

    tolerant = replace(GATES["errors"], margin=1.25)
    minutes = list(attempt(replace(TINY, canary=0.0144), 300_000, random.Random(SEED)))

    assert first_fail(tolerant, minutes, 1.0) is None
    assert first_fail(tolerant, minutes, 1.0, judge_of=sure_only, screened=False) is not None


@pytest.mark.parametrize("column", [CLUSTERED, TINY, WORSE[2], WORSE[4]], ids=lambda column: column.name)
def test_not_asking_where_no_fail_is_possible_changes_nothing(column: Column) -> None:
    """The shortcut of the bench gives the same minutes as asking the judge every minute."""
    quick = rolled_back(column, 10_000, 4)

    assert quick == rolled_back(column, 10_000, 4, screened=False)


def test_not_asking_changes_nothing_for_latency() -> None:
    """The same for histograms."""
    for column in latency.COLUMNS[1:3]:
        minutes = list(latency.attempt(column, 1000 / 60, random.Random(SEED)))[:100]
        unscreened = latency.first_fail(GATES["latency"], minutes, 1.0, screened=False)

        assert latency.first_fail(GATES["latency"], minutes, 1.0) == unscreened


def steady(canary: float, stable: float, length: int = MINUTES) -> Minutes:
    """An attempt without chance, a hundred runs of each release a minute."""
    return Minutes([Minute(100 * canary, 100, 100 * stable, 100)] * length)


def test_the_rules_of_the_others_do_what_is_said_of_them() -> None:
    """Fixed limits at their fifth or fourth failure, ratios at a margin, a rank test at the hour."""
    errors, accuracy = LIMITS["errors"], LIMITS["accuracy"]

    assert flagger(1)(steady(0.06, 0.01), errors) == 5
    assert flagger(1)(steady(0.05, 0.01), errors) is None
    assert flagger(1)(Minutes([Minute(0, 0, 0, 100)] * 9), errors) == 5
    assert argo(steady(0.06, 0.01), errors) == 20
    assert ratio_at_end(steady(0.0121, 0.01), errors) == 60
    assert ratio_at_end(steady(0.0109, 0.01), errors) is None
    assert ratio_at_end(steady(0.10, 0.05), accuracy) == 60
    assert ratio_at_end(steady(0.09, 0.05), accuracy) is None
    assert kayenta(steady(0.06, 0.01), errors) == 60
    assert kayenta(steady(0.01, 0.01), errors) is None
    assert {name for name, rule in RULES.items() if rule(steady(1.0, 0.01), errors) is None} == set()


def test_quantiles_are_prometheus_s() -> None:
    """Interpolated within the bucket; the last bound where it lies above all; NaN without runs."""
    empty = [0] * 14

    assert latency.p99([0, 0, 100, *empty[3:]]) == pytest.approx(0.2 + 0.2 * 0.99)
    assert latency.p99([*empty[:13], 5]) == pytest.approx(409.6)
    assert math.isnan(latency.p99(empty))


def test_targets_are_missed_only_beyond_chance() -> None:
    """One in a hundred at 1% is chance, five are not."""
    assert [is_chance(count, 100, 0.01) for count in (0, 1, 3, 5)] == [True, True, True, False]


def test_conversations_that_stick_to_a_release_are_not_too_much_traffic() -> None:
    """Of 60 attempts at the right weight, in visits of five runs, hardly one is held in three hours."""
    chance = random.Random(20261121)
    strayed = 0
    for _ in range(60):
        canary = stable = 0
        for _ in range(180):  # minutes of 1,000 runs an hour
            visits = [geometric(chance, 5) for _ in range(poisson(chance, 1000 / 60 / 5))]
            shares = [chance.random() < 0.05 for _ in visits]
            canary += sum(runs for runs, is_canary in zip(visits, shares, strict=True) if is_canary)
            stable += sum(runs for runs, is_canary in zip(visits, shares, strict=True) if not is_canary)
            far = has_strayed(GATES["errors"], Segment(0, canary, 0, stable), 0.05)
            if far and canary > 0.05 * (canary + stable):
                strayed += 1
                break

    assert strayed <= 1
