"""AgentRollout: the standing plan by which an agent's releases are shipped, judged and taken back.

`spec` belongs to people and their GitOps tools; the operator never writes it. Static defaults stand in the
schema and so in the stored object; what a gate's template fills in is resolved later, in `core.catalogue`,
and never written back.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar, Final, Literal

from pydantic import ConfigDict, Field

from agentrollouts.api.gate import (
    Action,
    Analysis,
    Better,
    Cap,
    During,
    Gate,
    GateLimit,
    GateSource,
    GateType,
    LabelName,
    NoDataPolicy,
    OnTimeout,
    Watch,
)
from agentrollouts.api.meta import (
    AGE,
    API_VERSION,
    SECONDS_MAX,
    ApiModel,
    Column,
    DnsLabel,
    ObjectMeta,
    Resource,
    cel,
    list_map,
    ready_column,
    rules,
)
from agentrollouts.api.release import ReleaseRef
from agentrollouts.api.rollback import Rollback, Verify
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.api.traffic import HttpRouteTraffic, ParentRef, RoutePatch, Traffic

__all__ = [
    "DEFAULT_GATES",
    "DEFAULT_PHASES",
    "Action",
    "AgentRollout",
    "AgentRolloutSpec",
    "Analysis",
    "Approval",
    "Bake",
    "Better",
    "Cap",
    "During",
    "Gate",
    "GateLimit",
    "GateSource",
    "GateType",
    "HttpRouteTraffic",
    "LabelName",
    "MetricConvention",
    "MetricLabels",
    "Metrics",
    "NoDataPolicy",
    "OnTimeout",
    "ParentRef",
    "Phase",
    "Rollback",
    "RoutePatch",
    "Traffic",
    "Verify",
    "Watch",
]


class Approval(StrEnum):
    """Whether a person must agree before the rollout leaves a phase."""

    NOT_REQUIRED = "NotRequired"
    REQUIRED = "Required"


class MetricConvention(StrEnum):
    """Whose metric names the built-in gates use."""

    AGENT_ROLLOUTS = "AgentRollouts"
    OPEN_TELEMETRY = "OpenTelemetry"
    LITE_LLM = "LiteLLM"


class Phase(ApiModel):
    """A step of the plan: the canary's share of the traffic, and for how long it is watched there."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            cel(
                "!has(self.rampSeconds) || self.rampSeconds <= self.durationSeconds",
                "`rampSeconds` may not be longer than `durationSeconds`, which includes it",
                "rampSeconds",
            )
        )
    )

    name: DnsLabel
    """Name of the phase, unique in the plan."""
    weight: Annotated[int, Field(ge=1, le=100)]
    """Share of the traffic that the canary gets, in percent. Each phase must have more than the one
    before."""
    duration_seconds: Annotated[int, Field(ge=1, le=SECONDS_MAX)]
    """How long the phase lasts in seconds, ramp included. Time during which the rollout is held does not
    count."""
    ramp_seconds: Annotated[int, Field(ge=1, le=SECONDS_MAX)] | None = None
    """Seconds over which the weight rises from the previous phase's, in at most ten equal steps. By
    default at once."""
    approval: Approval = Approval.NOT_REQUIRED
    """Whether a person must agree before the rollout leaves this phase: NotRequired (the default) or
    Required."""


class Bake(ApiModel):
    """The watch after the last phase, with stable still there to go back to."""

    duration_seconds: Annotated[int, Field(ge=0, le=SECONDS_MAX)] = 1800
    """How long, in seconds, at the last phase's weight; then the canary gets 100 and is Healthy. A first
    release bakes at 100 under absolute limits, and must pass them; with 0 it is not watched at all. Default
    1800."""


class MetricLabels(ApiModel):
    """The names of the labels that tell agents and releases apart."""

    agent: LabelName = "agent"
    """Label that holds the agent's name. Default `agent`."""
    release: LabelName = "release"
    """Label that holds the name of the AgentRelease. Default `release`."""


class Metrics(ApiModel):
    """Where the metrics come from."""

    source: DnsLabel = "default"
    """Name of a Prometheus source in the operator's settings. Default `default`."""
    labels: MetricLabels = MetricLabels()
    """The names of the labels that tell agents and releases apart."""
    convention: MetricConvention = MetricConvention.AGENT_ROLLOUTS
    """Whose metric names the built-in gates use: AgentRollouts (the default), OpenTelemetry or LiteLLM."""


DEFAULT_PHASES: Final = (
    Phase(name="canary-5", weight=5, duration_seconds=3600),
    Phase(name="canary-25", weight=25, duration_seconds=14400),
    Phase(name="ramp", weight=95, ramp_seconds=10800, duration_seconds=10800),
)
"""5 % for an hour, 25 % for four hours, then gradually to 95 % over three hours."""

DEFAULT_GATES: Final = (
    Gate(name="errors", template="error-rate"),
    Gate(name="completion", template="task-completion"),
    Gate(name="latency", template="latency"),
    Gate(name="cost", template="cost-per-run"),
)
"""Does it fail more, finish less, take longer or cost more?"""


class AgentRolloutSpec(ApiModel):
    """The plan. `agent`, `releaseRef` and `traffic` make a complete one."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            cel(
                "self.phases.exists(p, p.approval == 'Required') || self.gates.exists(g, !has(g.during) || "
                "(self.phases.exists(p, p.weight < 100) ? 'Canary' : 'Full') in g.during)",
                "needs at least one gate in `gates` that judges the canary, or a phase with "
                "`approval: Required`; `during` of that gate includes Canary, or Full if the only weight is "
                "100",
                "gates",
            ),
            cel(
                "!has(self.rollback.verify.gates) || "
                "self.rollback.verify.gates.all(n, self.gates.exists(g, g.name == n))",
                "`rollback.verify.gates` may only name gates of `gates`",
                "rollback.verify.gates",
            ),
            cel(
                "self.agent == oldSelf.agent", "`agent` may not be changed; make a new AgentRollout", "agent"
            ),
        )
    )

    agent: DnsLabel
    """Agent that is shipped. Immutable. One AgentRollout for each agent."""
    release_ref: ReleaseRef
    """Release that should serve the agent. Changing this field, in Git or by hand, is how you ship and how
    you go back."""
    paused: bool = False
    """Stops forward moves only; rolling back still works. Default false."""
    phases: Annotated[
        tuple[Phase, ...],
        Field(
            min_length=1,
            max_length=20,
            json_schema_extra=list_map("name")
            | rules(
                cel(
                    "self.map(p, p.weight).isSorted() && "
                    "self.all(p, self.exists_one(q, q.weight == p.weight))",
                    "the `weight` of each phase must be greater than the one before",
                ),
            ),
        ),
    ] = DEFAULT_PHASES
    """Steps to 100 %, with rising weights. By default 5 % for an hour, 25 % for four hours, then a ramp to
    95 % over three hours. After the last one comes `bake`, then 100 %. Names are unique. At most 20."""
    gates: Annotated[tuple[Gate, ...], Field(max_length=16, json_schema_extra=list_map("name"))] = (
        DEFAULT_GATES
    )
    """Questions that must all be answered with Pass before the canary gets more. By default error-rate,
    task-completion, latency and cost-per-run. At most 16."""
    analysis: Analysis = Analysis()
    """How often and how patiently the gates are asked."""
    caps: Annotated[tuple[Cap, ...], Field(max_length=8, json_schema_extra=list_map("name"))] = ()
    """Ceilings on what the canary may do, such as dollars per hour. By default none. At most 8."""
    bake: Bake = Bake()
    """The watch after the last phase."""
    watch: Watch | None = None
    """What is watched while stable serves alone. By default nothing, so that a rollout at rest costs
    nothing."""
    rollback: Rollback = Rollback()
    """How releases are taken back and how that is checked."""
    traffic: Traffic = Traffic()
    """How the weights reach the requests. Empty: only by the ConfigMap `<rollout>-traffic`."""
    metrics: Metrics = Metrics()
    """Where the metrics come from."""
    history_limit: Annotated[int, Field(ge=1, le=50)] = 10
    """How many past attempts are kept in status. The newest three healthy releases before stable are kept
    beside them, or `rollback.maxWalkBack` if that is more. Default 10."""


class AgentRollout(ApiModel):
    """The standing plan by which the releases of one agent are shipped, judged and taken back."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            cel(
                "self.metadata.name.size() <= 55",
                "`metadata.name` may not be longer than 55 characters; other objects are named after it",
            )
        )
    )

    resource: ClassVar[Resource] = Resource(
        kind="AgentRollout",
        plural="agentrollouts",
        short_name="aro",
        columns=(
            ready_column("Ready", "status"),
            ready_column("State", "reason"),
            Column("Release", ".spec.releaseRef.name"),
            Column("Stable", ".status.stable.release"),
            Column("Weight", ".status.requestedWeight", "integer"),
            ready_column("Message", "message", wide=True),
            AGE,
        ),
    )

    api_version: Literal["agentrollouts.dev/v1alpha1"] = API_VERSION
    kind: Literal["AgentRollout"] = "AgentRollout"
    metadata: ObjectMeta
    spec: AgentRolloutSpec
    """The plan. Written by people and their tools, never by the operator."""
    status: AgentRolloutStatus = AgentRolloutStatus()
    """Where the rollout stands, and why. Written by the operator only."""
