"""An account that may read some of our kinds in one namespace, and nothing else."""

from typing import Any, Final

RBAC: Final = "rbac.authorization.k8s.io"
NAME: Final = "reader"


def a_reader(namespace: str, resource: str, *verbs: str) -> list[dict[str, Any]]:
    """The account `reader` with its Role; `*` names all our kinds."""
    metadata = {"name": NAME, "namespace": namespace}
    rules = [{"apiGroups": ["agentrollouts.dev"], "resources": [resource], "verbs": [*verbs]}]
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
        {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": metadata, "rules": rules},
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": NAME},
            "subjects": [{"kind": "ServiceAccount", **metadata}],
        },
    ]
