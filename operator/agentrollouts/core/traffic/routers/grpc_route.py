"""`spec.traffic.grpcRoute`: the GRPCRoute that the operator owns, with one rule for all methods."""

from collections.abc import Iterable, Mapping
from typing import Any

from agentrollouts.api.release import ServiceRef
from agentrollouts.api.traffic import GrpcRouteTraffic, Traffic
from agentrollouts.core.traffic.cohorts import backend
from agentrollouts.core.traffic.manifests import GRPC_ROUTE
from agentrollouts.core.traffic.routers.own_route import OwnRouteRouter
from agentrollouts.core.traffic.weights import Split


class GrpcRouteRouter(OwnRouteRouter[GrpcRouteTraffic]):
    """The GRPCRoute named after the rollout."""

    kind = GRPC_ROUTE

    @classmethod
    def field(cls, traffic: Traffic) -> GrpcRouteTraffic | None:
        """`spec.traffic.grpcRoute`."""
        return traffic.grpc_route

    @classmethod
    def read(cls, spec: object) -> GrpcRouteTraffic:
        """All of it can be read from a route."""
        return GrpcRouteTraffic.model_validate(spec)

    @classmethod
    def rules(
        cls,
        route_spec: GrpcRouteTraffic,  # noqa: ARG003 as declared
        split: Split,  # noqa: ARG003 as declared
        weighted: Iterable[tuple[ServiceRef, int]],
    ) -> list[Mapping[str, Any]]:
        """One rule without matches, which is for all calls."""
        return [{"backendRefs": [backend(service, weight) for service, weight in weighted]}]
