"""Hooks of a lane: the CronJobs, the right to copy them, and what a Job controller would write.

The sandbox has no nodes, so a course completes the Jobs, in a step of its own.
"""

from datetime import UTC, datetime
from typing import Any, Final

from campaigns.cluster.lanes.recorder import Manifest
from testkit.hooks import a_cron_job, hook_rights

KEEP: Final = "keep"
REPAIR: Final = "repair"
_POD: Final = {
    "restartPolicy": "Never",
    "containers": [{"name": "main", "image": "registry.example/repair:1"}],
}
_BATCH: Final = "/apis/batch/v1/namespaces"
_RIGHTS: Final = "/apis/rbac.authorization.k8s.io/v1/namespaces"


def hooks(namespace: str, operator: str, at_home: str) -> dict[str, Manifest]:
    """What a namespace needs for hooks, by path.

    Args:
        namespace: Where the rollouts are.
        operator: Name of the operator and of its account.
        at_home: The operator's own namespace.
    """
    binding = hook_rights(namespace, operator, at_home)
    path = f"{_RIGHTS}/{namespace}/rolebindings/{operator}-hooks"
    jobs = f"{_BATCH}/{namespace}/cronjobs"
    made = {f"{jobs}/{name}": a_cron_job(namespace, name, _POD) for name in (KEEP, REPAIR)}
    return {path: binding, **made}


def path_of(job: Manifest) -> str:
    """Where a Job is."""
    metadata = job["metadata"]
    return f"{_BATCH}/{metadata['namespace']}/jobs/{metadata['name']}"


def is_over(job: Manifest) -> bool:
    """Whether it has ended."""
    conditions = (job.get("status") or {}).get("conditions") or ()
    return any(each["type"] in {"Complete", "Failed"} and each["status"] == "True" for each in conditions)


def completed(job: Manifest) -> dict[str, Any]:
    """The change of its status as soon as its pod has succeeded."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    begun = (job.get("status") or {}).get("startTime") or now
    times = {"lastProbeTime": now, "lastTransitionTime": now}
    kinds = ("SuccessCriteriaMet", "Complete")
    conditions = [{"type": kind, "status": "True", "reason": "CompletionsReached", **times} for kind in kinds]
    ended = {"startTime": begun, "completionTime": now, "succeeded": 1, "active": 0}
    return {"status": {**ended, "uncountedTerminatedPods": {}, "conditions": conditions}}
