"""Sentences whose numbers add up: what a reader works out from two shown numbers is the third one."""

import re
from datetime import timedelta
from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agentrollouts.api.verdict import Baseline, Verdict
from agentrollouts.core.gates.counts import Bound, Mix, Recent, Segment, Tally, settled
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.reading import Reading
from agentrollouts.core.gates.selector import BOUND_LABEL
from agentrollouts.core.judge.explain import since_rollback
from agentrollouts.core.judge.facts import GateMemory, PlanPosition, Streaks
from agentrollouts.core.judge.judge import judge
from testkit.builders.names import START
from testkit.gates import a_gate

NUMBER: Final = r"\$?([\d,]+(?:\.\d+)?)"
PARTS: Final = re.compile(rf"{NUMBER} of {NUMBER}(?:(?! of )[^;()])*?\((over )?{NUMBER}%\)")
"""10.4 of 15.7 failures (66%)"""
RATES: Final = re.compile(rf"ha[sd] {NUMBER}[^;()]* in {NUMBER} [^;()]*\((over )?{NUMBER}%\)")
"""had 9 failures in 30 runs of the last 300 s (30%)"""
MEANS: Final = re.compile(rf"has {NUMBER}[^;()]* in {NUMBER} [^;()]*\({NUMBER} per run\)")
TIMES: Final = (
    re.compile(rf"{NUMBER}% vs {NUMBER}% = {NUMBER}x"),
    re.compile(rf"{NUMBER} vs {NUMBER} per run = {NUMBER}x"),
    re.compile(rf"had {NUMBER}[^;()]* where stable's rate gives {NUMBER} = {NUMBER}x"),
)


def value(text: str) -> float:
    """The number that is shown."""
    return float(text.replace(",", ""))


def precision(text: str) -> float:
    """By how much the true number may differ from the one that is shown: half of its last digit."""
    decimals = len(text.partition(".")[2])
    digits = text.replace(",", "").replace(".", "").lstrip("0")
    coarse = 10.0 ** (len(text.replace(",", "").partition(".")[0]) - 3) if len(digits) > 3 else 0.0
    return max(0.5 * 10.0**-decimals, coarse if not decimals else 0.0) * (1 + 1e-9)


def discrepancies(sentence: str) -> list[str]:
    """The parts of a sentence that do not add up."""
    wrong = []
    for pattern in (PARTS, RATES):
        for match in pattern.finditer(sentence):
            part, whole, over, percent = match.groups()
            share = 100 * (value(part) / value(whole)) if value(whole) else 0.0
            is_right = share > value(percent) if over else abs(share - value(percent)) <= precision(percent)
            if not is_right or (share in {0, 100}) != (value(percent) in {0, 100}):
                wrong.append(f"{match.group()}: it is {share}")
    for match in MEANS.finditer(sentence):
        total, runs, mean = match.groups()
        if abs(value(total) / value(runs) - value(mean)) > precision(mean):
            wrong.append(f"{match.group()}: it is {value(total) / value(runs)}")
    for pattern in TIMES:
        for match in pattern.finditer(sentence):
            more, less, ratio = match.groups()
            low = (value(more) - precision(more)) / (value(less) + precision(less))
            rest = value(less) - precision(less)
            high = (value(more) + precision(more)) / rest if rest > 0 else float("inf")
            if not low - precision(ratio) <= value(ratio) <= high + precision(ratio):
                wrong.append(f"{match.group()}: it is between {low} and {high}")
    return wrong


GATES: Final[tuple[ResolvedGate, ...]] = (
    *(
        a_gate(name=name, template=name)
        for name in (
            "error-rate",
            "task-completion",
            "latency",
            "cost-per-run",
            "tool-calls-per-run",
            "violations",
            "decision-mix",
            "output-length",
        )
    ),
    a_gate(name="limit", type="Limit", source={"bad": 'r{o="x"}', "total": "r"}, limit={"value": "0.15"}),
)

runs = st.floats(0, 30) | st.floats(0, 3000) | st.floats(0, 1e6) | st.integers(0, 5000).map(float)
shares = st.floats(0, 1) | st.floats(0, 0.01) | st.floats(0.99, 1) | st.sampled_from([0.0, 1.0])
sides = st.builds(lambda total, share: (settled(total * share), settled(total)), runs, shares)
segments = st.builds(lambda c, s: Segment(*c, *s), sides, sides)
bounds = st.lists(st.builds(lambda share, other: (share, other), shares, shares), max_size=3)
COURSES: Final = st.builds(
    PlanPosition,
    st.integers(0, 2),
    st.just(3),
    st.booleans(),
    weight=st.sampled_from([None, 5, 50, 95]),
    counted_seconds=st.just(600.0),
)


def reading(counts: Segment, above: list[tuple[float, float]], recent: Segment | None) -> Reading:
    """Counts with bounds and a mix made of the same shares."""
    bounds_above = tuple(
        Bound(10.0**index, counts.canary_total * canary, counts.stable_total * stable)
        for index, (canary, stable) in enumerate(above)
    )
    mix = (
        Mix("a", counts.canary_bad, counts.stable_bad),
        Mix("b", counts.canary_total - counts.canary_bad, counts.stable_total - counts.stable_bad),
    )
    return Reading(counts, bounds_above, START, Recent(recent, 10.0) if recent else None, mix)


@given(
    st.sampled_from(GATES),
    st.lists(segments, min_size=1, max_size=3),
    bounds,
    st.none() | segments,
    COURSES,
    sides,
)
@example(GATES[0], [Segment(10.4, 40, 5.3, 760)], [], None, PlanPosition(0, 1, time_over=True), (0.0, 0.0))
def test_the_numbers_of_a_verdict_add_up(
    gate: ResolvedGate,
    attempt: list[Segment],
    above: list[tuple[float, float]],
    recent: Segment | None,
    course: PlanPosition,
    past: tuple[float, float],
) -> None:
    """Whatever was counted, by whatever type of gate, at any stage."""
    long_ago = START - timedelta(days=1)
    bound = 10.0 if gate.name == "latency" else None
    baseline = Baseline(bad=past[0], total=past[1], bound=bound)
    memory = GateMemory(baseline if past[1] else None, Streaks(long_ago, long_ago, long_ago))
    *before, counts = attempt
    if gate.by == BOUND_LABEL:  # its bad outcomes are in the bounds
        counts = Segment(0.0, counts.canary_total, 0.0, counts.stable_total)
        before = [Segment(0.0, each.canary_total, 0.0, each.stable_total) for each in before]

    judgment = judge(
        gate,
        reading(counts, above, recent),
        course,
        finished=[Tally(0, segment) for segment in before],
        memory=memory,
    )

    assert discrepancies(f"{judgment.message} {judgment.note}") == []


@given(st.sampled_from(GATES[:5]), segments)
def test_the_numbers_of_a_verification_add_up(gate: ResolvedGate, counts: Segment) -> None:
    """Stable now beside stable before the attempt."""
    if gate.by == BOUND_LABEL:
        counts = Segment(0.0, counts.canary_total, 0.0, counts.stable_total)

    comparison = judge(gate, reading(counts, [], None), PlanPosition(0, 1, time_over=True)).finding

    assert comparison is not None
    assert discrepancies(since_rollback(gate, comparison)) == []


def test_parts_of_a_run_are_shown() -> None:
    """Prometheus extrapolates, so counts have fractions, and a share is the share of what is shown."""
    course = PlanPosition(0, 1, time_over=True)

    judgment = judge(GATES[0], reading(Segment(10.4, 40, 5.3, 760), [], None), course)

    assert judgment.verdict is Verdict.FAIL
    assert "had 10.4 of 15.7 failures (66%)" in judgment.message


@pytest.mark.parametrize(
    "sentence",
    [
        "had 10 of 16 failures (66%)",
        "had 1,000 of 1,001 failures (100%)",
        "had 0 of 12 failures (0.1%)",
        "canary had 9 failures in 30 runs of the last 300 s (31%)",
        "rate 26% vs 0.7% = 45.8x",
        "0 vs 0 per run = 3x",
        "canary had 16 failures in 178 runs where stable's rate gives 2.8 = 6.91x",
    ],
)
def test_the_checker_sees_what_does_not_add_up(sentence: str) -> None:
    """The test of the test."""
    assert discrepancies(sentence) or sentence.startswith("0 vs 0")
