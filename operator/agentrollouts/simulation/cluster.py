"""The API server's side: objects as it keeps them after what the operator and others write.

Beside `prometheus` in the simulated world. Only what decisions can see is kept.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from agentrollouts.api.names import API_VERSION, GROUP, LABEL_TEMPLATE
from agentrollouts.api.objects import ObjectMeta, OwnerReference
from agentrollouts.api.release import AgentRelease
from agentrollouts.api.rollout import AgentRollout, AgentRolloutSpec
from agentrollouts.core.effects import Event, Manifest, Patch
from agentrollouts.core.release.content import ConfigMapData
from agentrollouts.core.release.decide import ReleaseObservation, decide_release
from agentrollouts.core.rollout.snapshots.facts import FACTS_MANAGER, HEALTHY, QUARANTINED
from agentrollouts.core.traffic.buckets import bucket_count
from agentrollouts.core.workload.template import replicas_of, workload_name
from agentrollouts.simulation.json_patch import patched

ROUTE: Final = "HTTPRoute"
CONFIG_MAP: Final = "ConfigMap"
DEPLOYMENT: Final = "Deployment"
SERVICE: Final = "Service"


def applied(manifest: Manifest, before: Manifest | None = None) -> Manifest:
    """What the API server has after a server-side apply: our fields, its own, and what others put there."""
    seen = dict(before or {})
    metadata, old_metadata = manifest["metadata"], seen.get("metadata") or {}
    foreign = {
        key: text
        for key, text in (old_metadata.get("annotations") or {}).items()
        if not key.startswith(f"{GROUP}/")
    }
    kept = {
        "uid": old_metadata.get("uid", f"uid-of-{metadata['name']}"),
        "generation": old_metadata.get("generation", 0) + (manifest.get("spec") != seen.get("spec")),
        "annotations": foreign | dict(metadata.get("annotations") or {}),
    }
    status = {"status": seen["status"]} if "status" in seen else {}
    stored: Manifest = json.loads(json.dumps({**manifest, **status, "metadata": {**metadata, **kept}}))
    return stored


def after(patch: Patch, before: Manifest) -> Manifest:
    """What the API server has after a patch; a changed spec is a new generation."""
    done = patched(before, patch.operations)
    generation = before["metadata"]["generation"] + (done["spec"] != before["spec"])
    return {**done, "metadata": {**done["metadata"], "generation": generation}}


def workload_of(release: str, workloads: Mapping[tuple[str, str], Manifest]) -> int:
    """Replicas behind the Service that was made for a release."""
    name = workload_name(release)
    deployment = workloads.get((DEPLOYMENT, name))
    return replicas_of(deployment) if deployment and (SERVICE, name) in workloads else 0


def template_for(name: str, namespace: str, releases: Iterable[AgentRelease]) -> Manifest:
    """The template of `spec.workload`, which is in the cluster and fits all releases."""
    images = {
        release.spec.components.runtime.image for release in releases if release.spec.components.runtime
    }
    containers = [{"name": f"agent-{index}", "image": image} for index, image in enumerate(sorted(images))]
    return {
        "apiVersion": "apps/v1",
        "kind": DEPLOYMENT,
        "metadata": {"name": name, "namespace": namespace, "labels": {LABEL_TEMPLATE: "true"}},
        "spec": {"replicas": 0, "template": {"spec": {"containers": containers}}},
    }


def versioned(manifest: Manifest) -> Manifest:
    """The object with a version of its own for every generation."""
    metadata = manifest["metadata"]
    return {**manifest, "metadata": {**metadata, "resourceVersion": str(metadata["generation"])}}


def accepted(route: Manifest) -> Manifest:
    """The route once a gateway has taken over its current generation."""
    generation = route["metadata"]["generation"]
    conditions = [
        {"type": kind, "status": "True", "reason": kind, "message": "", "observedGeneration": generation}
        for kind in ("Accepted", "ResolvedRefs")
    ]
    parents = [
        {"parentRef": parent, "controllerName": "example.com/gateway", "conditions": conditions}
        for parent in route["spec"]["parentRefs"]
    ]
    return {**route, "status": {"parents": parents}}


def is_accepted(route: Manifest) -> bool:
    """Whether the gateway has taken over the current generation."""
    parents = (route.get("status") or {}).get("parents") or ()
    generations = [
        condition["observedGeneration"] for parent in parents for condition in parent["conditions"]
    ]
    return bool(generations) and set(generations) == {route["metadata"]["generation"]}


def weights_of_route(route: Manifest, rule: str | None = None) -> dict[str, int]:
    """Percent of the requests by Service, in the rule of that name or in the last one, the main one."""
    rules = [each for each in route["spec"]["rules"] if rule is None or each.get("name") == rule]
    refs = rules[-1]["backendRefs"] if rules else ()
    if len(rules) > 1 and (buckets := bucket_count(rules[-2])):
        [canary] = rules[-2]["backendRefs"]
        return {ref["name"]: buckets if ref["name"] == canary["name"] else 100 - buckets for ref in refs}
    total = sum(ref.get("weight", 1) for ref in refs) or 1
    return {ref["name"]: round(100 * ref.get("weight", 1) / total) for ref in refs}


def weights_of_config(config: Manifest) -> dict[str, int]:
    """Percent of the requests by release, as `split.json` says."""
    split = json.loads(config["data"]["split.json"])
    return {side["release"]: side["weight"] for side in (split["stable"], split["canary"]) if side}


def weights_of_flag(manifest: Manifest, agent: str) -> dict[str, int]:
    """Percent of the users by release, as a FeatureFlag of ours says."""
    flags = manifest["spec"]["flagSpec"]["flags"]
    flag, switch = flags.get(f"{agent}-release"), flags.get(f"{agent}-enabled", {})
    if flag is None:
        return {}
    on = 100 - sum(weight for variant, weight in _drawn(switch) if variant == "off")
    drawn = _drawn(flag)
    total = sum(weight for _, weight in drawn) or 1
    return {variant: round(on * weight / total) for variant, weight in drawn}


def _drawn(flag: Mapping[str, Any]) -> list[tuple[str, int]]:
    """The variants of a flag that are drawn by user, or the one that all users get."""
    if "targeting" in flag:
        return [(variant, weight) for variant, weight in flag["targeting"]["fractional"][1:]]
    return [(flag["defaultVariant"], 100)] if flag else []


def noted(snapshot: ObjectMeta, manifest: Manifest, manager: str) -> ObjectMeta:
    """The snapshot's metadata after an apply of facts, or of one owner's entry."""
    metadata = manifest["metadata"]
    if manager == FACTS_MANAGER:
        others = {
            key: text for key, text in snapshot.annotations.items() if key not in {HEALTHY, QUARANTINED}
        }
        return snapshot.replace(annotations=others | metadata["annotations"])
    owners = [owner for owner in snapshot.owner_references if not manager.endswith(owner.uid)]
    new = [OwnerReference.model_validate(owner) for owner in metadata.get("ownerReferences", ())]
    return snapshot.replace(owner_references=(*owners, *new))


def materialise(
    release: AgentRelease, config_maps: Mapping[str, ConfigMapData], now: datetime
) -> tuple[AgentRelease, ObjectMeta | None]:
    """What the operator makes of a release that was just applied: its status, and its snapshot's metadata.

    The status says why where there is no snapshot.
    """
    decision = decide_release(ReleaseObservation(now=now, release=release, config_maps=config_maps))
    done = release if decision.status is None else release.replace(status=decision.status)
    written: Iterable[Manifest] = (applied(write.manifest) for write in decision.writes)
    return done, next((ObjectMeta.model_validate(manifest["metadata"]) for manifest in written), None)


def event_object(event: Event, about: ObjectMeta) -> dict[str, Any]:
    """An Event about a rollout, as far as people read it."""
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": about.name, "namespace": about.namespace},
        "involvedObject": {"apiVersion": API_VERSION, "kind": "AgentRollout", "name": about.name},
        "reason": str(event.reason),
        "message": event.message,
        "type": "Warning" if event.is_warning else "Normal",
    }


def rollout_of(rollout: AgentRollout, status: Mapping[str, Any]) -> dict[str, Any]:
    """The rollout as returned by the API server."""
    return {
        "apiVersion": API_VERSION,
        "kind": "AgentRollout",
        "metadata": rollout.metadata.to_json(),
        "spec": _spec_of(rollout.spec),
        "status": status,
    }


@lru_cache(maxsize=64)
def _spec_of(spec: AgentRolloutSpec) -> dict[str, Any]:
    """A spec changes rarely, and is returned with every status."""
    return spec.to_json()
