"""The counts of the minutes before a rollback: what is queried once after it, and what a record keeps."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import rfc8785

from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.selector import BOUND_LABEL, SOURCE_LABEL
from agentrollouts.core.metrics.poll import Series
from agentrollouts.core.metrics.queries import QueryPlan, Term, tag

SPAN: Final = timedelta(minutes=30)
STEP: Final = timedelta(minutes=1)
MOST_BYTES: Final = 96 * 1024
"""Bytes of the evidence of one rollback. Above that, every second minute is left out."""


@dataclass(frozen=True, slots=True)
class EvidenceQuery:
    """What to query once: the counts per minute, from `SPAN` before a rollback to its decision."""

    record: str
    """Name of the record that the answer belongs to."""
    source: str
    """Name of the Prometheus source in the administrator's settings."""
    plan: QueryPlan
    gates: tuple[ResolvedGate, ...]
    end: datetime
    """Time of the decision."""

    @property
    def start(self) -> datetime:
        """Time of the first value."""
        return self.end - SPAN


def evidence_of(query: EvidenceQuery, series: Series) -> dict[str, Any]:
    """The evidence as a record keeps it, with as many minutes as there is room for."""
    rows = tuple(series)
    step = STEP
    while True:
        evidence = _evidence(query, rows, step)
        if len(rfc8785.dumps(evidence)) <= MOST_BYTES or step >= SPAN:
            return evidence
        step *= 2


def _evidence(
    query: EvidenceQuery,
    rows: Sequence[tuple[Mapping[str, str], Sequence[tuple[datetime, float]]]],
    step: timedelta,
) -> dict[str, Any]:
    times = [query.start + n * step for n in range(int(SPAN / step) + 1)]
    return {
        "startTime": _text(times[0]),
        "endTime": _text(times[-1]),
        "stepSeconds": int(step.total_seconds()),
        "series": [one for labels, samples in rows for one in _of_row(query, labels, samples, times)],
    }


def _of_row(
    query: EvidenceQuery,
    labels: Mapping[str, str],
    samples: Sequence[tuple[datetime, float]],
    times: Sequence[datetime],
) -> Iterator[dict[str, Any]]:
    """One series for each gate that counts by this row."""
    by_time = {round(time.timestamp()): value for time, value in samples}
    values = [_number(by_time.get(round(time.timestamp()))) for time in times]
    release, le = labels.get(query.plan.subject.labels.release, ""), labels.get(BOUND_LABEL)
    if not release or not any(values):
        return
    bound = {} if le is None else {"le": le[:32]}
    for gate in query.gates:
        for source, name in ((gate.sources.bad, "Bad"), (gate.sources.total, "Total")):
            if labels.get(SOURCE_LABEL) == tag(query.plan, source, Term.INCREASE):
                yield {"gate": gate.name, "source": name, "release": release, **bound, "values": values}


def _number(value: float | None) -> str:
    """A count, not always whole since Prometheus extrapolates; empty where there is none."""
    return "" if value is None or not math.isfinite(value) else f"{value:.6g}"


def _text(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")
