"""How often a canary is judged, for how long that may stay undecided, and where the metrics come from."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from agentrollouts.api.gates import LabelName
from agentrollouts.api.model.base import ApiModel, DnsLabel


class OnTimeout(StrEnum):
    """What happens when a phase is still undecided after its extensions."""

    HOLD = "Hold"
    PROMOTE = "Promote"
    ROLL_BACK = "RollBack"


class Analysis(ApiModel):
    """How often the gates are evaluated, and how long an undecided phase can last."""

    interval_seconds: Annotated[int, Field(ge=1, le=3600)] = 30
    """Interval between evaluations, in seconds. Defaults to 30. A short interval causes no false alarms."""
    warmup_seconds: Annotated[int, Field(ge=0, le=86400)] = 120
    """Time after a new weight in which latency and cost do not count, in seconds. On the steps of a ramp they
    count, but can only hold, since caches might be cold. Failures count at once. Defaults to 120."""
    stale_after_seconds: Annotated[int, Field(ge=1, le=86400)] = 120
    """Largest age of the newest sample, in seconds. An older sample counts as missing, and the clock of the
    phase stops. Defaults to 120."""
    max_extensions: Annotated[int, Field(ge=0, le=10)] = 2
    """Number of times that an undecided phase is extended. All extensions together last as long as the phase.
    Defaults to 2."""
    endpoint_grace_seconds: Annotated[int, Field(ge=1, le=3600)] = 10
    """Time for which the canary's Service may have no ready endpoint before the canary is rolled back, in
    seconds. The canary never advances during that time. Applies if a route splits the traffic. Defaults to
    10."""
    on_timeout: OnTimeout = OnTimeout.HOLD
    """Behavior if a phase is still undecided after all extensions: Hold (until someone decides), Promote or
    RollBack. Defaults to Hold."""


class MetricConvention(StrEnum):
    """The metric names that the built-in gates use."""

    AGENT_ROLLOUTS = "AgentRollouts"
    OPEN_TELEMETRY = "OpenTelemetry"
    LITE_LLM = "LiteLLM"


class MetricLabels(ApiModel):
    """The labels that identify agents and releases in metrics."""

    agent: LabelName = "agent"
    """Label with the name of the agent. Defaults to `agent`."""
    release: LabelName = "release"
    """Label with the name of the AgentRelease. Defaults to `release`."""
    cohort: LabelName | None = None
    """Label with the cohort of a run, which agents copy from the request header `agent-cohort`. Runs with a
    cohort are left out of every query. Required with `traffic.httpRoute.cohorts`, and only allowed there."""


class Metrics(ApiModel):
    """The source of the metrics, and their names."""

    source: DnsLabel = "default"
    """Name of a Prometheus source in the settings of the operator. Defaults to `default`."""
    labels: MetricLabels = MetricLabels()
    """Names of the labels that identify agents and releases."""
    convention: MetricConvention = MetricConvention.AGENT_ROLLOUTS
    """Metric names that the built-in gates use: AgentRollouts, OpenTelemetry or LiteLLM. Defaults to
    AgentRollouts."""
