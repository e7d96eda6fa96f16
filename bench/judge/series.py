"""Counters as Prometheus has them, scraped every minute: what the operator's query would give about them.

Used by `believed`. Increases are exact, as windows are long; everything else is what the terms of
`core.metrics.queries` say.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from agentrollouts.core.gates.sources import Source
from agentrollouts.core.metrics.promql import DIP
from agentrollouts.core.metrics.queries import STEADY_SECONDS, QueryPlan, Term, tag
from agentrollouts.core.metrics.table import Row


@dataclass(slots=True)
class Series:
    """One counter of one release."""

    release: str
    """Value of the release label; one that is not known for outcomes without a release."""
    is_bad: bool
    born: int
    """Minute of the first sample."""
    samples: list[float] = field(default_factory=list)
    grown: list[float] = field(default_factory=list)
    falls: list[int] = field(default_factory=list)
    ended: bool = False

    def scraped(self, value: float) -> None:
        """The sample of the next minute."""
        if not self.samples:
            self.grown, self.falls = [0.0], [0]
        else:
            last, is_fall = self.samples[-1], value < self.samples[-1]
            self.grown.append(self.grown[-1] + (value if is_fall else value - last))
            self.falls.append(self.falls[-1] + is_fall)
        self.samples.append(value)

    def over(self, start: int) -> tuple[float, int]:
        """Increase and falls since that minute."""
        first = min(max(0, start - self.born), len(self.samples) - 1)
        return self.grown[-1] - self.grown[first], self.falls[-1] - self.falls[first]

    def has(self, minute: int) -> bool:
        """Whether it had a sample then."""
        return 0 <= minute - self.born < len(self.samples)

    def dips(self, start: int) -> bool:
        """Whether it fell, and never to half of what it began with."""
        if not self.has(start) or not self.over(start)[1]:
            return False
        return min(self.samples[start - self.born :]) > max(DIP, self.samples[start - self.born] / 2)


def rows(plan: QueryPlan, series: list[Series], start: int, minute: int) -> Iterator[Row]:
    """The answer at that minute, of counts since `start`."""
    now = plan.counting_start.timestamp() + 60.0 * (minute - start)
    for source in plan.sources:
        begun = start if source.seconds is None else max(start, minute - source.seconds // 60)
        kept = [each for each in series if each.is_bad or not source.selector.matchers]
        for release in plan.subject.releases:
            ours = [each for each in kept if each.release == release and each.born <= minute]
            values = _terms(
                [each for each in ours if each.has(begun) or each.born > begun], begun, minute, now
            )
            terms = plan.terms(source)
            yield from (
                Row(tag(plan, source, term), release, None, value)
                for term, value in values.items()
                if term in terms
            )
        yield from _lost(plan, source, kept, begun)


def _terms(series: list[Series], start: int, minute: int, now: float) -> dict[Term, float]:
    present = [each for each in series if not each.ended]
    born = [each for each in series if not each.has(start)]
    falls = max((each.over(start)[1] for each in series), default=0)
    lately = max((each.over(minute - STEADY_SECONDS // 60)[1] for each in present), default=0)
    values = {
        Term.INCREASE: sum(each.over(start)[0] for each in series),
        Term.BIRTHS: sum(each.samples[0] for each in born),
        Term.COVERED: float(sum(each.has(start) for each in series)),
        Term.NEWEST: now if present else 0.0,
        Term.SCRAPES: float(minute - start),
        Term.VANISHED: sum(each.samples[-1] for each in series if each.ended),
        Term.RESETS: float(falls),
        Term.DIPS: float(falls if any(each.dips(start) for each in series) else 0),
        Term.STILL_RESETS: float(lately),
    }
    always = {Term.INCREASE} if series else set()
    return {term: value for term, value in values.items() if value or term in always}


def _lost(plan: QueryPlan, source: Source, series: list[Series], start: int) -> Iterator[Row]:
    if source not in plan.attributed:
        return
    lost = [each for each in series if each.release not in plan.subject.releases]
    amounts = {
        Term.UNKNOWN: sum(each.over(start)[0] for each in lost),
        Term.UNKNOWN_BIRTHS: sum(each.samples[0] for each in lost if not each.has(start)),
    }
    yield from (Row(tag(plan, source, term), "", None, value) for term, value in amounts.items() if value)
