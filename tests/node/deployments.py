"""The demo's agents as a platform runs them: for each release a Service and a Deployment."""

import json
from typing import Any, Final

from sandbox import scenarios
from sandbox.node.cluster import Cluster

IMAGE: Final = "localhost/agentrollouts-demo-agent:dev"
NAMESPACE: Final = "support"
AGENT: Final = "support-agent"
PORT: Final = 8080

_MOUNTED: Final = "/bundle"
_SECURITY: Final = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}

Manifest = dict[str, Any]


def deploy(cluster: Cluster, release: str) -> str:
    """Apply a release, and run its agent once the operator has written its snapshot.

    Returns:
        The name of its pod, which is Ready and scraped.
    """
    within = f"--namespace={NAMESPACE}"
    cluster.apply(scenarios.manifest_path(release))
    path = "{.status.snapshot.name}"
    cluster.kubectl("wait", f"agentrelease/{release}", within, f"--for=jsonpath={path}", "--timeout=60s")
    manifest = cluster.kubectl.get(f"agentrelease/{release}", within)
    service = manifest["spec"]["serving"]["service"]["name"]
    cluster.apply(_manifests(release, service, manifest["status"]["snapshot"]["name"]))
    cluster.kubectl("rollout", "status", f"deployment/{service}", within, "--timeout=50s")
    (pod,) = cluster.kubectl.get("pods", within, f"--selector=release={release}")["items"]
    labels = {"job": "agents", "namespace": NAMESPACE, "agent": AGENT, "release": release}
    cluster.add_target(release, f"{pod['status']['podIP']}:{PORT}", labels)
    return str(pod["metadata"]["name"])


def mounted(cluster: Cluster, pod: str) -> Manifest:
    """The bundle that an agent reads, seen from inside its pod."""
    program = f"print(open('{_MOUNTED}/bundle.json').read())"
    text = cluster.kubectl("exec", pod, f"--namespace={NAMESPACE}", "--", "python", "-c", program)
    bundle: Manifest = json.loads(text)
    return bundle


def _manifests(release: str, service: str, snapshot: str) -> list[Manifest]:
    metadata = {"name": service, "namespace": NAMESPACE}
    labels = {"release": release}
    flags = {
        "--bundle": _MOUNTED,
        "--listen": f"0.0.0.0:{PORT}",
        "--release": release,
    }
    container = {
        "name": "agent",
        "image": IMAGE,
        "imagePullPolicy": "Never",
        "args": [part for flag in flags.items() for part in flag],
        "securityContext": _SECURITY,
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": PORT}, "periodSeconds": 1},
        "volumeMounts": [{"name": "bundle", "mountPath": _MOUNTED, "readOnly": True}],
    }
    pod = {
        "terminationGracePeriodSeconds": 2,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": [{"name": "bundle", "configMap": {"name": snapshot}}],
    }
    template = {"metadata": {"labels": labels}, "spec": pod}
    ports = [{"port": PORT}]
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"selector": labels, "ports": ports},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata,
            "spec": {"selector": {"matchLabels": labels}, "template": template},
        },
    ]
