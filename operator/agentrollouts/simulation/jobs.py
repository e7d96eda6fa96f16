"""Jobs of hooks in virtual time: they take a while, and then they have succeeded or failed.

Beside `cluster` in the simulated world. A CronJob that no one described is there, and fit to be copied.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from agentrollouts.api.names import ANNOTATION_HOOK_OF, LABEL_HOOK
from agentrollouts.core.effects import Manifest, Problem
from agentrollouts.core.recovery.hooks.reads import HookReads

JOB_SECONDS: Final = 30.0
Found = Manifest | Problem | None


def a_cron_job(name: str, **spec: Any) -> Manifest:  # noqa: ANN401 any value of JSON
    """A CronJob that can be copied for a hook."""
    pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "registry.example/repair:1"}]}
    template = {"spec": {"backoffLimit": 2, "template": {"spec": pod}}}
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": name, "uid": f"uid-of-{name}", "labels": {LABEL_HOOK: "true"}},
        "spec": {"schedule": "0 0 31 2 *", "suspend": True, "jobTemplate": template, **spec},
    }


@dataclass
class Jobs:
    """The CronJobs and Jobs of a namespace."""

    cron_jobs: dict[str, Found] = field(default_factory=dict)
    """CronJobs that are not as a hook needs them, by name."""
    seconds: float = JOB_SECONDS
    """How long a Job takes."""
    succeeds: Callable[[Manifest], bool] = lambda _: True
    made: dict[str, tuple[datetime, Manifest]] = field(default_factory=dict)
    """Jobs that are there, and when they were created."""
    created: list[Manifest] = field(default_factory=list)
    """All that ever were, in their order."""
    requests: int = 0
    """Objects that were read."""

    def cron_job(self, name: str) -> Found:
        """A CronJob as the API server has it."""
        return self.cron_jobs[name] if name in self.cron_jobs else a_cron_job(name)

    def job(self, name: str, now: datetime) -> Found:
        """A Job as the API server has it."""
        if name not in self.made:
            return None
        begun, manifest = self.made[name]
        if now < begun + timedelta(seconds=self.seconds):
            return manifest
        kind = "Complete" if self.succeeds(manifest) else "Failed"
        return {
            **manifest,
            "status": {"conditions": [{"type": kind, "status": "True", "reason": "Simulated"}]},
        }

    def read(self, reads: HookReads, now: datetime) -> tuple[dict[str, Found], dict[str, Found]]:
        """What an observation has of what a decision needs."""
        self.requests += len(reads.cron_jobs) + len(reads.jobs)
        cron_jobs = {name: self.cron_job(name) for name in sorted(reads.cron_jobs)}
        return cron_jobs, {name: self.job(name, now) for name in sorted(reads.jobs)}

    def create(self, manifest: Manifest, now: datetime) -> bool:
        """Create a Job; one that is there already counts as created. Returns whether it is new."""
        metadata = manifest["metadata"]
        if metadata["name"] in self.made:
            return False
        uid = f"uid-of-{metadata['name']}"
        self.made[metadata["name"]] = now, {**manifest, "metadata": {**metadata, "uid": uid}}
        self.created.append(manifest)
        return True

    def of(self, cron_job: str) -> list[Manifest]:
        """All Jobs that were ever made of a CronJob."""
        return [job for job in self.created if job["metadata"]["annotations"][ANNOTATION_HOOK_OF] == cron_job]
