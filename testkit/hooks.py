"""CronJobs from which Jobs of hooks are copied, and the right to copy them, as a team would apply them."""

from collections.abc import Mapping
from typing import Any


def a_cron_job(namespace: str, name: str, pod: Mapping[str, Any]) -> dict[str, Any]:
    """A labeled, suspended CronJob with this spec of its pods, each of which is tried once."""
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": name, "namespace": namespace, "labels": {"agentrollouts.dev/hook": "true"}},
        "spec": {
            "schedule": "0 0 31 2 *",
            "suspend": True,
            "jobTemplate": {"spec": {"backoffLimit": 0, "template": {"spec": pod}}},
        },
    }


def hook_rights(namespace: str, operator: str, at_home: str) -> dict[str, Any]:
    """The RoleBinding by which a namespace permits Jobs of hooks.

    Args:
        namespace: Where the rollouts are.
        operator: Name of the operator and of its account.
        at_home: The operator's own namespace.
    """
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": f"{operator}-hooks"}
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": f"{operator}-hooks", "namespace": namespace},
        "roleRef": role,
        "subjects": [{"kind": "ServiceAccount", "name": operator, "namespace": at_home}],
    }
