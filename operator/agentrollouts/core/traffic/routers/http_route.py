"""`spec.traffic.httpRoute`: the HTTPRoute that the operator owns, as a function of the status.

Forward moves are persisted in the status first and rendered from it on the next pass; a rollback is rendered
from the decision itself, so that stable gets its traffic with the first write.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import ValidationError

from agentrollouts.api.release import ServiceRef
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.api.status import ReleaseRecord
from agentrollouts.api.traffic import HttpRouteTraffic
from agentrollouts.core.effects import Manifest
from agentrollouts.core.traffic.backends import backends, backends_of_rule, rules_of
from agentrollouts.core.traffic.buckets import bucket_count, bucketed
from agentrollouts.core.traffic.cohorts import backend, cohort_rules, unmarked
from agentrollouts.core.traffic.gateways import route_of
from agentrollouts.core.traffic.manifests import ROUTE_API, Objects, is_ours, metadata_of
from agentrollouts.core.traffic.routers.owned import OwnedRouter
from agentrollouts.core.traffic.weights import FULL, Split, share_of


class HttpRouteRouter(OwnedRouter):
    """The HTTPRoute named after the rollout."""

    kind = "HTTPRoute"
    managed = ("f:spec", "f:rules")

    @classmethod
    def render(cls, rollout: AgentRollout, split: Split, seen: Objects) -> Manifest | None:
        """The whole route; None if the spec has none, or a release has no Service."""
        route_spec = rollout.spec.traffic.http_route or _left_route(rollout, seen)
        if route_spec is None:
            return None
        if any(weight and not (record and record.service) for record, weight in split.sides):
            return None  # a route without one of the two would send its share to the other
        return {
            "apiVersion": f"{ROUTE_API}/v1",
            "kind": "HTTPRoute",
            "metadata": metadata_of(rollout, split.status, rollout.metadata.name),
            "spec": _spec(route_spec, split, split.backends(rollout.spec)),
        }

    @classmethod
    def shows(cls, current: Manifest | None, desired: Manifest) -> bool:
        """Whether the route is as it has to be, and keeps no user with a canary at weight 0."""
        return super().shows(current, desired) and not _is_sticky(current)

    def leftovers(self) -> Iterator[Manifest]:
        """The route, once `spec` no longer needs it."""
        route = _unwanted_route(self.obs.rollout, self.obs.traffic)
        if route is not None:
            yield route

    def share(self, record: ReleaseRecord) -> int | None:
        """By the main rule, or the most that another rule gives it if that gives it nothing.

        None without a route, or if a rule sends requests nowhere.
        """
        rules = tuple(rules_of(self._current() or {}))
        shares = [share_of(record, backends_of_rule(rule)) for rule in rules]
        known = [share for share in shares if share is not None]
        if not known or len(known) < len(shares):
            return None
        in_buckets = sum(bucket_count(rule) for rule, share in zip(rules, known, strict=True) if share)
        return known[-1] if 0 < known[-1] < FULL else in_buckets or max(known)

    def target(self) -> str | None:
        """The only Service with a weight in the route that splits the requests."""
        route = route_of(self.obs.rollout, self.obs.traffic) or {}
        shared = {name for name, weight in backends(route) if weight}
        return shared.pop() if len(shared) == 1 else None


def _spec(
    route_spec: HttpRouteTraffic, split: Split, weighted: Iterable[tuple[ServiceRef, int]]
) -> dict[str, Any]:
    parents = [
        ({"group": ROUTE_API, "kind": "Gateway"} if parent.is_gateway else {"group": ""})
        | parent.model_dump(mode="json", by_alias=True, exclude_none=True)
        for parent in route_spec.parent_refs
    ]
    main = {
        "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
        **unmarked(route_spec.cohorts),
        "backendRefs": [backend(service, weight) for service, weight in weighted],
    }
    rules = [
        *cohort_rules(route_spec.cohorts, split),
        *bucketed(route_spec.bucket_header, split, main),
    ]
    if split.weights.diverted:  # a detour is of all requests, whatever rule they match
        rules = [*({**rule, "backendRefs": main["backendRefs"]} for rule in rules)]
    spec: dict[str, Any] = {"parentRefs": parents, "rules": rules}
    if route_spec.hostnames:
        spec["hostnames"] = list(route_spec.hostnames)
    return spec


def _is_sticky(route: Manifest | None) -> bool:
    """Whether someone made users of our route stay with a canary at weight 0; the next write undoes that."""
    return any(rule.get("sessionPersistence") is not None for rule in rules_of(route or {}))


def _unwanted_route(rollout: AgentRollout, seen: Objects) -> Manifest | None:
    """A route of ours that `spec` no longer needs."""
    route = seen.get(("HTTPRoute", rollout.metadata.name))
    if rollout.spec.traffic.http_route or route is None or not is_ours(route, rollout):
        return None
    return route


def _left_route(rollout: AgentRollout, seen: Objects) -> HttpRouteTraffic | None:
    """An unwanted route moves requests until it is deleted, so it is kept right."""
    route = _unwanted_route(rollout, seen)
    try:
        return HttpRouteTraffic.model_validate(route.get("spec")) if route else None
    except ValidationError:  # someone replaced it by another route
        return None
