"""`spec.traffic.httpRoute`: the HTTPRoute that the operator owns, with cohorts and buckets."""

from collections.abc import Iterable, Mapping
from typing import Any

from agentrollouts.api.release import ServiceRef
from agentrollouts.api.traffic import HttpRouteTraffic, Traffic
from agentrollouts.core.traffic.buckets import bucketed
from agentrollouts.core.traffic.cohorts import backend, cohort_rules, unmarked
from agentrollouts.core.traffic.manifests import HTTP_ROUTE
from agentrollouts.core.traffic.routers.own_route import OwnRouteRouter
from agentrollouts.core.traffic.weights import Split


class HttpRouteRouter(OwnRouteRouter[HttpRouteTraffic]):
    """The HTTPRoute named after the rollout."""

    kind = HTTP_ROUTE

    @classmethod
    def field(cls, traffic: Traffic) -> HttpRouteTraffic | None:
        """`spec.traffic.httpRoute`."""
        return traffic.http_route

    @classmethod
    def read(cls, spec: object) -> HttpRouteTraffic:
        """Without cohorts and buckets, which cannot be read from rules."""
        return HttpRouteTraffic.model_validate(spec)

    @classmethod
    def rules(
        cls, route_spec: HttpRouteTraffic, split: Split, weighted: Iterable[tuple[ServiceRef, int]]
    ) -> list[Mapping[str, Any]]:
        """The rules of the cohorts and of the buckets, and the main rule, which has all paths."""
        main: dict[str, Any] = {
            "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
            **unmarked(route_spec.cohorts),
            "backendRefs": [backend(service, weight) for service, weight in weighted],
        }
        rules = [
            *cohort_rules(route_spec.cohorts, split),
            *bucketed(route_spec.bucket_header, split, main),
        ]
        if split.weights.diverted:  # a detour is of all requests, whatever rule they match
            return [{**rule, "backendRefs": main["backendRefs"]} for rule in rules]
        return rules
