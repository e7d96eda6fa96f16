"""Runs of cohorts in the queries and for the judge: left out everywhere, and why that decides."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import promql_parser
import pytest

from agentrollouts.api.verdict import Verdict
from agentrollouts.core.gates.counts import Segment
from agentrollouts.core.gates.reading import Reading
from agentrollouts.core.gates.resolve import labels_of
from agentrollouts.core.gates.selector import LabelNames
from agentrollouts.core.judge.facts import PlanPosition
from agentrollouts.core.judge.judge import judge
from agentrollouts.core.metrics.census import census_of, render_census
from agentrollouts.core.metrics.promql import render, render_burst, render_gate
from agentrollouts.core.metrics.queries import Subject, plan_queries
from testkit.builders.rollouts import a_rollout
from testkit.gates import CANARY, STABLE, a_gate, resolution
from tests.core.metrics import selected

START: Final = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
LABELS: Final = LabelNames(cohort="cohort")
GATES: Final = ("error-rate", "task-completion", "latency", "cost-per-run", "violations")


def selectors(text: str) -> list[list[tuple[str, str, str]]]:
    """The matchers of all selectors of a query."""
    every = selected.selectors(promql_parser.parse(text))
    return [[(m.name, str(m.op), m.value) for m in each.matchers.matchers] for each in every]


def texts(labels: LabelNames) -> list[str | None]:
    """All kinds of queries that a rollout sends."""
    gates = resolution(*({"name": name, "template": name} for name in GATES)).gates
    subject = Subject("shop", "support", CANARY, STABLE, labels, known_releases=("support-4.0.0",))
    plan = plan_queries(gates, subject, counting_start=START, warmup_seconds=0)
    census = census_of(gates, (), subject)
    assert census is not None
    at = START + timedelta(seconds=600)
    return [
        render(plan, at),
        render_gate(plan, gates[0], at),
        render_burst(plan),
        render_census(census, first=True),
    ]


def test_every_selector_leaves_out_the_runs_of_cohorts() -> None:
    """Of gates, of the history, of the census and of runs without a release."""
    for text in texts(LABELS):
        assert text is not None
        every = selectors(text)
        assert every
        assert all(next(m for m in matchers if m[0] == "cohort")[2] == "" for matchers in every), text


def test_without_the_label_no_selector_has_it() -> None:
    """A rollout without cohorts sends the queries that it always sent."""
    assert [text for text in texts(LabelNames()) if text is None or "cohort" in text] == []


def test_the_label_comes_from_the_plan() -> None:
    """`spec.metrics.labels.cohort` names it; it is absent by default."""
    assert labels_of(a_rollout(metrics={"labels": {"cohort": "who"}}).plan).cohort == "who"
    assert labels_of(a_rollout().plan).cohort is None


@pytest.mark.parametrize(
    ("label", "field"),
    [
        ("release", "spec.metrics.labels.cohort"),
        ("agent", "spec.metrics.labels.cohort"),
        ("le", "spec.metrics.labels.cohort"),
    ],
)
def test_a_label_that_means_something_else_is_refused(label: str, field: str) -> None:
    """With the path of the field."""
    [refusal] = resolution({"template": "error-rate"}, metrics={"labels": {"cohort": label}}).refusals

    assert refusal.field == field


def test_a_selector_of_a_user_does_not_match_on_it() -> None:
    """It would find nothing, or only cohorts."""
    source: dict[str, Any] = {"bad": 'agent_runs_total{cohort="x"}', "total": "agent_runs_total"}
    [refusal] = resolution({"source": source}, metrics={"labels": {"cohort": "cohort"}}).refusals

    assert "must not match on cohort, which the operator sets itself" in str(refusal)


@pytest.mark.parametrize(
    ("stable", "verdict"), [((180, 15_000), Verdict.FAIL), ((580, 20_000), Verdict.PASS)]
)
def test_the_runs_of_a_cohort_would_hide_a_canary_that_is_twice_as_bad(
    stable: tuple[int, int], verdict: Verdict
) -> None:
    """5,000 high-risk runs, of which 8% fail, are pinned to stable: why they must not be counted."""
    gate, over = a_gate(template="error-rate"), PlanPosition(0, 1, time_over=True)

    assert judge(gate, Reading(Segment(120, 5000, *stable), (), START), over).verdict is verdict
