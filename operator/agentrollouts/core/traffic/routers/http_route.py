"""`spec.traffic.httpRoute`: the HTTPRoute that the operator owns, as a function of the status.

Forward moves are persisted in the status first and rendered from it on the next pass; a rollback is rendered
from the decision itself, so that stable gets its traffic with the first write.
"""

from typing import Any

from pydantic import ValidationError

from agentrollouts.api.rollout import AgentRollout
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.api.traffic import HttpRouteTraffic
from agentrollouts.core.effects import Manifest
from agentrollouts.core.traffic.manifests import ROUTE_API, Objects, is_ours, metadata_of
from agentrollouts.core.traffic.weights import desired_weights


def render_route(rollout: AgentRollout, status: AgentRolloutStatus, seen: Objects) -> Manifest | None:
    """The HTTPRoute that the operator owns, whole; None if there is none or nothing can be served yet."""
    wanted = rollout.spec.traffic.http_route or _left_route(rollout, seen)
    weights = desired_weights(status)
    if wanted is None or weights is None:
        return None
    sides = ((status.stable, weights.stable), (status.canary, weights.canary))
    if any(weight and not (record and record.service) for record, weight in sides):
        return None  # a route without one of the two would send its share to the other
    parents = [
        {"group": ROUTE_API, "kind": "Gateway"} | parent.model_dump(by_alias=True, exclude_none=True)
        for parent in wanted.parent_refs
    ]
    backends = [
        {"group": "", "kind": "Service", "weight": weight} | record.service.model_dump(by_alias=True)
        for record, weight in sides
        if record is not None and record.service is not None
    ]
    rule = {"matches": [{"path": {"type": "PathPrefix", "value": "/"}}], "backendRefs": backends}
    spec: dict[str, Any] = {"parentRefs": parents, "rules": [rule]}
    if wanted.hostnames:
        spec["hostnames"] = list(wanted.hostnames)
    return {
        "apiVersion": f"{ROUTE_API}/v1",
        "kind": "HTTPRoute",
        "metadata": metadata_of(rollout, status, rollout.metadata.name),
        "spec": spec,
    }


def unwanted_route(rollout: AgentRollout, seen: Objects) -> Manifest | None:
    """A route of ours that `spec` no longer needs."""
    found = seen.get(("HTTPRoute", rollout.metadata.name))
    if rollout.spec.traffic.http_route or found is None or not is_ours(found, rollout):
        return None
    return found


def _left_route(rollout: AgentRollout, seen: Objects) -> HttpRouteTraffic | None:
    """An unwanted route moves requests until it is deleted, so it is kept right."""
    found = unwanted_route(rollout, seen)
    try:
        return HttpRouteTraffic.model_validate(found.get("spec")) if found else None
    except ValidationError:  # someone replaced it by another route
        return None
