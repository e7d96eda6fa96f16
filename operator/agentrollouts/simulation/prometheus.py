"""Results as Prometheus returns them: samples at scrapes, extrapolated increases, new series, gaps.

`core.metrics.reader` must read these results as it reads real ones. Counters are kept by their growth, not by
sample: a scrape that is never queried costs nothing.
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from agentrollouts.core.gates.selector import BOUND_LABEL, SOURCE_LABEL, Matcher
from agentrollouts.core.gates.sources import Source
from agentrollouts.core.metrics.census import Census, Sighted
from agentrollouts.core.metrics.queries import (
    BURST_HISTORY,
    BURST_STEP,
    STEADINESS,
    UNATTRIBUTED,
    QueryPlan,
    Term,
    tag,
)
from agentrollouts.core.metrics.table import Row
from agentrollouts.simulation.agents import Labels
from agentrollouts.simulation.scraping import Counter, Scrapes

LOOK_BACK: Final = 300.0
"""How old the sample may be that an instant selector finds, in seconds; Prometheus' default."""
NEAR: Final = 1.1
"""`increase` extrapolates to an edge of the window that is at most this many sample distances away."""

UNSEEN: Final = frozenset({*STEADINESS, *UNATTRIBUTED, Term.VANISHED, Term.UNFAMILIAR})
"""Nothing here is renamed or runs backwards, and each run has its release."""

AT_PRESENT: Final = frozenset({Term.NEWEST, Term.SCRAPES, Term.VALUE})
"""The time of the query, even if the counts are of an earlier segment."""

_MATCHES: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "=": lambda value, expected: value == expected,
    "!=": lambda value, expected: value != expected,
    "=~": lambda value, expected: re.fullmatch(expected, value) is not None,
    "!~": lambda value, expected: re.fullmatch(expected, value) is None,
}

Samples = list[tuple[datetime, float]]


@dataclass(slots=True)
class Prometheus:
    """All series of one agent, by release."""

    counters: dict[str, dict[tuple[str, Labels], Counter]] = field(default_factory=dict)
    scrapes: Scrapes = field(default_factory=Scrapes)

    def create(self, release: str, created: Iterable[tuple[str, Labels]], born: float) -> None:
        """The counters of a release begin at 0, where there are none yet."""
        if release not in self.counters:
            self.counters[release] = {name: Counter(born=born) for name in created}

    def grow(self, release: str, metric: str, labels: Labels, grown: tuple[float, float, float]) -> None:
        """A counter of a release grows: since when, until when and by how much."""
        begun, until, amount = grown
        series = self.counters.setdefault(release, {})
        counter = series.get((metric, labels))
        if counter is None:
            counter = series[metric, labels] = Counter(born=begun)
        counter.add(begun, until, amount)

    def runs_since(self, start: datetime, release: str, outcome: str | None = None) -> float:
        """How many runs a release has had since then, of one outcome or in all."""
        return sum(
            counter.at(math.inf) - counter.at(start.timestamp())
            for (metric, labels), counter in self.counters.get(release, {}).items()
            if metric == "agent_runs_total" and (outcome is None or ("outcome", outcome) in labels)
        )

    def query(self, plan: QueryPlan, at: datetime, now: datetime) -> Iterator[Row]:
        """The rows of an instant query.

        Args:
            plan: The query.
            at: Time of the query, by the clock of the operator.
            now: Time by the clock of Prometheus, after which it has no sample.
        """
        moment, newest = at.timestamp(), now.timestamp()
        for source in plan.sources:
            window = plan.window(source, at)
            if window < 1:
                continue
            ended = moment - plan.shift(source, at)
            shifted = _Window(self.scrapes, ended - window, min(ended, newest), ended)
            present = _Window(self.scrapes, moment - window, min(moment, newest), moment)
            counters = {release: self._groups(source, release) for release in plan.subject.releases}
            for term in plan.terms(source):
                if term in UNSEEN:
                    continue
                if term is Term.KIN:
                    yield from self._kin(plan, source)
                    continue
                label, seen = tag(plan, source, term), present if term in AT_PRESENT else shifted
                for release, groups in counters.items():
                    yield from (Row(label, release, *row) for row in _rows(term, groups, seen))

    def sighted(self, census: Census, now: datetime) -> Sighted:
        """Which selectors have matched a series of any release."""
        newest = self.scrapes.last(now.timestamp())
        every = [each for series in self.counters.values() for each in series.items()]
        scraped = [name for name, counter in every if newest > counter.born]
        seen = (
            each
            for each in census.selectors
            if any(metric == each.metric and _selects(each.matchers, labels) for metric, labels in scraped)
        )
        return Sighted(frozenset(seen), {}, {metric: tuple(dict(labels)) for metric, labels in scraped})

    def history(self, plan: QueryPlan, before: datetime) -> Iterator[tuple[Mapping[str, str], Samples]]:
        """Stable's counts per minute until then: the answer to `promql.render_burst`."""
        stable, end = plan.subject.stable, before.timestamp()
        if stable is None:
            return
        step, steps = BURST_STEP.total_seconds(), int(BURST_HISTORY / BURST_STEP)
        for source in plan.sources:
            if source.seconds is not None or source.by not in {None, BOUND_LABEL}:
                continue
            for group, counters in self._groups(source, stable).items():
                labels = {SOURCE_LABEL: tag(plan, source, Term.INCREASE)}
                labels |= {} if group is None else {BOUND_LABEL: group}
                samples: Samples = []
                for index in range(steps + 1):
                    at = end - (steps - index) * step
                    rows = [*_rows(Term.INCREASE, {None: counters}, _Window(self.scrapes, at - step, at, at))]
                    samples += [(datetime.fromtimestamp(at, UTC), value) for _, value in rows]
                if samples:
                    yield labels, samples

    def _kin(self, plan: QueryPlan, source: Source) -> Iterator[Row]:
        """Whether the canary has any series of the metric."""
        canary = plan.subject.canary
        metrics = [metric for metric, _ in self.counters.get(canary, {})]
        if number := metrics.count(source.selector.metric):
            yield Row(tag(plan, source, Term.KIN), canary, None, float(number))

    def _groups(self, source: Source, release: str) -> dict[str | None, list[Counter]]:
        """The counters that the source selects, by the label that it groups by."""
        groups: dict[str | None, list[Counter]] = {}
        for (metric, labels), counter in self.counters.get(release, {}).items():
            if metric == source.selector.metric and _selects(source.selector.matchers, labels):
                group = dict(labels).get(source.by, "") if source.by else None
                groups.setdefault(group, []).append(counter)
        return groups


def _selects(matchers: Iterable[Matcher], labels: Labels) -> bool:
    values = dict(labels)
    return all(_MATCHES[m.operator](values.get(m.label, ""), m.value) for m in matchers)


@dataclass(frozen=True, slots=True)
class _Window:
    """A range of time in which samples are looked for: after `begun`, until `ended`."""

    scrapes: Scrapes
    begun: float
    ended: float
    at: float
    """The instant of the query; `ended`, unless the clock of the operator is ahead."""

    def newest(self, counter: Counter, until: float, at: float) -> float | None:
        """Time of the newest sample until then that an instant selector finds at `at`."""
        scrape = self.scrapes.last(until)
        return scrape if scrape > counter.born and scrape > at - LOOK_BACK else None

    def was_there(self, counter: Counter) -> bool:
        """Whether it had a sample at the beginning."""
        begun = min(self.begun, self.ended)
        return self.newest(counter, begun, self.begun) is not None

    def samples(self, counter: Counter) -> tuple[float, float, int]:
        """Times of the first and the last sample, and how many there are."""
        after = max(self.begun, counter.born)
        first, last = self.scrapes.first(after), self.scrapes.last(self.ended)
        return first, last, self.scrapes.number(after, self.ended) if last >= first else 0


def _rows(
    term: Term, groups: Mapping[str | None, list[Counter]], window: _Window
) -> Iterator[tuple[str | None, float]]:
    """Group and value of each row of a term; one without a sample is absent."""
    counters = [counter for members in groups.values() for counter in members]
    match term:
        case Term.INCREASE | Term.BIRTHS:
            value_of = _increase if term is Term.INCREASE else _birth
            for group, members in groups.items():
                values = [v for counter in members if (v := value_of(counter, window)) is not None]
                if values:
                    yield group, math.fsum(values)
        case Term.NEWEST | Term.VALUE:
            times = [(t, c) for c in counters if (t := window.newest(c, window.ended, window.at)) is not None]
            if times:
                shown = (counter.at(t) for t, counter in times)
                yield None, max(t for t, _ in times) if term is Term.NEWEST else math.fsum(shown)
        case Term.COVERED | Term.SCRAPES:
            is_scrapes = term is Term.SCRAPES
            numbers = (window.samples(c)[2] if is_scrapes else int(window.was_there(c)) for c in counters)
            number = max(numbers, default=0) if is_scrapes else sum(numbers)
            if number:
                yield None, float(number)


def _birth(counter: Counter, window: _Window) -> float | None:
    """The first value of a series that was not there at the beginning, and is there now."""
    first, _, number = window.samples(counter)
    return counter.at(first) if number and not window.was_there(counter) else None


def _increase(counter: Counter, window: _Window) -> float | None:
    """What `increase` makes of the samples: it extrapolates to the edges where they are near.

    The rule is `extrapolatedRate` in Prometheus' promql/functions.go.
    """
    first, last, number = window.samples(counter)
    if number < 2:  # noqa: PLR2004 one sample does not make a difference
        return None
    low, grown, sampled = counter.at(first), counter.at(last) - counter.at(first), last - first
    usual = sampled / (number - 1)
    before, after = first - window.begun, window.at - last
    if before >= usual * NEAR:
        before = usual / 2
    if grown > 0:
        before = min(before, sampled * low / grown)  # a counter was never below 0
    if after >= usual * NEAR:
        after = usual / 2
    return grown * (sampled + before + after) / sampled
