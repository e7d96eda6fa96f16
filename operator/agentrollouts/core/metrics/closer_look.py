"""What a result hints at, and a second look must settle before its counts are believed.

Almost no counter ever falls, and almost no run lacks its release. So each query only finds out whether one
did. The more expensive terms are part of the next query, and the gate waits for its result.
"""

from collections.abc import Iterable

from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.reading import TooEarly
from agentrollouts.core.gates.sources import Source
from agentrollouts.core.metrics.familiarity import is_quiet
from agentrollouts.core.metrics.queries import Term
from agentrollouts.core.metrics.table import Table


def closer_look(table: Table, gates: Iterable[ResolvedGate]) -> frozenset[Source]:
    """The sources that the next query must examine."""
    gates = tuple(gates)
    fell = (source for source in table.plan.steady if _fell(table, source))
    quiet = (gate.sources.bad for gate in gates if is_quiet(table, gate))
    counted = (gate for gate in gates if gate.sources.bad in table.plan.attributed)
    lost = (gate.sources.total for gate in counted if table.unattributed(gate.sources.bad))
    return frozenset([*fell, *lost, *quiet])


def unexamined(table: Table, gate: ResolvedGate) -> TooEarly | None:
    """Why the counts of a gate wait for the next result; None if nothing is suspicious or all is known."""
    total, bad = gate.sources.total, gate.sources.bad
    if was_just_reset(table, total) or was_just_reset(table, bad):
        return TooEarly(f"{total.selector} was reset; the next result shows whether its process restarted")
    if table.unattributed(bad) and total not in table.plan.closer:
        return TooEarly("some outcomes carry no release; the next result shows how many of all runs do")
    return None


def was_just_reset(table: Table, source: Source) -> bool:
    """Whether a counter fell and it is not known yet why."""
    return source not in table.plan.closer and _fell(table, source)


def _fell(table: Table, source: Source) -> bool:
    return any(table.value(source, Term.RESETS, release) for release in table.plan.subject.releases)
