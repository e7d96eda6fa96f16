"""Inputs: outcomes at given times. Output: whether the server is asked at a given time."""

from datetime import UTC, datetime

import pytest

from agentrollouts.adapters.prometheus.breaker import Breaker, Breakers
from agentrollouts.adapters.prometheus.envelope import QueryError, QueryErrorKind, Vector

GOOD = Vector(datetime(2026, 11, 21, tzinfo=UTC), ())
DOWN = QueryError(QueryErrorKind.UNREACHABLE, "no connection")


def after(*outcomes: Vector | QueryError) -> Breaker:
    """A breaker that has seen these outcomes at time 0."""
    breaker = Breaker()
    for outcome in outcomes:
        breaker.note(outcome, 0.0)
    return breaker


def test_a_server_is_asked_until_it_has_failed_three_times_in_a_row() -> None:
    """Two failures, or many with a success between, change nothing."""
    assert after().refusal(0.0) is None
    assert after(DOWN, DOWN).refusal(0.0) is None
    assert after(DOWN, DOWN, GOOD, DOWN, DOWN).refusal(0.0) is None
    assert after(DOWN, DOWN, DOWN).refusal(0.0) == QueryError(
        QueryErrorKind.UNREACHABLE, "not queried again yet, after 3 failures: no connection"
    )


def test_one_asker_a_pause_may_try() -> None:
    """When the pause is over one query is let through; the next waits for its outcome or a pause more."""
    breaker = after(DOWN, DOWN, DOWN)
    assert breaker.refusal(0.9) is not None
    assert breaker.refusal(1.0) is None
    assert breaker.refusal(1.1) is not None
    assert breaker.refusal(2.0) is None


def test_the_pause_doubles_up_to_five_seconds() -> None:
    """However long a server is down, it is tried every five seconds."""
    for failures, pause in ((3, 1.0), (4, 2.0), (5, 4.0), (6, 5.0), (5000, 5.0)):
        breaker = after(*[DOWN] * failures)
        assert (breaker.refusal(pause - 0.01) is None, breaker.refusal(pause) is None) == (False, True)


def test_a_success_ends_it() -> None:
    """After one good answer, failures are counted from zero again."""
    breaker = after(DOWN, DOWN, DOWN, GOOD, DOWN)
    assert breaker.refusal(0.0) is None


@pytest.mark.parametrize("kind", QueryErrorKind)
def test_only_faults_of_the_server_count(kind: QueryErrorKind) -> None:
    """A query that is refused, too large or answered in part says nothing against the server."""
    counts = {QueryErrorKind.UNREACHABLE, QueryErrorKind.TIMEOUT, QueryErrorKind.SERVER_ERROR}
    breaker = after(*[QueryError(kind, "x")] * 3)
    assert (breaker.refusal(0.0) is not None) == (kind in counts)


def test_a_namespace_that_fails_stops_no_other() -> None:
    """Its own queries are held back; those of others are made as ever, and forget nothing of it."""
    breakers = Breakers()
    for _ in range(5):
        breakers.note("hostile", QueryError(QueryErrorKind.TIMEOUT, "slow"), 0.0)
        breakers.note("victim", GOOD, 0.0)
    assert breakers.refusal("victim", 0.0) is None
    refusal = breakers.refusal("hostile", 0.0)
    assert refusal is not None
    assert (refusal.kind, refusal.was_sent) == (QueryErrorKind.TIMEOUT, False)
    breakers.note("hostile", GOOD, 5.0)
    assert breakers.refusal("hostile", 5.0) is None


def test_failing_namespaces_that_are_gone_are_forgotten() -> None:
    """What is remembered does not grow with every namespace that ever failed."""
    breakers = Breakers()
    for index in range(5000):
        breakers.note(f"n-{index}", DOWN, float(index))
    assert len(breakers._failing) <= 1024  # noqa: SLF001 - memory shows nowhere else
