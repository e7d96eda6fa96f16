"""What careless agents export, on a real Prometheus: a right verdict, or one that holds and says why.

Input: an exporter whose text is a function of the number of the scrape. Output: the verdict of a gate at the
end of a phase. Not faked: scraping, storage, staleness markers, the HTTP API. No agent here is worse than
stable, except where its failures are hidden.
"""

from collections.abc import Iterator
from typing import Final

import pytest

from agentrollouts.api.reasons import Reason
from agentrollouts.api.verdict import Verdict
from agentrollouts.core.gates.reading import Reading
from testkit.gates import a_gate
from tests.e2e.parts.test_believed_counts import CANARY, HALF, LATENCY, STABLE, judged, read, runs
from tests.e2e.prometheus import Scraped, line, near

ERRORS: Final = a_gate(template="error-rate", name="errors", minSamples=10)


def zero_and_capitals(k: int) -> Iterator[str]:
    """The canary creates `failed` at 0, as it should, and counts its failures as `FAILED`."""
    yield from runs("zero-and-capitals", STABLE, k)
    for outcome, number in (("completed", k), ("failed", 0), ("FAILED", k)):
        yield line("agent_runs_total", "zero-and-capitals", CANARY, number, outcome=outcome)


def another_label(k: int) -> Iterator[str]:
    """The canary calls the label `result`."""
    yield from runs("another-label", STABLE, k)
    for result in ("completed", "failed"):
        yield line("agent_runs_total", "another-label", CANARY, k, result=result)


def another_format(k: int) -> Iterator[str]:
    """The canary calls itself by its version alone."""
    yield from runs("another-format", STABLE, k)
    yield from runs("another-format", "v4.2.0", k)


def another_total(k: int) -> Iterator[str]:
    """The canary counts its runs in a metric of another name, and failures in that of stable."""
    yield from runs("another-total", STABLE, k)
    yield line("agent_run_total", "another-total", CANARY, 2 * k, outcome="completed")
    yield line("agent_runs_total", "another-total", "4.2.0", k, outcome="failed")


def all_reset(k: int) -> Iterator[str]:
    """All pods of both releases restart at the same instant."""
    for release in (STABLE, CANARY):
        yield from runs("all-reset", release, 500 + k if k < HALF else k - HALF)


def replaced(k: int) -> Iterator[str]:
    """The canary's pod is replaced in the middle of the phase."""
    yield from runs("replaced", STABLE, k)
    pod, age = ("a", k) if k < HALF else ("b", k - HALF + 1)
    yield from runs("replaced", CANARY, age, pod=pod)


def missed(k: int) -> Iterator[str]:
    """Two scrapes of one of stable's two pods are missing."""
    yield from runs("missed", CANARY, k)
    yield from runs("missed", STABLE, k, pod="a")
    if k not in {HALF - 1, HALF}:
        yield from runs("missed", STABLE, k, pod="b")


def twins(k: int) -> Iterator[str]:
    """Two replicas of Prometheus behind one address, and nobody removes the duplicates."""
    for replica in "ab":
        for release in (STABLE, CANARY):
            yield from runs("twins", release, k, prometheus_replica=replica)


def not_a_number(k: int) -> Iterator[str]:
    """One of stable's pods exports NaN."""
    for release in (STABLE, CANARY):
        yield from runs("not-a-number", release, k, pod="a")
    yield line("agent_runs_total", "not-a-number", STABLE, float("nan"), outcome="completed", pod="b")


def below_zero(k: int) -> Iterator[str]:
    """The canary counts backward."""
    yield from runs("below-zero", STABLE, k)
    yield line("agent_runs_total", "below-zero", CANARY, -2 * k, outcome="completed")


def buckets(agent: str, release: str, k: int, *bounds: str) -> Iterator[str]:
    """Half of the runs take less than 2 s, a quarter less than 1 s."""
    shares = {"1": 0.25, "1.0": 0.25, "2": 0.5, "3": 0.75, "+Inf": 1.0}
    for le in bounds:
        number = shares[le] * (10 if release == STABLE else 2) * k
        yield line("agent_run_duration_seconds_bucket", agent, release, number, le=le)


def other_buckets(k: int) -> Iterator[str]:
    """One bound is the same, one is spelled in another way, and one is only the canary's."""
    yield from buckets("other-buckets", STABLE, k, "1", "2", "+Inf")
    yield from buckets("other-buckets", CANARY, k, "1.0", "2", "3", "+Inf")


def no_common_bucket(k: int) -> Iterator[str]:
    """No bound is the same."""
    yield from buckets("no-common-bucket", STABLE, k, "1", "2", "+Inf")
    yield from buckets("no-common-bucket", CANARY, k, "3", "+Inf")


SCENARIOS = (
    *(zero_and_capitals, another_label, another_format, another_total, all_reset, replaced, missed, twins),
    *(not_a_number, below_zero, other_buckets, no_common_bucket),
)


@pytest.mark.parametrize(
    ("agent", "reason"),
    [
        ("zero-and-capitals", Reason.NEVER_SEEN),
        ("another-label", Reason.NEVER_SEEN),
        ("another-format", Reason.METRIC_MISSING),
        ("another-total", Reason.METRIC_MISSING),
        ("not-a-number", Reason.METRICS_UNAVAILABLE),
        ("below-zero", Reason.METRICS_UNAVAILABLE),
    ],
)
def test_what_cannot_be_counted_holds(answers: Scraped, agent: str, reason: Reason) -> None:
    """It neither passes nor fails."""
    judgment = judged(ERRORS, read(answers, agent, ERRORS))

    assert judgment.reason is reason, judgment.message
    assert judgment.verdict in {Verdict.NO_DATA, Verdict.ERROR}


@pytest.mark.parametrize(
    ("agent", "canary", "stable"),
    [("all-reset", 22, 110), ("replaced", 24, 120), ("missed", 24, 240), ("twins", 48, 240)],
)
def test_what_can_be_counted_passes(answers: Scraped, agent: str, canary: float, stable: float) -> None:
    """Restarts, replaced pods and missed scrapes are counted through, and equal releases stay equal."""
    reading = read(answers, agent, ERRORS)

    assert isinstance(reading, Reading), reading
    assert reading.segment.canary_total == pytest.approx(canary, rel=0.2)
    assert reading.segment.stable_total == pytest.approx(stable, rel=0.2)
    assert judged(ERRORS, reading).verdict is Verdict.PASS


def test_bounds_that_only_one_release_has_are_left_out(answers: Scraped) -> None:
    """Those of both are compared, however they are spelled."""
    reading = read(answers, "other-buckets", LATENCY)

    assert isinstance(reading, Reading), reading
    assert [bound.le for bound in reading.bounds] == [1.0, 2.0]
    assert reading.segment.canary_total == near(24)
    assert judged(LATENCY, reading).verdict is not Verdict.FAIL


def test_buckets_without_a_common_bound_hold(answers: Scraped) -> None:
    """There is nothing to compare."""
    judgment = judged(LATENCY, read(answers, "no-common-bucket", LATENCY))

    assert (judgment.verdict, judgment.reason) == (Verdict.ERROR, Reason.INVALID_GATE)
