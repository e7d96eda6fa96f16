"""Traffic objects: those of the rollout by their keys, and the route of someone else."""

from collections.abc import Mapping
from typing import Any, Final

from agentrollouts.core.effects import Manifest
from testkit.builders.names import AGENT, NAMESPACE, service_of

ROUTE: Final = ("HTTPRoute", AGENT)

CONFIG: Final = ("ConfigMap", f"{AGENT}-traffic")

BY_ROUTE: Final[Mapping[str, Any]] = {"httpRoute": {"parentRefs": [{"name": "public"}]}}

FLAG: Final = ("FeatureFlag", AGENT)

BY_FLAG: Final[Mapping[str, Any]] = {"featureFlag": {}}

THEIRS: Final = ("HTTPRoute", "shop")
"""A route of somebody else."""

BY_PATCH: Final[Mapping[str, Any]] = {"routePatch": {"name": "shop", "rule": "agent"}}


def a_backend(service: str, weight: int | None = 0, **fields: object) -> dict[str, Any]:
    """A backend of a route."""
    ref = {"group": "", "kind": "Service", "name": service, "port": 8080} | fields
    return ref | ({} if weight is None else {"weight": weight})


def their_route(*backends: Mapping[str, Any], **metadata: object) -> Manifest:
    """A route of somebody else: two rules, filters, a label, and these backends for the agent."""
    web: dict[str, Any] = {"name": "web", "backendRefs": [a_backend("web", 7)]}
    rewrite = {
        "type": "URLRewrite",
        "urlRewrite": {"path": {"type": "ReplaceFullPath", "replaceFullPath": "/"}},
    }
    rule = {"name": "agent", "filters": [rewrite], "backendRefs": list(backends)}
    identity = {"name": "shop", "namespace": NAMESPACE, "uid": "uid-of-shop", "generation": 1}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": identity | {"labels": {"app": "shop"}} | metadata,
        "spec": {"parentRefs": [{"name": "public"}], "rules": [web, rule]},
    }


def a_shop(*releases: str, **metadata: object) -> Manifest:
    """A route of somebody else whose rule has the releases as backends, none with a share."""
    return their_route(*(a_backend(service_of(release)) for release in releases), **metadata)
