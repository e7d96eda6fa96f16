"""The situation table beyond the comparison: limits, shared causes, missing traffic, counts and waits."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.api.gates import OnFail
from agentrollouts.api.reasons import Reason
from agentrollouts.api.verdict import Baseline, GateStatus, Severity, Verdict
from agentrollouts.core.analysis.gate_status import comparable, memory_of, to_status
from agentrollouts.core.attempt.segments import freeze, fresh
from agentrollouts.core.gates.counts import Bound, Recent, Segment, Tally
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.reading import Present, Reading, TooEarly
from agentrollouts.core.judge.facts import GateMemory, PlanPosition, Streaks
from agentrollouts.core.judge.judge import Judgment, judge
from agentrollouts.core.judge.limits import surely_above
from testkit.gates import a_gate

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
RUNNING, OVER = PlanPosition(0, 3, time_over=False), PlanPosition(0, 3, time_over=True)
AT_5 = PlanPosition(0, 3, time_over=True, weight=5)


ERRORS, LATENCY, VIOLATIONS, COST = (
    a_gate(template=name) for name in ("error-rate", "latency", "violations", "cost-per-run")
)

OWN_LIMIT = a_gate(template="error-rate", limit={"value": "0.15"})
ONLY_LIMIT = a_gate(
    source={"bad": "lost_total", "total": "jobs_total"}, type="Limit", limit={"value": "0.15"}
)
PATIENT = a_gate(template="error-rate", forSeconds=60)

LIKE_STABLE = (5.0, 100.0, 50.0, 1000.0)
"""Counts of an attempt that say nothing against the canary."""
BOTH_BAD = (30.0, 100.0, 300.0, 1000.0)


def reading(
    counts: tuple[float, ...] = LIKE_STABLE,
    recent: tuple[float, ...] | None = None,
    *,
    seconds: float = 0,
    bound: float | None = None,
) -> Reading:
    """Counts of the current segment and of the last minutes, `seconds` after `NOW`."""
    last_minutes = Recent(Segment(*recent), bound) if recent else None
    return Reading(Segment(*counts), (), NOW + timedelta(seconds=seconds), last_minutes)


def ruling_of(judgment: Judgment) -> tuple[Verdict, Reason]:
    """The verdict in two words."""
    return judgment.verdict, judgment.reason


def beyond_since(seconds: float) -> GateMemory:
    """The canary was found beyond its limit at every check of the last seconds."""
    return GateMemory(since=Streaks(beyond=NOW - timedelta(seconds=seconds)))


FAIL, PASS = (Verdict.FAIL, Reason.GATE_FAILED), (Verdict.PASS, Reason.PASSED)
COLLECTING, UNDECIDED = (Verdict.INCONCLUSIVE, Reason.COLLECTING), (Verdict.INCONCLUSIVE, Reason.INCONCLUSIVE)
SHARED = (Verdict.SHARED_CAUSE, Reason.SHARED_CAUSE)
MISMATCH = (Verdict.TRAFFIC_MISMATCH, Reason.TRAFFIC_MISMATCH)

BAD_ALONE, BAD_BOTH = (25.0, 60.0, 11.0, 900.0), (25.0, 60.0, 270.0, 900.0)
KEPT, NEVER_KEPT = Baseline(bad=48, total=4000), Baseline(bad=1200, total=4000)


def lower_root(bad: float, n: float) -> float:
    """The q below p = bad / n with (p - q)^2 = z^2 q (1 - q) / n: Wilson's bound by its definition."""
    p, low, high = bad / n, 0.0, bad / n
    for _ in range(100):
        q = (low + high) / 2
        low, high = (q, high) if (p - q) ** 2 > 3.0902**2 * q * (1 - q) / n else (low, q)
    return low


@pytest.mark.parametrize(("bad", "total"), [(15, 100), (25, 60), (3, 10), (100, 100), (1, 1e6)])
def test_the_lower_wilson_bound(bad: float, total: float) -> None:
    """It solves its equation, and clusters make the sample smaller."""
    assert surely_above(bad, total, 1) == pytest.approx(lower_root(bad, total), rel=1e-6)
    assert surely_above(2 * bad, 2 * total, 2) == surely_above(bad, total, 1)
    assert surely_above(0, total, 1) == surely_above(0, 0, 1) == 0


@given(st.floats(0, 1e12), st.floats(1e-9, 1e12), st.floats(1, 1e6))
def test_the_bound_lies_below_the_share(bad: float, total: float, burst: float) -> None:
    """It never claims more than was seen."""
    bound = surely_above(bad, total, burst)

    assert 0 <= bound <= min(1.0, bad / total) * (1 + 1e-9) + 1e-12
    assert math.isfinite(bound)


LIMITS = {
    "15% for two minutes": (ERRORS, BAD_ALONE, beyond_since(120), FAIL),
    "for less": (ERRORS, BAD_ALONE, beyond_since(119), UNDECIDED),
    "for the first time": (ERRORS, BAD_ALONE, GateMemory(), UNDECIDED),
    "not surely": (ERRORS, (12.0, 60.0, 11.0, 900.0), beyond_since(500), PASS),
    "two bad runs are no breach": (ERRORS, (2.0, 2.0, 0.0, 50.0), beyond_since(500), PASS),
    "without stable": (ERRORS, (25.0, 60.0, 0.0, 0.0), beyond_since(120), FAIL),
    "alone": (ONLY_LIMIT, BAD_ALONE, beyond_since(120), FAIL),
    "both, by the user's limit": (OWN_LIMIT, BAD_BOTH, beyond_since(120), SHARED),
    "both, where stable kept it before": (
        ERRORS,
        BAD_BOTH,
        replace(beyond_since(120), baseline=KEPT),
        SHARED,
    ),
    "both, but the template's limit never fitted": (
        ERRORS,
        BAD_BOTH,
        replace(beyond_since(120), baseline=NEVER_KEPT),
        PASS,
    ),
    "alone for now, but the template's limit never fitted": (
        ERRORS,
        BAD_ALONE,
        replace(beyond_since(120), baseline=NEVER_KEPT),
        PASS,
    ),
    "both, and nothing is known of before": (ERRORS, BAD_BOTH, beyond_since(120), PASS),
}


@pytest.mark.parametrize(("gate", "recent", "memory", "expected"), LIMITS.values(), ids=list(LIMITS))
def test_limits(
    gate: ResolvedGate, recent: tuple[float, ...], memory: GateMemory, expected: tuple[Verdict, Reason]
) -> None:
    """A limit fails for certain, for long enough, and not if stable is beyond it too."""
    assert ruling_of(judge(gate, reading(recent=recent), OVER, memory=memory)) == expected


def test_a_limit_explains_itself() -> None:
    """How many, in which window, against what, for how long, and what stable did."""
    judgment = judge(ERRORS, reading(recent=BAD_ALONE), RUNNING, memory=beyond_since(130))

    assert (judgment.severity, judgment.action) == (Severity.CRITICAL, OnFail.ROLL_BACK)
    assert judgment.message == (
        "canary had 25 failures in 60 runs of the last 300 s (42%), above the limit of 15% "
        "for 130 s; stable 1.2%"
    )


def test_the_99th_percentile_is_a_share_of_runs() -> None:
    """p99 above 10 s: more than 1% of the runs are above the bound at 10 s, for certain."""
    slow = reading(recent=(9.0, 100.0, 2.0, 900.0), bound=10.0)
    bounds = (Bound(10.0, 9.0, 20.0),)
    slow = replace(slow, bounds=bounds, segment=Segment(0.0, 200.0, 0.0, 2000.0))

    judgment = judge(LATENCY, slow, RUNNING, memory=beyond_since(120))
    few = judge(LATENCY, replace(slow, recent=Recent(Segment(3.0, 100.0, 2.0, 900.0), 10.0)), OVER)

    assert ruling_of(judgment) == FAIL
    assert judgment.severity is Severity.HIGH
    assert judgment.message == (
        "canary had 9 runs slower than 10 s in 100 runs of the last 300 s (9.0%), above the limit "
        "of 99% within 10 for 120 s; stable 0.2%"
    )
    assert ruling_of(few) == PASS


@pytest.mark.parametrize(
    ("recent", "baseline", "expected"),
    [
        ((2.0, 50.0, 180.0, 900.0), KEPT, SHARED),
        ((2.0, 50.0, 12.0, 900.0), KEPT, PASS),
        ((2.0, 50.0, 20.0, 900.0), KEPT, PASS),
        (
            (2.0, 50.0, 1700.0, 90_000.0),
            Baseline(bad=4800, total=400_000),
            PASS,
        ),  # 1.6 times: the time of day
        ((2.0, 50.0, 3.0, 50.0), KEPT, PASS),  # five times as bad, by three of fifty
        ((2.0, 50.0, 180.0, 900.0), None, PASS),
        (None, KEPT, PASS),
    ],
)
def test_a_stable_that_is_worse_than_before_is_a_shared_cause(
    recent: tuple[float, ...] | None, baseline: Baseline | None, expected: tuple[Verdict, Reason]
) -> None:
    """Whatever hits stable is no fault of the canary, and no time to promote one."""
    assert (
        ruling_of(judge(ERRORS, reading(recent=recent), OVER, memory=GateMemory(baseline=baseline)))
        == expected
    )


def test_a_shared_cause_explains_itself() -> None:
    """Stable now, stable before, and what follows from it."""
    judgment = judge(
        ERRORS, reading(recent=(2.0, 50.0, 180.0, 900.0)), OVER, memory=GateMemory(baseline=KEPT)
    )

    assert judgment.message == (
        "stable itself has 180 failures in 900 runs of the last 300 s (20%) and had 1.2% before the "
        "attempt, so the cause is not the canary"
    )
    assert not judgment.lets_pass


SPENT = Baseline(bad=80, total=4000)


def paid(
    recent: tuple[float, float] | None, baseline: Baseline | None = SPENT, burst: float = 0.13
) -> Judgment:
    """Cost per run where both releases spent alike in the attempt; stable's dollars and runs of late."""
    counts = reading((2.0, 100.0, 20.0, 1000.0), (0.0, 0.0, *recent) if recent else None)
    return judge(COST, counts, OVER, burst=burst, memory=GateMemory(baseline=baseline))


@pytest.mark.parametrize(
    ("recent", "baseline", "expected"),
    [
        ((16.0, 200.0), SPENT, SHARED),  # four times
        ((16.0, 200.0), None, PASS),
        (None, SPENT, PASS),
        ((0.0, 0.0), SPENT, PASS),
        ((4.0, 200.0), SPENT, PASS),  # as before
        ((600.0, 20_000.0), SPENT, PASS),  # 1.5 times, beyond all doubt: the time of day
        ((9.0, 200.0), SPENT, PASS),  # 2.25 times, by what a few dear runs can do
        ((1000.0, 20_000.0), Baseline(bad=8000, total=400_000), SHARED),  # 2.5 times, by what they cannot
        ((0.2, 1.0), SPENT, PASS),  # ten times, by one run
    ],
)
def test_a_stable_that_is_dearer_than_before_is_a_shared_cause(
    recent: tuple[float, float] | None, baseline: Baseline | None, expected: tuple[Verdict, Reason]
) -> None:
    """A sum must surely be twice what it was: what a run costs moves with the hour."""
    assert ruling_of(paid(recent, baseline)) == expected


def test_a_shared_cause_of_a_sum_is_told_per_run() -> None:
    """Dollars and runs of late, and what a run cost before."""
    assert paid((16.0, 200.0)).message == (
        "stable itself has $16.00 in 200 runs of the last 900 s ($0.080 per run) and had $0.020 per run "
        "before the attempt, so the cause is not the canary"
    )


def test_a_canary_dearer_than_a_dear_stable_is_rolled_back() -> None:
    """With a word about stable, since going back may not be enough."""
    dear = reading((100.0, 100.0, 80.0, 1000.0), (0.0, 0.0, 16.0, 200.0))

    judgment = judge(COST, dear, OVER, burst=0.13, memory=GateMemory(baseline=SPENT))

    assert ruling_of(judgment) == FAIL
    assert judgment.note == (
        "stable itself has $0.080 per run and had $0.020 per run before the attempt, so a rollback might not "
        "be enough"
    )


spent = st.floats(0.01, 1e6)


@given(spent, spent, st.integers(1, 10**6), st.integers(1, 10**6), st.floats(1.0, 2.0), st.floats(1e-3, 1e3))
def test_no_sum_that_at_most_doubled_is_a_shared_cause(
    was: float, unit: float, before: int, now: int, more: float, burst: float
) -> None:
    """Whatever the amounts and their unit, up to twice the cost per run is the time of day."""
    recent, baseline = (was * unit * more * now, float(now)), Baseline(bad=was * unit * before, total=before)

    assert ruling_of(paid(recent, baseline, burst * unit)) != SHARED


@given(spent, st.floats(0.01, 1e4), st.integers(1, 10**6))
def test_a_shared_cause_of_a_sum_has_no_unit(dollars: float, cents: float, runs: int) -> None:
    """The same history in another currency gives the same verdict."""
    other = Baseline(bad=SPENT.bad * cents, total=SPENT.total)

    same = paid((dollars * cents, float(runs)), other, 0.13 * cents)

    assert ruling_of(same) == ruling_of(paid((dollars, float(runs))))


def test_harm_is_proven_also_in_a_bad_hour() -> None:
    """A canary that is worse than a degraded stable is rolled back: that would help."""
    judgment = judge(
        ERRORS,
        reading((60.0, 100.0, 200.0, 1000.0), (30.0, 50.0, 180.0, 900.0)),
        OVER,
        memory=GateMemory(baseline=KEPT),
    )

    assert ruling_of(judgment) == FAIL


STRAY = GateMemory(since=Streaks(stray=NOW - timedelta(seconds=120)))


@pytest.mark.parametrize(
    ("counts", "course", "memory", "expected"),
    [
        ((0.0, 0.0, 10.0, 2000.0), AT_5, STRAY, MISMATCH),
        ((0.0, 20.0, 20.0, 4000.0), AT_5, STRAY, MISMATCH),
        ((0.0, 0.0, 10.0, 2000.0), AT_5, GateMemory(), UNDECIDED),  # agents may learn of their share late
        ((0.0, 0.0, 0.0, 40.0), AT_5, STRAY, UNDECIDED),  # two runs were to be expected
        ((1.0, 180.0, 40.0, 4000.0), AT_5, STRAY, PASS),  # 4.3% instead of 5%
        ((90.0, 30_000.0, 2910.0, 970_000.0), AT_5, STRAY, PASS),  # 3% instead of 5%, surely, and not far
        ((0.0, 0.0, 10.0, 2000.0), replace(AT_5, weight=None), STRAY, UNDECIDED),
        ((5.0, 900.0, 5.0, 900.0), replace(AT_5, weight=100), STRAY, PASS),
        ((10.0, 2000.0, 10.0, 2000.0), AT_5, STRAY, MISMATCH),  # half of the traffic
        ((0.0, 20.0, 0.0, 20.0), AT_5, STRAY, UNDECIDED),  # two long conversations
        ((6.0, 560.0, 40.0, 3440.0), AT_5, STRAY, PASS),  # 14% instead of 5%: surely more, and not far
        ((10.0, 2000.0, 10.0, 2000.0), replace(AT_5, weight=50), STRAY, PASS),
    ],
)
def test_runs_that_do_not_follow_the_weight_are_a_mismatch(
    counts: tuple[float, ...], course: PlanPosition, memory: GateMemory, expected: tuple[Verdict, Reason]
) -> None:
    """Less than half of its share, or thrice as much, surely and for two minutes, holds the rollout."""
    assert ruling_of(judge(ERRORS, reading(counts), course, memory=memory)) == expected


def test_a_mismatch_explains_itself() -> None:
    """What it finished, at which weight, and where to look."""
    judgment = judge(ERRORS, reading((0.0, 20.0, 20.0, 4000.0)), AT_5, memory=STRAY)

    assert judgment.message == (
        "canary finished 20 of 4,020 runs (0.5%) at a weight of 5%; "
        "do requests reach it, and do its runs end?"
    )


def test_a_canary_with_too_much_traffic_explains_itself() -> None:
    """More is at risk than was asked for, and where that may come from."""
    judgment = judge(ERRORS, reading((10.0, 2000.0, 10.0, 2000.0)), AT_5, memory=STRAY)

    assert judgment.message == (
        "canary finished 2,000 of 4,000 runs (50%) at a weight of 5%; is there a second way to it?"
    )


def test_what_is_not_run_by_run_has_no_share_to_follow() -> None:
    """A release that calls half as many tools, or is reviewed half as often, is no hung one."""
    calls = a_gate(template="tool-errors")

    counted = replace(AT_5, counts_runs=True)
    assert ruling_of(judge(calls, reading((0.0, 20.0, 20.0, 4000.0)), counted, memory=STRAY)) == UNDECIDED
    assert ruling_of(judge(calls, reading((0.0, 100.0, 20.0, 4000.0)), AT_5, memory=STRAY)) == PASS


def test_one_violation_fails_at_once() -> None:
    """No statistics, no waiting, no comparison."""
    judgment = judge(VIOLATIONS, reading((1.0, 4.0, 0.0, 0.0)), RUNNING)

    assert ruling_of(judgment) == FAIL
    assert (judgment.severity, judgment.action) == (Severity.CRITICAL, OnFail.ROLL_BACK)
    assert judgment.message == "1 violations in 4 runs of the canary, 0 allowed"


@pytest.mark.parametrize(
    ("allowed", "bad", "expected"),
    [
        (0, 0.0, PASS),
        (0, 0.9, FAIL),
        (3, 3.0, PASS),
        (3, 3.6, PASS),  # three that Prometheus extrapolates
        (3, 4.2, FAIL),
    ],
)
def test_a_count_allows_what_it_says(allowed: int, bad: float, expected: tuple[Verdict, Reason]) -> None:
    """Zero means none; above it Prometheus' extrapolation is allowed for."""
    gate = a_gate(template="violations", maxCount=allowed)

    assert ruling_of(judge(gate, reading((bad, 200.0, 0.0, 1000.0)), OVER)) == expected


def test_a_count_needs_runs_to_pass_and_counts_over_phases() -> None:
    """A phase without runs has proven nothing; violations of the whole attempt add up."""
    gate = a_gate(template="violations", maxCount=1)
    before = (Tally(0, Segment(1.0, 500.0, 0.0, 900.0)),)
    second = PlanPosition(1, 3, time_over=True)

    assert ruling_of(judge(gate, reading((0.0, 99.0, 0.0, 0.0)), OVER)) == UNDECIDED
    assert ruling_of(judge(gate, reading((0.0, 100.0, 0.0, 0.0)), OVER)) == PASS
    assert ruling_of(judge(gate, reading((1.0, 100.0, 0.0, 0.0)), second, finished=before)) == FAIL


WORSE = (20.0, 100.0, 50.0, 1000.0)


@pytest.mark.parametrize(("seconds", "expected"), [(0, COLLECTING), (59, COLLECTING), (60, FAIL)])
def test_a_fail_waits_for_as_long_as_the_user_wants(seconds: int, expected: tuple[Verdict, Reason]) -> None:
    """`forSeconds` counts from the first check that found it, by the time of the samples."""
    first = judge(PATIENT, reading(WORSE), RUNNING)
    later = judge(PATIENT, reading(WORSE, seconds=seconds), RUNNING, memory=first.memory)

    assert ruling_of(first) == COLLECTING
    assert first.memory.since.failing == NOW
    assert ruling_of(later) == expected


@pytest.mark.parametrize("between", [reading(seconds=30), TooEarly("waits")])
def test_a_wait_begins_anew_after_a_check_that_did_not_find_it(between: Present) -> None:
    """At every check means at every check."""
    first = judge(PATIENT, reading(WORSE), RUNNING)
    second = judge(PATIENT, between, RUNNING, memory=first.memory)
    third = judge(PATIENT, reading(WORSE, seconds=60), RUNNING, memory=second.memory)

    assert second.memory.since == Streaks()
    assert ruling_of(third) == COLLECTING


def test_what_is_critical_does_not_wait() -> None:
    """The grade counts, not only what the user set."""
    completion = a_gate(template="task-completion", forSeconds=600)
    collapse, decline = (60.0, 100.0, 160.0, 1000.0), (300.0, 1000.0, 1600.0, 10_000.0)

    assert ruling_of(judge(completion, reading(collapse), RUNNING)) == FAIL
    assert ruling_of(judge(completion, reading(decline), RUNNING)) == COLLECTING


def test_a_pending_fail_does_not_pass() -> None:
    """The time of the phase may be over before the wait is."""
    judgment = judge(PATIENT, reading(WORSE), OVER)

    assert ruling_of(judgment) == UNDECIDED
    assert judgment.message.endswith("; worse for 0 of 60 s")


def test_a_warning_stops_nothing() -> None:
    """Low severity tells people and lets pass."""
    judgment = judge(a_gate(template="error-rate", severity="Low"), reading(WORSE), RUNNING)

    assert ruling_of(judgment) == FAIL
    assert judgment.action is OnFail.WARN
    assert judgment.lets_pass


def test_the_status_remembers_what_judging_needs() -> None:
    """Since when, the baseline and the source come back as they were; what ends with a segment ends."""
    memory = GateMemory(KEPT, Streaks(failing=NOW - timedelta(seconds=5), beyond=NOW - timedelta(seconds=9)))
    judged = judge(PATIENT, reading(WORSE, BAD_ALONE), RUNNING, memory=memory)

    stored = GateStatus.model_validate(to_status(judged).to_json())

    assert stored == to_status(judged)
    assert memory_of(stored) == judged.memory == memory
    assert stored.source == 'agent_runs_total{outcome="failed"} of agent_runs_total'
    assert comparable(stored, PATIENT) == stored
    assert comparable(stored, VIOLATIONS) is None
    assert memory_of(freeze(stored)) == memory


def test_what_was_above_one_limit_says_nothing_about_another() -> None:
    """With another limit, stable is measured anew."""
    stored = to_status(judge(LATENCY, reading(), RUNNING))

    assert comparable(stored, LATENCY) == stored
    assert comparable(stored, a_gate(template="latency", limit={"value": "5"})) is None


def test_another_plan_keeps_only_what_was_measured_on_stable() -> None:
    """Evidence for old gates says nothing about new ones; how stable's failures cluster does."""
    judged = judge(ERRORS, reading(WORSE, BAD_ALONE), RUNNING, burst=2.0, memory=GateMemory(baseline=KEPT))

    kept = fresh(to_status(judged))

    assert (kept.burst_factor, kept.baseline) == (2.0, KEPT)
    assert (kept.verdict, kept.segments, kept.present) == (Verdict.INCONCLUSIVE, (), None)
    assert memory_of(kept) == GateMemory(baseline=KEPT)
