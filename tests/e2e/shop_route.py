"""A route of somebody else: two rules, filters, annotations; as people and Git tools write it."""

import json
from collections.abc import Mapping
from typing import Any, Final

from agentrollouts.adapters.cluster.resources import Ref
from tests.e2e.api import Manifest
from tests.e2e.manifests import service_of
from tests.e2e.scene import Scene

BY_PATCH: Final[Mapping[str, Any]] = {"routePatch": {"name": "shop", "rule": "agent"}}


def backend(release: str, weight: int | None = 0) -> Manifest:
    """A backend for a release; without a weight the Gateway API gives it 1."""
    ref = {"name": service_of(release), "port": 8080}
    return ref | ({} if weight is None else {"weight": weight})


def shop_route(namespace: str, *backends: Manifest, annotations: Mapping[str, str] | None = None) -> Manifest:
    """The whole route."""
    header = {
        "type": "ResponseHeaderModifier",
        "responseHeaderModifier": {"set": [{"name": "x-shop", "value": "1"}]},
    }
    web = {
        "name": "web",
        "matches": [{"path": {"type": "PathPrefix", "value": "/web"}}],
        "backendRefs": [{"name": "web", "port": 80, "weight": 7}],
    }
    agent = {
        "name": "agent",
        "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
        "filters": [header],
        "backendRefs": list(backends),
    }
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {
            "name": "shop",
            "namespace": namespace,
            "annotations": dict(annotations or {"team": "shop"}),
        },
        "spec": {
            "parentRefs": [{"name": "public", "namespace": "default"}],
            "hostnames": [f"{namespace}.example.com"],
            "rules": [web, agent],
        },
    }


def shop(scene: Scene) -> Ref:
    """Where the route is."""
    return scene.ref("HTTPRoute", "shop")


def shares(manifest: Manifest | None) -> dict[str, int]:
    """Weights by Service in the rule of the agent."""
    rules = manifest["spec"]["rules"] if manifest else []
    return {
        ref["name"]: ref["weight"] for rule in rules if rule["name"] == "agent" for ref in rule["backendRefs"]
    }


def claims(manifest: Manifest | None) -> list[str]:
    """Our annotations on the route."""
    annotations = ((manifest or {}).get("metadata") or {}).get("annotations") or {}
    return [key for key in annotations if key.endswith("agentrollouts.dev/split")]


def rest_of(manifest: Manifest) -> str:
    """Everything of a version that is not ours, to the byte."""
    bare = json.loads(json.dumps(manifest))
    for rule in bare["spec"]["rules"]:
        for ref in rule["backendRefs"] if rule["name"] == "agent" else ():
            ref["weight"] = 0
    metadata = bare["metadata"]
    for key in claims(bare):
        del metadata["annotations"][key]
    kept = {
        key: metadata[key] for key in ("name", "namespace", "uid", "labels", "annotations") if key in metadata
    }
    return json.dumps([kept, bare["spec"]], sort_keys=True)
