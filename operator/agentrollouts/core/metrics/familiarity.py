"""Whether the canary counts its bad outcomes under the same names as stable.

One that writes `FAILED`, or whose counter of failures has another name, has no series with `failed`: it
looks as if nothing bad ever happened. So where the canary has none and stable has some, the next query is
also about what else the canary counts.
"""

from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.reading import Unfamiliar
from agentrollouts.core.metrics.queries import Term
from agentrollouts.core.metrics.table import Table


def is_quiet(table: Table, gate: ResolvedGate) -> bool:
    """Whether the canary has runs and no bad outcome, and stable has series of them."""
    bad, total, subject = gate.sources.bad, gate.sources.total, table.plan.subject
    kin = table.plan.kin(bad)
    if kin is None or subject.control is None or not table.counts(bad, subject.control):
        return False
    counted = table.counts(bad, subject.canary)
    has_runs, has_bad = (any(each.values()) for each in (table.counts(total, subject.canary), counted))
    return has_runs and not has_bad and bool(kin.label or not counted)


def unfamiliar(table: Table, gate: ResolvedGate) -> Unfamiliar | None:
    """What the canary counts instead; None where nothing points to that."""
    if not is_quiet(table, gate):
        return None
    bad, canary, kin = gate.sources.bad, table.plan.subject.canary, table.plan.kin(gate.sources.bad)
    return Unfamiliar(
        is_known=bad in table.plan.closer,
        label=kin.label if kin else "",
        runs=table.value(bad, Term.UNFAMILIAR, canary) or 0.0,
        has_series=bool(table.counts(bad, canary) or table.value(bad, Term.KIN, canary)),
    )
