"""Unfinished runs: instant failures beside successes that take minutes prove nothing by themselves."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.api.reasons import Reason
from agentrollouts.api.verdict import Baseline, Verdict
from agentrollouts.core.analysis.gate_status import finished, to_status
from agentrollouts.core.attempt.segments import freeze
from agentrollouts.core.gates.counts import UNKNOWN, Bound, Expected, Mix, Recent, Segment, Started, Tally
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.reading import Reading
from agentrollouts.core.judge.facts import GateMemory, PlanPosition, Streaks
from agentrollouts.core.judge.judge import judge
from agentrollouts.core.judge.stats.arrivals import filled, filled_since, unfinished
from agentrollouts.core.judge.stats.evidence import bad_ratio, evidence, good_ratio
from testkit.gates import a_gate

NOW = datetime(2026, 11, 28, 10, 0, tzinfo=UTC)
FIVE = Expected(weight=5)
BLIND, AT_5 = PlanPosition(0, 1, time_over=False), PlanPosition(0, 1, time_over=False, weight=5)
ERRORS, COMPLETION, COST, LATENCY, MIX = (
    a_gate(template=name)
    for name in ("error-rate", "task-completion", "cost-per-run", "latency", "decision-mix")
)
OWN = a_gate(source={"bad": "jobs_lost_total", "total": "jobs_total"})
OWN_GOOD = a_gate(source={"bad": "jobs_lost_total", "total": "jobs_total"}, minRatio="0.95")
TOKENS = a_gate(template="tokens-per-run")
ONLY_LIMIT = a_gate(
    source={"bad": "lost_total", "total": "jobs_total"}, type="Limit", limit={"value": "0.15"}
)

counts = st.floats(0, 1e6)
segments = st.builds(
    lambda x_c, g_c, x_s, g_s: Segment(x_c, x_c + g_c, x_s, x_s + g_s), counts, counts, counts, counts
)


def reading(segment: Segment, recent: Segment | None = None, *bounds: Bound, leaving: float = 0) -> Reading:
    """Counts of the current segment, and of its last minutes."""
    return Reading(segment, bounds, NOW, Recent(recent, leaving=leaving) if recent else None)


@pytest.mark.parametrize(
    ("segment", "expected", "canary", "stable"),
    [
        (Segment(3, 9, 11, 991), FIVE, 50, 950),  # 9 ended where the weight gives 50
        (Segment(4, 45, 11, 955), FIVE, 45, 955),  # 45 instead of 50 is chance
        (Segment(4, 80, 11, 920), FIVE, 80, 920),  # more than its weight
        (Segment(300, 450, 4800, 9550), FIVE, 500, 9500),  # chance, but half of all runs are bad
        (Segment(4, 430, 11, 9570), replace(FIVE, underway=0.1), 480, 9520),  # runs take that long
        (Segment(4, 430, 11, 9570), replace(FIVE, underway=0.02), 430, 9570),  # as few as chance alone gives
        (Segment(4, 450, 11, 9550), replace(FIVE, started=Started(60, 940)), 600, 9400),  # counted: no chance
        (Segment(4, 45, 11, 955), replace(FIVE, started=Started(40, 960)), 45, 955),
        (Segment(3, 9, 11, 991), replace(FIVE, started=Started(0, 0)), 50, 950),  # none known: the weight
        (Segment(3, 9, 11, 991), UNKNOWN, 9, 991),
        (Segment(3, 9, 11, 991), Expected(weight=100), 9, 991),
        (Segment(0, 0, 11, 991), FIVE, 0, 991),  # nothing to compare yet
    ],
)
def test_the_larger_share_counts(segment: Segment, expected: Expected, canary: float, stable: float) -> None:
    """The canary's share is that of the finished runs or of what began; bad outcomes stay as they are."""
    filled_segment = filled(segment, expected)

    assert filled_segment.canary_total == pytest.approx(canary)
    assert filled_segment.stable_total == pytest.approx(stable)
    assert (filled_segment.canary_bad, filled_segment.stable_bad) == (segment.canary_bad, segment.stable_bad)


@given(segments, st.integers(1, 99), st.floats(1, 100))
def test_unfinished_runs_never_speak_against_the_canary(segment: Segment, weight: int, burst: float) -> None:
    """Evidence and ratio are at most what the finished runs alone give; no run is made up or lost."""
    filled_segment = filled(segment, Expected(weight=weight), burst)

    assert filled_segment.canary_total >= segment.canary_total
    assert filled_segment.canary_total + filled_segment.stable_total == pytest.approx(
        segment.canary_total + segment.stable_total, rel=1e-9
    )
    assert evidence([[filled_segment]], planned_phases=1, burst=burst) <= evidence(
        [[segment]], planned_phases=1, burst=burst
    ) * (1 + 1e-9)
    assert bad_ratio([filled_segment]) <= bad_ratio([segment]) * (1 + 1e-9)
    assert 0 <= unfinished(segment, Expected(weight=weight)) <= 1


@given(counts, counts, st.integers(1, 99))
def test_a_release_without_unfinished_runs_is_judged_as_ever(bad: float, runs: float, weight: int) -> None:
    """Where as many runs ended as the weight gives, nothing is filled up."""
    full = Segment(min(bad, runs), runs * weight / 100 + 1, min(bad, runs), runs * (1 - weight / 100))

    assert filled(full, Expected(weight=weight)) is full


FIRST = {
    "errors": (ERRORS, Segment(6, 6, 45, 994)),
    "an own source": (OWN, Segment(6, 6, 45, 994)),
    "completion": (COMPLETION, Segment(30, 60, 570, 3940)),
    "an own good rate": (OWN_GOOD, Segment(30, 60, 570, 3940)),
    "dollars spent before runs end": (COST, Segment(50, 6, 950, 994)),
    "tokens": (TOKENS, Segment(50_000, 6, 950_000, 994)),
}


@pytest.mark.parametrize(("gate", "segment"), FIRST.values(), ids=list(FIRST))
def test_instant_failures_of_an_equal_release_prove_nothing(gate: ResolvedGate, segment: Segment) -> None:
    """At 5% of the traffic it has 5% of what is bad, and few of its successes have ended."""
    assert judge(gate, reading(segment), BLIND).verdict is Verdict.FAIL
    assert judge(gate, reading(segment), AT_5).verdict is Verdict.INCONCLUSIVE


def test_a_limit_counts_unfinished_runs_too() -> None:
    """Six failures of six finished runs are 100%, but 12% of the 50 runs that began."""
    first = reading(Segment(6, 6, 45, 994), Segment(6, 6, 45, 994))
    stood = GateMemory(since=Streaks(beyond=NOW - timedelta(seconds=500)))

    blind, weighted = (judge(ONLY_LIMIT, first, course, memory=stood) for course in (BLIND, AT_5))

    assert (blind.verdict, weighted.verdict) == (Verdict.FAIL, Verdict.INCONCLUSIVE)
    assert weighted.message.startswith(
        "canary had 6 bad runs in 50 runs of the last 300 s (12%), 6 of them ended, the limit of 15%"
    )


def test_a_limit_knows_the_runs_that_stable_still_ends_when_all_traffic_has_gone() -> None:
    """In their place as many of the canary's have begun; without them it is beyond its limit."""
    alone = PlanPosition(0, 1, time_over=False, weight=100, alone=True)
    stood = GateMemory(
        since=Streaks(beyond=NOW - timedelta(seconds=500)), baseline=Baseline(bad=50, total=1000)
    )
    few, many = (reading(Segment(50, 60, 0, 0), Segment(50, 60, 0, 0), leaving=n) for n in (0, 940))

    verdicts = [judge(ONLY_LIMIT, counted, alone, memory=stood).verdict for counted in (few, many)]

    assert verdicts == [Verdict.FAIL, Verdict.INCONCLUSIVE]


def test_a_mix_must_shift_by_more_than_its_unfinished_runs() -> None:
    """Rejections are quick, approvals take minutes: what has not ended may all be approvals."""
    mix = (Mix("approve", 100, 9000), Mix("reject", 300, 6000))
    counted = Reading(Segment(0, 400, 0, 15_000), (), NOW, None, mix)
    over = PlanPosition(0, 1, time_over=True, counted_seconds=300, planned_looks=1)

    blind, weighted = (judge(MIX, counted, replace(over, weight=weight)) for weight in (None, 5))

    assert (blind.verdict, weighted.verdict is Verdict.FAIL) == (Verdict.FAIL, False)


@pytest.mark.parametrize("course", [AT_5, replace(AT_5, started=Started(50, 950))])
def test_a_worse_release_is_still_found(course: PlanPosition) -> None:
    """Eight of nineteen failures at 5% of the traffic are too many, whichever runs have ended."""
    for ended in (8, 20, 50):
        judgment = judge(ERRORS, reading(Segment(8, ended, 11, 1000 - ended)), course)

        assert (judgment.verdict, judgment.finding and round(judgment.finding.evidence, -3)) == (
            Verdict.FAIL,
            18_000,
        )


def test_the_sentence_says_what_was_used() -> None:
    """Finished runs as Prometheus has them, and those that the weight gives."""
    judgment = judge(ERRORS, reading(Segment(8, 20, 11, 980)), AT_5)

    assert judgment.message == (
        "canary finished 20 of 1,000 runs, was assigned 5.0% of them (50), but had 8 of 19 failures (42%); "
        "rate 16% vs 1.2% if its other runs end well = 13.8x, limit 1.1x; "
        "evidence 18,000:1, needed 100:1"
    )


def test_the_sentence_over_several_segments_says_so_too() -> None:
    """Runs that ended, and how many with those that have not."""
    before = (Tally(0, Segment(2, 20, 11, 980), (), FIVE),)
    judgment = judge(
        ERRORS,
        reading(Segment(30, 1000, 36, 3000)),
        PlanPosition(1, 3, time_over=True, weight=25),
        finished=before,
    )

    assert judgment.message.startswith(
        "canary had 32 failures in 1,020 runs (1,050 with those that have not ended) where stable's rate"
    )


def test_what_began_is_remembered_with_a_segment() -> None:
    """After a restart the finished segments are judged by the same numbers, shown as they were counted."""
    course = replace(AT_5, started=Started(52, 990))
    judged = judge(ERRORS, reading(Segment(2, 20, 11, 980)), course)
    stored = freeze(to_status(judged))

    assert finished(stored) == (Tally(0, Segment(2, 20, 11, 980), (), Expected(5, Started(52, 990))),)
    assert (stored.canary.total, stored.segments[0].weight) == (20, 5)


def test_slow_runs_above_a_bound_are_compared_by_what_began() -> None:
    """The bound's slow runs are held against all runs that began, finished or not."""
    bounds = (Bound(1.0, 20, 400), Bound(2.0, 20, 380))
    judgment = judge(LATENCY, reading(Segment(0, 20, 0, 980), None, *bounds), AT_5)

    assert judgment.finding is not None
    assert judgment.finding.ratio == pytest.approx((20 / 50) / (380 / 950))


@pytest.mark.parametrize(
    ("weight", "expected"),
    [
        (5, 950 / 0.95),  # only the canary's 5% can be missing
        (50, 1000),  # all that it takes to be as before
        (100, 1000),
    ],
)
def test_after_a_rollback_only_what_the_canary_had_can_be_unfinished(weight: int, expected: float) -> None:
    """Stable takes over its share; no more of it is missing than before the attempt."""
    filled_segment = filled_since(Segment(60, 950, 50, 1000), weight)

    assert filled_segment.canary_total == pytest.approx(expected)
    assert replace(filled_segment, canary_total=0) == Segment(60, 0, 50, 1000)
    assert filled_since(Segment(60, 1200, 50, 1000), weight).canary_total == 1200


def test_good_rates_are_compared_by_what_began() -> None:
    """The complement of the same filled counts."""
    filled_segment = filled(Segment(30, 60, 570, 3940), FIVE)

    assert good_ratio([filled_segment]) == pytest.approx(((200 - 30) / 200) / ((3800 - 570) / 3800))
    assert not math.isinf(bad_ratio([filled_segment]))


def test_reasons_stay_those_of_a_running_phase() -> None:
    """What has not ended is waited for like any other run."""
    judgment = judge(ERRORS, reading(Segment(6, 6, 45, 994)), AT_5)

    assert judgment.reason is Reason.COLLECTING
