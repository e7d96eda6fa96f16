"""Our queries on a real Prometheus: what it counts, held against what was exported.

Input: an exporter whose text is a function of the number of the scrape, so that truth needs no clock.
Output: the readings. Not faked: scraping, storage, staleness markers, `increase`, the HTTP API.
"""

from collections.abc import Iterator
from dataclasses import astuple, replace
from datetime import timedelta

from agentrollouts.api.gates import Gate, GateSource, GateType
from agentrollouts.api.rollout import AgentRolloutSpec
from agentrollouts.api.verdict import Baseline, Verdict
from agentrollouts.core.gates.reading import NoData, Present, Reading, TooEarly, Uncovered, Unreadable
from agentrollouts.core.gates.resolve import resolve_all
from agentrollouts.core.judge.facts import GateMemory, PlanPosition
from agentrollouts.core.judge.judge import judge
from agentrollouts.core.metrics.promql import for_namespace, render
from agentrollouts.core.metrics.queries import Subject, plan_queries
from testkit.gates import read_all
from tests.e2e.prometheus import START, Scraped, line, near

STABLE, CANARY = "shop-4.1.0", "shop-4.2.0"

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


def read(
    prometheus: Scraped,
    agent: str,
    *gates: str,
    canary_was_counted: bool = False,
    stale_after: float = 5,
    namespace_label: str = "namespace",
    closer: bool = False,
) -> list[Present]:
    """Query one agent, in one request; `closer` as after a result with a reset."""
    plan = plan_queries(
        [GATES[name] for name in gates],
        Subject("shop", agent, CANARY, STABLE),
        counting_start=prometheus.start,
        warmup_seconds=0,
        counted=frozenset(GATES[name].sources.total for name in gates if canary_was_counted),
    )
    if closer:
        plan = replace(plan, closer=plan.steady)
    readings = read_all(
        plan,
        prometheus.ask(plan, render(for_namespace(plan, namespace_label), prometheus.at)),
        [GATES[name] for name in gates],
        now=prometheus.at,
        stale_after_seconds=stale_after,
    )
    return [readings[name] for name in gates]


def counted(reading: Present) -> tuple[float, ...]:
    """The counts of a reading that must be one: bad and total of canary, then of stable."""
    assert isinstance(reading, Reading), reading
    return astuple(reading.segment)


def test_the_first_values_of_new_series_are_counted(answers: Scraped) -> None:
    """Three failures that were there when the canary's child came are three, its first 7 runs are runs."""
    (reading,) = read(answers, "births", "errors")

    assert counted(reading) == (near(3), near(7 + 16 + 3), near(0), near(120))
    assert isinstance(reading, Reading)
    assert answers.at - reading.last_sample_time < timedelta(seconds=2)


def test_a_restarted_process_loses_no_counts(answers: Scraped) -> None:
    """A counter that begins again at 0 goes on being counted."""
    (first,) = read(answers, "reset", "errors")
    (reading,) = read(answers, "reset", "errors", closer=True)

    assert isinstance(first, TooEarly)
    assert first.message.startswith("agent_runs_total was reset; the next result shows whether")
    assert counted(reading) == (near(0), near(24), near(0), near(120))


def test_old_series_that_prometheus_did_not_see_are_not_births(answers: Scraped) -> None:
    """The 110,000 runs of stable's life are not taken for runs since the counting start."""
    (reading,) = read(answers, "uncovered", "errors")

    assert isinstance(reading, Uncovered)
    assert f"no sample of {STABLE}" in reading.message


def test_a_canary_that_was_counted_before_must_be_covered(answers: Scraped) -> None:
    """New series of a canary are births in the first segment, and a hole in Prometheus in a later one."""
    first, later = (
        read(answers, "births", "errors"),
        read(answers, "births", "errors", canary_was_counted=True),
    )

    assert isinstance(first[0], Reading)
    assert isinstance(later[0], Uncovered)
    assert f"no sample of {CANARY}" in later[0].message


def test_no_series_of_failures_is_no_failure(answers: Scraped) -> None:
    """A missing numerator is 0 if the same release has runs."""
    (reading,) = read(answers, "flawless", "errors")

    assert counted(reading) == (0, near(24), 0, near(120))


def test_a_release_without_series_is_told_from_one_without_failures(answers: Scraped) -> None:
    """Too early at first, missing once silence has lasted; never zero runs."""
    (reading,) = read(answers, "absent", "errors")
    (patient,) = read(answers, "absent", "errors", stale_after=60)

    assert isinstance(reading, NoData)
    assert not reading.is_stale
    expected = f"no series agent_runs_total of release {CANARY}; does the agent export it, with its labels?"
    assert reading.message == expected
    assert reading.absence is not None
    assert astuple(reading.absence.counts) == (0, 0, 0, near(120))
    assert isinstance(patient, TooEarly)
    assert patient.message.startswith(f"no agent_runs_total of release {CANARY} in the first ")


def test_a_release_whose_pods_ended_is_stale(answers: Scraped) -> None:
    """What a canary did before its pods ended is not judged as if it still ran."""
    (reading,) = read(answers, "gone", "errors")

    assert isinstance(reading, NoData)
    assert reading.is_stale


def test_nan_spoils_its_own_gate_and_no_other(answers: Scraped) -> None:
    """An agent that counts failures as NaN is still judged by its latency and its cost."""
    errors, latency, cost = read(answers, "broken", "errors", "latency", "cost")

    assert isinstance(errors, Unreadable)
    assert "is nan, which is not a valid count" in errors.message
    assert counted(latency) == (0, near(24), 0, near(120))
    assert counted(cost) == (near(12), near(24), near(60), near(120))


def test_slow_runs_are_counted_from_buckets(answers: Scraped) -> None:
    """Runs above a bound are the difference of two buckets, births included."""
    (reading,) = read(answers, "slow", "latency")

    assert counted(reading) == (0, near(6 + 4 + 16), 0, near(120))
    assert isinstance(reading, Reading)
    assert [(b.le, b.canary, b.stable) for b in reading.bounds] == [(1.0, near(4 + 16), near(12))]


def test_what_stable_spends_of_late_is_held_against_what_it_spent_before(answers: Scraped) -> None:
    """Dollars and runs of the last minutes are what the counters grew by, without any first value."""
    (reading,) = read(answers, "dear", "cost")

    assert isinstance(reading, Reading)
    assert counted(reading) == (near(48), near(24), near(2 * (120 + 160)), near(120 + 160))
    assert reading.recent is not None
    assert astuple(reading.recent.segment)[2:] == (near(2 * (120 + 80)), near(120 + 80))
    verdicts = [
        judge(
            GATES["cost"],
            reading,
            PlanPosition(0, 1, time_over=True),
            burst=3.0,
            memory=GateMemory(Baseline(bad=x, total=4000)),
        )
        for x in (8000, 2000)
    ]
    assert [judgment.verdict for judgment in verdicts] == [Verdict.INCONCLUSIVE, Verdict.SHARED_CAUSE]


def test_how_long_stable_takes_of_late_is_held_against_how_long_it_took_before(answers: Scraped) -> None:
    """Buckets of the last minutes are what they grew by, without any first value."""
    (reading,) = read(answers, "sluggish", "durations")

    assert isinstance(reading, Reading)
    assert counted(reading) == (0, near(24), 0, near(120 + 160))
    assert reading.recent is not None
    assert astuple(reading.recent.above(1).segment)[2:] == (near((120 + 80) / 2), near(120 + 80))
    verdicts = [
        judge(
            GATES["durations"],
            reading,
            PlanPosition(0, 1, time_over=True),
            memory=GateMemory(Baseline(bad=x, total=4000, bound=1)),
        )
        for x in (2000, 400)
    ]
    assert [judgment.verdict for judgment in verdicts] == [Verdict.INCONCLUSIVE, Verdict.SHARED_CAUSE]


def test_of_a_shared_proxy_a_tenant_sees_its_own_runs(answers: Scraped) -> None:
    """Under the label that the administrator named; under `namespace` they are the proxy's, and nobody's."""
    (reading,) = read(answers, "proxied", "errors", namespace_label="tenant_namespace")
    (nobody,) = read(answers, "proxied", "errors")

    assert counted(reading) == (0, near(24), 0, near(120))
    assert isinstance(nobody, NoData)
