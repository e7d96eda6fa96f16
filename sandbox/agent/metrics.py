"""What the agent counts, under the names that the operator's gate templates ask for.

The agent knows nothing of the labels `namespace`, `agent` and `release`: the scrape configuration takes them
from the pod. Whether label children exist from the start is a choice: real agents do both, and the operator
has to count right with either.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest

from sandbox.agent.run import Decision, Outcome, Run
from sandbox.agent.tools import Tool, ToolResult

disable_created_metrics()  # type: ignore[no-untyped-call]  # and none of the second series per child

SECONDS: Final = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56)
"""Bounds around 0.06 to 0.4 s, where nine in ten runs end, and some above for what goes wrong."""
USD: Final = (0.0005, 0.001, 0.0015, 0.002, 0.003, 0.004, 0.006, 0.008, 0.012, 0.016, 0.05)
"""Bounds around 0.002 US dollars, which a run costs with the usual model, and above for dearer ones."""
_STEPS: Final = (1, 2, 3, 4, 6, 8)


class AgentMetrics:
    """The agent's counters, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._started = self._counter("agent_runs_started", "Runs begun")
        self._runs = self._counter("agent_runs", "Runs finished, by outcome", "outcome")
        self._calls = self._counter("agent_tool_calls", "Tool calls, by tool and result", "tool", "result")
        self._decisions = self._counter("agent_decisions", "Decisions of the guardrails", "decision")
        self._actions = self._counter(
            "agent_external_actions", "Actions with effect outside, by tool", "kind"
        )
        self._seconds = self._histogram("agent_run_duration_seconds", "Time of a run in seconds", SECONDS)
        self._usd = self._histogram("agent_run_cost_usd", "Cost of a run in US dollars", USD)
        self._steps = self._histogram("agent_run_steps", "Completions that a run used", _STEPS)

    def create_children(self, tools: Mapping[str, Tool]) -> None:
        """Make every series that can ever be counted, at 0; those without labels of their own always are."""
        for outcome in Outcome:
            self._runs.labels(outcome=outcome)
        for decision in Decision:
            self._decisions.labels(decision=decision)
        for tool in tools.values():
            for result in ToolResult:
                self._calls.labels(tool=tool.name, result=result)
            if tool.acts_outside:
                self._actions.labels(kind=tool.name)

    def start(self) -> None:
        """Count a run that begins; started and not finished runs are the ones under way, or hung."""
        self._started.inc()

    def finish(self, run: Run, seconds: float, tools: Mapping[str, Tool]) -> None:
        """Count a finished run that took `seconds` on the clock."""
        self._runs.labels(outcome=run.outcome).inc()
        self._seconds.observe(seconds)
        self._usd.observe(run.cost_usd)
        self._steps.observe(run.steps)
        if run.decision is not None:
            self._decisions.labels(decision=run.decision).inc()
        for answer in run.answers:
            self._calls.labels(tool=answer.tool, result=answer.result).inc()
            if answer.result is ToolResult.OK and tools[answer.tool].acts_outside:
                self._actions.labels(kind=answer.tool).inc()

    def exposition(self) -> bytes:
        """Return all series in the Prometheus text format."""
        return generate_latest(self._registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self._registry)

    def _histogram(self, name: str, text: str, buckets: Iterable[float]) -> Histogram:
        return Histogram(name, text, buckets=tuple(buckets), registry=self._registry)
