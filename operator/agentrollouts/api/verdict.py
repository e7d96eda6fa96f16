"""What a gate answered, and the counts behind the answer.

Small enough to live in a rollout's status, complete enough to go on judging after a restart: a finished
stretch of the attempt is a few frozen numbers, and only the present one is asked from Prometheus.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from agentrollouts.api.decimals import MaybeMeasured, Measured
from agentrollouts.api.meta import ApiModel, DnsLabel, Message, ReasonStr, Time

PhaseIndex = Annotated[int, Field(ge=0, le=19)]
"""The place of a phase in the plan, from 0."""


class Severity(StrEnum):
    """What a Fail means: Critical and High roll back, Medium holds, Low warns."""

    CRITICAL = "Critical"
    HIGH = "High"
    MEDIUM = "Medium"
    LOW = "Low"


class Verdict(StrEnum):
    """The answer of a gate. Only Pass advances."""

    PASS = "Pass"  # noqa: S105 - an answer, not a password
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
    """Whether a gate's bad outcomes could be seen at all."""

    SEEN = "Seen"
    NEVER_SEEN = "NeverSeen"
    MAY_BE_ABSENT = "MayBeAbsent"


class Counts(ApiModel):
    """Outcomes of one release. Not whole numbers: Prometheus extrapolates to the edges of the window."""

    bad: Measured = 0.0
    """Undesired outcomes, or for a gate of type Mean the sum."""
    total: Measured = 0.0
    """Runs."""


class Baseline(Counts):
    """Outcomes of stable before the attempt."""

    bound: MaybeMeasured = None
    """For a histogram without `limit`: the lowest bound that fewer than half of the runs were above. `bad` is
    then the runs above a bound, on average over those from there on."""


class BoundCounts(ApiModel):
    """Runs that were slower than one bucket bound."""

    le: Measured
    """The bound, in the metric's unit."""
    canary: Measured
    """Canary runs above the bound."""
    stable: Measured
    """Stable runs above the bound."""


class StartedRuns(ApiModel):
    """Runs that began, whether or not they have ended."""

    canary: Measured
    """Runs of the canary."""
    stable: Measured
    """Runs of stable."""


class SegmentStatus(ApiModel):
    """The frozen counts of a stretch at one weight: a phase, or one step of a ramp."""

    phase_index: PhaseIndex
    """The phase that the stretch belongs to."""
    weight: Annotated[int, Field(ge=0, le=100)] | None = None
    """The canary's weight on the route in percent."""
    started: StartedRuns | None = None
    """Runs that began in the stretch, where agents count them; some of them may end only later."""
    underway: Measured = 1.0
    """The largest share of its runs that can have been under way at its end, by how long runs of stable take;
    "1" where that is not known."""
    canary: Counts = Counts()
    """Outcomes of the canary."""
    stable: Counts = Counts()
    """Outcomes of stable."""
    bounds: Annotated[tuple[BoundCounts, ...], Field(max_length=64)] = ()
    """For a histogram, one entry for each bucket bound."""


class CapStatus(ApiModel):
    """What the canary has added within the window of a cap."""

    name: DnsLabel
    """Name of the cap."""
    value: Measured
    """What it added, in all or per run."""
    exceeded: bool
    """Whether that is more than the cap allows."""
    time: Time
    """When it was asked."""
    message: Message = ""
    """The same in a sentence."""


class QueryStatus(ApiModel):
    """The question behind a gate's counts, to be pasted into Prometheus."""

    gate: DnsLabel
    """The gate that is shown: the first that does not say Pass, or else the first."""
    time: Time
    """The instant to evaluate it at."""
    text: Annotated[str, Field(max_length=8192)]
    """PromQL: bad outcomes and runs of both releases since the counting start, each with the series that were
    born since."""


class GateStatus(ApiModel):
    """The last answer of a gate, with the numbers behind it."""

    name: DnsLabel
    """Name of the gate."""
    verdict: Verdict
    """The answer. Only Pass lets the canary go on."""
    reason: ReasonStr
    """Why, in one word."""
    message: Message = ""
    """Why, in a sentence that can be checked."""
    severity: Severity
    """What a Fail of this gate means."""
    canary: Counts = Counts()
    """Outcomes of the canary in the whole attempt."""
    stable: Counts = Counts()
    """Outcomes of stable beside it."""
    evidence: MaybeMeasured = None
    """How sure it is that the canary is worse, as the odds to one; "100" is needed at a confidence of
    "0.99"."""
    ratio: MaybeMeasured = None
    """How many times worse the canary is; absent when nothing bad was expected."""
    burst_factor: MaybeMeasured = None
    """How strongly failures come in clusters, measured on stable and frozen for the attempt."""
    baseline: Baseline | None = None
    """Outcomes of stable in the hours before the attempt, frozen for it; a stable that is much worse now is
    no fault of the canary."""
    source: Annotated[str, Field(max_length=2200)] = ""
    """What is counted, in what: the selectors as they were resolved."""
    numerator: Numerator | None = None
    """Whether the bad outcomes could be seen. Seen: some series of the agent has matched. NeverSeen: none has
    in 7 days, so that the gate cannot pass. MayBeAbsent: the gate has `mayBeAbsent: true`. Absent while that
    is not known, and for gates that count by groups."""
    first_values_ignored: Annotated[tuple[Side, ...], Field(max_length=2)] = ()
    """The releases whose new series began with more than their weight explains, or continue series that
    vanished. In the current segment only their increases count."""
    failing_start_time: Time | None = None
    """Since when the canary has been found worse at every check; with `forSeconds` it waits to be a Fail."""
    beyond_start_time: Time | None = None
    """Since when the canary has been beyond `limit` at every check."""
    stray_start_time: Time | None = None
    """Since when the canary has finished far too few runs for its weight, or far too many, at every check."""
    looks: Annotated[int, Field(ge=0, le=100)] = 0
    """For type Shift: how many of the planned looks of the present stretch were taken."""
    last_sample_time: Time | None = None
    """When the newest sample was taken."""
    present: SegmentStatus | None = None
    """The stretch under way, as it was last read."""
    segments: Annotated[tuple[SegmentStatus, ...], Field(max_length=200)] = ()
    """The finished stretches of the attempt."""
