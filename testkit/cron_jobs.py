"""CronJobs from which Jobs of hooks are copied, as a team would apply them."""

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
