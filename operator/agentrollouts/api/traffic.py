"""How the weights of a rollout reach the requests: the union that a user chooses from."""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import ConfigDict, Field

from agentrollouts.api.model.base import ApiModel, DnsLabel, ObjectName
from agentrollouts.api.model.marks import LIST_SET, cel, list_map, rules
from agentrollouts.api.release import SERVICE_ONLY, ServiceRef


class ParentKind(StrEnum):
    """What a route is attached to."""

    GATEWAY = "Gateway"
    SERVICE = "Service"


class ParentRef(ApiModel):
    """The Gateway, or the Service of a mesh, that a route is attached to."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            cel(
                "!has(self.kind) || self.kind != 'Service' || !has(self.namespace)",
                "`namespace` must be absent for a Service, which is in the namespace of the rollout",
                "namespace",
            )
        )
    )

    kind: ParentKind | None = None
    """Kind of the parent: Gateway or Service. With Service, a mesh splits the requests to that Service, which
    is in the namespace of the rollout. Defaults to Gateway."""
    name: ObjectName
    """Name of the Gateway or Service."""
    namespace: DnsLabel | None = None
    """Namespace of the Gateway. Defaults to that of the rollout. Must be absent for a Service."""
    section_name: ObjectName | None = None
    """Name of one listener of the Gateway, or of one port of the Service. Defaults to all listeners that
    accept the route, or to all ports."""
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Port of the listener or of the Service. Defaults to any port."""

    @property
    def is_gateway(self) -> bool:
        """Whether it is a Gateway, rather than a Service."""
        return self.kind is not ParentKind.SERVICE


Hostname = Annotated[
    str,
    Field(
        max_length=253,
        pattern=r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
    ),
]


class Gets(StrEnum):
    """The release that serves a cohort."""

    CANARY = "Canary"
    STABLE = "Stable"


HeaderName = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")]
"""The name of a request header."""


class HeaderMatch(ApiModel):
    """A header that a request must have."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            cel(
                "self.name.lowerAscii() != 'agent-cohort'",
                "`name` must not be `agent-cohort`, which the route sets itself",
                "name",
            )
        )
    )

    name: HeaderName
    """Name of the header, in any case."""
    value: Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[!-~]([ -~]*[!-~])?$")]
    """Value of the header, exactly."""


class Cohort(ApiModel):
    """Requests that are not split by weight: one release serves them all."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            cel(
                "(has(self.headers) && self.headers.size() > 0) || has(self.pathPrefix)",
                "needs `headers` or `pathPrefix`; without them it would be all requests",
            )
        )
    )

    name: DnsLabel
    """Name of the cohort, unique in the list. Agents get it as the request header `agent-cohort`."""
    headers: Annotated[tuple[HeaderMatch, ...], Field(max_length=4, json_schema_extra=list_map("name"))] = ()
    """Headers that a request must have, all of them. At most 4. Defaults to none."""
    path_prefix: (
        Annotated[str, Field(max_length=256, pattern=r"^(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+$")] | None
    ) = None
    """Path with which a request must begin, such as `/refunds`. If absent, any path."""
    gets: Gets
    """Release that serves the cohort: Canary or Stable. Without a canary, and after a rollback, both mean
    stable. In a first release, and in a return to a release that was healthy before, both mean that release.
    """


_HOSTNAMES = cel(
    "!has(self.hostnames) || self.hostnames.size() == 0 || "
    "self.parentRefs.exists(p, !has(p.kind) || p.kind != 'Service')",
    "`hostnames` needs a parent of kind Gateway; in a mesh, requests are those to the Service",
    "hostnames",
)


class OwnRoute(ApiModel):
    """What all routes have in common that the operator owns."""

    parent_refs: Annotated[tuple[ParentRef, ...], Field(min_length=1, max_length=8)]
    """Gateways to attach to, or Services of a mesh."""
    hostnames: Annotated[tuple[Hostname, ...], Field(max_length=16, json_schema_extra=LIST_SET)] = ()
    """Hostnames of the agent, for parents of kind Gateway. Defaults to all hostnames of the listener."""
    statusless: bool = False
    """Whether the gateway or mesh never writes the status of a route. If true, the weights count as applied
    as soon as the route is written, and counted runs confirm them. If false, every parent must report the
    route as accepted and its references as resolved before the canary advances. Defaults to false."""


class GrpcRouteTraffic(OwnRoute):
    """A GRPCRoute of the Gateway API that the operator owns, named after the rollout."""

    model_config = ConfigDict(json_schema_extra=rules(_HOSTNAMES))


class HttpRouteTraffic(OwnRoute):
    """An HTTPRoute of the Gateway API that the operator owns, named after the rollout."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            _HOSTNAMES,
            cel(
                "!has(self.bucketHeader) || self.bucketHeader.lowerAscii() != 'agent-cohort'",
                "`bucketHeader` must not be `agent-cohort`, which the route removes",
                "bucketHeader",
            ),
        )
    )

    cohorts: Annotated[tuple[Cohort, ...], Field(max_length=8, json_schema_extra=list_map("name"))] = ()
    """Requests that one release serves, whatever the weights are. They are neither judged nor counted, so
    `metrics.labels.cohort` is required. If several match, the gateway chooses the longest path, then the most
    headers, then the first. At most 8. Defaults to none."""
    bucket_header: HeaderName | None = None
    """Request header with the bucket of the user, 00 to 99, which the edge must set. The buckets below the
    weight get the canary; requests without a bucket get stable. If absent, each request is drawn by itself.
    """


class RoutePatch(ApiModel):
    """The weights in one rule of an HTTPRoute that you own. The operator changes nothing else in it."""

    name: ObjectName
    """Name of the HTTPRoute, in the same namespace."""
    rule: DnsLabel
    """Name of the rule that has the two Services as backends. A rule with `sessionPersistence` cannot be used
    for a canary, since it keeps users on the canary at weight 0."""
    statusless: bool = False
    """Whether the gateway or mesh never writes the status of a route. If true, the weights count as applied
    as soon as the route is written, and counted runs confirm them. If false, every parent must report the
    route as accepted and its references as resolved before the canary advances. Defaults to false."""


class FeatureFlagTraffic(ApiModel):
    """A FeatureFlag of the OpenFeature operator that the operator owns, named after the rollout."""


class Traffic(ApiModel):
    """How the weights reach the requests.

    The operator always writes the ConfigMap `<rollout>-traffic`. Agents that split their requests themselves
    need nothing else.
    """

    model_config = ConfigDict(
        json_schema_extra=rules(
            cel(
                "[has(self.httpRoute), has(self.grpcRoute), has(self.routePatch), has(self.featureFlag)]"
                ".filter(f, f).size() < 2",
                "may have only one of `httpRoute`, `grpcRoute`, `routePatch` and `featureFlag`",
            )
        )
    )

    http_route: HttpRouteTraffic | None = None
    """HTTPRoute that the operator owns, named after the rollout."""
    grpc_route: GrpcRouteTraffic | None = None
    """GRPCRoute that the operator owns, named after the rollout, for agents that serve gRPC."""
    route_patch: RoutePatch | None = None
    """Rule of an HTTPRoute that you own, with a backend for each release. The operator sets its weights."""
    feature_flag: FeatureFlagTraffic | None = None
    """FeatureFlag that the operator owns, named after the rollout, for agents that run all releases in one
    process and get the flag `<agent>-release` from flagd. Write `{}`: it has no fields. The cluster must
    serve `core.openfeature.dev/v1beta1`."""

    @property
    def by_route(self) -> bool:
        """Whether a gateway splits the requests, so that each release needs a Service."""
        return self.own_route is not None or self.route_patch is not None

    @property
    def by_config_map(self) -> bool:
        """Whether agents read their split in the ConfigMap, and nothing else moves requests."""
        return not self.by_route and self.feature_flag is None

    @property
    def own_route(self) -> OwnRoute | None:
        """The route that the operator owns."""
        return self.http_route or self.grpc_route

    @property
    def route_field(self) -> str:
        """The field with the route."""
        if self.route_patch:
            return "routePatch"
        return "grpcRoute" if self.grpc_route else "httpRoute"


class RolloutRef(ApiModel):
    """An AgentRollout in the same namespace."""

    name: ObjectName
    """Name of the AgentRollout."""


class Fallback(ApiModel):
    """What answers instead of the agent while a detour sends its traffic elsewhere."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            cel(
                "has(self.service) != has(self.rollout)",
                "exactly one of `service` and `rollout` must be set",
            ),
            *SERVICE_ONLY,
        )
    )

    service: ServiceRef | None = None
    """Service in the same namespace, such as a queue for people or a plain page. With `traffic.routePatch`,
    the rule must have it as a backend, at weight 0."""
    rollout: RolloutRef | None = None
    """Another AgentRollout in the same namespace: the Service of the release that it serves answers, also
    after it has shipped another one. While it does not exist, has no stable release or is switched off, it is
    as if `fallback` were absent. With `traffic.routePatch`, the rule must have that Service as a backend, at
    weight 0."""


NOT_ITSELF: Final = cel(
    "!has(self.spec.fallback) || !has(self.spec.fallback.rollout) || "
    "self.spec.fallback.rollout.name != self.metadata.name",
    "`spec.fallback.rollout` must name another AgentRollout",
    "spec.fallback.rollout.name",
)
"""What holds for an AgentRollout with such a fallback."""
