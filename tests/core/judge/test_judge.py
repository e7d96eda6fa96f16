"""Verdicts: the situation table row by row, the playbooks' own numbers, and what survives a restart."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.api.gates import NoDataPolicy, OnFail
from agentrollouts.api.reasons import Reason
from agentrollouts.api.rollout import AgentRolloutSpec
from agentrollouts.api.verdict import Counts, GateStatus, SegmentStatus, Severity, Verdict
from agentrollouts.core.analysis.gate_status import finished, to_status
from agentrollouts.core.attempt.segments import freeze
from agentrollouts.core.gates.counts import LARGEST, SMALLEST, Bound, Segment, Tally
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.reading import NoData, Present, Reading, TooEarly, Uncovered, Unreadable
from agentrollouts.core.gates.resolve import resolve_all
from agentrollouts.core.judge.facts import PlanPosition
from agentrollouts.core.judge.judge import Judgment, judge

LAST = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
ERRORS, COMPLETION, LATENCY, COST, ACCURACY = resolve_all(
    AgentRolloutSpec.model_validate(
        {
            "agent": "a",
            "releaseRef": {"name": "r"},
            "gates": [
                {"name": "errors", "template": "error-rate"},
                {"name": "completion", "template": "task-completion"},
                {"name": "latency", "template": "latency"},
                {"name": "cost", "template": "cost-per-run"},
                {"name": "accuracy", "template": "accuracy"},
            ],
        }
    )
).gates
TOLERANT = replace(ERRORS, margin=1.25)
RUNNING, OVER = PlanPosition(0, 3, time_over=False), PlanPosition(0, 3, time_over=True)
ONLY_PHASE = PlanPosition(0, 1, time_over=False)


def reading(canary_bad: float, canary: float, stable_bad: float, stable: float, *bounds: Bound) -> Reading:
    """Counts of one segment."""
    return Reading(Segment(canary_bad, canary, stable_bad, stable), bounds, LAST)


def answer(judgment: Judgment) -> tuple[Verdict, Reason]:
    """The verdict in two words."""
    return judgment.verdict, judgment.reason


FAIL, PASS = (Verdict.FAIL, Reason.GATE_FAILED), (Verdict.PASS, Reason.PASSED)
COLLECTING, UNDECIDED = (Verdict.INCONCLUSIVE, Reason.COLLECTING), (Verdict.INCONCLUSIVE, Reason.INCONCLUSIVE)

SITUATIONS = {
    "surely and much worse fails at once": (ERRORS, reading(8, 50, 11, 950), RUNNING, FAIL),
    "three failures where there were none fail": (ERRORS, reading(3, 50, 0, 950), RUNNING, FAIL),
    "two do not, however sure": (ERRORS, reading(2, 20, 0, 20_000), ONLY_PHASE, COLLECTING),
    "nor pass, as more runs decide": (
        ERRORS,
        reading(2, 100, 0, 200_000),
        replace(ONLY_PHASE, time_over=True),
        UNDECIDED,
    ),
    "enough runs before the time is over wait": (ERRORS, reading(2, 200, 11, 950), RUNNING, COLLECTING),
    "enough runs in time pass": (ERRORS, reading(2, 200, 11, 950), OVER, PASS),
    "a canary without failures passes": (ERRORS, reading(0, 100, 0, 950), OVER, PASS),
    "too few runs in the end are undecided": (ERRORS, reading(0, 99.9, 11, 950), OVER, UNDECIDED),
    "no stable runs compare nothing": (ERRORS, reading(0, 200, 0, 0), OVER, UNDECIDED),
    "no stable runs fail nobody": (ERRORS, reading(200, 200, 0, 0), OVER, UNDECIDED),
    "the 25-run example is undecided": (COMPLETION, reading(7, 25, 76, 475), OVER, UNDECIDED),
    "worse within tolerance waits": (
        TOLERANT,
        reading(58_000, 500_000, 50_000, 500_000),
        RUNNING,
        COLLECTING,
    ),
    "worse within tolerance passes in the end": (
        TOLERANT,
        reading(58_000, 500_000, 50_000, 500_000),
        OVER,
        (Verdict.PASS, Reason.WITHIN_TOLERANCE),
    ),
    "errors 1.2 to 8.4%": (ERRORS, reading(84, 1000, 36, 3000), RUNNING, FAIL),
    "completion 84 to 71%": (COMPLETION, reading(290, 1000, 480, 3000), RUNNING, FAIL),
    "accuracy 95 to 90%": (ACCURACY, reading(100, 1000, 150, 3000), RUNNING, FAIL),
    "completion that drops within the margin passes": (
        COMPLETION,
        reading(170, 1000, 480, 3000),
        OVER,
        PASS,
    ),
    "both versions at 20% errors pass": (ERRORS, reading(200, 1000, 600, 3000), OVER, PASS),
    "cost x 3": (COST, reading(30, 300, 30, 900), RUNNING, FAIL),
    "the same cost passes": (COST, reading(10, 300, 30, 900), OVER, PASS),
    "one dear run is no proof": (COST, reading(1.3, 100, 30, 900), RUNNING, COLLECTING),
    "a sudden sum where stable has none fails": (COST, reading(30, 300, 0, 900), RUNNING, FAIL),
}


@pytest.mark.parametrize(("gate", "present", "course", "expected"), SITUATIONS.values(), ids=list(SITUATIONS))
def test_situations_with_counts(
    gate: ResolvedGate, present: Present, course: PlanPosition, expected: tuple[Verdict, Reason]
) -> None:
    """Each row of the situation table that has counts has its verdict and its reason."""
    assert answer(judge(gate, present, course)) == expected


WITHOUT_COUNTS = {
    "waiting": (TooEarly("waits"), COLLECTING),
    "warming up": (TooEarly("later", is_warm_up=True), (Verdict.INCONCLUSIVE, Reason.WARMING_UP)),
    "missing": (NoData("no series", is_stale=False), (Verdict.NO_DATA, Reason.METRIC_MISSING)),
    "stale": (NoData("old", is_stale=True, last_sample_time=LAST), (Verdict.NO_DATA, Reason.METRICS_STALE)),
    "uncovered": (Uncovered("hole"), COLLECTING),
    "unreachable": (Unreadable("down"), (Verdict.ERROR, Reason.METRICS_UNAVAILABLE)),
    "refused": (Unreadable("bad query", Reason.INVALID_GATE), (Verdict.ERROR, Reason.INVALID_GATE)),
    "nowhere": (Unreadable("no source", Reason.SOURCE_UNKNOWN), (Verdict.ERROR, Reason.SOURCE_UNKNOWN)),
}


@pytest.mark.parametrize("course", [RUNNING, OVER])
@pytest.mark.parametrize(("present", "expected"), WITHOUT_COUNTS.values(), ids=list(WITHOUT_COUNTS))
def test_situations_without_counts(
    present: Present, expected: tuple[Verdict, Reason], course: PlanPosition
) -> None:
    """What cannot be counted is told apart, carries its sentence, and never passes nor fails."""
    judgment = judge(ERRORS, present, course)

    assert answer(judgment) == expected
    assert judgment.message == getattr(present, "message", None)
    assert judgment.recount == isinstance(present, Uncovered)
    assert not judgment.lets_pass


@pytest.mark.parametrize(
    ("policy", "is_stale", "verdict", "lets_pass"),
    [
        (NoDataPolicy.HOLD, False, Verdict.NO_DATA, False),
        (NoDataPolicy.IGNORE, False, Verdict.NO_DATA, True),
        (NoDataPolicy.IGNORE, True, Verdict.NO_DATA, True),
        (NoDataPolicy.FAIL, False, Verdict.FAIL, False),
        (NoDataPolicy.FAIL, True, Verdict.NO_DATA, False),  # a metric that exists and is late is not missing
    ],
)
def test_no_data_means_what_the_user_asked_for(
    policy: NoDataPolicy,
    is_stale: bool,  # noqa: FBT001 a column of the table
    verdict: Verdict,
    lets_pass: bool,  # noqa: FBT001 a column of the table
) -> None:
    """Hold blocks, Ignore lets pass, and only an explicit Fail fails, on a metric that does not exist."""
    gate = replace(ERRORS, no_data=policy)

    judgment = judge(gate, NoData("no series", is_stale=is_stale), OVER)

    assert (judgment.verdict, judgment.lets_pass) == (verdict, lets_pass)


def test_an_ignored_gate_still_fails_on_counts() -> None:
    """`noData: Ignore` is about silence, not about what is heard."""
    judgment = judge(replace(ERRORS, no_data=NoDataPolicy.IGNORE), reading(8, 50, 11, 950), RUNNING)

    assert answer(judgment) == FAIL


def test_a_failure_carries_its_consequence() -> None:
    """What follows from a verdict is the gate's own affair."""
    judgment = judge(COST, reading(30, 300, 30, 900), RUNNING)

    assert (judgment.name, judgment.severity, judgment.action) == ("cost", Severity.MEDIUM, OnFail.HOLD)


def test_evidence_is_carried_over_phases() -> None:
    """11 errors at 5% and 30 at 25% are sure together (the specification's last reference value)."""
    before = (Tally(0, Segment(2, 50, 11, 950)),)

    judgment = judge(
        ERRORS, reading(30, 1000, 36, 3000), PlanPosition(1, 3, time_over=False), finished=before
    )

    assert answer(judgment) == FAIL
    assert judgment.finding is not None
    assert judgment.finding.evidence == pytest.approx(162.6, abs=0.1)
    assert judgment.message == (
        "canary had 32 failures in 1,050 runs where stable's rate gives 12.6 = 2.54x, limit 1.1x; "
        "evidence 163:1, needed 100:1"
    )


def test_runs_of_earlier_phases_do_not_pass_this_one() -> None:
    """`minSamples` asks for runs at this phase's weight; its ramp steps count together."""
    earlier = (Tally(0, Segment(0, 5000, 50, 5000)), Tally(1, Segment(0, 60, 1, 200)))
    second = PlanPosition(1, 3, time_over=True)

    assert answer(judge(ERRORS, reading(0, 39, 1, 200), second, finished=earlier)) == UNDECIDED
    assert answer(judge(ERRORS, reading(0, 40, 1, 200), second, finished=earlier)) == PASS


def test_a_burst_factor_divides_the_evidence() -> None:
    """Failures that come in pairs prove half as much; the user's factor goes before the measured one."""
    present = reading(8, 50, 11, 950)

    assert answer(judge(ERRORS, present, ONLY_PHASE, burst=2.0)) == COLLECTING
    assert answer(judge(replace(ERRORS, burst=1.0), present, ONLY_PHASE, burst=2.0)) == FAIL


SLOW = reading(0, 1000, 0, 3000, Bound(0.1, 1000, 2990), Bound(12.8, 60, 40), Bound(25.6, 2, 6))


def test_latency_is_judged_over_all_bounds() -> None:
    """The evidence is the mean over the bounds; one that most of stable's runs exceed counts as 1."""
    judgment = judge(LATENCY, SLOW, RUNNING)

    assert answer(judgment) == FAIL
    assert judgment.message == (
        "canary served 25% of 4,000 runs but had 60 of 100 runs slower than 12.8 s (60%); "
        "rate 6.0% vs 1.3% = 4.5x, limit 1.25x; evidence over 1,000,000:1, needed 100:1"
    )


def test_a_bound_below_the_ordinary_run_counts_as_one() -> None:
    """All runs of both releases exceed it, so it proves nothing and dilutes what the others prove."""
    one = reading(0, 300, 0, 900, Bound(12.8, 15, 10))
    diluted = reading(0, 300, 0, 900, Bound(0.1, 300, 450), Bound(12.8, 15, 10))

    alone, mixed = judge(LATENCY, one, RUNNING).finding, judge(LATENCY, diluted, RUNNING).finding

    assert alone is not None
    assert mixed is not None
    assert mixed.evidence == pytest.approx((1 + alone.evidence) / 2)


@pytest.mark.parametrize(("runs", "expected"), [(9, COLLECTING), (10, FAIL)])
def test_latency_needs_ten_canary_runs(runs: float, expected: tuple[Verdict, Reason]) -> None:
    """A handful of slow runs is how every release starts."""
    judgment = judge(LATENCY, reading(0, runs, 0, 9000, Bound(12.8, 8, 10)), RUNNING)

    assert answer(judgment) == expected


def test_latency_without_any_usable_bound_says_so() -> None:
    """Where all bounds lie below the ordinary run there is no evidence, and no ratio."""
    judgment = judge(LATENCY, reading(0, 300, 0, 900, Bound(0.1, 300, 900)), OVER)

    assert answer(judgment) == PASS
    assert judgment.finding is not None
    assert (judgment.finding.evidence, judgment.finding.ratio) == (1.0, 1.0)


SENTENCES = {
    "the specification's own": (
        ERRORS,
        ONLY_PHASE,
        reading(8, 50, 11, 950),
        (
            "canary served 5.0% of 1,000 runs but had 8 of 19 failures (42%); "
            "rate 16% vs 1.2% = 13.8x, limit 1.1x; evidence 18,000:1, needed 100:1"
        ),
    ),
    "nothing bad": (
        ERRORS,
        OVER,
        reading(0, 120, 0, 950),
        "no failures in 120 runs of the canary and 950 of stable",
    ),
    "not worse": (
        ERRORS,
        OVER,
        reading(1, 200, 11, 800),
        (
            "canary served 20% of 1,000 runs and had 1 of 12 failures (8.3%); "
            "rate 0.5% vs 1.4% = 0.364x, limit 1.1x; evidence 0.74:1, needed 100:1"
        ),
    ),
    "nothing expected": (
        ERRORS,
        RUNNING,
        reading(3, 50, 0, 950),
        (
            "canary served 5.0% of 1,000 runs but had 3 of 3 failures (100%); "
            "rate 6.0% vs 0% = infinitely more, limit 1.1x; evidence 109:1, needed 100:1"
        ),
    ),
    "more is better": (
        COMPLETION,
        OVER,
        reading(29, 100, 160, 1000),
        (
            "canary served 9.1% of 1,100 runs but had 29 of 189 incomplete runs (15%); "
            "completed 71% vs 84% = 0.845x, limit 0.98x; evidence 4.38:1, needed 100:1; within noise"
        ),
    ),
    "dollars": (
        COST,
        RUNNING,
        reading(30.5, 305, 30, 900),
        (
            "canary served 25% of 1,205 runs but had $30.50 of $60.50 (50%); "
            "$0.10 vs $0.033 per run = 3x, limit 1.25x; evidence over 1,000,000:1, needed 100:1"
        ),
    ),
    "too few": (
        ERRORS,
        OVER,
        reading(0, 25, 0, 475),
        "no failures in 25 runs of the canary and 475 of stable; 25 of 100 canary runs needed to pass",
    ),
    "no canary runs": (
        ERRORS,
        RUNNING,
        reading(0, 0, 3, 475),
        "0 runs of the canary, 475 of stable; 0 of 100 canary runs needed to pass",
    ),
    "no stable runs": (
        ERRORS,
        RUNNING,
        reading(2, 30, 0, 0),
        "30 runs of the canary, 0 of stable; stable has no runs to compare with",
    ),
}


@pytest.mark.parametrize(("gate", "course", "present", "expected"), SENTENCES.values(), ids=list(SENTENCES))
def test_sentences(gate: ResolvedGate, course: PlanPosition, present: Present, expected: str) -> None:
    """A sentence names the counts, the rates, the limit and the evidence, in the units of the gate."""
    assert judge(gate, present, course).message == expected


def test_the_tolerance_is_told() -> None:
    """A pass of what is surely worse says so."""
    judgment = judge(TOLERANT, reading(58_000, 500_000, 50_000, 500_000), OVER)

    assert judgment.message.endswith("; worse but within tolerance")


def test_a_status_holds_all_that_a_restart_needs() -> None:
    """Counts, finished segments and burst factor come back from the persisted status as they were."""
    before = (Tally(0, Segment(0, 50, 0, 950), (Bound(12.8, 2, 11.5), Bound(25.6, 0, 1))),)
    judged = judge(LATENCY, SLOW, PlanPosition(1, 3, time_over=False), finished=before, burst=1.5)

    stored = GateStatus.model_validate(to_status(judged).to_json())

    assert stored == to_status(judged)
    assert finished(stored) == before
    assert finished(freeze(stored)) == (*before, Tally(1, SLOW.segment, SLOW.bounds))
    assert freeze(stored).present is None
    assert freeze(freeze(stored)) == freeze(stored)
    assert (stored.burst_factor, stored.last_sample_time) == (1.5, LAST)


def test_a_status_shows_the_counts_of_the_attempt() -> None:
    """People see all that was counted beside the sentence; an infinite ratio is absent."""
    before = (Tally(0, Segment(2, 50, 0, 950)),)

    status = to_status(
        judge(ERRORS, reading(3, 100, 0, 300), PlanPosition(1, 3, time_over=False), finished=before)
    )

    assert (status.canary, status.stable) == (Counts(bad=5, total=150), Counts(bad=0, total=1250))
    assert status.ratio is None
    assert (status.name, status.verdict, status.severity) == ("errors", Verdict.FAIL, Severity.HIGH)


def test_a_status_without_counts_has_no_numbers() -> None:
    """While Prometheus is down no old evidence is shown as if it were new; what is finished stays."""
    before = (Tally(0, Segment(2, 50, 0, 950)),)

    status = to_status(judge(ERRORS, Unreadable("down"), PlanPosition(1, 3, time_over=True), finished=before))

    assert (status.evidence, status.ratio, status.present) == (None, None, None)
    assert finished(status) == before


amounts = st.just(0.0) | st.floats(SMALLEST, LARGEST)
segments = st.builds(Segment, amounts, amounts, amounts, amounts)
presents = st.builds(Reading, segments, st.just(()), st.just(LAST)) | st.sampled_from(
    [present for present, _ in WITHOUT_COUNTS.values()]
)
tallies = st.builds(Tally, st.integers(0, 2), segments)
courses = st.builds(PlanPosition, st.integers(0, 2), st.just(3), st.booleans())


@given(
    st.sampled_from([ERRORS, COMPLETION, COST]),
    presents,
    courses,
    st.lists(tallies, max_size=4),
    st.none() | st.floats(0.01, 100),
)
def test_only_time_runs_and_counts_pass(
    gate: ResolvedGate, present: Present, course: PlanPosition, before: list[Tally], burst: float | None
) -> None:
    """Never forward on doubt: a Pass has counts, its time, enough canary runs, and stable beside them."""
    judgment = judge(gate, present, course, finished=before, burst=burst)

    if judgment.verdict is Verdict.PASS:
        in_phase = [
            tally.segment for tally in (*before, judgment.present) if tally and tally.phase == course.phase
        ]
        assert course.time_over
        assert sum(segment.canary_total for segment in in_phase) >= gate.min_samples
        assert any(segment.stable_total for segment in in_phase)
    assert judgment == judge(gate, present, course, finished=before, burst=burst)


@given(segments, courses)
def test_a_fail_is_sure_and_matters(segment: Segment, course: PlanPosition) -> None:
    """Both keys, and enough bad outcomes, whatever the counts."""
    judgment = judge(ERRORS, Reading(segment, (), LAST), course)

    if judgment.verdict is Verdict.FAIL:
        assert judgment.finding is not None
        assert judgment.finding.evidence >= 99.99
        assert judgment.finding.ratio > 1.1
        assert segment.canary_bad >= 3


@given(
    st.floats(0, 1e308), st.floats(0, 1e308), st.floats(0, 1e308), courses, st.none() | st.floats(0, 1e308)
)
def test_no_persisted_number_makes_judging_fail(
    bad: float, canary: float, stable: float, course: PlanPosition, burst: float | None
) -> None:
    """A forged or damaged status is judged like any other: finite evidence, and a status that is valid."""
    stored = GateStatus(
        name="errors",
        verdict=Verdict.INCONCLUSIVE,
        reason=Reason.COLLECTING,
        severity=Severity.HIGH,
        segments=(
            SegmentStatus(
                phase_index=0, canary=Counts(bad=bad, total=canary), stable=Counts(bad=bad, total=stable)
            ),
        ),
    )

    for gate in (ERRORS, COMPLETION, COST):
        judgment = judge(gate, reading(1, 50, 3, 950), course, finished=finished(stored), burst=burst)

        assert judgment.finding is not None
        assert 0 <= judgment.finding.evidence < 1e305
        assert to_status(judgment).message == judgment.message
