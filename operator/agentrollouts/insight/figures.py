"""Figures over many attempts: how often releases are rolled back, by what, and how long each step takes."""

import math
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Final

from agentrollouts.api.record.entry import RecordEvent
from agentrollouts.core.gates.wording import percent
from agentrollouts.insight.records import AttemptRecord
from agentrollouts.insight.render.document import (
    Block,
    Document,
    Items,
    Line,
    Paragraph,
    Section,
    Table,
    line,
)
from agentrollouts.insight.timing import Timing, between, timing
from agentrollouts.insight.wording import moment, seconds

QUANTILES: Final = (("Median", 0.5), ("90%", 0.9), ("Longest", 1.0))
STEPS: Final[tuple[tuple[str, Callable[[Timing], float | None]], ...]] = (
    ("Detect: first traffic to decision", lambda found: found.detect),
    ("Decide: first bad sample to decision", lambda found: found.decide),
    ("Route: decision to route", lambda found: found.route),
    ("Verify: decision to verified", lambda found: found.verify),
)
DAY: Final = 86_400
MONTH: Final = 30
"""Days by which a frequency is given."""
Back = tuple[str, Timing]
"""What triggered a rollback, and its times."""


def figures(records: Sequence[AttemptRecord], title: str) -> Document:
    """The figures over these attempts."""
    records = [record for record in records if record.last(RecordEvent.DRILL_ENDED) is None]
    back = [_rolled_back(record) for record in records if record.last(RecordEvent.ROLLBACK_STARTED)]
    problems = (*_gaps(records), *_missing(records))
    sections = (
        Section("Gaps in the records", (Items(problems),) if problems else ()),
        Section("How often", (_frequency(records, len(back)),) if records else ()),
        Section("How fast", (_durations(back),) if back else ()),
        Section("By trigger", (_triggers(back),) if back else ()),
        Section("What the words mean", _words()),
    )
    return Document(title, _summary(records, len(back)), tuple(each for each in sections if each.blocks))


def quantile(values: Iterable[float], share: float) -> float:
    """The smallest of the values that at least this share of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def failure_rate(records: Iterable[AttemptRecord]) -> tuple[int, int]:
    """How many releases were rolled back, of how many that were tried to the end."""
    ends = (RecordEvent.HEALTHY, RecordEvent.ROLLED_BACK)
    tried: dict[tuple[str, str], bool] = {}
    for record in records:
        is_back = record.last(RecordEvent.ROLLBACK_STARTED) is not None
        if is_back or record.last(*ends):
            change = (record.uid, record.digest)
            tried[change] = tried.get(change, False) or is_back
    return sum(tried.values()), len(tried)


def _rolled_back(record: AttemptRecord) -> Back:
    decision = record.last(RecordEvent.ROLLBACK_STARTED)
    return (decision and decision.trigger) or "unknown", timing(record)


def _summary(records: Sequence[AttemptRecord], back: int) -> Line:
    if not records:
        return line("There are no records.")
    failed, tried = failure_rate(records)
    rate = percent(failed / tried) if tried else "unknown"
    rollouts = len({record.uid for record in records})
    return line(
        f"Attempts: {len(records):,}, of rollouts: {rollouts:,}. Rollbacks: {back:,}. "
        f"Change failure rate: {rate}, as {failed:,} of {tried:,} releases were rolled back."
    )


def _frequency(records: Sequence[AttemptRecord], back: int) -> Table:
    times = [entry.time for record in records for entry in record.entries]
    first, last = min(times, default=None), max(times, default=None)
    days = (between(first, last) or 0.0) / DAY
    healthy = sum(record.last(RecordEvent.HEALTHY) is not None for record in records)
    superseded = sum(record.last(RecordEvent.SUPERSEDED) is not None for record in records)
    rows = (
        ("Attempts", len(records)),
        ("Ended healthy", healthy),
        ("Rolled back", back),
        ("Superseded", superseded),
    )
    counted = tuple((line(name), line(f"{n:,}"), line(_monthly(n, days))) for name, n in rows)
    return Table(f"{_span(first, last)}", ("What", "Number", f"In {MONTH} days"), counted)


def _span(first: datetime | None, last: datetime | None) -> str:
    return f"From {moment(first)} to {moment(last)} UTC"


def _monthly(number: int, days: float) -> str:
    """Less than a day says nothing of a month."""
    return f"{number * MONTH / days:,.1f}" if days >= 1 else "too short a time"


def _durations(back: Sequence[Back]) -> Table:
    rows = []
    for name, step in STEPS:
        known = [value for _, found in back if (value := step(found)) is not None]
        shown = [
            line(seconds(quantile(known, share))) if known else line("unknown") for _, share in QUANTILES
        ]
        rows.append((line(name), line(f"{len(known):,}"), *shown))
    head = ("Step", "Rollbacks", *(name for name, _ in QUANTILES))
    return Table("Time of each step", head, tuple(rows))


def _triggers(back: Sequence[Back]) -> Table:
    rows = []
    for trigger in sorted({each for each, _ in back}):
        found = [times for each, times in back if each == trigger]
        medians = []
        for _, step in STEPS:
            known = [value for times in found if (value := step(times)) is not None]
            medians.append(line(seconds(quantile(known, 0.5))) if known else line("unknown"))
        rows.append((line(trigger), line(f"{len(found):,}"), line(percent(len(found) / len(back))), *medians))
    names = (f"{name.partition(':')[0]}, median" for name, _ in STEPS)
    return Table("What triggered rollbacks", ("Trigger", "Rollbacks", "Share", *names), tuple(rows))


def _gaps(records: Sequence[AttemptRecord]) -> tuple[Line, ...]:
    """What does not hold, once for each rollout."""
    said = {f"{record.namespace}/{record.rollout}: {gap}": None for record in records for gap in record.gaps}
    return tuple(line(sentence) for sentence in said)


def _missing(records: Sequence[AttemptRecord]) -> Iterable[Line]:
    """Attempts between others of the same rollout that have no record."""
    numbers: dict[tuple[str, str, str], set[int]] = {}
    for record in records:
        numbers.setdefault(record.key[:3], set()).add(record.number)
    for (namespace, rollout, _), known in numbers.items():
        lacking = max(known) - min(known) + 1 - len(known)
        if lacking:
            places = f"between {min(known)} and {max(known)}"
            yield line(f"{namespace}/{rollout}: attempts {places} without a record: {lacking:,}.")


def _words() -> tuple[Block, ...]:
    return (
        Paragraph(
            line(
                "A release counts once, however often it was tried. It failed if it was ever rolled back. "
                "Superseded attempts count neither way. "
                "A percentile is a time that occurred: the shortest that so many rollbacks did not exceed."
            )
        ),
    )
