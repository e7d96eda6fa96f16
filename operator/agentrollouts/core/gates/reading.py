"""What is known about a gate's counts: numbers that can be judged, or the reason why there are none.

Too early, missing, stale, uncovered and unreadable are different answers, and none of them is a count.
"""

from dataclasses import dataclass
from datetime import datetime

from agentrollouts.api.reasons import Reason
from agentrollouts.api.verdict import Numerator, Side
from agentrollouts.core.gates.counts import Bound, Mix, Recent, Segment


@dataclass(frozen=True, slots=True)
class Lost:
    """What the agent counted under none of its releases."""

    bad: float
    """Bad outcomes, or the sum."""
    total: float
    """Runs."""


@dataclass(frozen=True, slots=True)
class Unfamiliar:
    """What the canary counts instead of bad outcomes, of which it has none and stable has some."""

    is_known: bool
    """Whether that was queried."""
    label: str = ""
    """The label that tells bad outcomes from others; empty if there is none."""
    runs: float = 0.0
    """Outcomes of the canary with a value of that label that stable never had."""
    has_series: bool = True
    """Whether the canary has any series of the metric of bad outcomes."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Counts that can be judged."""

    segment: Segment
    bounds: tuple[Bound, ...]
    last_sample_time: datetime
    """Time of the older one of the two releases' newest samples."""
    recent: Recent | None = None
    """None if it is not queried, or if Prometheus had no samples at the beginning of that window."""
    mix: tuple[Mix, ...] = ()
    """For a shift: counts by label value."""
    ignored: frozenset[Side] = frozenset()
    """The releases of whose new series only the increases are counted."""
    note: str = ""
    """What is left out of the counts, for people."""
    saw_bad: bool = False
    """Whether a series of bad outcomes of one of the releases was there."""
    lost: Lost | None = None
    """What carries no release; None if that holds nothing bad."""
    unfamiliar: Unfamiliar | None = None
    """None unless the canary seems to have no bad outcome."""


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
    """Prometheus has a gap at the start of counting, so counting must restart now."""

    message: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The query failed, or the answer holds what no count can be."""

    message: str
    reason: Reason = Reason.METRICS_UNAVAILABLE
    """Another one where asking again cannot help."""


Present = Reading | TooEarly | NoData | Uncovered | Unreadable
"""What is known about the current segment."""


@dataclass(frozen=True, slots=True)
class Sight:
    """Whether one gate could have seen a bad outcome."""

    numerator: Numerator | None
    """None while that is not known, or where there is nothing to know."""
    message: str = ""
    is_pending: bool = False
    """Whether Prometheus has not responded yet."""
