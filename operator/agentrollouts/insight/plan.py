"""The plan of an attempt as its record has it, with its gates filled in as for a verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from agentrollouts.api.analysis import MetricConvention
from agentrollouts.api.gates import Gate
from agentrollouts.api.record.entry import RecordEntry
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.resolve import resolve
from agentrollouts.core.gates.selector import DEFAULT_LABELS
from agentrollouts.insight.records import AttemptRecord

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """By what an attempt was judged."""

    gates: Sequence[Json]
    """As in the spec, in the order of the plan."""
    phases: int
    resolved: Mapping[str, ResolvedGate]
    """By name; without those that this version cannot read."""


def plan_of(record: AttemptRecord, at: RecordEntry | None = None) -> Plan:
    """The plan at an entry: the last one that was recorded up to there."""
    until = at.time if at else None
    plans = [e.plan for e in record.entries if e.plan is not None and (until is None or e.time <= until)]
    return read_plan(plans[-1] if plans else {})


def read_plan(plan: Json) -> Plan:
    """A plan as it was recorded."""
    metrics = plan.get("metrics")
    convention = metrics.get("convention") if isinstance(metrics, Mapping) else None
    gates, phases = plan.get("gates"), plan.get("phases")
    listed = [gate for gate in gates if isinstance(gate, Mapping)] if isinstance(gates, list) else []
    resolved = {gate.name: gate for each in listed if (gate := _resolved(each, convention))}
    return Plan(listed, len(phases) if isinstance(phases, list) else 0, resolved)


def _resolved(gate: Json, convention: object) -> ResolvedGate | None:
    try:
        names = MetricConvention(str(convention)) if convention else MetricConvention.AGENT_ROLLOUTS
        found = resolve(Gate.model_validate(gate), "gate", DEFAULT_LABELS, names)
    except (ValidationError, ValueError):
        return None
    return found if isinstance(found, ResolvedGate) else None
