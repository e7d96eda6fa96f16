"""A managed workload: the field of the spec, and the Deployment that is its template."""

from typing import Any, Final

from testkit.builders.names import AGENT, NAMESPACE

DELAY: Final = 600
WORKLOAD: Final = {
    "deploymentRef": {"name": AGENT},
    "port": 8080,
    "replicas": 2,
    "keepWarm": 1,
    "scaleDownDelaySeconds": DELAY,
}
TEMPLATE: Final[dict[str, Any]] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {
        "name": AGENT,
        "namespace": NAMESPACE,
        "labels": {"agentrollouts.dev/template": "true", "app": AGENT},
        "resourceVersion": "1",
        "generation": 1,
    },
    "spec": {
        "replicas": 0,
        "selector": {"matchLabels": {"app": AGENT}},
        "template": {
            "metadata": {"labels": {"app": AGENT}},
            "spec": {"containers": [{"name": "agent", "image": "registry.example/agent:1"}]},
        },
    },
}
