"""Counters as they grow, and the instants at which they are scraped. Both know no query and no series."""

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Final

SCRAPE: Final = 15.0
"""Seconds between samples."""


@dataclass(slots=True)
class Counter:
    """A counter's whole past: its value at every instant at which it began or stopped to grow."""

    born: float
    """From when on it exists: the first scrape after this finds it. Seconds since 1970."""
    times: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def add(self, begun: float, until: float, amount: float) -> None:
        """Grow evenly from one instant to another."""
        if not self.times or self.times[-1] < begun:
            self.times.append(begun)
            self.values.append(self.values[-1] if self.values else 0.0)
        self.times.append(until)
        self.values.append(self.values[-1] + amount)

    def at(self, time: float) -> float:
        """The value at an instant."""
        index = bisect_right(self.times, time) - 1
        if index < 0:
            return 0.0
        if index + 1 >= len(self.times):
            return self.values[-1]
        begun, ended = self.times[index], self.times[index + 1]
        share = (time - begun) / (ended - begun)
        return self.values[index] + share * (self.values[index + 1] - self.values[index])


@dataclass(slots=True)
class Scrapes:
    """When samples were taken: every `SCRAPE` seconds, except while Prometheus was away."""

    holes: list[tuple[float, float]] = field(default_factory=list)
    """From and until when none was taken, in order."""

    def away(self, begun: float, until: float) -> None:
        """No sample is taken from one instant to another."""
        if self.holes and self.holes[-1][1] >= begun:
            begun, _ = self.holes.pop()
        self.holes.append((begun, until))

    def first(self, after: float) -> float:
        """The first scrape later than that."""
        scrape = (after // SCRAPE + 1) * SCRAPE
        for begun, until in self.holes:
            if begun < scrape <= until:
                scrape = (until // SCRAPE + 1) * SCRAPE
        return scrape

    def last(self, until: float) -> float:
        """The last scrape at that instant or before it."""
        scrape = until // SCRAPE * SCRAPE
        for begun, ended in reversed(self.holes):
            if begun < scrape <= ended:
                scrape = begun // SCRAPE * SCRAPE
        return scrape

    def number(self, after: float, until: float) -> int:
        """How many there are after one instant, up to another."""
        missing = (
            (max(after, begun), min(until, ended))
            for begun, ended in self.holes
            if ended > after and begun < until
        )
        return _grid(after, until) - sum(_grid(*hole) for hole in missing)


def _grid(after: float, until: float) -> int:
    return max(0, int(until // SCRAPE - after // SCRAPE))
