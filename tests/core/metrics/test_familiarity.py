"""A canary that counts its bad outcomes under another name: what is asked, and what a gate says."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import pytest

from agentrollouts.api.reasons import Reason
from agentrollouts.api.verdict import Verdict
from agentrollouts.core.gates.counts import Segment, Tally
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.reading import Reading, Unfamiliar
from agentrollouts.core.judge.doubts import doubted
from agentrollouts.core.judge.facts import PlanPosition
from agentrollouts.core.judge.judge import Judgment, judge
from agentrollouts.core.metrics.closer_look import closer_look
from agentrollouts.core.metrics.promql import render
from agentrollouts.core.metrics.queries import COUNTED, WATCHED, Kin, QueryPlan, Term, plan_queries, tag
from agentrollouts.core.metrics.reader import tabulate
from agentrollouts.core.metrics.table import QueryResult, Row, Table
from testkit.gates import CANARY, SHOP, STABLE, a_gate, read_all
from tests.core.metrics.test_queries import selectors
from tests.core.metrics.test_reader import AT, NOW, START

ERRORS: Final = a_gate(template="error-rate", name="errors")
OWN: Final = a_gate(
    name="own", source={"bad": "agent_failures_total", "total": "agent_runs_total"}, minSamples=10
)
COST: Final = a_gate(template="cost-per-run", name="cost")


def plan_of(gate: ResolvedGate, *, closer: bool = False) -> QueryPlan:
    """The query of one gate, usually or after a result without bad outcomes of the canary."""
    plan = plan_queries([gate], SHOP, counting_start=START, warmup_seconds=0)
    return replace(plan, closer=frozenset({gate.sources.bad})) if closer else plan


def rows(
    gate: ResolvedGate, runs: tuple[float, float], bad: tuple[float | None, float | None]
) -> QueryResult:
    """What Prometheus has of canary and stable; None where there is no series."""
    plan, total = plan_of(gate), gate.sources.total
    facts = []
    for release, number, worse in zip((CANARY, STABLE), runs, bad, strict=True):
        values = {
            Term.COVERED: 1.0,
            Term.NEWEST: AT.timestamp() - 3,
            Term.SCRAPES: 40.0,
            Term.INCREASE: number,
        }
        facts += [Row(tag(plan, total, term), release, None, value) for term, value in values.items()]
        if worse is not None:
            facts.append(Row(tag(plan, gate.sources.bad, Term.INCREASE), release, None, worse))
    return QueryResult(AT, tuple(facts))


def asked(
    gate: ResolvedGate, result: QueryResult, *, runs: float = 0.0, kin: float = 0.0, closer: bool = True
) -> Reading:
    """The reading of the second query."""
    plan = plan_of(gate, closer=closer)
    terms = {Term.UNFAMILIAR: runs, Term.KIN: kin} if closer else {}
    more = [
        Row(tag(plan, gate.sources.bad, term), CANARY, None, value) for term, value in terms.items() if value
    ]
    answer = replace(result, rows=(*result.rows, *more))
    reading = read_all(plan, answer, [gate], now=NOW, stale_after_seconds=120)[gate.name]
    assert isinstance(reading, Reading)
    return reading


def ended(
    gate: ResolvedGate, reading: Reading, burst: float = 1.0, finished: Sequence[Tally] = ()
) -> Judgment:
    """The judgment at the end of the only phase."""

    def on(counts: Any) -> Judgment:  # noqa: ANN401 any counts
        return judge(gate, counts, PlanPosition(0, 1, time_over=True), finished=finished, burst=burst)

    return doubted(on(reading), reading, on)


def test_the_question_is_asked_where_only_the_canary_has_no_bad_outcome() -> None:
    """Not of one that has some, nor where nobody has, nor where stable alone cannot tell."""
    cases = {
        "no series": ((500.0, 9500.0), (None, 100.0)),
        "zero": ((500.0, 9500.0), (0.0, 100.0)),
        "some": ((500.0, 9500.0), (1.0, 100.0)),
        "nobody": ((500.0, 9500.0), (None, None)),
        "no runs": ((0.0, 9500.0), (None, 100.0)),
    }
    found = {}
    for name, (runs, bad) in cases.items():
        table = tabulate(plan_of(ERRORS), rows(ERRORS, runs, bad))
        assert isinstance(table, Table)
        found[name] = closer_look(table, [ERRORS])

    suspicious = frozenset({ERRORS.sources.bad})
    assert found == dict.fromkeys(cases, frozenset()) | {"no series": suspicious, "zero": suspicious}


def test_an_outcome_in_capitals_is_no_pass() -> None:
    """Half of the canary's runs are `FAILED`, of which stable has none: held, with what to do."""
    result = rows(ERRORS, (500, 9500), (None, 100))
    judgment = ended(ERRORS, asked(ERRORS, result, runs=250, kin=2))

    assert (judgment.verdict, judgment.reason) == (Verdict.NO_DATA, Reason.NEVER_SEEN)
    assert judgment.message == (
        "250 runs of the canary have a value of outcome that stable never had, and if they are bad outcomes "
        "the canary fails; count them under the same name as before, or set mayBeAbsent: true"
    )


@pytest.mark.parametrize("runs", [0.0, 4.0])
def test_a_better_canary_passes(runs: float) -> None:
    """Its outcomes are those of stable, or so few are new that it does not fail by them."""
    judgment = ended(ERRORS, asked(ERRORS, rows(ERRORS, (500, 9500), (None, 100)), runs=runs, kin=2))

    assert judgment.verdict is Verdict.PASS


def test_nothing_passes_before_prometheus_has_answered() -> None:
    """One more look, and no Fail waits for it."""
    judgment = ended(ERRORS, asked(ERRORS, rows(ERRORS, (500, 9500), (None, 100)), closer=False))

    assert (judgment.verdict, judgment.reason) == (Verdict.INCONCLUSIVE, Reason.INCONCLUSIVE)
    assert judgment.message.endswith("it is not yet known whether a bad outcome could be detected")


def test_a_later_segment_does_not_wait() -> None:
    """Each step of a ramp is a segment, and what was asked in the first one is true of all."""
    reading = asked(ERRORS, rows(ERRORS, (500, 9500), (None, 100)), closer=False)
    judgment = ended(ERRORS, reading, finished=[Tally(0, Segment(0, 500, 100, 9500))])

    assert judgment.verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("canary", "kin", "expected"),
    [
        (2000, 0, Verdict.NO_DATA),
        (2000, 1, Verdict.PASS),
        (200, 0, Verdict.PASS),
    ],
)
def test_a_counter_that_only_the_canary_lacks(canary: float, kin: float, expected: Verdict) -> None:
    """20 failures are expected and there is no such metric: it has another name. Of two that is no proof."""
    judgment = ended(OWN, asked(OWN, rows(OWN, (canary, 9500), (None, 95)), kin=kin))

    assert judgment.verdict is expected
    if expected is Verdict.NO_DATA:
        assert judgment.reason is Reason.NEVER_SEEN
        assert judgment.message == (
            "the canary has no series of agent_failures_total, though stable has, and by its rate the canary "
            "must have had some too; count them under the same name as before, or set mayBeAbsent: true"
        )


def test_a_canary_without_costs_is_not_cheap() -> None:
    """A sum is expected in units of its burst factor."""
    reading = asked(COST, rows(COST, (500, 9500), (None, 950)))

    assert ended(COST, reading, burst=1.0).reason is Reason.NEVER_SEEN
    assert ended(COST, reading, burst=100.0).verdict is Verdict.PASS


def test_what_fails_fails() -> None:
    """The doubt only concerns a Pass."""
    strange = Unfamiliar(is_known=True, label="outcome", runs=250, has_series=True)
    reading = Reading(Segment(60, 500, 100, 9500), (), AT, unfamiliar=strange)

    assert ended(ERRORS, reading).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("gate", "selector", "label"),
    [
        ({"template": "error-rate"}, "agent_runs_total", "outcome"),
        ({"template": "tool-hallucination"}, "agent_tool_calls_total", "result"),
        ({"source": {"bad": 'a_total{b="c",d="e"}', "total": 'a_total{b="c"}'}}, 'a_total{b="c"}', "d"),
        ({"source": {"bad": 'a_total{b="c"}', "total": "d_total"}}, "a_total", ""),
        ({"template": "task-completion"}, None, None),
        ({"template": "latency"}, None, None),
        ({"source": {"bad": 'a_total{b="c",d="e"}', "total": "a_total"}}, None, None),
        ({"template": "error-rate", "mayBeAbsent": True}, None, None),
    ],
)
def test_which_bad_outcomes_can_have_another_name(
    gate: dict[str, Any], selector: str | None, label: str | None
) -> None:
    """Those that one value of a label or the metric itself tells from others, unless they may be absent."""
    resolved = a_gate(name="g", **gate)
    kin = plan_of(resolved).kin(resolved.sources.bad)

    assert (kin and str(kin.selector), kin and kin.label) == (selector, label)


def test_the_terms_are_queried_on_suspicion_only() -> None:
    """Inside the namespace, the agent and the two releases."""
    plan = plan_of(ERRORS, closer=True)
    text = render(plan, AT)
    assert text is not None

    assert plan == plan_of(ERRORS)
    assert plan_of(ERRORS).terms(ERRORS.sources.bad)[:2] == COUNTED
    assert {Term.UNFAMILIAR, Term.KIN} <= set(plan.terms(ERRORS.sources.bad))
    assert {Term.UNFAMILIAR, Term.KIN, *WATCHED}.isdisjoint(plan_of(ERRORS).terms(ERRORS.sources.bad))
    ours = {f'{label}="{value}"' for label, value in (("namespace", "shop"), ("agent", "support"))}
    for each in selectors(text):
        written = {f'{m.name}="{m.value}"' for m in each.matchers.matchers}
        assert ours <= written, written
        assert any(name.startswith("release=") for name in written), written


def test_a_plan_without_stable_asks_nothing_about_names() -> None:
    """There is nothing to compare them with."""
    alone = replace(SHOP, stable=None)

    assert plan_queries([ERRORS], alone, counting_start=START, warmup_seconds=0).renamed == frozenset[Kin]()
