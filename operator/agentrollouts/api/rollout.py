"""AgentRollout: the standing plan by which the releases of an agent are shipped, judged and rolled back.

Users and their GitOps tools own `spec`; the operator never writes it. Static defaults are in the schema and
so in the stored object. The defaults of a gate's template are resolved later and never written back.
"""

from enum import StrEnum
from typing import Annotated, ClassVar, Final, Literal

from pydantic import ConfigDict, Field

from agentrollouts.api.analysis import Analysis, Metrics
from agentrollouts.api.attempt import When
from agentrollouts.api.gates import Cap, Gate, Watch
from agentrollouts.api.model.base import SECONDS_MAX, ApiModel, DnsLabel
from agentrollouts.api.model.marks import AGE, Column, Resource, cel, list_map, ready_column, rules
from agentrollouts.api.names import API_VERSION
from agentrollouts.api.objects import ObjectMeta
from agentrollouts.api.recovery.drill import Drill
from agentrollouts.api.recovery.hooks import MAX_HOOKS, Hook
from agentrollouts.api.recovery.standby import MAX_STANDBYS, STANDBY_RULES, Standby
from agentrollouts.api.release import ReleaseRef
from agentrollouts.api.rollback import Rollback
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.api.traffic import NOT_ITSELF, Fallback, Traffic
from agentrollouts.api.workload import Workload


class Approval(StrEnum):
    """Whether a phase needs an approval at its end."""

    NOT_REQUIRED = "NotRequired"
    REQUIRED = "Required"


BAKE: Final = "bake"
"""How an action names the time after the last phase."""
MAX_APPROVERS: Final = 5
"""More people than that do not look at one phase."""


class Phase(ApiModel):
    """A step of the plan: the canary's share of the traffic, and how long it keeps that share."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            cel(
                "!has(self.rampSeconds) || self.rampSeconds <= self.durationSeconds",
                "`rampSeconds` must be at most `durationSeconds`, which includes it",
                "rampSeconds",
            ),
            cel(
                f"self.name != '{BAKE}'",
                f"`name` must not be `{BAKE}`, which is the time after the last phase",
                "name",
            ),
            cel(
                "!has(self.approvals) || self.approval == 'Required'",
                "`approvals` needs `approval: Required`",
                "approvals",
            ),
        )
    )

    name: DnsLabel
    """Name of the phase, unique in the plan."""
    weight: Annotated[int, Field(ge=1, le=100)]
    """Share of the traffic for the canary, in percent. Must be greater than that of the previous phase."""
    duration_seconds: Annotated[int, Field(ge=1, le=SECONDS_MAX)]
    """Duration of the phase, ramp included, in seconds. Time during which the attempt is held does not
    count."""
    ramp_seconds: Annotated[int, Field(ge=1, le=SECONDS_MAX)] | None = None
    """Time over which the weight rises from that of the previous phase, in at most ten equal steps, in
    seconds. If absent, it rises at once."""
    approval: Approval = Approval.NOT_REQUIRED
    """Whether the attempt needs an approval to leave this phase: NotRequired or Required. Defaults to
    NotRequired."""
    approvals: Annotated[int, Field(ge=1, le=MAX_APPROVERS)] | None = None
    """Number of people who must approve. The author of the release does not count. Defaults to 1."""
    when: When = When.ALWAYS
    """Attempts in which the phase counts: Always, or AfterRollback, which is only while no attempt has become
    Healthy since one was rolled back for harm. Chosen when an attempt begins. Defaults to Always."""


class Bake(ApiModel):
    """The time after the last phase in which the canary is still judged and stable can still take over."""

    duration_seconds: Annotated[int, Field(ge=0, le=SECONDS_MAX)] = 1800
    """Duration at the weight of the last phase, in seconds. Then the canary gets 100% and is Healthy. The
    first release of an agent bakes at 100% and must pass its absolute limits; with 0 it is not judged.
    Defaults to 1800."""


DEFAULT_PHASES: Final = (
    Phase(name="canary-5", weight=5, duration_seconds=3600),
    Phase(name="canary-25", weight=25, duration_seconds=14400),
    Phase(name="ramp", weight=95, ramp_seconds=10800, duration_seconds=10800),
)
"""5% for an hour, 25% for four hours, then gradually to 95% over three hours."""

DEFAULT_GATES: Final = (
    Gate(name="errors", template="error-rate"),
    Gate(name="completion", template="task-completion"),
    Gate(name="latency", template="latency"),
    Gate(name="cost", template="cost-per-run"),
)
"""Does the canary fail more, complete less, take longer or cost more?"""


class AgentRolloutSpec(ApiModel):
    """The plan. `agent`, `releaseRef` and `traffic` are enough."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            cel(
                "[self.phases, self.phases.filter(p, !has(p.when) || p.when == 'Always')].all(s, "
                "s.exists(p, p.approval == 'Required') || self.gates.exists(g, !has(g.during) || "
                "(s.exists(p, p.weight < 100) ? 'Canary' : 'Full') in g.during))",
                "needs a gate that judges the canary, or a phase with `approval: Required`, also without the "
                "phases with `when: AfterRollback`; include Canary in `during` of at least one gate, or Full "
                "if the only weight is 100",
                "gates",
            ),
            cel(
                "!has(self.rollback.verify.gates) || "
                "self.rollback.verify.gates.all(n, self.gates.exists(g, g.name == n))",
                "`rollback.verify.gates` must contain only names from `gates`",
                "rollback.verify.gates",
            ),
            cel(
                "!has(self.workload) || has(self.traffic.httpRoute) || has(self.traffic.grpcRoute) || "
                "has(self.traffic.routePatch)",
                "`workload` needs `httpRoute`, `grpcRoute` or `routePatch` in `traffic`; agents that "
                "split their requests themselves run all releases in one Deployment",
                "workload",
            ),
            cel(
                "!has(self.fallback) || has(self.traffic.httpRoute) || has(self.traffic.grpcRoute) || "
                "has(self.traffic.routePatch)",
                "`fallback` needs `httpRoute`, `grpcRoute` or `routePatch` in `traffic`; agents that "
                "split their requests themselves read in `<rollout>-traffic` that they are switched off",
                "fallback",
            ),
            cel(
                "self.rollback.lastResort == 'Hold' || (has(self.fallback) && has(self.watch))",
                "`lastResort: Fallback` needs `fallback`, and `watch`, which finds that stable fails",
                "rollback.lastResort",
            ),
            cel(
                "!(has(self.traffic.httpRoute) && has(self.traffic.httpRoute.cohorts) && "
                "self.traffic.httpRoute.cohorts.size() > 0) || "
                "has(self.metrics.labels.cohort)",
                "`traffic.httpRoute.cohorts` needs `metrics.labels.cohort`: a comparison that counts runs of "
                "cohorts is biased; name the label to which agents copy the header `agent-cohort`",
                "metrics.labels",
            ),
            cel(
                "!has(self.metrics.labels.cohort) || "
                "(has(self.traffic.httpRoute) && has(self.traffic.httpRoute.cohorts) && "
                "self.traffic.httpRoute.cohorts.size() > 0)",
                "`metrics.labels.cohort` needs `traffic.httpRoute.cohorts`: without them, callers can exempt "
                "their runs",
                "metrics.labels.cohort",
            ),
            cel(
                "!has(self.standby) || self.standby.all(s, s.gates.all(n, "
                "self.gates.exists(g, g.name == n && has(g.action) && g.action == 'Standby')))",
                "`standby[].gates` must contain only names from `gates`, of gates with `action: Standby`",
                "standby",
            ),
            cel(
                "self.gates.all(g, !has(g.action) || g.action != 'Standby' || "
                "(has(self.standby) && self.standby.exists(s, g.name in s.gates)))",
                "a gate with `action: Standby` must be named in `standby[].gates`",
                "gates",
            ),
            cel(
                "!has(self.standby) || self.standby.size() == 0 || has(self.watch)",
                "`standby` needs `watch`, which finds that stable fails",
                "standby",
            ),
            cel("self.agent == oldSelf.agent", "`agent` is immutable; create a new AgentRollout", "agent"),
        )
    )

    agent: DnsLabel
    """Name of the agent. Immutable. Each agent has one AgentRollout in a namespace."""
    group: DnsLabel | None = None
    """Name of a group of rollouts in this namespace that ship and roll back together. If a gate, a cap, a
    time limit or a person rolls back the canary of one member, each other member rolls back what it shipped
    during that attempt. If absent, the rollout is in no group."""
    release_ref: ReleaseRef
    """Release that should serve the agent. Change this field, in Git or by hand, to ship a release or to
    return to an earlier one."""
    paused: bool = False
    """Whether the rollout is paused. Stops forward moves only; rolling back still works. Defaults to
    false."""
    phases: Annotated[
        tuple[Phase, ...],
        Field(
            min_length=1,
            max_length=20,
            json_schema_extra=list_map("name")
            | rules(
                cel(
                    "self.exists(p, !has(p.when) || p.when == 'Always')",
                    "at least one phase must have `when: Always`",
                ),
                cel(
                    "self.map(p, p.weight).isSorted() && "
                    "self.all(p, self.exists_one(q, q.weight == p.weight))",
                    "the `weight` of each phase must be greater than that of the previous phase",
                ),
            ),
        ),
    ] = DEFAULT_PHASES
    """Steps to 100%, with rising weights. After the last one comes `bake`, then 100%. Names are unique. At
    most 20. Defaults to 5% for an hour, 25% for four hours, then a ramp to 95% over three hours."""
    gates: Annotated[tuple[Gate, ...], Field(max_length=16, json_schema_extra=list_map("name"))] = (
        DEFAULT_GATES
    )
    """Gates that must all pass before the canary gets more traffic. At most 16. Defaults to error-rate,
    task-completion, latency and cost-per-run."""
    analysis: Analysis = Analysis()
    """How often the gates are evaluated, and how long an undecided phase can last."""
    caps: Annotated[tuple[Cap, ...], Field(max_length=8, json_schema_extra=list_map("name"))] = ()
    """Ceilings on what the canary may do, such as dollars per hour. At most 8. Defaults to none."""
    bake: Bake = Bake()
    """Time after the last phase in which the canary is still judged."""
    watch: Watch | None = None
    """What is evaluated while stable serves alone. If absent, nothing is evaluated, and a rollout at rest
    sends no queries."""
    rollback: Rollback = Rollback()
    """How rollbacks are done and verified."""
    hooks: Annotated[tuple[Hook, ...], Field(max_length=MAX_HOOKS, json_schema_extra=list_map("name"))] = ()
    """Jobs and webhooks that run before an attempt gets traffic, or after a rollback, in this order and one
    at a time. At most 8. Defaults to none."""
    drill: Drill | None = None
    """How often the operator gives a small share of the traffic to the release that a rollback would choose,
    and rolls it back on purpose. If absent, only on request, by an action of type Drill."""
    traffic: Traffic = Traffic()
    """How the weights reach the requests. If empty, only through the ConfigMap `<rollout>-traffic`."""
    fallback: Fallback | None = None
    """What answers while a detour sends traffic elsewhere: after an action of type SwitchOff, or a gate or
    cap with `action: SwitchOff`. If absent, the gateway answers with an error, such as 503."""
    standby: Annotated[
        tuple[Standby, ...], Field(max_length=MAX_STANDBYS, json_schema_extra=STANDBY_RULES)
    ] = ()
    """Releases that serve in the place of stable while a gate with `action: Standby` fails at rest. The first
    that names the gate, is proven and has a ready endpoint is used. At most 8. Defaults to none."""
    workload: Workload | None = None
    """Deployment that the operator copies for each release without `serving`. A release with `serving` brings
    agents of its own. If absent, every release does."""
    metrics: Metrics = Metrics()
    """Source of the metrics, and their names."""
    history_limit: Annotated[int, Field(ge=1, le=50)] = 10
    """Number of past attempts in `status.history`. The newest three healthy releases before stable are also
    kept, or `rollback.maxWalkBack` of them if that is more. Defaults to 10."""


class AgentRollout(ApiModel):
    """The standing plan by which the releases of one agent are shipped, judged and rolled back."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            cel(
                "self.metadata.name.size() <= 55",
                "`metadata.name` must be at most 55 characters, since other objects are named after it",
            ),
            NOT_ITSELF,
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
            Column("Recovery", '.status.conditions[?(@.type=="RollbackReady")].reason', wide=True),
            ready_column("Message", "message", wide=True),
            AGE,
        ),
    )

    api_version: Literal["agentrollouts.dev/v1alpha1"] = API_VERSION
    kind: Literal["AgentRollout"] = "AgentRollout"
    metadata: ObjectMeta
    spec: AgentRolloutSpec
    """The plan. Written by users and their tools, never by the operator."""
    status: AgentRolloutStatus = AgentRolloutStatus()
    """State of the rollout, and the reasons for it. Written only by the operator."""
