"""Which first values of new series are runs of this attempt: those that the weight can explain.

`increase` does not count the value with which a series is born, so births are added. But a series is also
born when it is renamed (a relabeling, `le="1"` that becomes `le="1.0"`), or when a counter with a past is
scraped for the first time: its first value is then the total of a lifetime.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from agentrollouts.api.verdict import Side
from agentrollouts.core.gates.counts import Segment
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.selector import BOUND_LABEL
from agentrollouts.core.gates.sources import Source
from agentrollouts.core.gates.wording import count
from agentrollouts.core.metrics.queries import Term
from agentrollouts.core.metrics.table import Cell, Table

GENEROUS: Final = 4.0
"""First values may be so many times what the weight explains (gates.md, section 9.2)."""
SPARE: Final = 10.0
"""And so many runs more: at the beginning hardly anything is explained yet."""
FEW: Final = 30.0
"""Bad outcomes in first values that need not look like what follows: each pod has a first failure."""
ALIKE: Final = 0.5
"""New series whose first values are at least this part of the last values of those that vanished are the same
ones under other names. A replaced pod begins again at a few runs."""


@dataclass(frozen=True, slots=True)
class Explains:
    """What bounds the first values of new series."""

    weight: float | None = None
    """The canary's share of the traffic between 0 and 1; None if it is not known."""
    ignored: Mapping[str, frozenset[Side]] = field(default_factory=dict)
    """By gate, the sides that were not believed at an earlier look at this segment. What the weight explains
    grows with time, a first value does not, so the earliest look counts."""


NOTHING_KNOWN: Final = Explains()


@dataclass(frozen=True)
class Births:
    """The counts of one gate, with the first values that are believed.

    Args:
        table: The answer.
        gate: Whose counts.
        explains: What bounds them.
    """

    table: Table
    gate: ResolvedGate
    explains: Explains

    @cached_property
    def total(self) -> Source:
        """Where the runs are counted."""
        return self.gate.sources.total

    @cached_property
    def disbelieved(self) -> frozenset[Side]:
        """The releases of whose series only the increases count."""
        sides = (side for side in self._sides() if self._is_excess(side) or self._is_renamed(side))
        return self.explains.ignored.get(self.gate.name, frozenset()) | frozenset(sides)

    def segment(self, bad: Source, total: Source) -> Segment:
        """Bad outcomes and runs of both releases, without groups."""
        cells = (*zip(*(self.both(source) for source in (bad, total)), strict=True),)
        return Segment(*(cell.get(None, 0.0) for pair in cells for cell in pair))

    def both(self, source: Source) -> tuple[Cell, Cell]:
        """Counts of canary and stable, by group; empty without a stable release beside the canary."""
        subject = self.table.plan.subject
        canary = self.counts(source, subject.canary)
        return canary, self.counts(source, subject.control) if subject.control else {}

    def counts(self, source: Source, release: str) -> Cell:
        """What is believed of the counts of a release."""
        if not self.table.term(source, Term.BIRTHS, release):
            return self.table.term(source, Term.INCREASE, release)
        return self.table.counts(source, release, births=self._believes(source, release))

    def _believes(self, source: Source, release: str) -> bool:
        """Whether this source's first values count: those of the runs do, and these fit the runs."""
        side, is_sum = self._side(release), self.gate.traits.is_sum
        if side in self.disbelieved:
            return False
        born = self._born(source, release)
        if source == self.total or not born or (born <= SPARE and not is_sum):
            return True
        most = GENEROUS * self._explained(side) + SPARE
        if is_sum:
            return born <= most * self._mean(source)
        return born <= most and (born <= FEW or self._looks_alike(source, release))

    def _looks_alike(self, source: Source, release: str) -> bool:
        """Whether first values hold bad outcomes as often as what follows, and not those of a smoke test."""
        if self.gate.traits.takes_count:
            return True
        pairs = ((self._grown(source, each), self._grown(self.total, each)) for each in self._releases)
        rate = max((bad / runs for bad, runs in pairs if runs), default=0.0)
        return self._born(source, release) <= GENEROUS * rate * self._born(self.total, release) + FEW

    @property
    def _releases(self) -> tuple[str, ...]:
        return self.table.plan.subject.releases

    def note(self) -> str:
        """What is left out, for people; empty if nothing is."""
        return "; ".join(map(self._sentence, sorted(self.disbelieved)))

    def _sentence(self, side: Side) -> str:
        born, most = self._born(self.total, self._release(side)), self._explained(side)
        why = (
            "they continue series that vanished"
            if self._is_renamed(side)
            else f"its weight explains {count(most)}"
        )
        name = side.value.lower()
        return f"the first values of new series of {name} ({count(born)}) are not counted, as {why}"

    def _sides(self) -> tuple[Side, ...]:
        return (Side.CANARY,) if self.table.plan.subject.control is None else (Side.CANARY, Side.STABLE)

    def _side(self, release: str) -> Side:
        return Side.CANARY if release == self.table.plan.subject.canary else Side.STABLE

    def _release(self, side: Side) -> str:
        subject = self.table.plan.subject
        return subject.canary if side is Side.CANARY else subject.control or ""

    def _is_excess(self, side: Side) -> bool:
        born = self._born(self.total, self._release(side))
        return born > SPARE and born > GENEROUS * self._explained(side) + SPARE

    def _is_renamed(self, side: Side) -> bool:
        release = self._release(side)
        born = math.fsum(self.table.term(self.total, Term.BIRTHS, release).values())
        return born > SPARE and continues(self.table, self.total, release)

    def _explained(self, side: Side) -> float:
        """Runs that the weight gives this release, by what is sure: the increases of both."""
        canary, stable = (self._grown(self.total, self._release(each)) for each in (Side.CANARY, Side.STABLE))
        if (
            self.table.plan.subject.control is None
            or self.explains.weight is None
            or not 0 < self.explains.weight < 1
        ):
            return canary if side is Side.CANARY else stable
        odds = self.explains.weight / (1 - self.explains.weight)
        return stable * odds if side is Side.CANARY else max(stable, canary / odds)

    def _mean(self, source: Source) -> float:
        """The sum per run of both releases; 0 if nothing was counted yet."""
        runs = math.fsum(self._grown(self.total, release) for release in self._releases)
        return math.fsum(self._grown(source, each) for each in self._releases) / runs if runs else 0.0

    def _born(self, source: Source, release: str) -> float:
        return _runs(self.table.term(source, Term.BIRTHS, release), source)

    def _grown(self, source: Source, release: str) -> float:
        return _runs(self.table.term(source, Term.INCREASE, release), source)


def continues(table: Table, source: Source, release: str) -> bool:
    """Whether new series of a release are those that vanished, under other names."""
    born = math.fsum(table.term(source, Term.BIRTHS, release).values())
    gone = table.value(source, Term.VANISHED, release) or 0.0
    return gone > 0 and born >= ALIKE * gone


def _runs(cell: Cell, source: Source) -> float:
    """Runs behind the counts: of cumulative buckets those of the last one."""
    if source.by != BOUND_LABEL:
        return math.fsum(cell.values())
    return max(cell.values(), default=0.0)
