"""A biased comparison on a real Prometheus: the counts of recovery at customers, with cohorts and without.

Input: an exporter with 5,000 high-risk runs pinned to stable, and a canary that is twice as bad. Output: the
verdict of the judge on what our queries count.
"""

from collections.abc import Iterator
from dataclasses import astuple
from typing import Final

from agentrollouts.api.verdict import Verdict
from agentrollouts.core.gates.reading import Reading
from agentrollouts.core.gates.selector import LabelNames
from agentrollouts.core.judge.facts import PlanPosition
from agentrollouts.core.judge.judge import Judgment, judge
from agentrollouts.core.metrics.queries import Subject, plan_queries
from testkit.gates import a_gate, read_all
from tests.e2e.prometheus import END, START, Scraped, line, near

STABLE, CANARY = "shop-4.1.0", "shop-4.2.0"
RUNS: Final = ((CANARY, "", 5000, 120), (STABLE, "", 15000, 180), (STABLE, "high-risk", 5000, 400))
"""Release, cohort, runs and failures between the two scrapes."""


def biased(k: int) -> Iterator[str]:
    """All runs grow evenly; who has no cohort has an empty label, or none."""
    for release, cohort, total, bad in RUNS:
        labels = {"cohort": cohort} if release == STABLE else {}
        for outcome, count in (("completed", total - bad), ("failed", bad)):
            value = count * k / (END - START)
            yield line("agent_runs_total", "biased", release, value, outcome=outcome, **labels)


SCENARIOS: Final = (biased,)


def judged(prometheus: Scraped, labels: LabelNames) -> tuple[tuple[float, ...], Judgment]:
    """The counts by these labels, and the verdict at the end of the only phase."""
    gate = a_gate(template="error-rate")
    subject = Subject("shop", "biased", CANARY, STABLE, labels)
    plan = plan_queries([gate], subject, counting_start=prometheus.start, warmup_seconds=0)
    result = prometheus.ask(plan)
    reading = read_all(plan, result, [gate], now=prometheus.at, stale_after_seconds=5)[gate.name]
    assert isinstance(reading, Reading), reading
    return astuple(reading.segment), judge(gate, reading, PlanPosition(0, 1, time_over=True))


def test_a_canary_that_is_twice_as_bad_fails_where_cohorts_are_left_out(answers: Scraped) -> None:
    """120 of 5,000 against 180 of 15,000; with the high-risk runs, 580 of 20,000 would hide it."""
    counts, fair = judged(answers, LabelNames(cohort="cohort"))
    biased_counts, hidden = judged(answers, LabelNames())

    assert counts == (near(120), near(5000), near(180), near(15000))
    assert biased_counts == (near(120), near(5000), near(580), near(20000))
    assert (fair.verdict, hidden.verdict) == (Verdict.FAIL, Verdict.PASS)
