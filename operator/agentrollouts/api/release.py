"""AgentRelease: one immutable bundle of everything that determines the behavior of an agent.

Users and GitOps tools write `spec` once. The operator resolves it, writes the snapshot that agents read, and
reports in `status`. Only the form is checked here; the decision checks whether the contents fit together.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, ClassVar, Final, Literal

from pydantic import AfterValidator, ConfigDict, Field

from agentrollouts.api.components import COMPONENTS, MAX_TOOLS, ComponentName, Components, ToolName
from agentrollouts.api.model.base import (
    DNS_SUBDOMAIN,
    ApiModel,
    Digest,
    DnsLabel,
    ObjectName,
    ReleaseName,
    SemVer,
    VersionRange,
)
from agentrollouts.api.model.immutable import kept_presence, together, unchanged
from agentrollouts.api.model.marks import AGE, LIST_SET, Column, Resource, cel, list_map, ready_column, rules
from agentrollouts.api.names import API_VERSION
from agentrollouts.api.objects import Conditions, ObjectMeta


class RiskTier(StrEnum):
    """How much harm a bad release of this agent can do."""

    STATELESS = "Stateless"
    STANDARD = "Standard"
    HIGH_STAKES = "HighStakes"


class ReleaseRef(ApiModel):
    """An AgentRelease in the same namespace."""

    name: ReleaseName
    """Name of the AgentRelease."""


class Source(ApiModel):
    """The origin of a release, for audits."""

    repository: Annotated[str, Field(max_length=512)] | None = None
    """Repository that contains the release. A record that the operator does not use."""
    revision: Annotated[str, Field(max_length=128)] | None = None
    """Commit that contains the release. A record that the operator does not use."""
    author: Annotated[str, Field(max_length=256)] | None = None
    """User name of the person or tool that made it. An approval by that user does not count."""


def _none_for_service(kind: str | None) -> str | None:
    """Absent and Service are the same, and have to compare as the same."""
    return None if kind == "Service" else kind


class ServiceRef(ApiModel):
    """A Service in the same namespace, or another backend that a route can have."""

    name: DnsLabel
    """Name of the Service."""
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Port of the Service, 1 to 65535. Required for a Service, and absent for an InferencePool."""
    kind: Annotated[
        Annotated[str, Field(max_length=63, pattern=r"^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$")] | None,
        AfterValidator(_none_for_service),
    ] = None
    """Kind of the backend: Service, or one that the gateway supports, such as InferencePool. The operator
    does not read other kinds, so their endpoints are unknown. Defaults to Service."""
    group: Annotated[str, Field(max_length=253, pattern=DNS_SUBDOMAIN)] | None = None
    """API group of that kind, such as `inference.networking.k8s.io`. Required with a `kind` other than
    Service."""

    @property
    def is_service(self) -> bool:
        """Whether it is a Service, so that its endpoints can be known."""
        return self.kind is None

    @property
    def key(self) -> str:
        """What distinguishes it from the other backends of a route; the name, for a Service."""
        return backend_key(self.group, self.kind, self.name)

    def __str__(self) -> str:
        return f"{self.kind or 'Service'} {self.name}"


def backend_key(group: str | None, kind: str | None, name: str) -> str:
    """The key of a backend with these fields of a `backendRef`."""
    kind, group = kind or "Service", group or ""
    return name if (kind, group) == ("Service", "") else f"{kind}.{group}/{name}"


_OTHER_KIND = "has(self.service.kind) && self.service.kind != 'Service'"
_PORT = cel(f"({_OTHER_KIND}) || has(self.service.port)", "a Service needs a `port`", "service.port")

SERVICE_ONLY: Final = (
    cel(
        f"!has(self.service) || !({_OTHER_KIND}) && !has(self.service.group)",
        "`service` must be a Service; only a release can have another `kind` of backend",
        "service.kind",
    ),
    cel("!has(self.service) || has(self.service.port)", "a Service needs a `port`", "service.port"),
)
"""What holds for a model with an optional `service` that is a Service."""


class Serving(ApiModel):
    """How requests reach the agents that run this release."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            cel(
                f"!has(self.service.group) || ({_OTHER_KIND})",
                "`group` goes with a `kind` other than Service; remove it, or add the `kind`",
                "service.group",
            ),
            cel(
                f"!({_OTHER_KIND}) || has(self.service.group)",
                "that `kind` needs a `group`, such as inference.networking.k8s.io",
                "service.group",
            ),
            _PORT,
            cel(
                "!has(self.service.kind) || self.service.kind != 'InferencePool' || !has(self.service.port)",
                "`port` must be absent for an InferencePool, which names its ports itself",
                "service.port",
            ),
        )
    )

    service: ServiceRef
    """Service that selects the pods of this release and of no other; or such an InferencePool, if the rollout
    splits traffic with a route whose gateway supports it."""


class Requirement(ApiModel):
    """Another agent that this release works with, and its versions."""

    agent: DnsLabel
    """Name of the other agent, which an AgentRollout in the same namespace ships."""
    versions: VersionRange
    """Versions of its releases that this release works with, such as `>=2.0.0,<3.0.0`. A malformed range is
    rejected."""


class AgentReleaseSpec(ApiModel):
    """One immutable bundle. To change anything, create a new AgentRelease."""

    model_config = ConfigDict(
        json_schema_extra=together(
            unchanged(
                "agent",
                "version",
                "riskTier",
                optional=("parent", "description", "source", "approvedBy", "serving", "requires"),
            ),
            kept_presence(*(f"components.{name}" for name in COMPONENTS if name not in {"prompt", "model"})),
            rules(
                cel(
                    "!has(self.requires) || self.requires.all(each, each.agent != self.agent)",
                    "`requires` must not name the agent itself; name other agents",
                    "requires",
                )
            ),
        )
    )

    agent: DnsLabel
    """Name of the agent. An AgentRollout serves this release only if it has the same `spec.agent`."""
    version: SemVer
    """Semantic version of the bundle as a whole."""
    parent: ReleaseRef | None = None
    """Release that this one was derived from. `status.diff` compares the two."""
    description: Annotated[str, Field(max_length=1024)] | None = None
    """Description of what changed and why. A record that the operator does not use."""
    source: Source | None = None
    """Origin of the release, for audits. A record of which the operator uses only `author`."""
    approved_by: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=256)], ...],
        Field(max_length=16, json_schema_extra=LIST_SET),
    ] = ()
    """People who approved the release, for audits. A record that the operator does not check, independent of
    `spec.phases[].approval` of the rollout. At most 16 names."""
    risk_tier: RiskTier = RiskTier.STANDARD
    """Harm that a bad release can do: Stateless, Standard or HighStakes. A record: the operator does the same
    for all three. Defaults to Standard."""
    components: Components
    """Parts of the bundle. `prompt` and `model` are required. Use `kubectl apply --server-side` for a file
    above 256 KiB, since client-side apply keeps a copy of the file in an annotation."""
    serving: Serving | None = None
    """How requests reach this release. Required if the rollout splits traffic with a route, unless
    `spec.workload` of the rollout makes its agents. If both are there, this Service is used, and nothing is
    made."""
    requires: Annotated[
        tuple[Requirement, ...], Field(max_length=16, json_schema_extra=list_map("agent"))
    ] = ()
    """Other agents that this release works with, and their versions. An attempt waits while another agent
    serves a version outside its range, or while what another agent serves excludes this version. A rollback
    never waits for it. At most 16."""


class Change(StrEnum):
    """How a component changed compared with the parent."""

    MAJOR = "Major"
    MINOR = "Minor"
    PATCH = "Patch"
    CONTENT_ONLY = "ContentOnly"
    ADDED = "Added"
    REMOVED = "Removed"
    WIDENED = "Widened"
    NARROWED = "Narrowed"


class ComponentDiff(ApiModel):
    """How one component differs from that of the parent."""

    component: ComponentName
    """Name of the component."""
    from_: Annotated[SemVer | None, Field(alias="from")] = None
    """Version in the parent. Absent if the component was added."""
    to: SemVer | None = None
    """Version in this release. Absent if the component was removed."""
    change: Change
    """Kind of change. Major, Minor or Patch, by version; ContentOnly if only the content differs; Added;
    Removed; for permissions Widened or Narrowed; for tools Narrowed if tools were only removed."""


class SnapshotRef(ApiModel):
    """The immutable ConfigMap that contains the resolved bundle."""

    name: ObjectName
    """Name of the ConfigMap: `<agent>-<first 16 hex digits of the digest>`. It outlives the AgentRelease."""


class AgentReleaseStatus(ApiModel):
    """What the operator resolved from the release, and its conditions."""

    observed_generation: Annotated[int, Field(ge=0)] = 0
    """Generation of the spec that this status describes."""
    digest: Digest | None = None
    """Digest (`sha256:`) of the canonical JSON of the resolved components: the identity of this behavior."""
    component_digests: Annotated[Mapping[str, Digest], Field(max_length=10)] = Field(default_factory=dict)
    """Digest of each component."""
    snapshot: SnapshotRef | None = None
    """Snapshot that agents read."""
    diff: Annotated[
        tuple[ComponentDiff, ...], Field(max_length=10, json_schema_extra=list_map("component"))
    ] = ()
    """Components that differ from those of `spec.parent`."""
    external_actions: (
        Annotated[tuple[ToolName, ...], Field(max_length=MAX_TOOLS, json_schema_extra=LIST_SET)] | None
    ) = None
    """Tools of the release whose calls have an effect outside the agent. Empty if it has none. Absent if that
    is unknown: the release has no component `tools`, or an earlier version of the operator resolved it."""
    conditions: Conditions = ()
    """Condition Ready, with its reason and an explanation."""


class AgentRelease(ApiModel):
    """One immutable, versioned bundle of an agent: prompt, model, tools, permissions and everything else."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            cel(
                "self.metadata.name.size() <= 63",
                "`metadata.name` must be at most 63 characters, since it is the value of a label",
            )
        )
    )

    resource: ClassVar[Resource] = Resource(
        kind="AgentRelease",
        plural="agentreleases",
        short_name="arel",
        columns=(
            ready_column("Ready", "status"),
            ready_column("Reason", "reason"),
            Column("Version", ".spec.version"),
            Column("Agent", ".spec.agent"),
            Column("Digest", ".status.digest", wide=True),
            ready_column("Message", "message", wide=True),
            AGE,
        ),
    )

    api_version: Literal["agentrollouts.dev/v1alpha1"] = API_VERSION
    kind: Literal["AgentRelease"] = "AgentRelease"
    metadata: ObjectMeta
    spec: AgentReleaseSpec
    """Content of the release. Immutable."""
    status: AgentReleaseStatus = AgentReleaseStatus()
    """What the operator resolved from `spec`. Written only by the operator."""
