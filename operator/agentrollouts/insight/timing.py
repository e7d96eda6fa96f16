"""When each step of an attempt happened, from the first traffic to the verification.

The report of one attempt and the figures over many both rest on these times.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple, Self

from agentrollouts.api.attempt import Trigger
from agentrollouts.api.record.entry import GateRecord, RecordEntry, RecordEvent
from agentrollouts.api.rollback import VerifyOutcome
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.api.verdict import Verdict
from agentrollouts.core.history import rollback_of
from agentrollouts.insight.plan import Plan, plan_of
from agentrollouts.insight.records import AttemptRecord

BAD: Final = "Bad"
VERIFIED: Final[frozenset[str]] = frozenset({VerifyOutcome.RECOVERED, VerifyOutcome.NOT_RECOVERED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """The times of one attempt; None where the record does not have one."""

    traffic: datetime | None
    """The release first had traffic."""
    first_bad: datetime | None
    """The first sample that speaks against it."""
    decided: datetime | None
    routed: datetime | None
    left: datetime | None
    """Its last request."""
    verified: datetime | None

    @property
    def detect(self) -> float | None:
        """Seconds from the first traffic to the decision."""
        return between(self.traffic, self.decided)

    @property
    def decide(self) -> float | None:
        """Seconds from the first bad sample to the decision."""
        return between(self.first_bad, self.decided)

    @property
    def route(self) -> float | None:
        """Seconds from the decision to the route."""
        return between(self.decided, self.routed)

    @property
    def verify(self) -> float | None:
        """Seconds from the decision to the end of the verification."""
        return between(self.decided, self.verified)


class _Now(NamedTuple):
    """What the status says of its last rollback, beyond the record."""

    routed: datetime | None
    left: datetime | None
    verified: datetime | None

    @classmethod
    def of(cls, status: AgentRolloutStatus | None) -> Self:
        rollback = rollback_of(status) if status else None
        if rollback is None:
            return cls(None, None, None)
        return cls(rollback.routed_time, rollback.observed_time, rollback.verified_time)


def between(start: datetime | None, end: datetime | None) -> float | None:
    """Seconds; None where one of the two is unknown."""
    return (end - start).total_seconds() if start and end else None


def timing(record: AttemptRecord, status: AgentRolloutStatus | None = None) -> Timing:
    """When each step happened; `status` is that of the rollout, if this is its newest attempt."""
    decision = record.last(RecordEvent.ROLLBACK_STARTED)
    now = _Now.of(status if decision else None)
    routed = record.last(RecordEvent.ROUTED)
    windows = [entry.window for entry in record.entries if entry.window]
    traffic = windows[-1].start_time if windows else _first_traffic(record)
    verified = [entry.time for entry in record.entries if entry.outcome in VERIFIED]
    return Timing(
        traffic=traffic,
        first_bad=_first_bad(record, decision, traffic) if decision else None,
        decided=decision.time if decision else None,
        routed=(routed.routed_time or routed.time) if routed else now.routed,
        left=next(map(_end, filter(_is_seen, reversed(record.entries))), now.left),
        verified=verified[-1] if verified else now.verified,
    )


def failed(entry: RecordEntry) -> tuple[GateRecord, ...]:
    """The gates that failed when it was made."""
    return tuple(gate for gate in entry.gates or () if gate.verdict is Verdict.FAIL)


def _first_traffic(record: AttemptRecord) -> datetime | None:
    return next((entry.time for entry in record.entries if entry.weight), None)


def _is_seen(entry: RecordEntry) -> bool:
    """Whether it reports until when the release had traffic, as seen and not as written."""
    return entry.event in {RecordEvent.OBSERVED, RecordEvent.ROLLED_BACK} and entry.window is not None


def _end(entry: RecordEntry) -> datetime:
    return (entry.window and entry.window.end_time) or entry.time


def _first_bad(record: AttemptRecord, decision: RecordEntry, traffic: datetime | None) -> datetime | None:
    """When the harm could first be seen that the rollback was decided on.

    The looks at which a gate that failed had evidence above 1:1, back from the decision without a break. A
    gate that counts has no evidence, and an attempt of seconds no looks: then the first bad outcome.
    """
    if decision.trigger is not Trigger.BREACH:
        return None
    plan, names = plan_of(record, decision), [gate.name for gate in failed(decision)]
    times = list(_bad_looks(record, plan, names)) or list(_bad_samples(record, plan, names))
    return min((time for time in times if traffic is None or time >= traffic), default=None)


def _bad_looks(record: AttemptRecord, plan: Plan, names: list[str]) -> Iterator[datetime]:
    start = record.entries[0].time
    places = [index for index, gate in enumerate(plan.gates) if gate.get("name") in names]
    for look in reversed(record.course):
        if not any(index < len(look.evidence) and look.evidence[index] > 0 for index in places):
            return
        yield start + timedelta(seconds=look.seconds)


def _bad_samples(record: AttemptRecord, plan: Plan, names: list[str]) -> Iterator[datetime]:
    for series in record.evidence:
        gate = plan.resolved.get(series.gate)
        counts_bad = gate is not None and (gate.traits.counts_bad_runs or gate.traits.takes_count)
        if series.gate in names and counts_bad and (series.source, series.release) == (BAD, record.release):
            yield from (time for time, value in series.values if value > 0)
