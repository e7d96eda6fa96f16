"""Our queries on a real Prometheus: what it counts, held against what was exported.

Input: an exporter whose text is a function of the number of the scrape, so that truth needs no clock.
Output: the readings. Not faked: scraping, storage, staleness markers, `increase`, the HTTP API.
"""

import threading
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta

import pytest
import requests

from agentrollouts.api.rollout import AgentRolloutSpec, Gate, GateSource, GateType
from agentrollouts.api.status import Baseline, Verdict
from agentrollouts.core.catalogue import resolve_all
from agentrollouts.core.counts import (
    NoData,
    Present,
    Reading,
    TooEarly,
    Uncovered,
    Unreadable,
    read_all,
    to_answer,
)
from agentrollouts.core.gates import Course, Memory, judge
from agentrollouts.core.promql import render
from agentrollouts.core.queries import (
    Subject,
    asked_of,
    plan_queries,
    total_source,
)
from sandbox.stack import Stack
from tests.e2e.prometheus import Exporter, line

STABLE, CANARY = "shop-4.1.0", "shop-4.2.0"
START, END = 4, 16
"""Numbers of the scrapes between which is counted."""

SPEC = AgentRolloutSpec.model_validate({"agent": "a", "releaseRef": {"name": "r"}})
BUCKETS = GateSource(buckets="agent_run_duration_seconds_bucket")
DURATIONS = Gate(name="durations", source=BUCKETS, type=GateType.HISTOGRAM)
GATES = {gate.name: gate for gate in resolve_all(SPEC.replace(gates=(*SPEC.gates, DURATIONS))).gates}


def runs(agent: str, release: str, completed: float, failed: float | None = None) -> Iterator[str]:
    """The run counters of one release; without a child for failures where there were none yet."""
    yield line("agent_runs_total", agent, release, completed, outcome="completed")
    if failed is not None:
        yield line("agent_runs_total", agent, release, failed, outcome="failed")


def births(k: int) -> Iterator[str]:
    """Stable 10 runs a scrape; the canary's children appear late, each with the value that it then has."""
    yield from runs("births", STABLE, 100 + 10 * k, 5)
    if k >= 8:
        yield from runs("births", CANARY, 7 + 2 * (k - 8), 3 if k >= 10 else None)


def reset(k: int) -> Iterator[str]:
    """Stable's container restarts after scrape 8: its counter begins again at 0."""
    yield from runs("reset", STABLE, 1000 + 10 * k if k < 9 else 10 * (k - 8), 0)
    yield from runs("reset", CANARY, 2 * max(0, k - START), 0)


def uncovered(k: int) -> Iterator[str]:
    """Stable was there all its life, but Prometheus sees it only after the counting start."""
    if k >= 7:
        yield from runs("uncovered", STABLE, 100_000 + 10 * k, 10_000)
    yield from runs("uncovered", CANARY, 2 * k, 0)


def flawless(k: int) -> Iterator[str]:
    """Neither release ever failed, so there is no child that counts failures."""
    yield from runs("flawless", STABLE, 10 * k)
    yield from runs("flawless", CANARY, 2 * k)


def absent(k: int) -> Iterator[str]:
    """The canary exports nothing."""
    yield from runs("absent", STABLE, 10 * k, 0)


def gone(k: int) -> Iterator[str]:
    """The canary's pods end after scrape 9."""
    yield from runs("gone", STABLE, 10 * k, 0)
    if k < 10:
        yield from runs("gone", CANARY, 2 * k, 0)


def broken(k: int) -> Iterator[str]:
    """The canary counts failures as NaN; its other numbers are fine."""
    yield from runs("broken", STABLE, 10 * k, 0)
    yield from runs("broken", CANARY, 2 * k, float("nan"))
    for release, rate in ((STABLE, 10), (CANARY, 2)):
        yield from histogram("broken", release, fast=rate * k, slow=0)
        yield line("agent_run_cost_usd_sum", "broken", release, 0.5 * rate * k)
        yield line("agent_run_cost_usd_count", "broken", release, rate * k)


def slow(k: int) -> Iterator[str]:
    """The canary is born at scrape 8 with 6 fast and 4 slow runs; stable has 9 fast and 1 slow a scrape."""
    yield from histogram("slow", STABLE, fast=9 * k, slow=k)
    if k >= 8:
        yield from histogram("slow", CANARY, fast=6, slow=4 + 2 * (k - 8))


def histogram(agent: str, release: str, *, fast: float, slow: float, **labels: str) -> Iterator[str]:
    """The buckets of a duration with one bound at a second."""
    metric = "agent_run_duration_seconds_bucket"
    yield line(metric, agent, release, fast, le="1.0", **labels)
    yield line(metric, agent, release, fast + slow, le="+Inf", **labels)


def dear(k: int) -> Iterator[str]:
    """Each run of both costs $2; from scrape 8 on a second process of stable counts as much as the first."""
    for release, rate, pods in ((STABLE, 10, ("a", "b")), (CANARY, 2, ("a",))):
        for pod in pods if k >= 8 else pods[:1]:
            yield line("agent_run_cost_usd_sum", "dear", release, 2.0 * rate * k, pod=pod)
            yield line("agent_run_cost_usd_count", "dear", release, rate * k, pod=pod)


def sluggish(k: int) -> Iterator[str]:
    """Half of the runs of both are slow; from scrape 8 on stable has a second process like the first."""
    for release, rate, pods in ((STABLE, 10, ("a", "b")), (CANARY, 2, ("a",))):
        for pod in pods if k >= 8 else pods[:1]:
            yield from histogram("sluggish", release, fast=rate * k / 2, slow=rate * k / 2, pod=pod)


def proxied(k: int) -> Iterator[str]:
    """A proxy counts for two tenants; its relabelling says under `tenant_namespace` for whom."""
    for tenant, rate in (("shop", 10), ("other", 70)):
        labels = {"namespace": "proxy", "tenant_namespace": tenant, "outcome": "completed"}
        yield line("agent_runs_total", "proxied", STABLE, rate * k, **labels)
        yield line("agent_runs_total", "proxied", CANARY, rate * k / 5, **labels)


SCENARIOS = (births, reset, uncovered, flawless, absent, gone, broken, slow, dear, sluggish, proxied)


@dataclass(frozen=True)
class Scraped:
    """Everything has been exported and scraped; what does Prometheus answer?"""

    url: str
    start: datetime
    at: datetime

    def read(
        self,
        agent: str,
        *gates: str,
        canary_was_counted: bool = False,
        stale_after: float = 5,
        namespace_label: str = "namespace",
    ) -> list[Present]:
        """Ask about one agent, in one request."""
        plan = plan_queries(
            [GATES[name] for name in gates],
            Subject("shop", agent, CANARY, STABLE),
            counting_start=self.start,
            warmup_seconds=0,
            counted=frozenset(total_source(GATES[name]) for name in gates if canary_was_counted),
        )
        text = render(asked_of(plan, namespace_label), self.at)
        query = {"query": text, "time": self.at.timestamp()}
        answer = requests.post(f"{self.url}/api/v1/query", data=query, timeout=10).json()
        assert answer["status"] == "success", answer
        rows = ((row["metric"], float(row["value"][1])) for row in answer["data"]["result"])
        readings = read_all(
            plan,
            to_answer(plan, self.at, rows),
            [GATES[name] for name in gates],
            now=self.at,
            stale_after_seconds=stale_after,
        )
        return [readings[name] for name in gates]


@pytest.fixture(scope="module")
def scraped(stack: Stack) -> Iterator[Scraped]:
    """The exporter after `END` scrapes, with the counting start just after scrape `START`."""
    exporter = Exporter(SCENARIOS)
    threading.Thread(target=exporter.serve_forever, daemon=True).start()
    stack.add_target("counts", f"127.0.0.1:{exporter.server_port}", {"job": "counts"})
    try:
        just_after = timedelta(milliseconds=300)
        yield Scraped(
            stack.prometheus_url, exporter.time_of(START) + just_after, exporter.time_of(END) + just_after
        )
    finally:
        stack.remove_target("counts")
        exporter.shutdown()
        exporter.server_close()


def counted(reading: Present) -> tuple[float, ...]:
    """The counts of a reading that must be one: bad and total of canary, then of stable."""
    assert isinstance(reading, Reading), reading
    return astuple(reading.segment)


def near(truth: float) -> object:
    """Within what Prometheus' extrapolation to the edges of a window of 12 scrapes may be off."""
    return pytest.approx(truth, rel=0.12, abs=0.3)


def test_the_first_values_of_new_series_are_counted(scraped: Scraped) -> None:
    """Three failures that were there when the canary's child came are three, its first 7 runs are runs."""
    (reading,) = scraped.read("births", "errors")

    assert counted(reading) == (near(3), near(7 + 16 + 3), near(0), near(120))
    assert isinstance(reading, Reading)
    assert scraped.at - reading.last_sample_time < timedelta(seconds=2)


def test_a_restarted_process_loses_no_counts(scraped: Scraped) -> None:
    """A counter that begins again at 0 goes on being counted."""
    (reading,) = scraped.read("reset", "errors")

    assert counted(reading) == (near(0), near(24), near(0), near(120))


def test_old_series_that_prometheus_did_not_see_are_not_births(scraped: Scraped) -> None:
    """The 110,000 runs of stable's life are not taken for runs since the counting start."""
    (reading,) = scraped.read("uncovered", "errors")

    assert isinstance(reading, Uncovered)
    assert f"no sample of {STABLE}" in reading.message


def test_a_canary_that_was_counted_before_must_be_covered(scraped: Scraped) -> None:
    """New series of a canary are births in the first segment, and a hole in Prometheus in a later one."""
    first, later = scraped.read("births", "errors"), scraped.read("births", "errors", canary_was_counted=True)

    assert isinstance(first[0], Reading)
    assert isinstance(later[0], Uncovered)
    assert f"no sample of {CANARY}" in later[0].message


def test_no_series_of_failures_is_no_failure(scraped: Scraped) -> None:
    """A missing numerator is 0 where the same release has runs."""
    (reading,) = scraped.read("flawless", "errors")

    assert counted(reading) == (0, near(24), 0, near(120))


def test_a_release_without_series_is_told_from_one_without_failures(scraped: Scraped) -> None:
    """Too early at first, missing once silence has lasted; never zero runs."""
    (reading,) = scraped.read("absent", "errors")
    (patient,) = scraped.read("absent", "errors", stale_after=60)

    assert reading == NoData(
        f"no series agent_runs_total of release {CANARY}; does the agent export it, with its labels?",
        is_stale=False,
    )
    assert isinstance(patient, TooEarly)
    assert patient.message.startswith(f"no agent_runs_total of release {CANARY} in the first ")


def test_a_release_whose_pods_ended_is_stale(scraped: Scraped) -> None:
    """What a canary did before its pods ended is not judged as if it still ran."""
    (reading,) = scraped.read("gone", "errors")

    assert isinstance(reading, NoData)
    assert reading.is_stale


def test_nan_spoils_its_own_gate_and_no_other(scraped: Scraped) -> None:
    """An agent that counts failures as NaN is still judged by its latency and its cost."""
    errors, latency, cost = scraped.read("broken", "errors", "latency", "cost")

    assert isinstance(errors, Unreadable)
    assert "is nan, which is no count" in errors.message
    assert counted(latency) == (0, near(24), 0, near(120))
    assert counted(cost) == (near(12), near(24), near(60), near(120))


def test_slow_runs_are_counted_from_buckets(scraped: Scraped) -> None:
    """Runs above a bound are the difference of two buckets, births included."""
    (reading,) = scraped.read("slow", "latency")

    assert counted(reading) == (0, near(6 + 4 + 16), 0, near(120))
    assert isinstance(reading, Reading)
    assert [(b.le, b.canary, b.stable) for b in reading.bounds] == [(1.0, near(4 + 16), near(12))]


def test_what_stable_spends_of_late_is_held_against_what_it_spent_before(scraped: Scraped) -> None:
    """Dollars and runs of the last minutes are what the counters grew by, without any first value."""
    (reading,) = scraped.read("dear", "cost")

    assert isinstance(reading, Reading)
    assert counted(reading) == (near(48), near(24), near(2 * (120 + 160)), near(120 + 160))
    assert reading.recent is not None
    assert astuple(reading.recent.segment)[2:] == (near(2 * (120 + 80)), near(120 + 80))
    verdicts = [
        judge(
            GATES["cost"],
            reading,
            Course(0, 1, time_over=True),
            burst=3.0,
            memory=Memory(Baseline(bad=x, total=4000)),
        )
        for x in (8000, 2000)
    ]
    assert [found.verdict for found in verdicts] == [Verdict.INCONCLUSIVE, Verdict.SHARED_CAUSE]


def test_how_long_stable_takes_of_late_is_held_against_how_long_it_took_before(scraped: Scraped) -> None:
    """Buckets of the last minutes are what they grew by, without any first value."""
    (reading,) = scraped.read("sluggish", "durations")

    assert isinstance(reading, Reading)
    assert counted(reading) == (0, near(24), 0, near(120 + 160))
    assert reading.recent is not None
    assert astuple(reading.recent.above(1).segment)[2:] == (near((120 + 80) / 2), near(120 + 80))
    verdicts = [
        judge(
            GATES["durations"],
            reading,
            Course(0, 1, time_over=True),
            memory=Memory(Baseline(bad=x, total=4000, bound=1)),
        )
        for x in (2000, 400)
    ]
    assert [found.verdict for found in verdicts] == [Verdict.INCONCLUSIVE, Verdict.SHARED_CAUSE]


def test_of_a_shared_proxy_a_tenant_sees_its_own_runs(scraped: Scraped) -> None:
    """Under the label that the administrator named; under `namespace` they are the proxy's, and nobody's."""
    (reading,) = scraped.read("proxied", "errors", namespace_label="tenant_namespace")
    (nobody,) = scraped.read("proxied", "errors")

    assert counted(reading) == (0, near(24), 0, near(120))
    assert isinstance(nobody, NoData)
