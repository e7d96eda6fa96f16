"""Objects that are ours by their label or kind alone, as large as a tenant can make them."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, Final

from campaigns.tenants.attacks.heaps import BYTES, prose
from campaigns.tenants.manifests import STABLE, namespace, rollout
from campaigns.tenants.row import Bars, Row
from campaigns.tenants.stage import Stage
from sandbox.people.apiserver import Manifest

ATTACKER: Final = "attacker"
COUNT: Final = 300
BRIEF_COUNT: Final = 10
ANNOTATION_BYTES: Final = 250 * 1024


@asynccontextmanager
async def litter(stage: Stage) -> AsyncIterator[None]:
    """All of it is there."""
    await stage.make(namespace(ATTACKER))
    count = BRIEF_COUNT if stage.is_brief else COUNT
    for index in range(count):
        await stage.make(_objects(index))
    yield


def _objects(index: int) -> Iterator[tuple[str, Manifest]]:
    text, name = prose(BYTES, index), f"litter-{index}"
    within = f"namespaces/{ATTACKER}"
    yield (
        f"/api/v1/{within}/configmaps/{name}",
        _marked("v1", "ConfigMap", name, {"app.kubernetes.io/managed-by": "agentrollouts"})
        | {"data": {"x": text}},
    )
    yield (
        f"/apis/gateway.networking.k8s.io/v1/{within}/httproutes/{name}",
        _marked("gateway.networking.k8s.io/v1", "HTTPRoute", name, {}, text)
        | {"spec": {"hostnames": [f"{name}.example.com"], "parentRefs": [{"name": "public"}]}},
    )
    path, manifest = rollout(ATTACKER, name, STABLE)
    manifest["metadata"]["annotations"] = {"tool.example.com/state": text[:ANNOTATION_BYTES]}
    yield path, manifest


def _marked(version: str, kind: str, name: str, labels: dict[str, str], text: str = "") -> dict[str, Any]:
    annotations = {"tool.example.com/state": text[:ANNOTATION_BYTES]} if text else {}
    metadata = {"name": name, "namespace": ATTACKER, "labels": labels, "annotations": annotations}
    return {"apiVersion": version, "kind": kind, "metadata": metadata}


ROW: Final = Row(
    "litter",
    f"{COUNT} ConfigMaps with our label of {BYTES >> 10} KiB, and routes and rollouts with annotations of "
    f"{ANNOTATION_BYTES >> 10} KiB",
    litter,
    Bars(rss=300, lag=0.25),
)
