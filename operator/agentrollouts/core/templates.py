"""The built-in gates as rows of a table; nothing else is needed to add one.

Read by `catalogue`. Sources are written as a user would write them: the operator adds namespace, agent,
release, range, grouping and the correction for new series.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from agentrollouts.api.rollout import Better, GateType
from agentrollouts.api.status import Severity
from agentrollouts.core.series import DEFAULT_LABELS, Refusal, Selector, parse_selector
from agentrollouts.core.words import Words


@dataclass(frozen=True, slots=True)
class Template:
    """A row of the catalogue: what is counted, and the defaults."""

    kind: GateType
    bad: Selector | None
    """None where the convention has no such metric, or the kind is not served yet."""
    total: Selector | None
    margin: float
    severity: Severity
    words: Words
    better: Better = Better.LOWER


def _select(text: str) -> Selector:
    selector = parse_selector(text, field="", labels=DEFAULT_LABELS)
    if isinstance(selector, Refusal):
        raise TypeError(selector)  # a wrong row is a bug of ours, seen at import
    return selector


def _ratio(
    bad: str, total: str, margin: float, severity: Severity, words: Words, better: Better = Better.LOWER
) -> Template:
    return Template(GateType.RATIO, _select(bad), _select(total), margin, severity, words, better)


def _mean(bad: str, total: str, words: Words) -> Template:
    return Template(GateType.MEAN, _select(bad), _select(total), 1.25, Severity.MEDIUM, words)


def _histogram(buckets: str, words: Words) -> Template:
    return Template(GateType.HISTOGRAM, _select(buckets), _select(buckets), 1.25, Severity.HIGH, words)


def _later(kind: GateType) -> Template:
    return Template(kind, None, None, 1.0, Severity.LOW, Words())


_H, _M = Severity.HIGH, Severity.MEDIUM
_RUNS, _EVALS, _CALLS = "agent_runs_total", "agent_evals_total", "agent_tool_calls_total"
_CHECKS, _REVIEWS = "agent_validations_total", "agent_reviews_total"
_GOOD = Better.HIGHER

TEMPLATES: Final[Mapping[str, Template]] = MappingProxyType(
    {
        "error-rate": _ratio(f'{_RUNS}{{outcome="failed"}}', _RUNS, 1.10, _H, Words("runs", "failures")),
        "task-completion": _ratio(
            f'{_RUNS}{{outcome!="completed"}}',
            _RUNS,
            0.98,
            _H,
            Words("runs", "incomplete runs", "completed"),
            _GOOD,
        ),
        "accuracy": _ratio(
            f'{_EVALS}{{result="fail"}}', _EVALS, 0.98, _M, Words("evals", "failed evals", "passed"), _GOOD
        ),
        "validation-pass": _ratio(
            f'{_CHECKS}{{result="fail"}}', _CHECKS, 1.10, _H, Words("validations", "failed validations")
        ),
        "escalation": _ratio(
            f'{_RUNS}{{outcome="escalated"}}', _RUNS, 1.25, _M, Words("runs", "escalations")
        ),
        "refusal": _ratio(f'{_RUNS}{{outcome="refused"}}', _RUNS, 1.25, _M, Words("runs", "refusals")),
        "tool-errors": _ratio(
            f'{_CALLS}{{result!="ok"}}', _CALLS, 1.25, _M, Words("tool calls", "failed tool calls")
        ),
        "tool-hallucination": _ratio(
            f'{_CALLS}{{result=~"unknown_tool|bad_args"}}',
            _CALLS,
            1.10,
            _M,
            Words("tool calls", "invented tool calls"),
        ),
        "acceptance": _ratio(
            f'{_REVIEWS}{{result="rejected"}}',
            _REVIEWS,
            0.98,
            _H,
            Words("reviews", "rejections", "accepted"),
            _GOOD,
        ),
        "human-correction": _ratio(
            f'{_REVIEWS}{{result="edited"}}', _REVIEWS, 1.25, _H, Words("reviews", "human corrections")
        ),
        "tool-calls-per-run": _mean(_CALLS, _RUNS, Words("runs", "tool calls")),
        # Per run, not per completed run: a canary that completes nothing still has its share of the runs.
        "cost-per-run": _mean("agent_run_cost_usd_sum", "agent_run_cost_usd_count", Words("runs", "$")),
        "tokens-per-run": _later(GateType.MEAN),
        "latency": _histogram(
            "agent_run_duration_seconds_bucket", Words("runs", "runs slower than {bound} s")
        ),
        "loop": _histogram("agent_run_steps_bucket", Words("runs", "runs of more than {bound} steps")),
        "violations": _later(GateType.COUNT),
        "decision-mix": _later(GateType.SHIFT),
        "tool-mix": _later(GateType.SHIFT),
        "output-length": _later(GateType.SHIFT),
    }
)
"""By name, for the convention AgentRollouts."""
