"""A result of Prometheus as a table of numbers that can be counts.

Prometheus returns anything: NaN, infinity, rows that were not queried. Each invalid count is attributed to
its source, so that the other gates are still judged.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from sys import intern
from types import MappingProxyType
from typing import Final

from agentrollouts.core.gates.counts import LARGEST, settled
from agentrollouts.core.gates.selector import SOURCE_LABEL
from agentrollouts.core.gates.sources import Source
from agentrollouts.core.metrics.queries import COUNTED, UNATTRIBUTED, QueryPlan, Term, tag

Cell = Mapping[str | None, float]
"""Values of one term for one release by the value of the grouping label; by None if there is none."""


NO_ROWS: Final[Cell] = MappingProxyType({})
LATEST: Final = 253_402_300_799
"""The last second of the year 9999, since 1970; no sample is newer."""


@dataclass(frozen=True, slots=True)
class Row:
    """One value of an answer."""

    src: str
    release: str
    group: str | None
    """Value of the label by which the source's counts are grouped: a bound, a decision."""
    value: float


@dataclass(frozen=True, slots=True)
class QueryResult:
    """What Prometheus answered to `promql.render(plan, at)`."""

    at: datetime
    rows: tuple[Row, ...]


def to_result(plan: QueryPlan, at: datetime, rows: Iterable[tuple[Mapping[str, str], float]]) -> QueryResult:
    """Name the rows of an instant query: label sets with their values, as Prometheus gave them."""
    release = plan.subject.labels.release
    groups = {
        tag(plan, source, term): source.by
        for source in plan.sources
        for term in COUNTED
        if source.by is not None
    }

    def named(labels: Mapping[str, str], value: float) -> Row:
        src = intern(labels.get(SOURCE_LABEL, ""))  # each rollout's newest answer is kept, and repeats itself
        group = intern(labels.get(groups[src], "")) if src in groups else None
        return Row(src, intern(labels.get(release, "")), group, value)

    return QueryResult(at, tuple(named(labels, value) for labels, value in rows))


@lru_cache(maxsize=64)
def _tags(sources: int) -> Mapping[str, tuple[int, Term]]:
    """Position and term of each tag that a plan of so many sources can have, as `tag` writes them."""
    return {f"{position}.{term}": (position, term) for position in range(sources) for term in Term}


@dataclass(frozen=True, slots=True)
class Table:
    """The values of an answer by tag, release and group; each can be a count."""

    plan: QueryPlan
    at: datetime
    cells: Mapping[Source, Mapping[tuple[Term, str], Cell]]
    """By source, then by term and release."""
    problems: Mapping[Source, str]
    """What is wrong with the rows of a source."""

    @classmethod
    def of(cls, plan: QueryPlan, result: QueryResult) -> "Table | str":
        """Sort the rows; a sentence instead where the answer belongs to another question."""
        tags = _tags(len(plan.sources))
        cells: dict[Source, dict[tuple[Term, str], dict[str | None, float]]]
        cells = {source: {} for source in plan.sources}
        problems: dict[Source, str] = {}
        for row in result.rows:
            position, term = tags.get(row.src, (-1, Term.VALUE))
            releases = ("",) if term in UNATTRIBUTED else plan.subject.releases
            if position < 0 or row.release not in releases:
                return f"Prometheus returned a row that was not queried: {row.src} of {row.release}"
            source = plan.sources[position]
            cell = cells[source].setdefault((term, row.release), {})
            if not 0 <= row.value <= (LATEST if term is Term.NEWEST else LARGEST):  # nor NaN
                problems[source] = (
                    f"{source.selector} of {row.release} is {row.value}, which is not a valid count"
                )
            elif row.group in cell:
                problems[source] = f"{source.selector} of {row.release} was returned twice"
            else:
                cell[row.group] = settled(row.value)
        return cls(plan, result.at, cells, problems)

    def term(self, source: Source, term: Term, release: str) -> Cell:
        """The values of one term for one release; empty if there is no row."""
        return self.cells[source].get((term, release), NO_ROWS)

    def value(self, source: Source, term: Term, release: str) -> float | None:
        """The value of a term that has no groups."""
        return self.term(source, term, release).get(None)

    def unattributed(self, source: Source) -> float:
        """What was counted for the agent under none of its releases."""
        return sum(self.value(source, term, "") or 0.0 for term in UNATTRIBUTED)

    def counts(self, source: Source, release: str, *, births: bool = True) -> Cell:
        """Increase and births added; a row that is missing on one side is 0 there.

        Args:
            source: Of which source.
            release: Of which release.
            births: Whether the first values of new series are believed; else only what they grew by counts.
        """
        grown = self.term(source, Term.INCREASE, release)
        born = self.term(source, Term.BIRTHS, release) if births else NO_ROWS
        if not born:
            return grown
        return {group: grown.get(group, 0.0) + born.get(group, 0.0) for group in {**grown, **born}}
