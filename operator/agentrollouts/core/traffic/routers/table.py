"""The table of routers, and what the shell finds out with it about objects as JSON."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from agentrollouts.api.rollout import AgentRollout
from agentrollouts.core.effects import Manifest, Patch
from agentrollouts.core.traffic.routers.config_map import ConfigMapRouter
from agentrollouts.core.traffic.routers.feature_flag import FeatureFlagRouter
from agentrollouts.core.traffic.routers.grpc_route import GrpcRouteRouter
from agentrollouts.core.traffic.routers.http_route import HttpRouteRouter
from agentrollouts.core.traffic.routers.owned import OwnedRouter
from agentrollouts.core.traffic.routers.route_patch import RoutePatchRouter
from agentrollouts.core.traffic.routers.router import Find, Key, Router

ROUTERS: Final[tuple[type[Router], ...]] = (
    RoutePatchRouter,
    HttpRouteRouter,
    GrpcRouteRouter,
    FeatureFlagRouter,
    ConfigMapRouter,
)
"""All routers, in the order in which their objects are written: those that move requests first."""


def find(rollout: AgentRollout, find: Find) -> Iterator[Manifest]:
    """The objects of a rollout; those that it has claimed before are found by `claimants`."""
    return (manifest for router in ROUTERS for manifest in router.find(rollout, find))


def named(traffic: Mapping[str, Any]) -> Iterator[Key]:
    """The objects of other owners that a `spec.traffic` names, as JSON that is not validated yet."""
    return (key for router in ROUTERS for key in router.named(traffic))


def made_for(kind: str, name: str) -> Iterator[str]:
    """Names of the rollouts for which we would make an object of that kind and name."""
    return (rollout for router in ROUTERS for rollout in router.made_for(kind, name))


def claimants(manifest: Manifest) -> Iterator[str]:
    """Names of the rollouts that have set something in an object of another owner."""
    return (name for router in ROUTERS for name in router.claimants(manifest))


def settle(manifests: Iterable[Manifest], rollout: str) -> tuple[Patch, ...]:
    """What removes a deleted rollout from the objects that it has claimed."""
    return tuple(
        patch for manifest in manifests for router in ROUTERS for patch in router.settle(manifest, rollout)
    )


def taken_by(rollout: AgentRollout, others: Iterable[Manifest]) -> str | None:
    """An older rollout that sets the same weights in an object of another owner.

    Args:
        rollout: The rollout that is decided on.
        others: Rollouts of its namespace that name the same object.
    """
    rollouts = tuple(others)
    return next((name for router in ROUTERS if (name := router.taken_by(rollout, rollouts))), None)


def managed_path(kind: str, *, is_own: bool) -> tuple[str, ...]:
    """What the operator sets in an object of this kind, as a path in `managedFields`.

    Args:
        kind: The kind.
        is_own: Whether the object is the operator's, and not one in which it sets weights.
    """
    routers = (router for router in ROUTERS if router.kind == kind)
    return next((each.managed for each in routers if issubclass(each, OwnedRouter) == is_own), ())
