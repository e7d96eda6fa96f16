"""Every template under every convention that has it, on a real Prometheus.

Input: an exporter with the series as the convention documents them, written down here once more. Output: the
counts, and a verdict. Not faked: scraping, `increase`, grouping, the HTTP API.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import pytest

from agentrollouts.api.analysis import MetricConvention
from agentrollouts.api.rollout import AgentRolloutSpec
from agentrollouts.api.verdict import Verdict
from agentrollouts.core.gates.counts import Segment
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.reading import Present, Reading
from agentrollouts.core.gates.resolve import labels_of, resolve_all
from agentrollouts.core.gates.templates import TEMPLATES
from agentrollouts.core.judge.facts import PlanPosition
from agentrollouts.core.judge.judge import judge
from agentrollouts.core.metrics.queries import Subject, plan_queries
from testkit.gates import read_all
from tests.e2e.prometheus import END, START, Scraped, near

STABLE, CANARY = "shop-4.1.0", "shop-4.2.0"
SCRAPES: Final = END - START
OURS, OTEL, LITELLM = MetricConvention

LABELS: Final = {
    OURS: ("agent", "release"),
    OTEL: ("gen_ai_agent_name", "service_version"),
    LITELLM: ("metadata_agent", "metadata_release"),
}
"""Under which labels the conventions' users put agent and release."""


@dataclass(frozen=True)
class Rate:
    """What a release does between two scrapes."""

    bad: float
    runs: float


RATES: Final = {CANARY: Rate(bad=10, runs=20), STABLE: Rate(bad=2, runs=40)}
Lines = Iterable[tuple[str, Mapping[str, str], float]]
Export = Callable[[Rate], Lines]
"""The series of one release with what they grow by at each scrape."""


def share(metric: str, bad: Mapping[str, str], good: Mapping[str, str]) -> Export:
    """One counter whose children are good or bad."""
    return lambda rate: [(metric, bad, rate.bad), (metric, good, rate.runs - rate.bad)]


def pair(bad: str, total: str, factor: float = 1.0) -> Export:
    """Two counters; the first may count in another unit."""
    return lambda rate: [(bad, {}, factor * rate.bad), (total, {}, rate.runs)]


def slow(metric: str, fast: str, labels: Mapping[str, str] | None = None) -> Export:
    """A histogram: bad runs are above the bound."""
    kept = labels or {}
    return lambda rate: [
        (metric, {**kept, "le": fast}, rate.runs - rate.bad),
        (metric, {**kept, "le": "+Inf"}, rate.runs),
    ]


def outcome(bad: str) -> Export:
    """Our counter of runs."""
    return share("agent_runs_total", {"outcome": bad}, {"outcome": "completed"})


def result(metric: str, bad: str, good: str, **labels: str) -> Export:
    """One of our counters by result."""
    return share(metric, {"result": bad, **labels}, {"result": good, **labels})


AGENT, TOOL = "gen_ai_invoke_agent_duration_seconds", "gen_ai_execute_tool_duration_seconds"
TOKENS, REQUESTS = "gen_ai_client_token_usage", "litellm_proxy_total_requests_metric_total"
OUTPUT = {"gen_ai_token_type": "output"}

EXPORTED: Final[Mapping[tuple[str, MetricConvention], Export]] = {
    ("error-rate", OURS): outcome("failed"),
    ("error-rate", OTEL): share(f"{AGENT}_count", {"error_type": "timeout"}, {}),
    ("error-rate", LITELLM): pair("litellm_proxy_failed_requests_metric_total", REQUESTS),
    ("task-completion", OURS): outcome("aborted"),
    ("accuracy", OURS): result("agent_evals_total", "fail", "pass", eval="refunds"),
    ("validation-pass", OURS): result("agent_validations_total", "fail", "pass"),
    ("escalation", OURS): outcome("escalated"),
    ("refusal", OURS): outcome("refused"),
    ("tool-errors", OURS): result("agent_tool_calls_total", "error", "ok", tool="refund"),
    ("tool-errors", OTEL): share(f"{TOOL}_count", {"error_type": "500"}, {}),
    ("tool-hallucination", OURS): result("agent_tool_calls_total", "unknown_tool", "ok", tool="refund"),
    ("loop", OURS): slow("agent_run_steps_bucket", "8"),
    ("loop", OTEL): slow("gen_ai_invoke_agent_inference_calls_bucket", "8"),
    ("tool-calls-per-run", OURS): pair("agent_tool_calls_total", "agent_runs_total"),
    ("tool-calls-per-run", OTEL): pair(f"{TOOL}_count", f"{AGENT}_count"),
    ("cost-per-run", OURS): pair("agent_run_cost_usd_sum", "agent_run_cost_usd_count"),
    ("cost-per-run", LITELLM): pair("litellm_spend_metric_total", REQUESTS),
    ("tokens-per-run", OURS): pair(f"{TOKENS}_sum", "agent_runs_total"),
    ("tokens-per-run", OTEL): pair(f"{TOKENS}_sum", f"{AGENT}_count"),
    ("tokens-per-run", LITELLM): pair("litellm_total_tokens_metric_total", REQUESTS),
    ("latency", OURS): slow("agent_run_duration_seconds_bucket", "12.8"),
    ("latency", OTEL): slow(f"{AGENT}_bucket", "12.8"),
    ("latency", LITELLM): slow("litellm_request_total_latency_metric_bucket", "10.0"),
    ("acceptance", OURS): result("agent_reviews_total", "rejected", "accepted"),
    ("human-correction", OURS): result("agent_reviews_total", "edited", "accepted"),
    ("violations", OURS): pair("agent_violations_total", "agent_runs_total"),
    ("decision-mix", OURS): share("agent_decisions_total", {"decision": "approve"}, {"decision": "deny"}),
    ("tool-mix", OURS): share("agent_tool_calls_total", {"tool": "refund"}, {"tool": "lookup"}),
    ("tool-mix", OTEL): share(
        f"{TOOL}_count", {"gen_ai_tool_name": "refund"}, {"gen_ai_tool_name": "lookup"}
    ),
    ("output-length", OURS): slow(f"{TOKENS}_bucket", "256.0", OUTPUT),
    ("output-length", OTEL): slow(f"{TOKENS}_bucket", "256.0", OUTPUT),
}


def test_every_row_of_the_catalogue_is_tried() -> None:
    """A template that is added has to be exported here."""
    rows = {(name, convention) for name, template in TEMPLATES.items() for convention in template.sources}

    assert rows == EXPORTED.keys()


def agent_of(name: str, convention: MetricConvention) -> str:
    """Each row has an agent of its own, so that all can be exported at once."""
    return f"{name}-{convention}".lower()


def exported(k: int) -> Iterator[str]:
    """Everything at scrape `k`; the canary's series are born at the seventh, with what they have then."""
    for (name, convention), export in EXPORTED.items():
        agent, release = LABELS[convention]
        for version, rate in RATES.items():
            steps = k if version == STABLE else k - START
            if version == CANARY and k < START + 3:
                continue
            for metric, labels, growth in export(rate):
                all_labels = {
                    "namespace": "shop",
                    agent: agent_of(name, convention),
                    release: version,
                    **labels,
                }
                text = ",".join(f'{key}="{value}"' for key, value in all_labels.items())
                yield f"{metric}{{{text}}} {growth * steps}"


SCENARIOS: Final = (exported,)


def read(prometheus: Scraped, name: str, convention: MetricConvention) -> tuple[ResolvedGate, Present]:
    """Resolve, ask and read one template."""
    agent, release = LABELS[convention]
    spec = AgentRolloutSpec.model_validate(
        {
            "agent": agent_of(name, convention),
            "releaseRef": {"name": CANARY},
            "gates": [{"name": name, "template": name}],
            "metrics": {"convention": convention, "labels": {"agent": agent, "release": release}},
        }
    )
    (gate,) = resolve_all(spec).gates
    subject = Subject("shop", spec.agent, CANARY, STABLE, labels_of(spec))
    plan = plan_queries([gate], subject, counting_start=prometheus.start, warmup_seconds=0)
    readings = read_all(plan, prometheus.ask(plan), [gate], now=prometheus.at, stale_after_seconds=5)
    return gate, readings[name]


def counts_of(reading: Reading) -> Segment:
    """Bad outcomes and runs; for a histogram above its only bound, for a mix of the label that moved."""
    runs = reading.segment
    if reading.mix:
        (moved,) = (m for m in reading.mix if m.group in {"approve", "refund"})
        return Segment(moved.canary, runs.canary_total, moved.stable, runs.stable_total)
    if not reading.bounds:
        return runs
    (bound,) = reading.bounds
    return Segment(bound.canary, runs.canary_total, bound.stable, runs.stable_total)


@pytest.mark.parametrize(("name", "convention"), EXPORTED)
def test_a_template_counts_and_judges_what_its_convention_exports(
    answers: Scraped, name: str, convention: MetricConvention
) -> None:
    """Births included, the counts are those that were exported, and half of all runs is a Fail."""
    gate, reading = read(answers, name, convention)

    assert isinstance(reading, Reading), reading
    canary, stable = RATES[CANARY], RATES[STABLE]
    segment = counts_of(reading)
    assert segment.canary_bad == near(canary.bad * SCRAPES)
    assert segment.stable_bad == near(stable.bad * SCRAPES)
    assert segment.canary_total == near(canary.runs * SCRAPES)
    assert segment.stable_total == near(stable.runs * SCRAPES)
    course = PlanPosition(0, 1, time_over=False, counted_seconds=300, planned_looks=1)
    assert judge(gate, reading, course, burst=1.0).verdict is Verdict.FAIL
