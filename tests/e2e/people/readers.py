"""People who open the page: one who may look, and one who may act. ServiceAccounts have the same rights."""

from typing import Final

from tests.e2e.known import may
from tests.e2e.scene import Scene

VIEWER: Final = "vera@example.com"
EDITOR: Final = "emil@example.com"
LOOKS: Final = "looks"
ACTS: Final = "acts"
"""Names of the ServiceAccounts, whose tokens the page in the cluster gets."""
_OURS: Final = ["agentreleases", "agentrollouts", "agentrolloutactions", "agentrolloutrecords"]
_LOOK: Final = [
    {"apiGroups": ["agentrollouts.dev"], "resources": _OURS, "verbs": ["get", "list", "watch"]},
    {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]},
]
_ACT: Final = [
    {"apiGroups": ["agentrollouts.dev"], "resources": ["agentrolloutactions"], "verbs": ["create"]},
    {"apiGroups": ["agentrollouts.dev"], "resources": ["agentrollouts"], "verbs": ["rollback", "hold"]},
]


def readers_in(scene: Scene) -> None:
    """Give both their rights in this namespace, and wait until they have them."""
    for name, user, rules in ((LOOKS, VIEWER, _LOOK), (ACTS, EDITOR, _LOOK + _ACT)):
        role = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": f"page-{name}"},
            "rules": rules,
        }
        binding = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": name, "namespace": scene.namespace},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": f"page-{name}",
            },
            "subjects": [
                {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user},
                {"kind": "ServiceAccount", "name": name, "namespace": scene.namespace},
            ],
        }
        within = {"name": name, "namespace": scene.namespace}
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": within}
        scene.api.apply(role, binding, account)
    may(scene, VIEWER, "get", "configmaps")
    may(scene, EDITOR, "create", "agentrolloutactions.agentrollouts.dev")
