"""Counts that are not what they seem, on a real Prometheus: what is believed of them, and what is not.

Input: an exporter whose text is a function of the number of the scrape. Output: readings and verdicts. Not
faked: scraping, storage, staleness markers, `increase`, `resets`, subqueries, the HTTP API.
"""

from collections.abc import Iterator
from dataclasses import astuple, replace
from typing import Any

import pytest
import requests

from agentrollouts.api.reasons import Reason
from agentrollouts.api.verdict import Numerator, Side, Verdict
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.reading import Present, Reading, Uncovered, Unfamiliar, Unreadable
from agentrollouts.core.judge.doubts import doubted
from agentrollouts.core.judge.facts import PlanPosition
from agentrollouts.core.judge.judge import Judgment, judge
from agentrollouts.core.metrics.births import Explains
from agentrollouts.core.metrics.census import Sighted, census_of, render_census, sight_of, sighted
from agentrollouts.core.metrics.closer_look import closer_look
from agentrollouts.core.metrics.queries import Subject, plan_queries
from agentrollouts.core.metrics.reader import tabulate
from agentrollouts.core.metrics.table import Table
from testkit.gates import a_gate, read_all
from tests.e2e.prometheus import START, Scraped, line, near

STABLE, CANARY, OLDER = "shop-4.1.0", "shop-4.2.0", "shop-3.9.0"
HALF = 10
SIXTH = Explains(weight=1 / 6)
"""Two runs of the canary beside ten of stable at each scrape."""

ERRORS = a_gate(template="error-rate", name="errors", limit={"value": "1", "windowSeconds": 300})
LATENCY = a_gate(template="latency", name="latency")
OWN = a_gate(source={"bad": "agent_failures_total", "total": "agent_runs_total"}, name="own", minSamples=10)
TYPO = a_gate(source={"bad": 'agent_runs_total{outcome="error"}', "total": "agent_runs_total"}, name="typo")


def runs(agent: str, release: str, k: int, **labels: str) -> Iterator[str]:
    """Stable ten runs a scrape, the canary two; one in ten fails."""
    rate = 10 if release == STABLE else 2
    yield line("agent_runs_total", agent, release, 0.9 * rate * k, outcome="completed", **labels)
    yield line("agent_runs_total", agent, release, 0.1 * rate * k, outcome="failed", **labels)


def relabeled(k: int) -> Iterator[str]:
    """At half time all series get another `instance`; stable has 95,186 runs behind it."""
    place = "10.0.0.1:8080" if k < HALF else "shop-0"
    yield from runs("relabeled", STABLE, 9518 + k, pod=place)
    yield from runs("relabeled", CANARY, 400 + k, pod=place)


def respelled(k: int) -> Iterator[str]:
    """At half time `le="1"` becomes `le="1.0"`, as a newer client writes it."""
    for release, rate in ((STABLE, 10), (CANARY, 2)):
        n = rate * (900 + k)
        yield line(
            "agent_run_duration_seconds_bucket", "respelled", release, n / 2, le="1" if k < HALF else "1.0"
        )
        yield line("agent_run_duration_seconds_bucket", "respelled", release, n, le="+Inf")


def past(k: int) -> Iterator[str]:
    """The canary's counters hold a smoke test of 400 runs, half of them failed, before the first scrape."""
    yield from runs("past", STABLE, k)
    if k > START:
        yield line("agent_runs_total", "past", CANARY, 200 + 2 * (k - START), outcome="completed")
        yield line("agent_runs_total", "past", CANARY, 200, outcome="failed")


def flapping(k: int) -> Iterator[str]:
    """Two workers of the canary answer by turns behind one /metrics."""
    yield from runs("flapping", STABLE, k)
    worker = (300, 280)[k % 2] + k
    yield line("agent_runs_total", "flapping", CANARY, worker, outcome="completed")
    yield line("agent_runs_total", "flapping", CANARY, worker // 10, outcome="failed")


def lagging(k: int) -> Iterator[str]:
    """A replica that lags by one run answers once."""
    yield from runs("lagging", STABLE, 500 + (k if k != HALF else k - 2))
    yield from runs("lagging", CANARY, k)


def restarted(k: int) -> Iterator[str]:
    """Stable's process restarts after scrape 9, as in a rolling restart."""
    yield from runs("restarted", STABLE, 500 + k if k < HALF else k - HALF)
    yield from runs("restarted", CANARY, k)


def misnamed(k: int) -> Iterator[str]:
    """The agent writes `failed` where the gate counts `error`."""
    yield from runs("misnamed", STABLE, k)
    yield from runs("misnamed", CANARY, k)


def lost(k: int) -> Iterator[str]:
    """Every second run of the canary fails, and failed runs carry the release `None`; an old one drains."""
    yield line("agent_runs_total", "lost", STABLE, 10 * k, outcome="completed")
    yield line("agent_runs_total", "lost", CANARY, 2 * k, outcome="completed")
    yield line("agent_runs_total", "lost", OLDER, 3 * k, outcome="failed")
    if k > START + 1:
        yield line("agent_runs_total", "lost", "None", 2 * (k - START), outcome="failed")


def capitals(k: int) -> Iterator[str]:
    """Half of the canary's runs fail, and it writes `FAILED`."""
    yield from runs("capitals", STABLE, k)
    yield line("agent_runs_total", "capitals", CANARY, k, outcome="completed")
    yield line("agent_runs_total", "capitals", CANARY, k, outcome="FAILED")


def fixed(k: int) -> Iterator[str]:
    """The canary has no failure; it only ends runs as stable does."""
    yield from runs("fixed", STABLE, k)
    yield line("agent_runs_total", "fixed", CANARY, 2 * k, outcome="completed")


def moved(k: int) -> Iterator[str]:
    """Six in ten runs fail, and the canary counts them in a metric of another name."""
    for release, rate, metric in ((STABLE, 10, "failures"), (CANARY, 2, "run_failures")):
        yield line("agent_runs_total", "moved", release, rate * k, outcome="completed")
        yield line(f"agent_{metric}_total", "moved", release, 0.6 * rate * k)


SCENARIOS = (
    *(relabeled, respelled, past, flapping, lagging, restarted, misnamed, lost, capitals, fixed, moved),
)


def read(prometheus: Scraped, agent: str, gate: ResolvedGate = ERRORS) -> Present:
    """Query one agent as an attempt of it would, the second time with a closer look at what is suspicious."""
    subject = Subject("shop", agent, CANARY, STABLE, known_releases=(OLDER,))
    plan = plan_queries([gate], subject, counting_start=prometheus.start, warmup_seconds=0)
    result = tabulate(plan, prometheus.ask(plan))
    plan = replace(plan, closer=closer_look(result, [gate]) if isinstance(result, Table) else frozenset())
    answer = prometheus.ask(plan)
    return read_all(plan, answer, [gate], now=prometheus.at, stale_after_seconds=5, explains=SIXTH)[gate.name]


def judged(gate: ResolvedGate, reading: Present, sighting: Sighted | None = None) -> Judgment:
    """The verdict at the end of the only phase."""

    def on(counts: Any) -> Judgment:  # noqa: ANN401 any counts
        return judge(gate, counts, PlanPosition(0, 1, time_over=True), burst=1.0)

    sight = sight_of(gate, None, reading, sighting) if isinstance(reading, Reading) else None
    return doubted(on(reading), reading, on, sight=sight)


def look(prometheus: Scraped, agent: str, gate: ResolvedGate) -> Sighted:
    """The one query of the beginning."""
    census = census_of([gate], (), Subject("shop", agent, CANARY, STABLE))
    assert census is not None
    query = {"query": render_census(census, first=True), "time": prometheus.at.timestamp()}
    answer = requests.post(f"{prometheus.stack.prometheus_url}/api/v1/query", data=query, timeout=60).json()
    assert answer["status"] == "success", answer
    return sighted(census, [(row["metric"], float(row["value"][1])) for row in answer["data"]["result"]])


def test_a_relabeling_brings_no_runs(answers: Scraped) -> None:
    """Stable had 120 runs and the canary 24, whatever they are called; no lifetime is added."""
    reading = read(answers, "relabeled")

    assert isinstance(reading, Reading)
    canary_bad, canary, stable_bad, stable = astuple(reading.segment)
    assert (canary, stable) == (pytest.approx(24, abs=6), pytest.approx(120, abs=30))
    assert (canary_bad, stable_bad) == (pytest.approx(2.4, abs=1), pytest.approx(12, abs=4))
    assert reading.ignored == {Side.CANARY, Side.STABLE}
    assert "they continue series that vanished" in reading.note
    assert judged(ERRORS, reading).verdict is not Verdict.FAIL


def test_a_bound_that_is_spelled_anew_brings_no_runs(answers: Scraped) -> None:
    """Half of the runs are below a second, under either spelling."""
    reading = read(answers, "respelled", LATENCY)

    assert isinstance(reading, Reading)
    assert reading.segment.canary_total == near(24)
    (bound,) = reading.bounds
    assert bound.le == 1.0
    assert bound.canary == pytest.approx(12, abs=4)
    assert bound.stable == pytest.approx(60, abs=16)


def test_a_counter_with_a_past_brings_no_runs(answers: Scraped) -> None:
    """The 400 runs of the smoke test, 200 of them failed, are not the attempt's."""
    reading = read(answers, "past")

    assert isinstance(reading, Reading)
    assert reading.segment.canary_bad == 0
    assert reading.segment.canary_total == pytest.approx(24, abs=4)
    assert reading.recent is None or reading.recent.segment.canary_bad == 0
    assert "the first values of new series of canary (402) are not counted" in reading.note


@pytest.mark.parametrize("agent", ["flapping", "lagging"])
def test_counters_that_go_back_are_an_error(answers: Scraped, agent: str) -> None:
    """Two workers behind one /metrics, and a replica that lags once: neither is a restart."""
    reading = read(answers, agent)

    assert isinstance(reading, Unreadable | Uncovered), reading
    assert judged(ERRORS, reading).reason is Reason.COUNTERS_UNSTABLE


def test_a_restart_is_counted_through(answers: Scraped) -> None:
    """A counter that begins again at 0 is one."""
    reading = read(answers, "restarted")

    assert isinstance(reading, Reading)
    assert reading.segment.stable_total == pytest.approx(110, abs=20)


def test_a_value_that_the_agent_does_not_write_is_named(answers: Scraped) -> None:
    """The gate is held, and says which values there are; the right one passes the same question."""
    reading = read(answers, "misnamed", TYPO)
    judgment = judged(TYPO, reading, look(answers, "misnamed", TYPO))

    assert (judgment.verdict, judgment.reason) == (Verdict.NO_DATA, Reason.NEVER_SEEN)
    assert (
        "outcome has completed, failed" in judgment.message
        or "outcome has failed, completed" in judgment.message
    )
    right = judged(ERRORS, read(answers, "misnamed"), look(answers, "misnamed", ERRORS))
    assert right.numerator is Numerator.SEEN


def test_failures_without_a_release_are_counted(answers: Scraped) -> None:
    """They would fail the canary; those of an older release that drains are its own."""
    reading = read(answers, "lost")

    assert isinstance(reading, Reading)
    assert reading.lost is not None
    assert reading.lost.bad == pytest.approx(24, abs=4)
    judgment = judged(ERRORS, reading)
    assert (judgment.verdict, judgment.reason) == (Verdict.ERROR, Reason.UNATTRIBUTED)


def test_failures_in_capitals_do_not_pass(answers: Scraped) -> None:
    """Half of the canary's runs have an outcome that stable does not have."""
    reading = read(answers, "capitals")

    assert isinstance(reading, Reading)
    assert reading.unfamiliar is not None
    assert reading.unfamiliar.runs == pytest.approx(12, abs=3)
    judgment = judged(ERRORS, reading)
    assert (judgment.verdict, judgment.reason) == (Verdict.NO_DATA, Reason.NEVER_SEEN)
    assert "have a value of outcome that stable never had" in judgment.message


def test_a_canary_without_failures_is_believed(answers: Scraped) -> None:
    """All its outcomes are also those of stable."""
    reading = read(answers, "fixed")

    assert isinstance(reading, Reading)
    assert reading.unfamiliar == Unfamiliar(is_known=True, label="outcome", runs=0, has_series=True)
    assert judged(ERRORS, reading).reason is not Reason.NEVER_SEEN


def test_failures_in_another_metric_do_not_pass(answers: Scraped) -> None:
    """At stable's rate the canary would have had 14 of them."""
    reading = read(answers, "moved", OWN)

    assert isinstance(reading, Reading)
    assert reading.unfamiliar == Unfamiliar(is_known=True, label="", runs=0, has_series=False)
    judgment = judged(OWN, reading)
    assert (judgment.verdict, judgment.reason) == (Verdict.NO_DATA, Reason.NEVER_SEEN)
    assert "no series of agent_failures_total" in judgment.message
