"""Counts of two releases: by weight, by bound, by label value. Every number in them is finite."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

SMALLEST: Final = 1e-9
"""Less than this is not a count or a cost, but a residue of arithmetic."""


LARGEST: Final = 1e15
"""More than this is not a count, since a float cannot distinguish it from the next one."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Counts of both releases over a segment at one constant weight.

    `*_bad` are bad runs, or the sum itself (dollars, tool calls); `*_total` are runs. Each is
    0 or between `SMALLEST` and about `LARGEST`, so that no quotient of two overflows.
    """

    canary_bad: float
    canary_total: float
    stable_bad: float
    stable_total: float

    @classmethod
    def sum(cls, segments: "Iterable[Segment]") -> "Segment":
        """All of them added up: what happened, not what can be compared."""
        segments = tuple(segments)
        if len(segments) == 1:
            return segments[0]
        rows = [(s.canary_bad, s.canary_total, s.stable_bad, s.stable_total) for s in segments]
        return cls(*map(sum, zip(*rows, strict=True))) if rows else cls(0.0, 0.0, 0.0, 0.0)

    @property
    def compares(self) -> bool:
        """Whether both releases had runs."""
        return self.canary_total > 0 and self.stable_total > 0


def settled(count: float) -> float:
    """The count without a residue, and no larger than a count can be."""
    return min(count, LARGEST) if count >= SMALLEST else 0.0


ORDINARY: Final = 0.5
"""A bound that this share of stable's runs exceeds tells nothing: it lies below the ordinary run."""


@dataclass(frozen=True, slots=True)
class Bound:
    """How many runs were slower than one bucket bound (above it, for other histograms)."""

    le: float
    canary: float
    stable: float


@dataclass(frozen=True, slots=True)
class Mix:
    """How often both releases did one of several things."""

    group: str
    canary: float
    stable: float


def mean_above(bounds: Iterable[Bound], lowest: float) -> tuple[float, float]:
    """Runs of canary and stable above a bound, on average over the bounds from `lowest` on.

    A run counts with the share of these bounds that it exceeds, at most 1. The share test holds for such
    numbers as it does for counts: by convexity they scatter less.
    """
    above = [bound for bound in bounds if bound.le >= lowest]
    number = max(1, len(above))
    return sum(bound.canary for bound in above) / number, sum(bound.stable for bound in above) / number


@dataclass(frozen=True, slots=True)
class Started:
    """Runs of both releases that began in a segment, where agents count them."""

    canary: float
    stable: float

    @property
    def share(self) -> float | None:
        """The canary's; None if no run began."""
        runs = self.canary + self.stable
        return self.canary / runs if runs else None


@dataclass(frozen=True, slots=True)
class Expected:
    """What is known of the runs that began in a segment, besides those that ended."""

    weight: int | None = None
    """The canary's on the route in percent; None if it is not known."""
    started: Started | None = None
    underway: float = 1.0
    """The largest share of the runs of the segment that can be in progress, by the duration of runs; 1 if
    that is unknown."""

    @property
    def share(self) -> float | None:
        """The canary's share of the runs that began, between 0 and 1; None if nothing is known.

        Runs that were counted tell more than the weight by which they were routed.
        """
        counted = self.started.share if self.started else None
        if counted is not None:
            return counted
        return self.weight / 100 if self.weight is not None else None

    @property
    def is_counted(self) -> bool:
        """Whether that share is of runs that were counted when they began."""
        return self.started is not None and self.started.share is not None


UNKNOWN: Final = Expected()


@dataclass(frozen=True, slots=True)
class Tally:
    """The counts of one gate over one segment.

    A histogram's bad outcomes are in `bounds`; those of its segment are 0.
    """

    phase: int
    segment: Segment
    bounds: tuple[Bound, ...] = ()
    expected: Expected = UNKNOWN
    """What is known of the runs that began meanwhile."""


@dataclass(frozen=True, slots=True)
class Recent:
    """Counts of the last few minutes, by which each release is judged for itself."""

    segment: Segment
    bound: float | None = None
    """For a histogram: the bound above which runs are bad, or the lowest of several."""
    bounds: tuple[Bound, ...] = ()
    """For a histogram without a limit: what is above each bound, before it is known which of them count."""
    leaving: float = 0.0
    """Runs of stable that still ended after all traffic had gone to the canary."""
    begun: float = 0.0
    """Canary runs that must have begun, where more did than ended; else 0."""

    @property
    def canary_runs(self) -> float:
        """Those that ended, or that began, where that is more."""
        return max(self.segment.canary_total, self.begun)

    def above(self, lowest: float) -> "Recent":
        """With what is above the bounds from there on, on average, as the bad outcomes."""
        canary, stable = mean_above(self.bounds, lowest)
        segment = Segment(canary, self.segment.canary_total, stable, self.segment.stable_total)
        return Recent(segment, lowest, leaving=self.leaving)
