"""The demo's agents as a platform runs them: for each release a Service and a Deployment."""

import contextlib
import json
import os
import signal
from pathlib import Path
from typing import Any, Final

from sandbox import scenarios
from sandbox.node.cluster import Cluster
from tests.e2e.witness import PATIENCE
from tests.node.processes import find_process

IMAGE: Final = "localhost/agentrollouts-demo-agent:dev"
NAMESPACE: Final = "support"
AGENT: Final = "support-agent"
PORT: Final = 8080

_MOUNTED: Final = "/bundle"
_TRAFFIC: Final = "/etc/agent-traffic"
"""Where the rollout's traffic ConfigMap is, for agents that split by themselves; there once a rollout is."""
_PROGRAM: Final = "sandbox.agent"
_SECURITY: Final = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}

Manifest = dict[str, Any]


def deploy(cluster: Cluster, release: str, namespace: str = NAMESPACE) -> str:
    """Apply a release, and run its agent once the operator has written its snapshot.

    Returns:
        The name of its pod, which is Ready and scraped.
    """
    within, patience = f"--namespace={namespace}", f"--timeout={PATIENCE:g}s"
    manifest = scenarios.load_release(release)
    cluster.apply({**manifest, "metadata": {**manifest["metadata"], "namespace": namespace}})
    path = "{.status.snapshot.name}"
    cluster.kubectl("wait", f"agentrelease/{release}", within, f"--for=jsonpath={path}", patience)
    stored = cluster.kubectl.get(f"agentrelease/{release}", within)
    service = stored["spec"]["serving"]["service"]["name"]
    metadata = {"name": service, "namespace": namespace}
    cluster.apply(_manifests(release, metadata, stored["status"]["snapshot"]["name"]))
    cluster.kubectl("rollout", "status", f"deployment/{service}", within, patience)
    (pod,) = cluster.kubectl.get("pods", within, f"--selector=release={release}")["items"]
    labels = {"job": "agents", "namespace": namespace, "agent": AGENT, "release": release}
    cluster.add_target(_target(namespace, release), f"{pod['status']['podIP']}:{PORT}", labels)
    return str(pod["metadata"]["name"])


def end(cluster: Cluster, release: str, namespace: str) -> None:
    """Delete the agent of a release, without waiting for its end."""
    cluster.remove_target(_target(namespace, release))
    cluster.kubectl(
        "delete", "deployments", f"--selector=release={release}", f"--namespace={namespace}", "--wait=false"
    )


def mounted(cluster: Cluster, pod: str) -> Manifest:
    """The bundle that an agent reads, seen from inside its pod."""
    program = f"print(open('{_MOUNTED}/bundle.json').read())"
    text = cluster.kubectl("exec", pod, f"--namespace={NAMESPACE}", "--", "python", "-c", program)
    bundle: Manifest = json.loads(text)
    return bundle


def mounted_split(pod: str) -> Manifest:
    """`split.json` as the agent's process in a pod sees it now; empty while there is no process or file."""
    process = find_process(f"HOSTNAME={pod}", _PROGRAM)
    try:
        text = Path(f"/proc/{process}/root{_TRAFFIC}/split.json").read_text()
    except OSError:
        return {}
    split: Manifest = json.loads(text)
    return split


def kill(pod: str) -> None:
    """Kill -9 of the agent's process in a pod, as the kernel of its node can; nothing if it does not run."""
    process = find_process(f"HOSTNAME={pod}", _PROGRAM)
    if process is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def _target(namespace: str, release: str) -> str:
    return f"{namespace}-{release}"


def _manifests(release: str, metadata: Manifest, snapshot: str) -> list[Manifest]:
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
        "readinessProbe": {
            "httpGet": {"path": "/healthz", "port": PORT},
            "periodSeconds": 1,
            "timeoutSeconds": 10,
        },
        "volumeMounts": [
            {"name": "bundle", "mountPath": _MOUNTED, "readOnly": True},
            {"name": "traffic", "mountPath": _TRAFFIC, "readOnly": True},
        ],
    }
    pod = {
        "terminationGracePeriodSeconds": 2,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": [
            {"name": "bundle", "configMap": {"name": snapshot}},
            {"name": "traffic", "configMap": {"name": f"{AGENT}-traffic", "optional": True}},
        ],
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
