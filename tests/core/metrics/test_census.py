"""Whether a bad outcome could have been seen: the query, its answer, and what a gate says without."""

from typing import Any, Final

import pytest

from agentrollouts.api.reasons import Reason
from agentrollouts.api.verdict import GateStatus, Numerator, Verdict
from agentrollouts.core.gates.counts import Segment
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.reading import Reading, Sight
from agentrollouts.core.judge.doubts import doubted
from agentrollouts.core.judge.facts import PlanPosition
from agentrollouts.core.judge.judge import Judgment, judge
from agentrollouts.core.metrics.census import (
    Census,
    Sighted,
    census_of,
    render_census,
    sight_of,
    sighted,
    witnesses,
)
from testkit.gates import SHOP, a_gate, resolution
from tests.core.metrics.test_queries import selectors
from tests.core.metrics.test_reader import AT

TYPO: Final = {"bad": 'agent_runs_total{outcome="error"}', "total": "agent_runs_total"}
ERROR = a_gate(source=TYPO)
CLEAN = Reading(Segment(0, 645, 0, 12_000), (), AT)
SEEN_NONE = Sighted(
    frozenset(),
    {("agent_runs_total", "outcome"): ("success", "failed")},
    {"agent_runs_total": ("outcome", "pod", "release")},
)


def ended(gate: ResolvedGate, reading: Reading, sight: Sight | None) -> Judgment:
    """The judgment at the end of a phase."""

    def on(counts: Any) -> Judgment:  # noqa: ANN401 any counts
        return judge(gate, counts, PlanPosition(0, 1, time_over=True))

    return doubted(on(reading), reading, on, sight=sight)


def test_no_failures_prove_nothing_where_none_could_be_seen() -> None:
    """The agent writes `failed`, the gate counts `error`: 645 runs without one are no Pass."""
    sight = sight_of(ERROR, None, CLEAN, SEEN_NONE)
    judgment = ended(ERROR, CLEAN, sight)

    assert (judgment.verdict, judgment.reason) == (Verdict.NO_DATA, Reason.NEVER_SEEN)
    assert judgment.numerator is Numerator.NEVER_SEEN
    assert judgment.message == (
        'no series agent_runs_total{outcome="error"} of this agent in 7 days, so no bad outcome could be '
        "detected; outcome has success, failed; correct the selector, create the series at 0 when the agent "
        "starts, or set mayBeAbsent: true"
    )
    assert not judgment.lets_pass


def test_it_is_held_and_never_rolled_back() -> None:
    """Also where the user wants missing data to fail."""
    strict = a_gate(source=TYPO, noData="Fail")

    assert ended(strict, CLEAN, sight_of(strict, None, CLEAN, SEEN_NONE)).verdict is Verdict.NO_DATA


@pytest.mark.parametrize(
    ("reading", "past", "sighting"),
    [
        pytest.param(Reading(Segment(0, 645, 0, 12_000), (), AT, saw_bad=True), None, SEEN_NONE, id="at 0"),
        pytest.param(CLEAN, None, Sighted(frozenset({ERROR.bad}), {}, {}), id="in the last 7 days"),
        pytest.param(
            CLEAN,
            GateStatus(
                name="g",
                verdict=Verdict.PASS,
                reason=Reason.PASSED,
                severity=ERROR.severity,
                numerator=Numerator.SEEN,
            ),
            None,
            id="earlier in the attempt",
        ),
    ],
)
def test_what_was_seen_once_may_pass(
    reading: Reading, past: GateStatus | None, sighting: Sighted | None
) -> None:
    """A series that exists at 0, one of an older release, one that was seen before a restart."""
    passed = ended(ERROR, reading, sight_of(ERROR, past, reading, sighting))

    assert (passed.verdict, passed.numerator) == (Verdict.PASS, Numerator.SEEN)


def test_until_prometheus_has_answered_nothing_passes() -> None:
    """The question is asked once, and may fail."""
    judgment = ended(ERROR, CLEAN, sight_of(ERROR, None, CLEAN, None))

    assert judgment.verdict is Verdict.INCONCLUSIVE
    assert judgment.message.endswith("it is not yet known whether a bad outcome could be detected")


@pytest.mark.parametrize("place", ["gate", "source"])
def test_what_may_be_absent_passes_visibly(place: str) -> None:
    """The field turns the question off, and the sentence and the status say so."""
    source = TYPO | ({"mayBeAbsent": True} if place == "source" else {})
    gate = a_gate(source=source, **({"mayBeAbsent": True} if place == "gate" else {}))

    judgment = ended(gate, CLEAN, sight_of(gate, None, CLEAN, None))

    assert census_of([gate], (), SHOP) is None
    assert (judgment.verdict, judgment.numerator) == (Verdict.PASS, Numerator.MAY_BE_ABSENT)
    assert judgment.message.endswith(
        'no series agent_runs_total{outcome="error"} of these releases, as mayBeAbsent allows'
    )


def test_proof_of_harm_needs_no_sight() -> None:
    """A canary that fails has been seen failing, whatever other value was never seen."""
    gate = a_gate(template="tool-hallucination")
    bad = Reading(Segment(30, 50, 1, 950), (), AT, saw_bad=True)

    judgment = ended(gate, bad, sight_of(gate, None, bad, Sighted(frozenset(), {}, {})))

    assert judgment.verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("template", "selectors"),
    [
        ("error-rate", ['agent_runs_total{outcome="failed"}']),
        ("violations", ["agent_violations_total"]),
        (
            "task-completion",
            ['agent_runs_total{outcome!="completed"}', 'agent_runs_total{outcome="completed"}'],
        ),
        (
            "tool-hallucination",
            [
                'agent_tool_calls_total{result=~"unknown_tool|bad_args"}',
                'agent_tool_calls_total{result="unknown_tool"}',
                'agent_tool_calls_total{result="bad_args"}',
            ],
        ),
        ("latency", []),
        ("decision-mix", []),
    ],
)
def test_what_must_have_been_seen(template: str, selectors: list[str]) -> None:
    """The bad outcomes, each value that a template lists, and what is left of "all but"."""
    assert list(map(str, witnesses(a_gate(template=template)))) == selectors


def test_an_agent_that_completes_nothing_under_that_name_is_not_passed() -> None:
    """Where it writes `success`, every run counts as incomplete on both sides, and no canary looks worse."""
    gate = a_gate(template="task-completion")
    blind = Reading(Segment(645, 645, 12_000, 12_000), (), AT, saw_bad=True)
    sighting = Sighted(
        frozenset({gate.bad}), {("agent_runs_total", "outcome"): ("success",)}, {"agent_runs_total": ()}
    )

    verdict = ended(gate, blind, sight_of(gate, None, blind, sighting))

    assert verdict.reason is Reason.NEVER_SEEN
    assert 'agent_runs_total{outcome="completed"}' in verdict.message
    assert "outcome has success" in verdict.message


def test_the_query_is_kept_to_the_agent_and_parses() -> None:
    """Every selector has the enforced matchers; without the look-back it asks for what is there."""
    gates = resolution({"name": "a", "source": TYPO}, {"name": "b", "template": "task-completion"}).gates
    census = census_of(gates, (), SHOP)
    assert census is not None

    for first in (True, False):
        text = render_census(census, first=first)
        kept = [[(m.name, m.value) for m in each.matchers.matchers][:2] for each in selectors(text)]
        assert kept
        assert all(each == [("namespace", "shop"), ("agent", "support")] for each in kept)
        assert ("[7d:5m]" in text) is first


def test_the_answer_lists_what_exists() -> None:
    """The most frequent values first, and the labels where the one that is matched on does not exist."""
    gate = a_gate(source={"bad": 'agent_runs_total{status="failed"}', "total": "agent_runs_total"})
    census = Census(SHOP, witnesses(gate))
    rows = [
        ({"src": "0.values.0"}, 3.0),
        ({"src": "0.example", "__name__": "agent_runs_total", "outcome": "failed", "agent": "a"}, 7.0),
    ]

    sight = sight_of(gate, None, CLEAN, sighted(census, rows))

    assert "no series has status; labels are outcome" in sight.message


def test_values_of_a_stranger_are_bounded() -> None:
    """What an agent writes into a label comes into the sentence short and printable."""
    values = tuple(f"{'x' * 300}\n{index}" for index in range(12))
    sight = sight_of(
        ERROR,
        None,
        CLEAN,
        Sighted(frozenset(), {("agent_runs_total", "outcome"): values}, {"agent_runs_total": ()}),
    )

    assert len(sight.message) < 1024
    assert sight.message.isprintable()


def test_only_what_is_unknown_is_asked() -> None:
    """Nothing, once every gate is known to see."""
    status = GateStatus(
        name="g",
        verdict=Verdict.PASS,
        reason=Reason.PASSED,
        severity=ERROR.severity,
        numerator=Numerator.SEEN,
    )

    assert census_of([ERROR], (), SHOP) == Census(SHOP, (ERROR.bad,))
    assert census_of([ERROR], (status,), SHOP) is None
