"""What an attempt reached: the weight of the release over time, its runs, and how many of them were bad."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from agentrollouts.api.record.entry import GateRecord, RecordEntry, RecordEvent, Window
from agentrollouts.api.release import AgentRelease
from agentrollouts.insight.plan import Plan
from agentrollouts.insight.records import AttemptRecord


@dataclass(frozen=True, slots=True)
class Share:
    """A time at one weight."""

    start: datetime
    end: datetime | None
    weight: int
    runs: float | None = None
    """Runs of the release, where they were counted by weight."""


def weights(record: AttemptRecord) -> tuple[tuple[datetime, int], ...]:
    """The times at which the weight changed, and the weight from then on.

    A rollback takes effect with the route, not with the decision.
    """
    changes: list[tuple[datetime, int]] = []
    for entry in record.entries:
        is_ordered = entry.event is RecordEvent.ROLLBACK_STARTED and record.last(RecordEvent.ROUTED)
        if entry.weight is None or is_ordered or (changes and changes[-1][1] == entry.weight):
            continue
        changes.append((entry.routed_time or entry.time, entry.weight))
    return tuple(changes)


def shares(record: AttemptRecord, counts: GateRecord | None) -> tuple[Share, ...]:
    """The times at which the release had traffic, with its runs at each weight that it had once."""
    changes = weights(record)
    ends = [time for time, _ in changes[1:]] + [None]
    spans = [(start, end, weight) for (start, weight), end in zip(changes, ends, strict=True) if weight]
    runs: dict[int, float] = {}
    for segment in (counts.segments or ()) if counts else ():
        if segment.weight is not None:
            runs[segment.weight] = runs.get(segment.weight, 0.0) + segment.canary.total
    once = [weight for _, _, weight in spans]
    return tuple(
        Share(start, end, weight, runs.get(weight) if once.count(weight) == 1 else None)
        for start, end, weight in spans
    )


def window(record: AttemptRecord) -> Window | None:
    """The time during which the release that was rolled back had traffic."""
    return next((entry.window for entry in reversed(record.entries) if entry.window), None)


def run_counts(decision: RecordEntry | None, plan: Plan) -> GateRecord | None:
    """The gate that counted most of the runs, if one counts runs; with counts by weight, if one has them."""
    gates = [gate for gate in (decision.gates if decision else None) or () if _counts_runs(gate, plan)]
    return max(gates, key=lambda gate: (bool(gate.segments), gate.canary.total), default=None)


def _counts_runs(gate: GateRecord, plan: Plan) -> bool:
    resolved = plan.resolved.get(gate.name)
    return resolved is not None and resolved.counts_runs and gate.canary.total > 0


def external_tools(releases: Sequence[AgentRelease], name: str) -> tuple[str, ...] | None:
    """Tools of the release that act outside of the agent; None if the release is not known."""
    release = next((each for each in releases if each.metadata.name == name), None)
    if release is None:
        return None
    tools = release.spec.components.tools
    return tuple(tool.name for tool in tools.items if tool.external_action) if tools else ()
