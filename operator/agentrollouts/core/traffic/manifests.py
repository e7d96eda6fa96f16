"""Traffic objects of this operator: how they are marked, found and compared."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from agentrollouts.api.names import FIELD_MANAGER
from agentrollouts.api.recovery.detour import Detour
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.containment.mark import annotations_of, read_mark
from agentrollouts.core.effects import Manifest
from agentrollouts.core.ownership import OWNERS, is_owned_by, owned_metadata
from agentrollouts.core.traffic.latch import Latch, latch_of, read_latch

Objects = Mapping[tuple[str, str], Manifest]
"""Manifests by kind and name."""


FEATURE_FLAG: Final = "FeatureFlag"
ROUTE_API: Final = "gateway.networking.k8s.io"
HTTP_ROUTE: Final = "HTTPRoute"
GRPC_ROUTE: Final = "GRPCRoute"
ROUTES: Final = (HTTP_ROUTE, GRPC_ROUTE)
"""The kinds of routes, which have parents and backends alike."""


def key_of(manifest: Manifest) -> tuple[str, str]:
    """Kind and name: what an object is found by in an observation."""
    return manifest["kind"], manifest["metadata"]["name"]


def own_route(rollout: AgentRollout) -> tuple[str, str] | None:
    """Kind and name of the route that the operator owns by the spec."""
    traffic = rollout.spec.traffic
    if traffic.own_route is None:
        return None
    return GRPC_ROUTE if traffic.grpc_route else HTTP_ROUTE, rollout.metadata.name


def covers(actual: object, desired: object) -> bool:
    """Whether `actual` has everything that is desired; additional fields do not matter.

    Lists are compared whole, as Gateway API's lists are atomic; only owners are merged.
    """
    if actual == desired:  # most of it, at no cost
        return True
    if isinstance(desired, Mapping):
        return isinstance(actual, Mapping) and all(
            _has_owners(actual.get(key), value) if key == OWNERS else covers(actual.get(key), value)
            for key, value in desired.items()
        )
    return (
        isinstance(desired, list | tuple)
        and isinstance(actual, list | tuple)
        and len(actual) == len(desired)
        and all(covers(theirs, ours) for theirs, ours in zip(actual, desired, strict=True))
    )


def _has_owners(actual: object, desired: Iterable[Mapping[str, Any]]) -> bool:
    """Whether we are among the owners; that list is merged, so it can have other owners."""
    owners = actual if isinstance(actual, list | tuple) else ()
    return all(any(covers(theirs, ours) for theirs in owners) for ours in desired)


def latch(manifest: Manifest | None) -> Latch | None:
    """The mark of a rolled-back attempt on an object of ours."""
    return read_latch(_annotations(manifest))


def detour_mark(manifest: Manifest | None, uid: str) -> Detour | None:
    """The detour that an object of the rollout of that uid is marked with."""
    return read_mark(_annotations(manifest), uid)


def is_ours(actual: Manifest, rollout: AgentRollout) -> bool:
    """Whether an object of the name that we want was made by us for this rollout."""
    return is_made_for(actual, rollout.metadata.uid)


def is_made_for(actual: Manifest, uid: str) -> bool:
    """Whether the rollout of that uid controls an object, or we have applied it.

    Labels say nothing: many tools set the same labels on all that they find.
    """
    return is_owned_by(actual, uid) or any(
        (entry.get("manager"), entry.get("operation")) == (FIELD_MANAGER, "Apply")
        for entry in (actual.get("metadata") or {}).get("managedFields") or ()
        if not entry.get("subresource")
    )


def _annotations(manifest: Manifest | None) -> Mapping[str, str]:
    return ((manifest or {}).get("metadata") or {}).get("annotations") or {}


def metadata_of(rollout: AgentRollout, status: AgentRolloutStatus, name: str) -> dict[str, Any]:
    """Name, labels, owner and, once rolled back or in a detour, the marks of a traffic object of ours."""
    metadata, uid = owned_metadata(rollout, name), rollout.metadata.uid
    mark = latch_of(status)
    marks = replace(mark, uid=uid).annotations if mark else {}
    if status.detour:
        marks = marks | annotations_of(status.detour, uid)
    return metadata | {"annotations": marks} if marks else metadata
