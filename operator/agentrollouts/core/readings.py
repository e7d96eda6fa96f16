"""What is known about a gate's counts: numbers that can be judged, or the reason why there are none.

Made by `counts` from an answer of Prometheus, judged by `gates`. Too early, missing, stale, uncovered and
unreadable are different answers, and none of them is a count.
"""

from dataclasses import dataclass
from datetime import datetime

from agentrollouts.api.reasons import Reason
from agentrollouts.api.status import Side
from agentrollouts.core.arrivals import UNKNOWN, Expected
from agentrollouts.core.evidence import Segment
from agentrollouts.core.histograms import Bound, Mix, mean_above


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


@dataclass(frozen=True, slots=True)
class Lost:
    """What the agent counted under none of its releases."""

    bad: float
    """Bad outcomes, or the sum."""
    total: float
    """Runs."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Counts that can be judged."""

    segment: Segment
    bounds: tuple[Bound, ...]
    last_sample_time: datetime
    """Time of the older one of the two releases' newest samples."""
    recent: Recent | None = None
    """None where it is not asked, or Prometheus did not look at the beginning of that window."""
    mix: tuple[Mix, ...] = ()
    """For a shift: counts by label value."""
    ignored: frozenset[Side] = frozenset()
    """The releases of whose new series only the increases are counted."""
    note: str = ""
    """What is left out of the counts, for people."""
    saw_bad: bool = False
    """Whether a series of bad outcomes of one of the releases was there."""
    lost: Lost | None = None
    """What carries no release; None where that holds nothing bad."""


@dataclass(frozen=True, slots=True)
class TooEarly:
    """Nothing can be known yet, and nothing is wrong."""

    message: str
    is_warm_up: bool = False


@dataclass(frozen=True, slots=True)
class NoData:
    """Nothing is known though it should be: the series never existed, or has gone stale."""

    message: str
    is_stale: bool
    last_sample_time: datetime | None = None
    absence: "Absence | None" = None
    """Where only one of the releases has no series."""


@dataclass(frozen=True, slots=True)
class Absence:
    """A release without a series beside one that has runs."""

    counts: Segment
    """Runs of both; of the absent one, none."""
    time: datetime
    """When that was so."""
    is_scraped: bool
    """Whether the absent one has other series, so that its metrics do arrive."""


@dataclass(frozen=True, slots=True)
class Uncovered:
    """Prometheus has a hole at the counting start: counting has to start anew, now."""

    message: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The query failed, or the answer holds what no count can be."""

    message: str
    reason: Reason = Reason.METRICS_UNAVAILABLE
    """Another one where asking again cannot help."""


Present = Reading | TooEarly | NoData | Uncovered | Unreadable
"""What is known about the present segment."""
