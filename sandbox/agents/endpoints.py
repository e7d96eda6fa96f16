"""A Service without selector, and the EndpointSlice that a controller would make for it.

What a platform's Deployments would lead to: for the agents of the fleet, and for benches, campaigns and tests
in which a release has to be servable though nobody serves it.
"""

from collections.abc import Iterable
from typing import Any, Final

from sandbox.isolation.namespace import ADDRESSES

PORT: Final = 8080
"""Where every agent listens, each at an address of its own."""

SPARE: Final = ADDRESSES[-1]
"""The last of the sandbox's addresses; the fleet begins with the first, so nobody answers there by itself."""

Manifest = dict[str, Any]


def a_service(
    namespace: str, name: str, host: str = SPARE, *, port: int = PORT, ready: bool = True
) -> tuple[Manifest, Manifest]:
    """The two manifests.

    Args:
        namespace: of both.
        name: of both.
        host: the one address behind the Service.
        port: of the Service; behind it, it is always `PORT`.
        ready: what the endpoint is said to be, whoever is there.
    """
    where = {"name": name, "namespace": namespace}
    ports = [{"name": "http", "port": port, "targetPort": PORT}]
    return (
        {"apiVersion": "v1", "kind": "Service", "metadata": where, "spec": {"ports": ports}},
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {**where, "labels": {"kubernetes.io/service-name": name}},
            "addressType": "IPv4",
            "ports": [{"name": "http", "port": PORT}],
            "endpoints": [{"addresses": [host], "conditions": {"ready": ready}}],
        },
    )


def by_path(namespace: str, names: Iterable[str]) -> dict[str, Manifest]:
    """Services whose endpoints are said to be ready though nobody answers there, by where they are kept."""
    manifests = {}
    for name in names:
        service, endpoints = a_service(namespace, name)
        manifests[f"/api/v1/namespaces/{namespace}/services/{name}"] = service
        manifests[f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices/{name}"] = endpoints
    return manifests
