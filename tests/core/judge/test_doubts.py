"""Outcomes without a release: a verdict that they could change is none."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest

from agentrollouts.api.reasons import Reason
from agentrollouts.api.verdict import Verdict
from agentrollouts.core.gates.counts import Recent, Segment
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.reading import Lost, Reading, TooEarly
from agentrollouts.core.judge.doubts import doubted
from agentrollouts.core.judge.facts import PlanPosition
from agentrollouts.core.judge.judge import Judgment, judge
from agentrollouts.core.metrics.closer_look import closer_look
from agentrollouts.core.metrics.promql import render
from agentrollouts.core.metrics.queries import Subject, Term, plan_queries
from agentrollouts.core.metrics.reader import tabulate
from agentrollouts.core.metrics.table import QueryResult, Row, Table
from testkit.gates import CANARY, SHOP, STABLE, a_gate, read_all
from tests.core.metrics.test_reader import AT, HEALTHY, NOW, PLAN, START, answer, read

ERRORS: Final = a_gate(template="error-rate")
LIMIT: Final = a_gate(
    source={"bad": 'runs_total{ok="no"}', "total": "runs_total"},
    type="Limit",
    limit={"value": "0.15", "forSeconds": 0},
)


def judged(
    gate: ResolvedGate, segment: Segment, lost: Lost | None, recent: Segment | None = None
) -> Judgment:
    """The verdict at the end of the only phase."""
    now = None if recent is None else Recent(recent)
    reading = Reading(segment, (), AT, now, saw_bad=True, lost=lost)

    def on(counts: Any) -> Judgment:  # noqa: ANN401 any counts
        return judge(gate, counts, PlanPosition(0, 1, time_over=True))

    return doubted(on(reading), reading, on)


def test_failures_without_a_release_stop_a_pass_that_they_could_turn() -> None:
    """LiteLLM counts failed requests under the release `None`: the canary seems to have none."""
    judgment = judged(ERRORS, Segment(0, 500, 4, 9500), Lost(bad=60, total=60))

    assert (judgment.verdict, judgment.reason) == (Verdict.ERROR, Reason.UNATTRIBUTED)
    assert judgment.message.startswith(
        "60 failures of this agent have no known release, and with all of them on the canary it would "
    )


def test_a_few_of_them_change_nothing() -> None:
    """Two failures more on the canary would still be a Pass."""
    assert judged(ERRORS, Segment(5, 500, 95, 9500), Lost(bad=2, total=2)).verdict is Verdict.PASS


def test_a_fail_that_they_could_turn_rolls_nothing_back() -> None:
    """Where stable's failures lose their release, a canary that keeps its own looks worse."""
    segment = Segment(12, 500, 2, 9500)

    assert judged(ERRORS, segment, None).verdict is Verdict.FAIL
    assert judged(ERRORS, segment, Lost(bad=200, total=200)).reason is Reason.UNATTRIBUTED
    assert judged(ERRORS, segment, Lost(bad=3, total=3)).verdict is Verdict.FAIL


def test_a_limit_is_held_to_the_same() -> None:
    """Without a comparison the canary's rate is what they could change."""
    segment = Segment(2, 400, 20, 9600)

    assert judged(LIMIT, segment, Lost(bad=200, total=200), segment).reason is Reason.UNATTRIBUTED
    assert judged(LIMIT, segment, Lost(bad=5, total=5), segment).verdict is Verdict.PASS


def test_one_violation_of_nobody_is_one_too_many() -> None:
    """No violation is allowed, and it may be the canary's."""
    gate = a_gate(template="violations")

    assert judged(gate, Segment(0, 500, 0, 9500), Lost(bad=1, total=0)).reason is Reason.UNATTRIBUTED


def test_they_are_counted_by_rows_without_a_release() -> None:
    """Increase and first values together; a row of that kind for a release is not one that was asked for."""
    failures = f"{PLAN.positions[ERRORS.sources.bad]}"
    rows = HEALTHY | {(f"{failures}.unknown", ""): 7.0, (f"{failures}.unknown-births", ""): 2.0}

    table = tabulate(PLAN, answer(rows))
    assert isinstance(table, Table)
    assert closer_look(table, [ERRORS]) == {ERRORS.sources.total}
    assert isinstance(read(answer(rows)), TooEarly)
    total = answer(rows | {(f"{PLAN.positions[ERRORS.sources.total]}.unknown", ""): 12.0})
    plan = replace(PLAN, closer=frozenset({ERRORS.sources.total}))
    reading = read_all(plan, total, [ERRORS], now=NOW, stale_after_seconds=120)["g"]

    assert isinstance(reading, Reading)
    assert reading.lost == Lost(9.0, 12.0)
    assert not isinstance(read(answer(HEALTHY | {(f"{failures}.unknown", CANARY): 7.0})), Reading)


def test_older_releases_are_known() -> None:
    """One that still drains is not taken for runs without a release; the plan stays the same."""
    subject = Subject(SHOP.namespace, SHOP.agent, CANARY, STABLE, known_releases=("support-3.9.0",))
    plan = plan_queries([ERRORS], subject, counting_start=START, warmup_seconds=0)

    text = render(plan, AT) or ""

    assert r'release!~"support-4\\.2\\.0|support-4\\.1\\.0|support-3\\.9\\.0"' in text
    assert plan == plan_queries([ERRORS], SHOP, counting_start=START, warmup_seconds=0)


@pytest.mark.parametrize("by_request", [True, False])
def test_where_labels_come_with_the_request_the_agent_is_lost_too(by_request: bool) -> None:  # noqa: FBT001 both
    """A proxy that lost the release of a failed request has lost its agent as well."""
    subject = Subject(SHOP.namespace, SHOP.agent, CANARY, STABLE, by_request=by_request)
    text = render(plan_queries([ERRORS], subject, counting_start=START, warmup_seconds=0), AT) or ""

    assert ('agent=~"support|None|"' in text) is by_request


def test_nothing_is_lost_without_a_row() -> None:
    """The usual case costs no row."""
    rows = tuple(Row(src, release, None, value) for (src, release), value in HEALTHY.items())
    reading = read_all(
        PLAN, QueryResult(AT, rows), [ERRORS], now=NOW + timedelta(0), stale_after_seconds=120
    )["g"]

    assert isinstance(reading, Reading)
    assert reading.lost is None
    assert Term.UNKNOWN in PLAN.terms(ERRORS.sources.bad)
