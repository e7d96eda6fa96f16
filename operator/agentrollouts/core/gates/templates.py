"""The built-in gates as rows of a table; nothing else is needed to add one.

Sources are written as a user would write them: the operator adds namespace, agent, release, range, grouping
and the correction for new series. A row names its sources once for each convention of metric names that has
them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from agentrollouts.api.analysis import MetricConvention
from agentrollouts.api.gates import Better, GateLimit, GateType
from agentrollouts.api.verdict import Severity
from agentrollouts.core.gates.selector import BOUND_LABEL, DEFAULT_LABELS, Refusal, Selector, parse_selector
from agentrollouts.core.gates.wording import Words


@dataclass(frozen=True, slots=True)
class Counted:
    """The series of a gate."""

    bad: Selector
    """Bad outcomes; the sum, for a mean; the buckets or labeled counts, for a histogram or a shift."""
    total: Selector
    """Runs; the same series again, for a histogram or a shift."""
    by: str | None = None
    """Label by which counts are grouped: `le`, or the one whose mix is compared."""


@dataclass(frozen=True, slots=True)
class Grade:
    """What a Fail means once the canary is this much worse (or, of good outcomes, only this good)."""

    ratio: float
    severity: Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A row of the catalog: what is counted, and the defaults."""

    kind: GateType
    severity: Severity
    words: Words
    margin: float = 1.0
    better: Better = Better.LOWER
    grades: tuple[Grade, ...] = ()
    """The worst first."""
    limit: GateLimit | None = None
    counts_runs: bool = False
    """Whether the total is runs, which arrive by the weight of the release; tool calls need not."""
    sources: Mapping[MetricConvention, Counted] = field(default_factory=dict)
    """By convention; one that is absent has no such metric."""


def _select(text: str) -> Selector:
    selector = parse_selector(text, field="", labels=DEFAULT_LABELS)
    if isinstance(selector, Refusal):
        raise TypeError(selector)  # a wrong row is a bug of ours, seen at import
    return selector


def _share(bad: str, total: str) -> Counted:
    return Counted(_select(bad), _select(total))


def _grouped(series: str, by: str = BOUND_LABEL) -> Counted:
    return Counted(_select(series), _select(series), by)


_OURS, _OTEL, _LITELLM = MetricConvention  # in this order: AgentRollouts, OpenTelemetry, LiteLLM
_CRITICAL, _HIGH, _MEDIUM, _LOW = Severity
_RATIO, _MEAN, _HISTOGRAM = GateType.RATIO, GateType.MEAN, GateType.HISTOGRAM

_RUNS, _EVALS, _CALLS = "agent_runs_total", "agent_evals_total", "agent_tool_calls_total"
_CHECKS, _REVIEWS = "agent_validations_total", "agent_reviews_total"
_AGENT, _TOOL = "gen_ai_invoke_agent_duration_seconds", "gen_ai_execute_tool_duration_seconds"
_TOKENS = "gen_ai_client_token_usage"
_REQUESTS = "litellm_proxy_total_requests_metric_total"

RUNS: Final[Mapping[MetricConvention, Selector]] = MappingProxyType(
    {_OURS: _select(_RUNS), _OTEL: _select(f"{_AGENT}_count"), _LITELLM: _select(_REQUESTS)}
)
"""The counter of finished runs."""
STARTED: Final[Mapping[MetricConvention, Selector]] = MappingProxyType(
    {_OURS: _select("agent_runs_started_total")}
)
"""The counter of runs that began. OpenTelemetry and LiteLLM have none."""

TEMPLATES: Final[Mapping[str, Template]] = MappingProxyType(
    {
        "error-rate": Template(
            kind=_RATIO,
            severity=_HIGH,
            margin=1.10,
            words=Words("runs", "failures"),
            limit=GateLimit(value=0.15, for_seconds=120, severity=_CRITICAL),
            counts_runs=True,
            sources={
                _OURS: _share(f'{_RUNS}{{outcome="failed"}}', _RUNS),
                _OTEL: _share(f'{_AGENT}_count{{error_type!=""}}', f"{_AGENT}_count"),
                _LITELLM: _share("litellm_proxy_failed_requests_metric_total", _REQUESTS),
            },
        ),
        "task-completion": Template(
            kind=_RATIO,
            severity=_HIGH,
            margin=0.98,
            better=Better.HIGHER,
            grades=(Grade(0.80, _CRITICAL),),
            words=Words("runs", "incomplete runs", "completed"),
            counts_runs=True,
            sources={_OURS: _share(f'{_RUNS}{{outcome!="completed"}}', _RUNS)},
        ),
        "accuracy": Template(
            kind=_RATIO,
            severity=_MEDIUM,
            margin=0.98,
            better=Better.HIGHER,
            grades=(Grade(0.90, _HIGH),),
            words=Words("evals", "failed evals", "passed"),
            sources={_OURS: _share(f'{_EVALS}{{result="fail"}}', _EVALS)},
        ),
        "validation-pass": Template(
            kind=_RATIO,
            severity=_HIGH,
            margin=1.10,
            words=Words("validations", "failed validations"),
            sources={_OURS: _share(f'{_CHECKS}{{result="fail"}}', _CHECKS)},
        ),
        "escalation": Template(
            kind=_RATIO,
            severity=_MEDIUM,
            margin=1.25,
            words=Words("runs", "escalations"),
            counts_runs=True,
            sources={_OURS: _share(f'{_RUNS}{{outcome="escalated"}}', _RUNS)},
        ),
        "refusal": Template(
            kind=_RATIO,
            severity=_MEDIUM,
            margin=1.25,
            words=Words("runs", "refusals"),
            counts_runs=True,
            sources={_OURS: _share(f'{_RUNS}{{outcome="refused"}}', _RUNS)},
        ),
        "tool-errors": Template(
            kind=_RATIO,
            severity=_MEDIUM,
            margin=1.25,
            words=Words("tool calls", "failed tool calls"),
            limit=GateLimit(value=0.05, severity=_HIGH),
            sources={
                _OURS: _share(f'{_CALLS}{{result!="ok"}}', _CALLS),
                _OTEL: _share(f'{_TOOL}_count{{error_type!=""}}', f"{_TOOL}_count"),
            },
        ),
        "tool-hallucination": Template(
            kind=_RATIO,
            severity=_MEDIUM,
            margin=1.10,
            words=Words("tool calls", "invented tool calls"),
            limit=GateLimit(value=0.05, severity=_HIGH),
            sources={_OURS: _share(f'{_CALLS}{{result=~"unknown_tool|bad_args"}}', _CALLS)},
        ),
        "loop": Template(
            kind=_HISTOGRAM,
            severity=_HIGH,
            margin=1.25,
            words=Words("runs", "runs of more than {bound} steps"),
            counts_runs=True,
            sources={
                _OURS: _grouped("agent_run_steps_bucket"),
                _OTEL: _grouped("gen_ai_invoke_agent_inference_calls_bucket"),
            },
        ),
        "tool-calls-per-run": Template(
            kind=_MEAN,
            severity=_MEDIUM,
            margin=1.25,
            words=Words("runs", "tool calls"),
            counts_runs=True,
            sources={_OURS: _share(_CALLS, _RUNS), _OTEL: _share(f"{_TOOL}_count", f"{_AGENT}_count")},
        ),
        # Per run, not per completed run: a canary that completes nothing still has its share of the runs.
        "cost-per-run": Template(
            kind=_MEAN,
            severity=_MEDIUM,
            margin=1.25,
            grades=(Grade(3.0, _CRITICAL),),
            words=Words("runs", "$"),
            counts_runs=True,
            sources={
                _OURS: _share("agent_run_cost_usd_sum", "agent_run_cost_usd_count"),
                _LITELLM: _share("litellm_spend_metric_total", _REQUESTS),
            },
        ),
        # We count no tokens of our own: the SDKs of the providers do, under the names of OpenTelemetry.
        "tokens-per-run": Template(
            kind=_MEAN,
            severity=_MEDIUM,
            margin=1.25,
            words=Words("runs", "tokens"),
            counts_runs=True,
            sources={
                _OURS: _share(f"{_TOKENS}_sum", _RUNS),
                _OTEL: _share(f"{_TOKENS}_sum", f"{_AGENT}_count"),
                _LITELLM: _share("litellm_total_tokens_metric_total", _REQUESTS),
            },
        ),
        "latency": Template(
            kind=_HISTOGRAM,
            severity=_HIGH,
            margin=1.25,
            words=Words("runs", "runs slower than {bound} s"),
            limit=GateLimit(value=10.0, severity=_HIGH),
            counts_runs=True,
            sources={
                _OURS: _grouped("agent_run_duration_seconds_bucket"),
                _OTEL: _grouped(f"{_AGENT}_bucket"),
                _LITELLM: _grouped("litellm_request_total_latency_metric_bucket"),
            },
        ),
        "acceptance": Template(
            kind=_RATIO,
            severity=_HIGH,
            margin=0.98,
            better=Better.HIGHER,
            words=Words("reviews", "rejections", "accepted"),
            sources={_OURS: _share(f'{_REVIEWS}{{result="rejected"}}', _REVIEWS)},
        ),
        "human-correction": Template(
            kind=_RATIO,
            severity=_HIGH,
            margin=1.25,
            words=Words("reviews", "human corrections"),
            sources={_OURS: _share(f'{_REVIEWS}{{result="edited"}}', _REVIEWS)},
        ),
        "violations": Template(
            kind=GateType.COUNT,
            severity=_CRITICAL,
            words=Words("runs", "violations"),
            counts_runs=True,
            sources={_OURS: _share("agent_violations_total", _RUNS)},
        ),
        "decision-mix": Template(
            kind=GateType.SHIFT,
            severity=_LOW,
            words=Words("decisions", "decisions"),
            sources={_OURS: _grouped("agent_decisions_total", "decision")},
        ),
        "tool-mix": Template(
            kind=GateType.SHIFT,
            severity=_LOW,
            words=Words("tool calls", "tool calls"),
            sources={
                _OURS: _grouped(_CALLS, "tool"),
                _OTEL: _grouped(f"{_TOOL}_count", "gen_ai_tool_name"),
            },
        ),
        "output-length": Template(
            kind=GateType.SHIFT,
            severity=_LOW,
            words=Words("completions", "completions of more than {bound} tokens"),
            sources={
                _OURS: _grouped(f'{_TOKENS}_bucket{{gen_ai_token_type="output"}}'),
                _OTEL: _grouped(f'{_TOKENS}_bucket{{gen_ai_token_type="output"}}'),
            },
        ),
    }
)
"""By name."""

LATENCY: Final = frozenset(counted.bad for counted in TEMPLATES["latency"].sources.values())
"""Where it is counted how long runs take, in seconds."""
