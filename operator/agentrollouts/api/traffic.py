"""How a rollout's weights reach the requests: the union that a user chooses from."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from agentrollouts.api.meta import LIST_SET, ApiModel, DnsLabel, ObjectName, cel, rules


class ParentRef(ApiModel):
    """The Gateway that a route is attached to."""

    name: ObjectName
    """Name of the Gateway."""
    namespace: DnsLabel | None = None
    """Namespace of the Gateway. By default the rollout's."""
    section_name: ObjectName | None = None
    """Name of one listener of the Gateway. By default all that accept the route."""
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Port of the listener. By default any."""


Hostname = Annotated[
    str,
    Field(
        max_length=253,
        pattern=r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
    ),
]


class HttpRouteTraffic(ApiModel):
    """An HTTPRoute of the Gateway API that the operator owns, named after the rollout."""

    parent_refs: Annotated[tuple[ParentRef, ...], Field(min_length=1, max_length=8)]
    """Gateways to attach to."""
    hostnames: Annotated[tuple[Hostname, ...], Field(max_length=16, json_schema_extra=LIST_SET)] = ()
    """Host names of the agent. By default all that the listener serves."""
    statusless: bool = False
    """Set to true for a gateway or mesh that never writes the status of a route. The weights then count as
    applied as soon as the route is written; counted runs confirm them. Default false: every parent must
    report the route as accepted and its references as resolved before the canary advances."""


class RoutePatch(ApiModel):
    """Weights only, in one rule of an HTTPRoute that you own. Everything else in it stays as it is."""

    name: ObjectName
    """Name of the HTTPRoute, in the same namespace."""
    rule: DnsLabel
    """Name of the rule that has the two Services as backends. A rule with `sessionPersistence` is not used
    for a canary, since it keeps users on the canary at weight 0."""
    statusless: bool = False
    """Set to true for a gateway or mesh that never writes the status of a route. The weights then count as
    applied as soon as the route is written; counted runs confirm them. Default false: every parent must
    report the route as accepted and its references as resolved before the canary advances."""


class Traffic(ApiModel):
    """How the weights reach the requests.

    The ConfigMap `<rollout>-traffic` is always written; agents that split by themselves need nothing else.
    """

    model_config = ConfigDict(
        json_schema_extra=rules(
            cel(
                "!(has(self.httpRoute) && has(self.routePatch))",
                "may have only one of `httpRoute` and `routePatch`",
            )
        )
    )

    http_route: HttpRouteTraffic | None = None
    """Let the operator own an HTTPRoute."""
    route_patch: RoutePatch | None = None
    """Let the operator set the weights in an HTTPRoute of yours, which has a backend for each release."""

    @property
    def by_route(self) -> bool:
        """Whether a gateway splits the requests, so that each release needs a Service."""
        return self.http_route is not None or self.route_patch is not None
