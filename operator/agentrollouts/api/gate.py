"""How a user says what to judge the canary by: gates, which compare, and caps, which do not.

Almost every field of a gate is optional. What is absent is filled in by the template when the gate is
resolved, in `core.catalogue`, and never written back, so a better default of a later version reaches every
rollout that did not choose its own.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, WithJsonSchema

from agentrollouts.api.decimals import Between, DecimalStr
from agentrollouts.api.meta import LIST_SET, ApiModel, DnsLabel, cel, rules
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
"""`Auto`, or a decimal above 0. What the least is depends on the type, so `core.unserved` says it."""


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
    """What a gate does when it has nothing to judge."""

    HOLD = "Hold"
    IGNORE = "Ignore"
    FAIL = "Fail"


class During(StrEnum):
    """When a gate is asked."""

    CANARY = "Canary"
    FULL = "Full"
    VERIFY = "Verify"


class Action(StrEnum):
    """What follows from a Fail or an exceeded cap."""

    ROLL_BACK = "RollBack"
    HOLD = "Hold"
    WARN = "Warn"


class OnTimeout(StrEnum):
    """What happens when a phase is still undecided after its extensions."""

    HOLD = "Hold"
    PROMOTE = "Promote"
    ROLL_BACK = "RollBack"


class GateSource(ApiModel):
    """Counters of your own.

    The operator adds the release's labels, the window and the correction for new series.
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
    """Counter of undesired outcomes, or for type Mean of the sum, such as
    `agent_runs_total{outcome="failed"}`."""
    total: Selector | None = None
    """Counter of all runs, such as `agent_runs_total`."""
    label: LabelName | None = None
    """For type Shift, instead of `bad`: the label of `total` whose mix is compared, such as `decision`."""
    buckets: Selector | None = None
    """For types Histogram and Shift, instead of the others: the `_bucket` series, such as
    `agent_run_duration_seconds_bucket`."""
    may_be_absent: bool | None = None
    """The same as `mayBeAbsent` of the gate."""


class GateLimit(ApiModel):
    """An absolute limit, judged without a comparison.

    Stable beyond it at the same time means a shared cause.
    """

    value: DecimalStr
    """The limit: a share of bad runs ("0.15" is 15 %), or for type Histogram what only 1 % of the runs may
    exceed, such as the seconds of the 99th percentile."""
    for_seconds: Annotated[int, Field(ge=0, le=86400)] = 120
    """How long it must be exceeded at every check, in seconds. Default 120."""
    window_seconds: Annotated[int, Field(ge=1, le=86400)] = 300
    """The window that is looked at, in seconds. Default 300."""
    severity: Severity = Severity.CRITICAL
    """How bad it is: Critical (the default), High, Medium or Low."""


class Gate(ApiModel):
    """A named question about the canary: is it worse than stable, surely enough and by enough to matter?

    Everything but the name and where the counts come from has a default by the template.
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
        )
    )

    name: DnsLabel
    """Name of the gate, unique in the rollout. It stands in status, Events and metrics."""
    template: DnsLabel | None = None
    """A built-in gate: error-rate, task-completion, latency, cost-per-run and others. Either this or
    `source`."""
    source: GateSource | None = None
    """Counters of your own. Either this or `template`."""
    type: GateType | None = None
    """What is compared. Ratio: bad runs per run. Mean: a sum per run, such as cost. Histogram: how many
    runs are slower. Shift: a distribution. Limit: `limit` alone. Count: `maxCount` alone. By default the
    template's; Ratio for `source`."""
    better: Better | None = None
    """Which direction is good. Lower: judged by `maxRatio`. Higher: judged by `minRatio`. By default the
    template's."""
    severity: Severity | None = None
    """What a Fail means. Critical: roll back at once. High: roll back. Medium: hold and tell people. Low:
    warn. By default the template's, which for some rises with how much worse it is; High for `source`."""
    max_ratio: Annotated[DecimalStr, Between(1, 1000)] | None = None
    """How much worse matters: a Fail needs the canary's rate to be more than this many times stable's,
    such as "1.10"."""
    min_ratio: Annotated[DecimalStr, Between(0, 1)] | None = None
    """How much worse matters where more is better: a Fail needs the canary's good rate to be less than
    this many times stable's, such as "0.98"."""
    confidence: Annotated[DecimalStr, Between(0.5, 0.9999)] | None = None
    """How sure a Fail must be: "0.99" rolls back at most 1 % of harmless releases by this gate. By default
    "0.99", and "0.95" for Critical gates and for type Shift."""
    limit: GateLimit | None = None
    """An absolute limit besides the comparison. By default the template's."""
    max_count: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    """For type Count: how many bad outcomes are allowed; one more is a Fail at once. By default the
    template's."""
    min_samples: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """How many canary runs are needed before this gate may pass a phase. Not needed to fail it. By default
    100."""
    min_bad: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """How many bad canary outcomes are needed for a Fail. By default 3."""
    burst_factor: BurstFactor | None = None
    """How strongly failures come in clusters; evidence is divided by it. Auto (the default) measures it on
    stable when the attempt starts; a decimal sets it. At least "1"; for type Mean any above 0, as it has the
    unit of the sum there: the dollars, say, that count as one independent proof."""
    for_seconds: Annotated[int, Field(ge=0, le=86400)] | None = None
    """How long a Fail must stand before it acts, in seconds. By default 0: the test already allows for
    being repeated."""
    no_data: NoDataPolicy | None = None
    """What to do when the metric does not exist. Hold (the default): do not go on. Ignore: go on without
    this gate. Fail: roll back."""
    may_be_absent: bool | None = None
    """Whether the bad outcomes may never have happened. A gate whose selector of bad outcomes has matched no
    series of the agent within 7 days does not pass, as a misspelled selector finds no failures either. True
    turns that off, and the status says so. Not needed for series that the agent creates at 0. Defaults to
    false."""
    during: (
        Annotated[tuple[During, ...], Field(min_length=1, max_length=3, json_schema_extra=LIST_SET)] | None
    ) = None
    """When the gate is asked. Canary: beside stable. Full: at 100 %, where nothing is left to compare with,
    so that it needs a limit or `maxCount`. Verify: after a rollback, whether stable is as it was. By default
    wherever it makes sense. At least one gate of a rollout is asked during Canary, unless a phase needs
    approval."""
    action: Action | None = None
    """What follows from a Fail: RollBack, Hold or Warn. By default the severity's."""


class Analysis(ApiModel):
    """How often and how patiently the gates are asked."""

    interval_seconds: Annotated[int, Field(ge=1, le=3600)] = 30
    """How often Prometheus is asked, in seconds. Default 30. Looking often makes no false alarms."""
    warmup_seconds: Annotated[int, Field(ge=0, le=86400)] = 120
    """How long after a new weight latency and cost are left out, in seconds. Default 120. On the steps of a
    ramp they count, but hold at most: caches may be cold. Failures count at once."""
    stale_after_seconds: Annotated[int, Field(ge=1, le=86400)] = 120
    """How old the newest sample may be, in seconds. Default 120. Older is no data, and the phase's clock
    stops."""
    max_extensions: Annotated[int, Field(ge=0, le=10)] = 2
    """How often an undecided phase is extended. Default 2; all extensions together last as long as the
    phase."""
    endpoint_grace_seconds: Annotated[int, Field(ge=1, le=3600)] = 10
    """Time that the canary's Service may have no ready endpoint before the canary is rolled back, in seconds.
    Defaults to 10. The canary never advances during that time. Applies where a route splits the traffic."""
    on_timeout: OnTimeout = OnTimeout.HOLD
    """What happens when a phase is undecided after that: Hold (the default, a person decides), Promote or
    RollBack."""


class Cap(ApiModel):
    """A ceiling on what the canary may do, independent of every comparison.

    It is a circuit breaker, not a quota: metrics lag by up to a minute.
    """

    model_config = ConfigDict(
        json_schema_extra=rules(
            cel("has(self.max) != has(self.maxPerRun)", "must have exactly one of `max` and `maxPerRun`")
        )
    )

    name: DnsLabel
    """Name of the cap, unique in the rollout."""
    metric: Selector
    """Counter to watch, such as `agent_run_cost_usd_sum`. One that nobody exports stops nothing: the cap's
    message in status says so, and that of the condition MetricsAvailable."""
    per_seconds: Annotated[int, Field(ge=1, le=86400)] = 3600
    """The window over which it is counted, in seconds. Default 3600."""
    max: DecimalStr | None = None
    """Most that the canary may add within the window, such as "50"."""
    max_per_run: DecimalStr | None = None
    """Most that the canary may add per run within the window, such as "5"."""
    action: Action = Action.ROLL_BACK
    """What follows: RollBack (the default), Hold or Warn."""


class Watch(ApiModel):
    """What is watched while stable serves alone: at rest, and while the next release is paused or waits.

    One that turns out bad days later is taken back for the newest healthy release before it.
    """

    interval_seconds: Annotated[int, Field(ge=5, le=3600)] = 60
    """Seconds between two looks. Default 60."""
    gates: Annotated[tuple[DnsLabel, ...], Field(max_length=16, json_schema_extra=LIST_SET)] | None = None
    """Names of gates with a limit or a `maxCount`. By default all whose limit is Critical. Caps are always
    watched."""
