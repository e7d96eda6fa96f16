"""Counters that fall: restarts are counted through, anything else is no counter."""

from dataclasses import replace

import pytest

from agentrollouts.api.reasons import Reason
from agentrollouts.api.verdict import Verdict
from agentrollouts.core.gates.reading import Present, Reading, TooEarly, Uncovered, Unreadable
from agentrollouts.core.gates.sources import Source
from agentrollouts.core.judge.facts import PlanPosition
from agentrollouts.core.judge.judge import judge
from agentrollouts.core.metrics.closer_look import closer_look
from agentrollouts.core.metrics.queries import STEADINESS, Term
from agentrollouts.core.metrics.reader import tabulate
from agentrollouts.core.metrics.table import QueryResult, Table
from testkit.gates import CANARY, STABLE, read_all
from tests.core.metrics.test_reader import ERRORS, HEALTHY, NOW, PLAN, RUNS, answer


def resets(release: str, most: float, *, dips: float = 0.0, lately: float = 0.0) -> Present:
    """The counts after ten minutes in which one series fell so often."""
    terms = {Term.RESETS: most, Term.DIPS: dips, Term.STILL_RESETS: lately}
    return looked(answer(HEALTHY | {(f"{RUNS}.{term}", release): n for term, n in terms.items() if n}))


def looked(result: QueryResult, closer: frozenset[Source] = PLAN.steady) -> Present:
    """The counts by a query that looks at the suspicious sources more closely."""
    plan = replace(PLAN, closer=closer)
    return read_all(plan, result, [ERRORS], now=NOW, stale_after_seconds=120)["errors"]


@pytest.mark.parametrize("release", [CANARY, STABLE])
def test_a_first_reset_is_examined_before_it_is_believed(release: str) -> None:
    """Almost no counter is ever reset, so only the next query asks why: until then there is no verdict."""
    rows = answer(HEALTHY | {(f"{RUNS}.{Term.RESETS}", release): 1.0})
    reading = looked(rows, frozenset())

    assert isinstance(reading, TooEarly)
    assert (
        reading.message == "agent_runs_total was reset; the next result shows whether its process restarted"
    )
    table = tabulate(PLAN, rows)
    assert isinstance(table, Table)
    assert closer_look(table, [ERRORS]) == {ERRORS.sources.total}
    assert isinstance(looked(rows, closer_look(table, [ERRORS])), Reading)


def test_only_a_closer_look_asks_for_more() -> None:
    """A usual query has one term about resets; plans that differ in this only are about the same counts."""
    closer = replace(PLAN, closer=PLAN.steady)

    assert set(STEADINESS) & set(PLAN.terms(ERRORS.sources.total)) == {Term.RESETS}
    assert set(STEADINESS) <= set(closer.terms(ERRORS.sources.total))
    assert closer == PLAN


@pytest.mark.parametrize("most", [1, 2, 3])
def test_restarts_are_counted_through(most: float) -> None:
    """A rolling restart, a configuration that is read again, a process that ran out of memory."""
    assert isinstance(resets(STABLE, most, lately=most), Reading)


@pytest.mark.parametrize("release", [CANARY, STABLE])
def test_a_counter_that_falls_again_and_again_is_none(release: str) -> None:
    """Two processes answer by turns behind one /metrics."""
    reading = resets(release, 14, lately=7)

    assert isinstance(reading, Unreadable)
    assert reading.reason is Reason.COUNTERS_UNSTABLE
    assert reading.message.startswith(f"agent_runs_total of {release} fell 14 times in one series")
    verdict = judge(ERRORS, reading, PlanPosition(0, 1, time_over=True))
    assert (verdict.verdict, verdict.reason) == (Verdict.ERROR, Reason.COUNTERS_UNSTABLE)


def test_one_fall_that_is_no_restart_is_enough() -> None:
    """A replica that lags by one run adds a lifetime; no restart begins at half of it."""
    assert isinstance(resets(STABLE, 1, dips=1, lately=1), Unreadable)


def test_counters_that_are_steady_again_are_counted_anew() -> None:
    """What was counted until then holds lifetimes."""
    assert isinstance(resets(STABLE, 14), Uncovered)
