"""An incident as a regression test: the input of `agentrollouts judge` by which a gate fails again."""

import json
from collections.abc import Mapping
from typing import Any

from agentrollouts.api.record.entry import GateRecord
from agentrollouts.api.verdict import Counts, SegmentStatus
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.selector import BOUND_LABEL
from agentrollouts.insight.plan import Plan

Json = dict[str, Any]


def judge_line(record: GateRecord, plan: Plan) -> str | None:
    """One line for `agentrollouts judge`; None if the record does not have the counts."""
    gate = next((each for each in plan.gates if each.get("name") == record.name), None)
    resolved = plan.resolved.get(record.name)
    if gate is None or resolved is None or not record.segments:
        return None
    question = {
        "gate": dict(gate),
        "phases": _phases(record, resolved),
        "plannedPhases": max(plan.phases, 1 + record.segments[-1].phase_index),
        "burstFactor": record.burst_factor,
        "before": _pair_of(record.baseline) if record.baseline else None,
        "recent": _recent(record, resolved),
    }
    known = {key: value for key, value in question.items() if value is not None}
    return json.dumps(known)  # ASCII, so that every reader sees every character


def _phases(record: GateRecord, gate: ResolvedGate) -> list[Json]:
    """All segments; a shift is judged by the current one alone."""
    *finished, present = record.segments or ()
    if gate.traits.is_shift:
        groups, key = ("bounds", "le") if gate.by == BOUND_LABEL else ("mix", "value")
        mix = [{key: m.value, "canary": m.canary, "stable": m.stable} for m in record.mix or ()]
        return [_phase(present, gate) | {groups: mix}]
    counted = [each for each in finished if each.canary.total or each.stable.total]
    return [_phase(segment, gate) for segment in (*counted, present)]


def _phase(segment: SegmentStatus, gate: ResolvedGate) -> Json:
    began = segment.started
    known: Mapping[str, object] = {
        "phase": segment.phase_index,
        "weight": segment.weight,
        "underway": segment.underway if segment.underway < 1 else None,
        "started": {"canary": began.canary, "stable": began.stable} if began else None,
        "canary": _counts(segment.canary, gate),
        "stable": _counts(segment.stable, gate),
        "bounds": [{"le": b.le, "canary": b.canary, "stable": b.stable} for b in segment.bounds] or None,
    }
    return {key: value for key, value in known.items() if value is not None}


def _recent(record: GateRecord, gate: ResolvedGate) -> Json | None:
    recent = record.recent
    if recent is None:
        return None
    return {"canary": _counts(recent.canary, gate), "stable": _counts(recent.stable, gate)}


def _counts(counts: Counts, gate: ResolvedGate) -> Json:
    """No more bad runs than runs, which the extrapolation of Prometheus can give."""
    is_share = gate.traits.counts_bad_runs
    return {"bad": min(counts.bad, counts.total) if is_share else counts.bad, "total": counts.total}


def _pair_of(counts: Counts) -> Json:
    return {"bad": counts.bad, "total": counts.total}
