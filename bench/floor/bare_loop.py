"""The least that kopf can do: it sees an object and applies a route. What the operator is compared with.

Run as a process of its own, `python -m bench.floor.bare_loop`. Its kind, `Wish`, is a custom resource like
ours; its client is the operator's, so that the difference is what lies between the event and the write.
"""

import os
from pathlib import Path
from typing import Any, Final

import kopf

from agentrollouts.adapters.cluster.client import Cluster
from sandbox.people.apiserver import Manifest

GROUP: Final = "bench.example.com"
NAMESPACE: Final = "bare"


def crd() -> Manifest:
    """The kind that asks for a weight."""
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": {"canary": {"type": "integer"}}}},
    }
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"wishes.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"kind": "Wish", "plural": "wishes", "singular": "wish"},
            "versions": [version],
        },
    }


def wish(name: str, canary: int) -> Manifest:
    """A wish for a weight."""
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "Wish",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"canary": canary},
    }


def path_of(name: str) -> str:
    """Where a wish is."""
    return f"/apis/{GROUP}/v1/namespaces/{NAMESPACE}/wishes/{name}"


def _route(name: str, canary: int) -> Manifest:
    """A route like the operator's."""
    backends = [
        {"name": service, "port": 8080, "weight": weight}
        for service, weight in (("release-1-0-0", 100 - canary), ("release-1-1-0", canary))
    ]
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "parentRefs": [{"name": "public"}],
            "hostnames": [f"{name}.example.com"],
            "rules": [{"backendRefs": backends}],
        },
    }


@kopf.on.startup()
async def connect(settings: kopf.OperatorSettings, memo: Any, **_: object) -> None:  # noqa: ANN401 kopf's own type
    """Open the connection."""
    settings.posting.enabled = False
    memo.cluster = await Cluster.connect(Path(os.environ["KUBECONFIG"]))


@kopf.on.event(GROUP, "v1", "wishes")
async def grant(body: kopf.Body, memo: Any, **_: object) -> None:  # noqa: ANN401 kopf's own type
    """Apply the route that is wished for."""
    await memo.cluster.apply(_route(body["metadata"]["name"], body["spec"]["canary"]))


@kopf.on.cleanup()
async def close(memo: Any, **_: object) -> None:  # noqa: ANN401 kopf's own type
    """Close the connection."""
    await memo.cluster.close()


if __name__ == "__main__":
    kopf.run(standalone=True, clusterwide=True)
