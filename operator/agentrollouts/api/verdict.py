"""The verdict of a gate, and the counts behind it.

Small enough to be part of the status of a rollout, and complete enough to continue judging after a restart:
a finished segment of the attempt is a few frozen numbers, and only the current one is queried.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field

from agentrollouts.api.model.base import ApiModel, DnsLabel, Message, ReasonStr, Time
from agentrollouts.api.model.decimals import MaybeMeasured, Measured
from agentrollouts.api.model.text import within_bytes

PhaseIndex = Annotated[int, Field(ge=0, le=19)]
"""The index of a phase in the plan, from 0."""


class Severity(StrEnum):
    """The consequence of a Fail: Critical and High roll back, Medium holds, Low warns."""

    CRITICAL = "Critical"
    HIGH = "High"
    MEDIUM = "Medium"
    LOW = "Low"


class Verdict(StrEnum):
    """The verdict of a gate. Only Pass advances."""

    PASS = "Pass"  # noqa: S105 - a verdict, not a password
    FAIL = "Fail"
    INCONCLUSIVE = "Inconclusive"
    NO_DATA = "NoData"
    ERROR = "Error"
    SHARED_CAUSE = "SharedCause"
    TRAFFIC_MISMATCH = "TrafficMismatch"


class Side(StrEnum):
    """One of the two releases that a gate compares."""

    CANARY = "Canary"
    STABLE = "Stable"


class Numerator(StrEnum):
    """Whether the bad outcomes of a gate could be detected at all."""

    SEEN = "Seen"
    NEVER_SEEN = "NeverSeen"
    MAY_BE_ABSENT = "MayBeAbsent"


class Counts(ApiModel):
    """The outcomes of one release. Not whole numbers, since Prometheus extrapolates."""

    bad: Measured = 0.0
    """Bad outcomes. For a gate of type Mean, the sum."""
    total: Measured = 0.0
    """Runs."""


class Baseline(Counts):
    """The outcomes of stable before the attempt."""

    bound: MaybeMeasured = None
    """Lowest bound that fewer than half of the runs exceeded, for a histogram without `limit`. `bad` is then
    the number of runs above a bound, averaged over this bound and the higher ones."""


class BoundCounts(ApiModel):
    """The runs that were slower than one bucket bound."""

    le: Measured
    """Bound, in the unit of the metric."""
    canary: Measured
    """Canary runs above the bound."""
    stable: Measured
    """Stable runs above the bound."""


class StartedRuns(ApiModel):
    """The runs that began, whether or not they have ended."""

    canary: Measured
    """Runs of the canary."""
    stable: Measured
    """Runs of stable."""


class RecentCounts(ApiModel):
    """The outcomes of both releases in the window of a limit."""

    canary: Counts
    """Outcomes of the canary. Runs include those that began and have not ended."""
    stable: Counts
    """Outcomes of stable."""


def _short(value: object) -> object:
    """A value of a label can be of any length, and a gate has many."""
    return within_bytes(value, 64) if isinstance(value, str) else value


class MixCounts(ApiModel):
    """The runs with one value of a label, or above one bucket bound."""

    value: Annotated[str, Field(max_length=64), BeforeValidator(_short)]
    """Value of the label, cut at 64 bytes, or the bound."""
    canary: Measured
    """Canary runs with that value, or above that bound."""
    stable: Measured
    """Stable runs with that value, or above that bound."""


class SegmentStatus(ApiModel):
    """The counts of a segment, which has one weight: a phase, or one step of a ramp."""

    phase_index: PhaseIndex
    """Index of the phase that the segment belongs to."""
    weight: Annotated[int, Field(ge=0, le=100)] | None = None
    """Weight of the canary on the route, in percent."""
    started: StartedRuns | None = None
    """Runs that began in the segment, if agents count them. Some of them can end later."""
    underway: Measured = 1.0
    """Largest share of its runs that can have been in progress at its end, by the duration of stable's runs;
    "1" if that is unknown."""
    canary: Counts = Counts()
    """Outcomes of the canary."""
    stable: Counts = Counts()
    """Outcomes of stable."""
    bounds: Annotated[tuple[BoundCounts, ...], Field(max_length=64)] = ()
    """Entries for each bucket bound, for a histogram."""


class CapStatus(ApiModel):
    """The amount that the canary has added within the window of a cap."""

    name: DnsLabel
    """Name of the cap."""
    value: Measured
    """Amount that it added, in total or per run."""
    exceeded: bool
    """Whether the amount exceeds the cap."""
    time: Time
    """Time of the query."""
    message: Message = ""
    """Explanation, with its numbers."""


class QueryStatus(ApiModel):
    """The query behind the counts of a gate, for pasting into Prometheus."""

    gate: DnsLabel
    """Gate that is shown: the first one without a Pass, or else the first one."""
    time: Time
    """Time at which to evaluate the query."""
    text: Annotated[str, Field(max_length=8192)]
    """PromQL for the bad outcomes and the runs of both releases since the start of counting, including series
    that are new since then."""


class GateStatus(ApiModel):
    """The last verdict of a gate, with the numbers behind it."""

    name: DnsLabel
    """Name of the gate."""
    verdict: Verdict
    """Verdict. Only Pass lets the canary advance."""
    reason: ReasonStr
    """Reason, as one CamelCase word."""
    message: Message = ""
    """Explanation, with numbers that can be checked."""
    severity: Severity
    """Severity of a Fail of this gate."""
    canary: Counts = Counts()
    """Outcomes of the canary in the whole attempt."""
    stable: Counts = Counts()
    """Outcomes of stable in the same time."""
    evidence: MaybeMeasured = None
    """Evidence that the canary is worse, as odds to one. At a confidence of "0.99", a Fail needs "100"."""
    ratio: MaybeMeasured = None
    """Ratio of the canary's rate to stable's rate. Absent if no bad outcome was expected."""
    burst_factor: MaybeMeasured = None
    """Factor by which failures come in clusters, measured on stable and frozen for the attempt."""
    baseline: Baseline | None = None
    """Outcomes of stable in the hours before the attempt, frozen for it. If stable itself degraded, the
    canary is not blamed."""
    source: Annotated[str, Field(max_length=2200)] = ""
    """Counted series: the resolved selectors."""
    numerator: Numerator | None = None
    """Whether the bad outcomes could be detected. Seen: a series of the agent has matched. NeverSeen: none
    has in 7 days, so the gate cannot pass. MayBeAbsent: the gate has `mayBeAbsent: true`. Absent while that
    is unknown, and for gates that count by groups."""
    first_values_ignored: Annotated[tuple[Side, ...], Field(max_length=2)] = ()
    """Releases whose new series began with more than their weight explains, or continue series that vanished.
    In the current segment, only their increases count."""
    failing_start_time: Time | None = None
    """Time since which every check has found the canary worse. With `forSeconds`, it becomes a Fail after
    that time."""
    holding_start_time: Time | None = None
    """Time since which the gate has failed and held the attempt. `rollBackAfterSeconds` counts from then."""
    beyond_start_time: Time | None = None
    """Time since which every check has found the canary above `limit`."""
    stray_start_time: Time | None = None
    """Time since which every check has found far too few or far too many runs of the canary for its
    weight."""
    looks: Annotated[int, Field(ge=0, le=100)] = 0
    """Number of planned comparisons that were made in the current segment, for type Shift."""
    last_sample_time: Time | None = None
    """Time of the newest sample."""
    present: SegmentStatus | None = None
    """Counts of the current segment, as last read."""
    segments: Annotated[tuple[SegmentStatus, ...], Field(max_length=200)] = ()
    """Counts of the finished segments of the attempt."""
    recent: RecentCounts | None = None
    """Outcomes in the window of `limit`. Only of a gate that failed by it."""
    mix: Annotated[tuple[MixCounts, ...], Field(max_length=64)] | None = None
    """Runs by the value of the label, or above each bound. Only of a gate of type Shift that failed."""
