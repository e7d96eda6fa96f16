"""What the administrator does not permit a rollout: more than the limits, or a Gateway or hostname.

It stops forward moves and new parents of a route. A rollback does not depend on it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from agentrollouts.api.reasons import Reason
from agentrollouts.api.rollout import AgentRollout, AgentRolloutSpec
from agentrollouts.api.traffic import GrpcRouteTraffic, HttpRouteTraffic, OwnRoute, Traffic
from agentrollouts.core.effects import Problem
from agentrollouts.core.traffic.manifests import GRPC_ROUTE

Place = tuple[str, str]
"""Namespace and name of a Gateway."""


@dataclass(frozen=True, slots=True)
class Unread:
    """A Gateway whose class is not known, and why."""

    why: str
    is_pending: bool = False
    """Whether it has not been read yet."""


NOT_YET: Final = Unread("is not read yet", is_pending=True)


def too_many_gates(spec: AgentRolloutSpec, most: int) -> Problem | None:
    """More gates than the settings permit."""
    if len(spec.gates) <= most:
        return None
    return Problem(
        Reason.LIMIT_EXCEEDED,
        f"spec.gates: has {len(spec.gates)} gates, and the operator's settings permit {most} for a rollout "
        "(limits.gatesPerRollout); remove some, or ask the administrator for more",
    )


def gateway_refusal(
    rollout: AgentRollout,
    allowed: frozenset[str],
    classes: Mapping[Place, str | Unread],
    attached: frozenset[Place],
) -> Problem | None:
    """The first Gateway that a route may not be attached to, or of which that is not known.

    Args:
        rollout: Its spec, and its namespace for a parent that names none.
        allowed: The classes that the settings permit.
        classes: The class of each Gateway.
        attached: The Gateways that the route has already. After a restart, nothing is held until their
            classes are read.
    """
    unread: Problem | None = None
    for place, index in parents(rollout):
        field = f"spec.traffic.{rollout.spec.traffic.route_field}.parentRefs[{index}]"
        gateway_class, title = classes.get(place, NOT_YET), f"Gateway {place[1]} in namespace {place[0]}"
        if isinstance(gateway_class, str) and gateway_class not in allowed:
            message = (
                f"{field}: {title} is of class {gateway_class}, which the operator's settings do not permit "
                f"(gatewayClasses); name a Gateway of class {', '.join(sorted(allowed))}"
            )
            return Problem(Reason.GATEWAY_NOT_PERMITTED, message)
        if isinstance(gateway_class, Unread) and not (gateway_class.is_pending and place in attached):
            message = (
                f"{field}: {title} {gateway_class.why}, so its class is not known; "
                "nothing is attached until it is"
            )
            unread = unread or Problem(Reason.GATEWAY_UNREADABLE, message)
    return unread


def parents(rollout: AgentRollout) -> tuple[tuple[Place, int], ...]:
    """The Gateways that the spec attaches a route to, each with its position among the parents.

    Not the Services of a mesh: they are in the rollout's own namespace, and no one gets a hostname by them.
    """
    return _placed(rollout.spec.traffic.own_route, rollout.metadata.namespace)


def attached(rollout: AgentRollout, route: Mapping[str, Any] | None) -> frozenset[Place]:
    """The Gateways that the rollout's route has already."""
    return frozenset(place for place, _ in _placed(_read(route), rollout.metadata.namespace))


def _placed(route: OwnRoute | None, namespace: str) -> tuple[tuple[Place, int], ...]:
    return tuple(
        ((ref.namespace or namespace, ref.name), index)
        for index, ref in enumerate(route.parent_refs if route else ())
        if ref.is_gateway
    )


def _read(route: Mapping[str, Any] | None) -> HttpRouteTraffic | GrpcRouteTraffic | None:
    model = GrpcRouteTraffic if (route or {}).get("kind") == GRPC_ROUTE else HttpRouteTraffic
    try:
        return model.model_validate((route or {}).get("spec"))
    except ValidationError:  # there is no route, or someone made another one of it
        return None


def with_old_place(rollout: AgentRollout, route: Mapping[str, Any] | None) -> AgentRollout:
    """The rollout as if its spec still named the Gateways and hostnames that its route has.

    Weights are written to the route as always, a rollback's too. Without a route nothing is attached.
    """
    if rollout.spec.traffic.own_route is None:
        return rollout
    spec = rollout.spec.copy_with(traffic=_at_place(rollout.spec.traffic, _read(route)))
    return rollout.copy_with(spec=spec)


def _at_place(traffic: Traffic, old: HttpRouteTraffic | GrpcRouteTraffic | None) -> Traffic:
    """The same at the place of the old route; a route of the other kind stays as it is."""
    match old, traffic.http_route, traffic.grpc_route:
        case None, _, _:
            return Traffic()
        case HttpRouteTraffic(), HttpRouteTraffic() as http, _:
            return Traffic(http_route=http.copy_with(parent_refs=old.parent_refs, hostnames=old.hostnames))
        case GrpcRouteTraffic(), _, GrpcRouteTraffic() as grpc:
            return Traffic(grpc_route=grpc.copy_with(parent_refs=old.parent_refs, hostnames=old.hostnames))
        case HttpRouteTraffic(), _, _:
            return Traffic(http_route=old)
        case _:
            return Traffic(grpc_route=old)
