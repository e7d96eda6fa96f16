"""What the Prometheus operator does with a PodMonitor: labels of pods become labels of their series."""

import re
from collections.abc import Mapping
from typing import Any, Final

from sandbox.stack import Stack

CRD: Final[dict[str, Any]] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "podmonitors.monitoring.coreos.com"},
    "spec": {
        "group": "monitoring.coreos.com",
        "names": {"kind": "PodMonitor", "plural": "podmonitors", "singular": "podmonitor"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
                },
            }
        ],
    },
}
"""Without the fields of the real one, which its own documentation lists."""
META: Final = "__meta_kubernetes_pod_label_"


def install(stack: Stack) -> None:
    """Have the API server accept PodMonitors."""
    stack.apply(CRD)
    name = CRD["metadata"]["name"]
    stack.kubectl.wait_kinds(name)


def target_labels(monitor: Mapping[str, Any], pod: Mapping[str, str]) -> dict[str, str]:
    """The labels that the relabelings of a monitor give to all series of a pod.

    Args:
        monitor: Its only endpoint has relabelings of the action `labelmap` alone.
        pod: The labels of a pod that the monitor selects.
    """
    assert monitor["spec"]["selector"]["matchLabels"].items() <= pod.items()
    [endpoint] = monitor["spec"]["podMetricsEndpoints"]
    labels = {}
    for relabeling in endpoint["relabelings"]:
        assert relabeling.keys() == {"action", "regex"}
        assert relabeling["action"] == "labelmap"
        for name, value in pod.items():
            if match := re.fullmatch(relabeling["regex"], META + re.sub(r"\W", "_", name)):
                labels[match[1]] = value
    return labels
