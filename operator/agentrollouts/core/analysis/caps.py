"""Caps: ceilings on what the canary may do, whatever stable does and whatever the gates say.

Caps are part of the same query, also at 100%. A cap is a circuit breaker, not a quota: Prometheus lags by up
to a minute, so a hard ceiling belongs in the agent.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from agentrollouts.api.gates import Cap
from agentrollouts.api.rollout import AgentRolloutSpec
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.api.verdict import CapStatus
from agentrollouts.core.gates.resolve import labels_of
from agentrollouts.core.gates.selector import Refusal, Selector, parse_selector
from agentrollouts.core.gates.sources import Source, Start
from agentrollouts.core.gates.templates import RUNS
from agentrollouts.core.gates.wording import beside, used
from agentrollouts.core.metrics.births import continues
from agentrollouts.core.metrics.closer_look import was_just_reset
from agentrollouts.core.metrics.queries import Term
from agentrollouts.core.metrics.steadiness import CURE, jumps
from agentrollouts.core.metrics.table import Table
from agentrollouts.core.states import is_progressing, is_under_way


@dataclass(frozen=True, slots=True)
class ResolvedCap:
    """A cap whose metric was read."""

    cap: Cap
    metric: Selector
    runs: Selector

    @property
    def source(self) -> Source:
        """What the canary added."""
        return Source(self.metric, start=Start.ANY, seconds=self.cap.per_seconds)

    @property
    def runs_source(self) -> Source | None:
        """Its runs meanwhile; None if the cap is not per run."""
        if self.cap.max_per_run is None:
            return None
        return Source(self.runs, start=Start.ANY, seconds=self.cap.per_seconds)

    @property
    def sources(self) -> tuple[Source, ...]:
        """Everything that is queried for it."""
        return (self.source,) if self.runs_source is None else (self.source, self.runs_source)


class CapResolution(NamedTuple):
    """The caps of a rollout, and what is wrong with the others."""

    caps: tuple[ResolvedCap, ...]
    refusals: tuple[Refusal, ...]


@dataclass(frozen=True, slots=True)
class CapReading:
    """What the canary added within the window of a cap."""

    cap: Cap
    value: float
    """In all, or per run."""
    exceeded: bool
    message: str
    at: datetime
    is_seen: bool = True
    """Whether any series of its metric exists; otherwise 0 can mean that the metric is not exported."""

    @property
    def name(self) -> str:
        """The cap's name."""
        return self.cap.name


def resolve_caps(spec: AgentRolloutSpec) -> CapResolution:
    """Read the metrics of the caps."""
    runs, labels = RUNS[spec.metrics.convention], labels_of(spec)
    caps, refusals = [], []
    for index, cap in enumerate(spec.caps):
        selector = parse_selector(cap.metric, field=f"spec.caps[{index}].metric", labels=labels)
        if isinstance(selector, Refusal):
            refusals.append(selector)
        else:
            caps.append(ResolvedCap(cap, selector, runs))
    return CapResolution(tuple(caps), tuple(refusals))


def read_caps(caps: Iterable[ResolvedCap], table: Table) -> tuple[CapReading, ...]:
    """What a result says about the caps; one whose numbers are none is left out, as nothing is known."""
    readable = (cap for cap in caps if not any(source in table.problems for source in cap.sources))
    return tuple(_read(cap, table) for cap in readable)


def with_readings(status: AgentRolloutStatus, readings: tuple[CapReading, ...]) -> AgentRolloutStatus:
    """The status with the newest readings, for people; where there are none it keeps the last ones."""
    return status.copy_with(caps=tuple(map(_to_status, readings))) if readings else status


def _to_status(reading: CapReading) -> CapStatus:
    return CapStatus(
        name=reading.cap.name,
        value=reading.value,
        exceeded=reading.exceeded,
        time=reading.at,
        message=reading.message,
    )


def _read(resolved: ResolvedCap, table: Table) -> CapReading:
    cap, added = resolved.cap, _added(resolved.source, table)
    window = f"in the last {cap.per_seconds} s"
    releases = table.plan.subject.releases
    if not any(table.counts(resolved.source, release) for release in releases):
        message = (
            f"no series {resolved.metric} of release {' or '.join(releases)} has been seen {window}; "
            "does the agent export it, with its labels?"
        )
        return CapReading(cap, 0.0, exceeded=False, message=message, at=table.at, is_seen=False)
    if fallen := next((jump for source in resolved.sources if (jump := jumps(table, source))), None):
        message = f"unknown: {resolved.metric} of {fallen[0]} fell {fallen[1]:.0f} times {window}; {CURE}"
        return CapReading(cap, added, exceeded=False, message=message, at=table.at)
    if any(was_just_reset(table, source) for source in resolved.sources):
        message = (
            f"not yet known: {resolved.metric} or the runs were reset {window}; the next result shows why"
        )
        return CapReading(cap, added, exceeded=False, message=message, at=table.at)
    if cap.max_per_run is None or resolved.runs_source is None:
        limit = cap.max or 0.0
        message = (
            f"canary added {beside(added, limit)} to {resolved.metric} {window}, "
            f"at most {limit:,.10g} allowed"
        )
        return CapReading(cap, added, added > limit, message, table.at)
    runs = _added(resolved.runs_source, table)
    value = added / max(1.0, runs)  # a run that has not ended is one
    message = (
        f"canary added {used(added)} to {resolved.metric} in {used(runs)} runs {window}, "
        f"{beside(value, cap.max_per_run)} per run, at most {cap.max_per_run:,.10g} allowed"
    )
    return CapReading(cap, value, value > cap.max_per_run, message, table.at)


def _added(source: Source, table: Table) -> float:
    """Increase and births of the canary; without births where Prometheus has a hole at the window's start.

    A hole shows on stable: it has series now and had none then. First values that continue series which
    vanished were counted already.
    """
    subject = table.plan.subject
    stable = subject.stable
    if continues(table, source, subject.canary):
        return table.value(source, Term.INCREASE, subject.canary) or 0.0
    if stable and table.counts(source, stable) and not table.term(source, Term.COVERED, stable):
        return table.value(source, Term.INCREASE, subject.canary) or 0.0
    return table.counts(source, subject.canary).get(None, 0.0)


def current_caps(status: AgentRolloutStatus) -> Iterator[CapStatus]:
    """The readings of the caps that are about what serves or is tried now, not about an earlier attempt."""
    attempt = status.attempt
    ends = [entry.end_time for entry in status.history[:1]]
    begun = [attempt.start_time] if attempt and is_under_way(status) and is_progressing(status) else ends
    yield from (cap for cap in status.caps if not begun or cap.time >= begun[0])
