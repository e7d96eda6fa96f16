"""Dana: someone with the role `edit` in a namespace, and the hands of her tools."""

from typing import Final

from agentrollouts.adapters.cluster.resources import Ref
from tests.e2e.api import Api, Manifest
from tests.e2e.known import may
from tests.e2e.scene import Scene

DANA: Final = "dana@example.com"
_EDITS: Final = [
    {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["*"]},
    {"apiGroups": ["gateway.networking.k8s.io"], "resources": ["httproutes"], "verbs": ["*"]},
    {"apiGroups": ["agentrollouts.dev"], "resources": ["agentreleases", "agentrollouts"], "verbs": ["*"]},
]
"""What `edit` allows of our kinds and their children, with what the chart and the Gateway API add to it.

Nothing of a status.
"""


def dana_in(scene: Scene) -> Api:
    """Someone who may edit what is in this namespace, and waits until the API server knows that."""
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "edits-rollouts"},
        "rules": _EDITS,
    }
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "dana", "namespace": scene.namespace},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edits-rollouts"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": DANA}],
    }
    scene.api.apply(role, binding)
    dana = Api(scene.stack, DANA)
    may(scene, DANA, "patch", "configmaps")
    return dana


def metadata_of(scene: Scene, ref: Ref) -> Manifest:
    """The metadata of an object as it is now; empty if there is none."""
    metadata: Manifest = (scene.witness.now(ref) or {}).get("metadata", {})
    return metadata
