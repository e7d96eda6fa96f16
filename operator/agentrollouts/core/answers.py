"""Answers of Prometheus as a table of numbers that can be counts.

Between `queries` and `counts`. Prometheus answers with anything: NaN, infinity, rows that nobody asked for.
Whatever is no count is named here and blamed on its source, so that the other gates are still judged.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from agentrollouts.core.evidence import LARGEST, settled
from agentrollouts.core.queries import BOUND_LABEL, COUNTED, QueryPlan, Source, Term, tag
from agentrollouts.core.series import SOURCE_LABEL

Cell = Mapping[str | None, float]
"""Values of one term for one release by the text of the bound; by None where there are no bounds."""


@dataclass(frozen=True, slots=True)
class Row:
    """One value of an answer."""

    src: str
    release: str
    le: str | None
    value: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What Prometheus answered to `queries.render(plan, at)`."""

    at: datetime
    rows: tuple[Row, ...]


def to_answer(plan: QueryPlan, at: datetime, rows: Iterable[tuple[Mapping[str, str], float]]) -> Answer:
    """Name the rows of an instant query: label sets with their values, as Prometheus gave them."""
    release = plan.subject.labels.release
    named = (
        Row(labels.get(SOURCE_LABEL, ""), labels.get(release, ""), labels.get(BOUND_LABEL), value)
        for labels, value in rows
    )
    return Answer(at, tuple(named))


@dataclass(frozen=True, slots=True)
class Table:
    """The values of an answer by tag, release and bound; each can be a count."""

    plan: QueryPlan
    at: datetime
    cells: Mapping[tuple[str, str], Cell]
    problems: Mapping[Source, str]
    """What is wrong with the rows of a source."""

    @classmethod
    def of(cls, plan: QueryPlan, answer: Answer) -> "Table | str":
        """Sort the rows; a sentence instead where the answer belongs to another question."""
        sources = {tag(plan, source, term): source for source in plan.sources for term in Term}
        cells: dict[tuple[str, str], dict[str | None, float]] = {}
        problems: dict[Source, str] = {}
        for row in answer.rows:
            source = sources.get(row.src)
            if source is None or row.release not in plan.subject.releases:
                return f"Prometheus answered with a row that was not asked for: {row.src} of {row.release}"
            cell = cells.setdefault((row.src, row.release), {})
            if not 0 <= row.value <= LARGEST:  # nor NaN
                problems[source] = f"{source.selector} of {row.release} is {row.value}, which is no count"
            elif row.le in cell:
                problems[source] = f"{source.selector} of {row.release} was answered twice"
            else:
                cell[row.le] = settled(row.value)
        return cls(plan, answer.at, cells, problems)

    def term(self, source: Source, term: Term, release: str) -> Cell:
        """The values of one term for one release; empty where there is no row."""
        return self.cells.get((tag(self.plan, source, term), release), {})

    def value(self, source: Source, term: Term, release: str) -> float | None:
        """The value of a term that has no bounds."""
        return self.term(source, term, release).get(None)

    def counts(self, source: Source, release: str) -> Cell:
        """Increase and births added; a row that is missing on one side is 0 there."""
        counted: dict[str | None, float] = {}
        for term in COUNTED:
            for bound, value in self.term(source, term, release).items():
                counted[bound] = counted.get(bound, 0.0) + value
        return counted
