"""Hooks: CronJobs from which Jobs are copied, the right to copy them, and the rule of each decision."""

from collections.abc import Mapping
from typing import Any

from agentrollouts.api.recovery.hooks import HookState, Moment
from agentrollouts.api.status import AgentRolloutStatus


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


def check_hooks(before: AgentRolloutStatus, after: AgentRolloutStatus) -> None:
    """No hook before traffic is started while the traffic goes elsewhere: nothing begins then."""
    new = _started(after) - _started(before)
    assert not (new and before.detour and after.detour), f"{new} started in detour {after.detour}"


def _started(status: AgentRolloutStatus) -> frozenset[tuple[int, str]]:
    """The hooks before traffic that run, by attempt and name."""
    entries = (each for each in status.hooks if each.at is Moment.BEFORE_TRAFFIC)
    return frozenset((each.attempt, each.name) for each in entries if each.state is HookState.RUNNING)
