"""The machine of one hook: from what is known of its Job or request to its next entry in the status.

The order of writes is: intent in the status, then the Job by its name, then its UID in the status, then its
end in the status. So after a crash the next process knows which Job might exist, and finds it by its name.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from agentrollouts.api.names import ANNOTATION_HOOK_KEY
from agentrollouts.api.recovery.hooks import HookState, HookStatus
from agentrollouts.core.effects import Manifest, Problem
from agentrollouts.core.recovery.hooks.job import job_name, key_of, unfit
from agentrollouts.core.recovery.hooks.view import View, ended
from agentrollouts.core.recovery.hooks.webhook import requested, watched
from agentrollouts.core.rights import with_command

TRIES: Final = 2
"""Jobs of one series. An action of type RedoHook grants another series."""
POD_TIME: Final = timedelta(seconds=30)
"""Time after which a Job without a pod is reported."""
_COUNTS: Final = ("active", "succeeded", "failed", "terminating")
"""Fields of a Job's status that count its pods."""
ROLE: Final = "hooks"
"""Role of the chart that a namespace must bind, without the name of the operator."""


def stepped(entry: HookStatus, view: View) -> HookStatus:
    """The entry after the next step; the same value while there is nothing to note."""
    if entry.state is HookState.WAITING:
        return _started(entry, view)
    if entry.state is HookState.RUNNING:
        return watched(entry, entry.webhook, view) if entry.webhook else _watched(entry, view)
    return entry


def is_missing(entry: HookStatus, view: View) -> bool:
    """Whether the Job of the newest try is known not to exist, and has never been seen."""
    is_intended = entry.state is HookState.RUNNING and entry.job_uid is None and entry.job in view.jobs
    return is_intended and view.jobs[entry.job or ""] is None


def _started(entry: HookStatus, view: View) -> HookStatus:
    """The intent, if the CronJob can be copied."""
    if view.hook is None or not view.is_current:
        return ended(entry, view, HookState.NOT_NEEDED)
    if view.hook.job is None:
        return requested(entry, view, view.hook)
    name = view.hook.job.cron_job
    if name not in view.cron_jobs:
        return entry
    found = view.cron_jobs[name]
    if isinstance(found, Problem):
        return _waiting(entry, view, found)
    if why := unfit(view.hook, found, view.rollout.metadata.namespace):
        return ended(entry, view, HookState.FAILED, why.message)
    return _tried(entry, view, entry.tries + entry.tries % TRIES)  # an odd number begins a series


def _watched(entry: HookStatus, view: View) -> HookStatus:
    job = view.jobs.get(entry.job or "", entry)
    if isinstance(job, HookStatus):
        return entry  # it has not been read
    if isinstance(job, Problem):
        return _waiting(entry, view, job)
    if job is None:
        return _vanished(entry, view) if entry.job_uid else _absent(entry, view)
    return _seen(entry, view, job)


def _seen(entry: HookStatus, view: View, job: Manifest) -> HookStatus:
    metadata = job.get("metadata") or {}
    if (metadata.get("annotations") or {}).get(ANNOTATION_HOOK_KEY) != key_of(view.rollout, entry):
        return _failed(entry, view, f"Job {entry.job} exists, and was not made for this hook; delete it")
    if entry.job_uid is None:
        return entry.copy_with(job_uid=str(metadata.get("uid") or entry.job)[:64], message="")
    if _has(job, "Complete"):
        return ended(entry, view, HookState.SUCCEEDED)
    if failure := _has(job, "Failed"):
        return _failed(entry, view, _why(entry, view, job, failure))
    message = _podless(entry, view, job)
    return entry if message == entry.message else entry.replace(message=message)


def _podless(entry: HookStatus, view: View, job: Manifest) -> str:
    """That a Job has no pod yet, once it should have; only the Events of the Job say why."""
    if entry.start_time is None or view.now < entry.start_time + POD_TIME or _had_pods(job):
        return ""
    command = f"kubectl describe job/{entry.job} --namespace={view.rollout.metadata.namespace}"
    return f"Job {entry.job} has no pod, as if a quota or a LimitRange refuses it; see {command}"


def _had_pods(job: Manifest) -> bool:
    status = job.get("status") or {}
    return any(status.get(count) for count in _COUNTS)


def _absent(entry: HookStatus, view: View) -> HookStatus:
    """Its Job does not exist yet: it will be created, unless that is impossible now."""
    if view.hook is None or view.hook.job is None:
        return ended(entry, view, HookState.NOT_NEEDED)
    found = view.cron_jobs.get(view.hook.job.cron_job, view.refused)
    if view.hook.job.cron_job in view.cron_jobs and not isinstance(found, Problem):
        if why := unfit(view.hook, found, view.rollout.metadata.namespace):
            return ended(entry, view, HookState.FAILED, why.message)
        found = view.refused
    return _waiting(entry, view, found) if isinstance(found, Problem) else entry


def _vanished(entry: HookStatus, view: View) -> HookStatus:
    return _failed(entry, view, f"Job {entry.job} is gone, and it is unknown whether it succeeded")


def _failed(entry: HookStatus, view: View, message: str) -> HookStatus:
    """The next try, or the end of the series."""
    is_planned = view.hook is not None and view.hook.job is not None
    is_spent = entry.tries % TRIES == 0 or not is_planned or not view.is_current
    return ended(entry, view, HookState.FAILED, message) if is_spent else _tried(entry, view, entry.tries)


def _tried(entry: HookStatus, view: View, before: int) -> HookStatus:
    tries = before + 1
    return entry.copy_with(
        state=HookState.RUNNING,
        tries=tries,
        job=job_name(view.rollout, entry, tries),
        job_uid=None,
        webhook=None,
        start_time=view.now,
        end_time=None,
        message="",
    )


def _waiting(entry: HookStatus, view: View, problem: Problem) -> HookStatus:
    """The reason of a wait is noted once, and not again whenever its wording changes."""
    if entry.message:
        return entry
    return entry.replace(message=with_command(problem, view.rollout.metadata.namespace, ROLE).message)


def _has(job: Manifest, kind: str) -> Mapping[str, Any] | None:
    conditions = (job.get("status") or {}).get("conditions") or ()
    return next((c for c in conditions if c.get("type") == kind and c.get("status") == "True"), None)


def _why(entry: HookStatus, view: View, job: Manifest, condition: Mapping[str, Any]) -> str:
    what = condition.get("message") or condition.get("reason") or "no reason is given"
    verb = "logs" if _had_pods(job) else "describe"
    command = f"kubectl {verb} job/{entry.job} --namespace={view.rollout.metadata.namespace}"
    return f"Job {entry.job} failed: {what}; see {command}"
