"""Whether counters only ever rise, as counters must: otherwise no count made from them can be trusted.

Several processes that take turns behind one /metrics, or replicas of Prometheus that disagree, make a counter
jump back and forth. `increase` takes each fall for a restart, and adds a lifetime.
"""

from typing import Final

from agentrollouts.api.reasons import Reason
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.reading import Uncovered, Unreadable
from agentrollouts.core.gates.sources import Source
from agentrollouts.core.metrics.queries import STEADY_SECONDS, Term
from agentrollouts.core.metrics.table import Table

RESTARTS: Final = 2
"""Resets of one series that are restarts however short the time."""
RESTART_SECONDS: Final = 600
"""And one more for each segment of this length. A process that crashes more often is not to be promoted
either."""

CURE: Final = (
    "do several processes share one /metrics, or do replicas disagree? Scrape each separately, or "
    "let them share their counters (PROMETHEUS_MULTIPROC_DIR)"
)


def unsteady(table: Table, gate: ResolvedGate) -> Unreadable | Uncovered | None:
    """What is wrong with the counters of a gate; None if they rise.

    Once they have been steady for some time, counting restarts: the counts until then contain whole
    lifetimes.
    """
    for source in dict.fromkeys((gate.sources.total, gate.sources.bad)):
        jump = jumps(table, source)
        if jump is None:
            continue
        release, resets = jump
        if any(table.value(source, Term.STILL_RESETS, each) for each in table.plan.subject.releases):
            return Unreadable(
                f"{source.selector} of {release} fell {resets:.0f} times in one series, more often than its "
                f"process can have restarted; {CURE}",
                Reason.COUNTERS_UNSTABLE,
            )
        return Uncovered(
            f"{source.selector} of {release} has only risen for {STEADY_SECONDS} s, after it fell "
            f"{resets:.0f} times; counting restarts"
        )
    return None


def jumps(table: Table, source: Source) -> tuple[str, float] | None:
    """The release whose series fall too often, or without having restarted; and how often the worst does."""
    allowed = RESTARTS + table.plan.window(source, table.at) / RESTART_SECONDS
    for release in table.plan.subject.releases:
        resets, dips = (table.value(source, term, release) or 0.0 for term in (Term.RESETS, Term.DIPS))
        if dips or resets > allowed:
            return release, max(resets, dips)
    return None
