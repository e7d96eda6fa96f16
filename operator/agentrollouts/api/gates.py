"""The fields that decide what a canary is judged by: gates, which compare, and caps, which do not.

Almost every field of a gate is optional. The template fills in an absent field when the gate is resolved,
and the result is never written back, so a better default of a later version reaches every rollout that did
not choose its own.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, WithJsonSchema

from agentrollouts.api.model.base import SECONDS_MAX, ApiModel, DnsLabel
from agentrollouts.api.model.decimals import Between, DecimalStr
from agentrollouts.api.model.marks import LIST_SET, cel, rules
from agentrollouts.api.verdict import Severity

LabelName = Annotated[str, Field(max_length=128, pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")]
"""The name of a Prometheus label."""

Selector = Annotated[str, Field(min_length=1, max_length=1024)]
"""A metric with optional label matchers, such as `agent_runs_total{outcome="failed"}`."""

BurstFactor = Annotated[
    Literal["Auto"] | DecimalStr,
    WithJsonSchema(
        {
            "type": "string",
            "maxLength": 32,
            "pattern": r"^(Auto|[0-9]+(\.[0-9]+)?)$",
            **rules(cel("self == 'Auto' || double(self) > 0.0", "must be `Auto` or a decimal above 0")),
        }
    ),
]
"""`Auto`, or a decimal above 0. The minimum depends on the type of the gate, so the decision checks it."""


class GateType(StrEnum):
    """What a gate compares."""

    RATIO = "Ratio"
    MEAN = "Mean"
    HISTOGRAM = "Histogram"
    SHIFT = "Shift"
    LIMIT = "Limit"
    COUNT = "Count"


class Better(StrEnum):
    """Which direction of a gate's metric is good."""

    LOWER = "Lower"
    HIGHER = "Higher"


class NoDataPolicy(StrEnum):
    """What a gate does when its metric does not exist."""

    HOLD = "Hold"
    IGNORE = "Ignore"
    FAIL = "Fail"


class During(StrEnum):
    """When a gate is evaluated."""

    CANARY = "Canary"
    FULL = "Full"
    VERIFY = "Verify"


class OnFail(StrEnum):
    """The consequence of a Fail or of an exceeded cap."""

    ROLL_BACK = "RollBack"
    HOLD = "Hold"
    WARN = "Warn"
    SWITCH_OFF = "SwitchOff"
    STANDBY = "Standby"


class GateSource(ApiModel):
    """Your own counters.

    The operator adds the labels of the release, the window and the correction for new series.
    """

    model_config = ConfigDict(
        json_schema_extra=rules(
            cel("has(self.buckets) != has(self.total)", "must have either `total` or `buckets`"),
            cel(
                "has(self.buckets) ? !has(self.bad) && !has(self.label) : has(self.bad) != has(self.label)",
                "must have either `bad` or `label` beside `total`, and neither beside `buckets`",
            ),
        )
    )

    bad: Selector | None = None
    """Counter of bad outcomes, such as `agent_runs_total{outcome="failed"}`. For type Mean, the sum."""
    total: Selector | None = None
    """Counter of all runs, such as `agent_runs_total`."""
    label: LabelName | None = None
    """Label of `total` whose distribution is compared, such as `decision`. For type Shift, instead of
    `bad`."""
    buckets: Selector | None = None
    """The `_bucket` series, such as `agent_run_duration_seconds_bucket`. For types Histogram and Shift,
    instead of the other fields."""
    may_be_absent: bool | None = None
    """Same as `mayBeAbsent` of the gate."""


class GateLimit(ApiModel):
    """An absolute limit, judged without a comparison.

    If stable exceeds it at the same time, the verdict is SharedCause.
    """

    value: DecimalStr
    """The limit: the share of bad runs ("0.15" is 15%). For type Histogram, the value that at most 1% of the
    runs may exceed, such as the 99th percentile in seconds."""
    for_seconds: Annotated[int, Field(ge=0, le=86400)] = 120
    """Time for which every check must find the limit exceeded, in seconds. Defaults to 120."""
    window_seconds: Annotated[int, Field(ge=1, le=86400)] = 300
    """Window in which runs are counted, in seconds. Defaults to 300."""
    severity: Severity = Severity.CRITICAL
    """Severity of a Fail: Critical, High, Medium or Low. Defaults to Critical."""


class Gate(ApiModel):
    """A named test of one metric: is the canary worse than stable, surely and by enough to matter?

    The template has a default for every field except `name`, `template` and `source`.
    """

    model_config = ConfigDict(
        json_schema_extra=rules(
            cel("has(self.template) != has(self.source)", "must have exactly one of `template` and `source`"),
            cel(
                "!has(self.maxRatio) || !has(self.minRatio)",
                "may have only one of `maxRatio` (better Lower) and `minRatio` (better Higher)",
                "minRatio",
            ),
            cel(
                "!has(self.better) || (self.better == 'Lower' ? !has(self.minRatio) : !has(self.maxRatio))",
                "`better: Lower` goes with `maxRatio`, `better: Higher` with `minRatio`",
                "better",
            ),
            cel(
                "!has(self.source) || has(self.source.bad) == "
                "(!has(self.type) || !(self.type in ['Histogram', 'Shift']))",
                "`type: Histogram` needs `source.buckets`, `type: Shift` that or `source.label`, every other "
                "type `source.bad`",
                "type",
            ),
            cel(
                "!has(self.source) || !has(self.source.label) || (has(self.type) && self.type == 'Shift')",
                "`source.label` goes with `type: Shift`",
                "type",
            ),
            cel(
                "!has(self.type) || self.type != 'Limit' || has(self.limit)",
                "`type: Limit` needs `limit`",
                "type",
            ),
            cel(
                "!has(self.rollBackAfterSeconds) || !has(self.action) || self.action == 'Hold'",
                "`rollBackAfterSeconds` goes with `action: Hold`",
                "rollBackAfterSeconds",
            ),
        )
    )

    name: DnsLabel
    """Name of the gate, unique in the rollout. Status, Events and metrics use it."""
    template: DnsLabel | None = None
    """A built-in gate: error-rate, task-completion, latency, cost-per-run and others. Either this or
    `source`."""
    source: GateSource | None = None
    """Your own counters. Either this or `template`."""
    type: GateType | None = None
    """What is compared. Ratio: bad runs per run. Mean: a sum per run, such as cost. Histogram: how many
    runs are slower. Shift: a distribution. Limit: only `limit`. Count: only `maxCount`. Defaults to the
    type of the template; Ratio for `source`."""
    better: Better | None = None
    """Good direction of the metric. Lower: judged by `maxRatio`. Higher: judged by `minRatio`. Defaults to
    that of the template."""
    severity: Severity | None = None
    """Severity of a Fail. Critical: roll back at once. High: roll back. Medium: hold and send a Warning
    Event. Low: warn. Defaults to that of the template, which for some templates rises with the ratio; High
    for `source`."""
    max_ratio: Annotated[DecimalStr, Between(1, 1000)] | None = None
    """Largest ratio that is tolerated: a Fail needs the canary's rate to exceed this multiple of stable's
    rate, such as "1.10"."""
    min_ratio: Annotated[DecimalStr, Between(0, 1)] | None = None
    """Smallest ratio that is tolerated where more is better: a Fail needs the canary's good rate to be below
    this multiple of stable's, such as "0.98"."""
    confidence: Annotated[DecimalStr, Between(0.5, 0.9999)] | None = None
    """Confidence that a Fail needs. With "0.99", this gate rolls back at most 1% of harmless releases.
    Defaults to "0.99", and to "0.95" for Critical gates and for type Shift."""
    limit: GateLimit | None = None
    """Absolute limit besides the comparison. Defaults to that of the template."""
    max_count: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    """Number of bad outcomes that are allowed, for type Count. One more is a Fail at once. Defaults to that
    of the template."""
    min_samples: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Number of canary runs that this gate needs to pass a phase. A Fail does not need them. Defaults to
    100."""
    min_bad: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Number of bad canary outcomes that a Fail needs. Defaults to 3."""
    burst_factor: BurstFactor | None = None
    """How strongly failures come in clusters. Evidence is divided by it. Auto measures it on stable when the
    attempt starts; a decimal sets it. At least "1". For type Mean any value above 0, in the unit of the sum,
    such as the dollars that count as one independent observation. Defaults to Auto."""
    for_seconds: Annotated[int, Field(ge=0, le=86400)] | None = None
    """Time for which a Fail must last before it takes effect, in seconds. Defaults to 0, since the test is
    valid however often it is evaluated."""
    no_data: NoDataPolicy | None = None
    """Behavior when the metric does not exist. Hold: do not advance. Ignore: advance without this gate. Fail:
    roll back. Defaults to Hold."""
    may_be_absent: bool | None = None
    """Whether the bad outcomes may be absent because they never happened. By default, a gate does not pass if
    its selector of bad outcomes has matched no series of the agent within 7 days, since a misspelled selector
    finds no failures either, or if the canary counts outcomes under names that stable does not have. True
    turns both off, and the status shows it. Not needed for series that the agent creates at 0. Defaults to
    false."""
    during: (
        Annotated[tuple[During, ...], Field(min_length=1, max_length=3, json_schema_extra=LIST_SET)] | None
    ) = None
    """Stages in which the gate is evaluated. Canary: compared with stable. Full: at 100%, where nothing is
    left to compare with, so it needs `limit` or `maxCount`. Verify: after a rollback, to check
    whether stable recovered. Defaults to all stages that the type allows. A rollout needs at least one gate
    in Canary, unless a phase needs approval."""
    action: OnFail | None = None
    """Consequence of a Fail: RollBack, Hold, Warn, SwitchOff or Standby. SwitchOff sends all traffic to
    `fallback` if the release serves alone, as at rest with `watch`. Standby sends it at rest to the first
    entry of `standby` that names the gate. In an attempt, both are the same as RollBack, but SwitchOff also
    switches off a first release. Defaults to that of the severity."""
    roll_back_after_seconds: Annotated[int, Field(ge=1, le=SECONDS_MAX)] | None = None
    """Time for which a Fail that holds may last before the canary is rolled back and quarantined, in seconds.
    An action of type Acknowledge extends it; a freeze, `paused` and an action of type Hold do not. Goes with
    `action: Hold`, or with severity Medium. If absent, the attempt is held until someone decides."""


class Cap(ApiModel):
    """A ceiling on what the canary may do, independent of every comparison.

    It is a circuit breaker, not a quota, since metrics lag by up to a minute.
    """

    model_config = ConfigDict(
        json_schema_extra=rules(
            cel("has(self.max) != has(self.maxPerRun)", "must have exactly one of `max` and `maxPerRun`"),
            cel("self.action != 'Standby'", "`action: Standby` goes with gates, not with caps", "action"),
        )
    )

    name: DnsLabel
    """Name of the cap, unique in the rollout."""
    metric: Selector
    """Counter to limit, such as `agent_run_cost_usd_sum`. If no agent exports it, the cap has no effect;
    `status.caps` and the condition MetricsAvailable report that."""
    per_seconds: Annotated[int, Field(ge=1, le=86400)] = 3600
    """Window in which it is counted, in seconds. Defaults to 3600."""
    max: DecimalStr | None = None
    """Largest amount that the canary may add within the window, such as "50"."""
    max_per_run: DecimalStr | None = None
    """Largest amount that the canary may add per run within the window, such as "5"."""
    action: OnFail = OnFail.ROLL_BACK
    """Consequence of exceeding it: RollBack, Hold, Warn or SwitchOff. SwitchOff sends all traffic to
    `fallback` if the release serves alone, as at rest with `watch`; beside stable, it is the same as
    RollBack. Defaults to RollBack."""


class Watch(ApiModel):
    """What is evaluated while stable serves alone: at rest, and while the next release is paused or pending.

    If stable fails later, it is rolled back to the newest healthy release before it.
    """

    interval_seconds: Annotated[int, Field(ge=5, le=3600)] = 60
    """Interval between evaluations, in seconds. Defaults to 60."""
    gates: Annotated[tuple[DnsLabel, ...], Field(max_length=16, json_schema_extra=LIST_SET)] | None = None
    """Names of gates with `limit` or `maxCount`. Defaults to all gates whose limit is Critical. Caps are
    always evaluated."""
