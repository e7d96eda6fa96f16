"""Counters that fall: restarts are counted through, anything else is no counter."""

import pytest

from agentrollouts.api.reasons import Reason
from agentrollouts.api.status import Verdict
from agentrollouts.core.counts import Present, Reading, Uncovered, Unreadable
from agentrollouts.core.gates import Course, judge
from agentrollouts.core.queries import Term
from tests.core.test_counts import ERRORS, HEALTHY, RUNS, answer, read
from tests.gates import CANARY, STABLE


def resets(release: str, most: float, *, dips: float = 0.0, lately: float = 0.0) -> Present:
    """The counts after ten minutes in which one series fell so often."""
    terms = {Term.RESETS: most, Term.DIPS: dips, Term.STILL_RESETS: lately}
    return read(answer(HEALTHY | {(f"{RUNS}.{term}", release): n for term, n in terms.items() if n}))


@pytest.mark.parametrize("most", [1, 2, 3])
def test_restarts_are_counted_through(most: float) -> None:
    """A rolling restart, a configuration that is read again, a process that ran out of memory."""
    assert isinstance(resets(STABLE, most, lately=most), Reading)


@pytest.mark.parametrize("release", [CANARY, STABLE])
def test_a_counter_that_falls_again_and_again_is_none(release: str) -> None:
    """Two processes answer by turns behind one /metrics."""
    found = resets(release, 14, lately=7)

    assert isinstance(found, Unreadable)
    assert found.reason is Reason.COUNTERS_UNSTABLE
    assert found.message.startswith(f"agent_runs_total of {release} fell 14 times in one series")
    verdict = judge(ERRORS, found, Course(0, 1, time_over=True))
    assert (verdict.verdict, verdict.reason) == (Verdict.ERROR, Reason.COUNTERS_UNSTABLE)


def test_one_fall_that_is_no_restart_is_enough() -> None:
    """A replica that lags by one run adds a lifetime; no restart begins at half of it."""
    assert isinstance(resets(STABLE, 1, dips=1, lately=1), Unreadable)


def test_counters_that_are_steady_again_are_counted_anew() -> None:
    """What was counted until then holds lifetimes."""
    assert isinstance(resets(STABLE, 14), Uncovered)
