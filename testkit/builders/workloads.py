"""The Deployment and the Service that run one release, as a team writes them to Git."""

from typing import Any, Final

from testkit.builders.names import NAMESPACE

IMAGE: Final = "registry.example/support-agent:4.2.1"


def a_workload(release: str, version: str, snapshot: str, **fields: Any) -> list[dict[str, Any]]:  # noqa: ANN401 any field
    """Both manifests.

    Args:
        release: Name of the release.
        version: Its version.
        snapshot: The ConfigMap that is mounted.
        fields: Fields of the spec of the Deployment instead of those here.
    """
    name = release.replace(".", "-")
    labels = {"app": "support-agent", "version": version}
    where = {"name": name, "namespace": NAMESPACE, "labels": labels}
    spec = {
        "replicas": 2,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": _pods(release, version, snapshot)},
    }
    service = {"type": "ClusterIP", "selector": labels, "ports": [{"port": 8080}]}
    return [
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": where, "spec": spec | fields},
        {"apiVersion": "v1", "kind": "Service", "metadata": where, "spec": service},
    ]


def _pods(release: str, version: str, snapshot: str) -> dict[str, Any]:
    """What names the release in fields of many kinds."""
    name = release.replace(".", "-")
    container = {
        "name": "agent",
        "image": IMAGE,
        "args": ["--release", release],
        "env": [
            {"name": "AGENT_RELEASE", "value": release},
            {"name": "TITLE", "value": f"I am {release}"},
            {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": name, "key": "key"}}},
        ],
        "volumeMounts": [{"name": "bundle", "mountPath": "/etc/agent"}],
    }
    return {
        "serviceAccountName": name,
        "containers": [container],
        "volumes": [{"name": "bundle", "configMap": {"name": snapshot}}],
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchExpressions": [_is("version", version)]},
            }
        ],
    }


def _is(key: str, value: str) -> dict[str, Any]:
    return {"key": key, "operator": "In", "values": [value]}
