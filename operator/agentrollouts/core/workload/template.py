"""The copy of the template that runs a release, and what is in the way of one.

A pure function of the template as it was read. Labels and annotations of the template itself are not copied:
they would carry the marks of the tool that applied it, and that tool would then prune what is not in Git.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from agentrollouts.api.names import (
    LABEL_AGENT,
    LABEL_RELEASE,
    LABEL_TEMPLATE,
)
from agentrollouts.api.reasons import Reason
from agentrollouts.api.release import AgentRelease, ServiceRef
from agentrollouts.api.rollout import AgentRollout, AgentRolloutSpec
from agentrollouts.api.status import ReleaseRecord
from agentrollouts.api.workload import Workload
from agentrollouts.core.effects import Manifest, Patch, Problem
from agentrollouts.core.ownership import is_owned_by, owned_metadata

DEPLOYMENT: Final = "Deployment"
SERVICE: Final = "Service"
VOLUME: Final = "agentrollouts-snapshot"
"""Name of the volume with the snapshot of the release."""
VARIABLES: Final = ("AGENT_RELEASE", "AGENT_DIGEST")
NAME_LENGTH: Final = 63
"""Characters of the name of a Service (RFC 1035)."""
_VERSION: Final = re.compile(r"(:\w[\w.-]{0,127})?(@sha256:[0-9a-f]{64})?", re.ASCII)
"""What follows the repository in the name of an image."""


def workload_name(release: str) -> str:
    """Name of the Deployment and of the Service: that of the release, with dashes for dots.

    The name of a Service begins with a letter. One that is too long is cut, and ends with a hash instead.
    """
    name = release.replace(".", "-")
    name = name if name[0].isalpha() else f"r-{name}"
    if len(name) <= NAME_LENGTH:
        return name
    return f"{name[:54].rstrip('-')}-{hashlib.sha256(release.encode()).hexdigest()[:8]}"


def service_of(spec: AgentRolloutSpec, release: AgentRelease) -> ServiceRef | None:
    """The Service in front of a release: its own, else the one that is made for it."""
    if release.spec.serving:
        return release.spec.serving.service
    if spec.workload is None:
        return None
    return ServiceRef(name=workload_name(release.metadata.name), port=spec.workload.port)


def is_copy(manifest: Manifest, rollout: AgentRollout, release: str, digest: str) -> bool:
    """Whether this very rollout made an object for this very content.

    By what no one can change about a Deployment, as two releases can have one name, at once or one later.
    """
    is_ours = is_owned_by(manifest, rollout.metadata.uid)
    spec = manifest.get("spec") or {}
    if manifest["kind"] == SERVICE:
        return is_ours and (spec.get("selector") or {}).get(LABEL_RELEASE) == release
    selector = (spec.get("selector") or {}).get("matchLabels") or {}
    pod = (spec.get("template") or {}).get("spec") or {}
    variables = [variable for container in _containers(pod) for variable in container.get("env") or ()]
    says = {"name": VARIABLES[1], "value": digest}
    return is_ours and selector.get(LABEL_RELEASE) == release and says in variables


def unfit(template: Manifest | None, workload: Workload, release: AgentRelease) -> Problem | None:
    """Why the template cannot be copied for a release; None if it can."""
    why = next(_faults(template, workload, release), None)
    if why is None:
        return None
    name = workload.deployment_ref.name
    return Problem(Reason.TEMPLATE_UNFIT, f"spec.workload.deploymentRef: Deployment {name} {why}")


def _faults(template: Manifest | None, workload: Workload, release: AgentRelease) -> Iterator[str]:
    if template is None:
        yield "does not exist; create it"
        return
    if (template["metadata"].get("labels") or {}).get(LABEL_TEMPLATE) != "true":
        yield f'has to be marked as a template; set its label {LABEL_TEMPLATE}: "true"'
    if replicas := replicas_of(template):
        yield f"has {replicas} replicas; a template needs `replicas: 0`"
    pod, path = template["spec"]["template"]["spec"], workload.mount_path
    if any(volume.get("name") == VOLUME for volume in pod.get("volumes") or ()):
        yield f"has a volume {VOLUME}; rename it"
    for container in _containers(pod):
        name = container.get("name")
        if any(mount.get("mountPath") == path for mount in container.get("volumeMounts") or ()):
            yield f"mounts another volume at {path} in container {name}; set spec.workload.mountPath"
        for variable in container.get("env") or ():
            if variable.get("name") in VARIABLES:
                yield f"sets {variable['name']} in container {name}; the operator sets it, so remove it"
    image = _image_of(release)
    if image and not any(_is_of_repository(image, container) for container in _containers(pod)):
        yield (
            f"has no image of the repository of {image:.200}, which components.runtime.image of release "
            f"{release.metadata.name} names; set it in the template, or name an image of the same repository"
        )


def replicas_of(deployment: Manifest) -> int:
    """The number of pods that a Deployment should have."""
    return int((deployment.get("spec") or {}).get("replicas", 1))


def refusal_of_pods(deployment: Manifest) -> str:
    """Why a Deployment has no ready pod, if a quota or a LimitRange refuses them; else empty."""
    status = deployment.get("status") or {}
    refused = (c for c in status.get("conditions") or () if c.get("type") == "ReplicaFailure")
    if status.get("readyReplicas"):
        return ""
    return next((str(c.get("message") or c.get("reason")) for c in refused if c.get("status") == "True"), "")


def stamped(
    rollout: AgentRollout, record: ReleaseRecord, release: AgentRelease, template: Manifest
) -> Manifest:
    """The Deployment of a release: the template with the snapshot, the identity, the labels and the image.

    Args:
        rollout: Its owner; has a workload.
        record: The release as it is served.
        release: The same release, for its image.
        template: A fitting template.
    """
    workload = rollout.spec.workload
    if workload is None:
        raise ValueError("A rollout without spec.workload makes no Deployment")
    labels = {LABEL_AGENT: rollout.spec.agent, LABEL_RELEASE: record.release}
    spec: dict[str, Any] = json.loads(json.dumps(template["spec"]))
    pod = spec["template"]
    metadata = {key: (pod.get("metadata") or {}).get(key) or {} for key in ("labels", "annotations")}
    labels_left = {
        key: text for key, text in metadata["labels"].items() if not key.startswith("agentrollouts.dev/")
    }
    pod["metadata"] = {"labels": labels_left | labels, "annotations": metadata["annotations"]}
    values = dict(zip(VARIABLES, (record.release, record.digest), strict=True))
    for container in _containers(pod["spec"]):
        image = _image_of(release)
        if image and _is_of_repository(image, container):
            container["image"] = image
        variables = [{"name": name, "value": value} for name, value in values.items()]
        container["env"] = [*variables, *(container.get("env") or ())]
        mount = {"name": VOLUME, "mountPath": workload.mount_path, "readOnly": True}
        container["volumeMounts"] = [*(container.get("volumeMounts") or ()), mount]
    volume = {"name": VOLUME, "configMap": {"name": record.snapshot}}
    pod["spec"]["volumes"] = [*(pod["spec"].get("volumes") or ()), volume]
    spec |= {"replicas": workload.replicas, "selector": {"matchLabels": labels}}
    return {
        "apiVersion": "apps/v1",
        "kind": DEPLOYMENT,
        "metadata": _metadata(rollout, record),
        "spec": spec,
    }


def stamped_service(rollout: AgentRollout, record: ReleaseRecord) -> Manifest:
    """The Service of a release, which selects its pods and no others."""
    port = (record.service and record.service.port) or 0
    return {
        "apiVersion": "v1",
        "kind": SERVICE,
        "metadata": _metadata(rollout, record),
        "spec": {
            "selector": {LABEL_AGENT: rollout.spec.agent, LABEL_RELEASE: record.release},
            "ports": [{"name": "agent", "port": port, "targetPort": port, "protocol": "TCP"}],
        },
    }


def _metadata(rollout: AgentRollout, record: ReleaseRecord) -> dict[str, Any]:
    name = record.service.name if record.service else ""
    return owned_metadata(rollout, name, {LABEL_RELEASE: record.release})


def _containers(pod: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    return (container for key in ("initContainers", "containers") for container in pod.get(key) or ())


def _image_of(release: AgentRelease) -> str | None:
    runtime = release.spec.components.runtime
    return runtime.image if runtime else None


def _is_of_repository(image: str, container: Mapping[str, Any]) -> bool:
    """Whether an image is another version of the one that the template has.

    Who may write releases must not thereby run any image.
    """
    theirs = str(container.get("image") or "").partition("@")[0]
    folder, slash, last = theirs.rpartition("/")
    repository = f"{folder}{slash}{last.partition(':')[0]}"
    return image.startswith(repository) and bool(_VERSION.fullmatch(image[len(repository) :])) and bool(last)


def scaled(deployment: Manifest, replicas: int) -> Patch:
    """Set the replicas, in exactly the version that was seen."""
    metadata = deployment["metadata"]
    where = {"name": metadata["name"], "namespace": metadata["namespace"]}
    return Patch(
        {"apiVersion": deployment["apiVersion"], "kind": DEPLOYMENT, "metadata": where},
        (
            {"op": "test", "path": "/metadata/resourceVersion", "value": metadata["resourceVersion"]},
            {"op": "add", "path": "/spec/replicas", "value": replicas},
        ),
    )
