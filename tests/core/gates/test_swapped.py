"""Swapped selectors: more bad runs than runs hold a rollout and never roll it back."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.api.reasons import Reason
from agentrollouts.api.verdict import Baseline, Verdict
from agentrollouts.core.gates.counts import Recent, Segment, Tally
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.reading import Reading
from agentrollouts.core.gates.selector import Refusal
from agentrollouts.core.gates.swapped import EXTRAPOLATED, FEW
from agentrollouts.core.judge.facts import GateMemory, PlanPosition, Streaks
from agentrollouts.core.judge.judge import judge
from agentrollouts.core.metrics.histograms import Buckets, Histogram, compare
from testkit.builders.names import START
from testkit.gates import a_gate, resolution

ERRORS, COMPLETION, COST = (
    a_gate(template=name) for name in ("error-rate", "task-completion", "cost-per-run")
)
LIMIT = a_gate(
    type="Limit", source={"bad": 'runs{outcome="failed"}', "total": "runs"}, limit={"value": "0.15"}
)
RUNNING = PlanPosition(0, 3, time_over=False)
MESSAGE = (
    "`bad` counts {bad} runs of {name} and `total` only {total}; swap the two selectors, or let `total` "
    "count every run"
)

SWAPPED = {
    "both releases": (Segment(50, 4, 950, 11), "stable"),
    "the canary alone": (Segment(50, 4, 11, 950), "the canary"),
    "stable alone": (Segment(30, 50, 950, 11), "stable"),
    "a total of nothing": (Segment(8, 0, 11, 950), "the canary"),
}


@pytest.mark.parametrize(("segment", "name"), SWAPPED.values(), ids=list(SWAPPED))
@pytest.mark.parametrize("gate", [ERRORS, COMPLETION, LIMIT], ids=["errors", "completion", "limit"])
def test_more_bad_runs_than_runs_is_an_invalid_gate(gate: ResolvedGate, segment: Segment, name: str) -> None:
    """Counts that contradict each other are an error of the gate, and the message names the release."""
    judgment = judge(gate, Reading(segment, (), START), RUNNING)

    assert (judgment.verdict, judgment.reason) == (Verdict.ERROR, Reason.INVALID_GATE)
    assert f"runs of {name} and `total` only" in judgment.message
    assert not judgment.lets_pass


def test_the_sentence_says_what_was_counted() -> None:
    """A person sees the two numbers and what to do."""
    judgment = judge(ERRORS, Reading(Segment(50, 4, 11, 950), (), START), RUNNING)

    assert judgment.message == MESSAGE.format(bad=50, name="the canary", total=4)


def test_a_window_that_is_swapped_does_not_breach_a_limit() -> None:
    """The absolute limit does not roll back on such counts either, after any time."""
    recent = Recent(Segment(40, 2, 950, 11))
    memory = GateMemory(Baseline(bad=11, total=950), Streaks(beyond=START.replace(year=2000)))

    judgment = judge(ERRORS, Reading(Segment(2, 50, 11, 950), (), START, recent), RUNNING, memory=memory)

    assert (judgment.verdict, judgment.reason) == (Verdict.ERROR, Reason.INVALID_GATE)


def test_a_total_failure_rolls_back_whatever_the_scrapes_lack() -> None:
    """Every run failed, and two counters that were scraped apart say a few more: that is a Fail."""
    judgment = judge(ERRORS, Reading(Segment(63, 50, 11, 950), (), START), RUNNING)

    assert judgment.verdict is Verdict.FAIL


def test_a_sum_may_be_larger_than_its_runs() -> None:
    """Dollars, and tool calls, are no share of the runs."""
    judgment = judge(COST, Reading(Segment(5000, 100, 50_000, 1900), (), START), RUNNING)

    assert judgment.verdict is Verdict.INCONCLUSIVE


counts = st.floats(0, 1e6)


@given(counts, counts, counts, counts, st.sampled_from([RUNNING, replace(RUNNING, time_over=True)]))
def test_impossible_counts_never_roll_back(
    a: float, b: float, c: float, d: float, course: PlanPosition
) -> None:
    """Whatever else was counted before or beside them."""
    swapped = Segment(EXTRAPOLATED * (a + b) + FEW + 1, b, c, d)
    before = (Tally(0, Segment(a, a, c, c)),)

    judgment = judge(ERRORS, Reading(swapped, (), START), course, finished=before)

    assert judgment.verdict is Verdict.ERROR


def test_a_bucket_above_all_runs_is_no_histogram() -> None:
    """Buckets of two histograms under one selector would make negative counts."""
    fine: Buckets = {"1": 30.0, "10": 52.0, "+Inf": 50.0}  # extrapolated apart
    broken: Buckets = {"1": 3000.0, "10": 52.0, "+Inf": 50.0}

    assert isinstance(compare(fine, fine), Histogram)
    for pair in ((broken, fine), (fine, broken)):
        assert compare(*pair) == (
            "the bucket le=1 counts more than +Inf; name the `_bucket` series of one histogram"
        )


REFUSED = {
    "swapped": (
        {"bad": "runs_total", "total": 'runs_total{outcome="failed"}'},
        'runs_total includes all of total, runs_total{outcome="failed"}; swap bad and total',
    ),
    "swapped with a matcher in both": (
        {"bad": 'runs_total{kind="chat"}', "total": 'runs_total{outcome!="ok",kind="chat"}'},
        (
            'runs_total{kind="chat"} includes all of total, runs_total{outcome!="ok",kind="chat"}; '
            "swap bad and total"
        ),
    ),
}


@pytest.mark.parametrize(("source", "message"), REFUSED.values(), ids=list(REFUSED))
@pytest.mark.parametrize(
    "fields", [{}, {"better": "Higher"}, {"type": "Limit", "limit": {"value": "0.1"}}], ids=str
)
def test_selectors_that_are_surely_swapped_are_refused(
    source: dict[str, str], message: str, fields: dict[str, object]
) -> None:
    """Where `total` selects only part of what `bad` selects, no count is needed to know."""
    resolved = resolution({"source": source, **fields})

    assert resolved.refusals == (Refusal("spec.gates[0].source.bad", message),)


def test_a_mean_may_sum_what_it_counts() -> None:
    """Retries per run may be a sum over part of the same counter's series."""
    source = {"bad": "calls_total", "total": 'calls_total{attempt="1"}'}

    assert resolution({"source": source, "type": "Mean"}).refusals == ()
