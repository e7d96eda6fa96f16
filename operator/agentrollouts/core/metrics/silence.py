"""Why a result has no counts: too early, never exported, stopped, or a gap.

A missing row is never a count of zero. Each reason lets a rollout wait in its own way.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.reading import NoData, TooEarly, Uncovered, Unreadable
from agentrollouts.core.gates.sources import Source
from agentrollouts.core.metrics.absences import absence
from agentrollouts.core.metrics.queries import Term
from agentrollouts.core.metrics.table import Table

MIN_SCRAPES: Final = 4
"""Counts over a shorter window are mostly extrapolation."""

STALE_SCRAPES: Final = 3
"""Missed scrapes that are still no news."""


def newest_of(table: Table, total: Source) -> dict[str, float]:
    """Time of the newest sample of each release that has one, in seconds since 1970."""
    newest = ((release, table.value(total, Term.NEWEST, release)) for release in _releases(table))
    return {release: seconds for release, seconds in newest if seconds is not None}


def not_begun(table: Table, total: Source) -> TooEarly | None:
    """The wait for the end of the warm-up."""
    if table.plan.window(total, table.at) >= 1:
        return None
    start = table.plan.start(total).astimezone(UTC)
    return TooEarly(f"counting from {start:%H:%M:%S} UTC", is_warm_up=True)


def missing(table: Table, gate: ResolvedGate, stale_after_seconds: float) -> TooEarly | NoData | None:
    """A release has no run yet, or never had one; the length of the silence distinguishes the two."""
    total = gate.sources.total
    absent = [release for release in _releases(table) if not table.counts(total, release)]
    if not absent:
        return None
    releases, seconds = " or ".join(absent), table.plan.window(total, table.at)
    if seconds <= stale_after_seconds:
        return TooEarly(f"no {gate.total} of release {releases} in the first {seconds} s of counting")
    message = f"no series {gate.total} of release {releases}; does the agent export it, with its labels?"
    return NoData(message, is_stale=False, absence=absence(table, total, absent))


def too_short(table: Table, total: Source) -> TooEarly | None:
    """Too few scrapes to count by."""
    scrapes = max(_scrapes(table, total, release) for release in _releases(table))
    if scrapes >= MIN_SCRAPES:
        return None
    return TooEarly(f"{scrapes:.0f} of {MIN_SCRAPES} scrapes since the counting start")


def stale(
    table: Table, total: Source, newest: Mapping[str, float], now: datetime, stale_after_seconds: float
) -> NoData | Unreadable | None:
    """A release whose samples stopped: a comparison with what it did before would not be one."""
    limit = max(STALE_SCRAPES * _scrape_seconds(table, total, newest), stale_after_seconds)
    for release in _releases(table):
        if release not in newest:
            return NoData(f"{release} stopped reporting {total.selector}", is_stale=True)
        if newest[release] > table.at.timestamp():
            return Unreadable(f"Prometheus has a sample of {release} from the future; check the clocks")
        age = now.timestamp() - newest[release]
        if age > limit:
            message = f"newest sample of {release} is {age:.0f} s old, more than {limit:.0f} s"
            last = datetime.fromtimestamp(newest[release], UTC)
            return NoData(message, is_stale=True, last_sample_time=last)
    return None


def uncovered(table: Table, total: Source) -> Uncovered | None:
    """Series that seem new-born only because Prometheus did not look when they were there.

    Applies to totals: a kind of failure that stable never had before can legitimately appear within the
    window.
    """
    plan = table.plan
    releases = [plan.subject.control] if plan.subject.control else []
    releases += [plan.subject.canary] if total in plan.counted else []
    for release in releases:
        if not table.term(total, Term.COVERED, release):
            start = plan.start(total).astimezone(UTC)
            message = f"Prometheus has no sample of {release} at {start:%H:%M:%S} UTC; counting restarts"
            return Uncovered(message)
    return None


def _releases(table: Table) -> tuple[str, ...]:
    """Those that must have numbers."""
    subject = table.plan.subject
    return (subject.canary,) if subject.control is None else (subject.canary, subject.control)


def _scrapes(table: Table, total: Source, release: str) -> float:
    return table.value(total, Term.SCRAPES, release) or 0.0


def _scrape_seconds(table: Table, total: Source, newest: Mapping[str, float]) -> float:
    """The scrape interval as seen; that of the busier release, as a series just born has few samples."""
    start = table.plan.start(total).timestamp()
    scrapes = {release: _scrapes(table, total, release) for release in newest}
    return min(((newest[r] - start) / n for r, n in scrapes.items() if n), default=0.0)
