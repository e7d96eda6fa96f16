"""The Job of a hook: the template of its CronJob with the input in the environment of its containers.

Its name follows from the rollout, the attempt, the hook and the try, so that it is created at most once. Its
owner is the CronJob: deleting a rollout must not end a restore halfway.
"""

import copy
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from agentrollouts.api.names import ANNOTATION_HOOK_KEY, ANNOTATION_HOOK_OF, LABEL_HOOK
from agentrollouts.api.reasons import Reason
from agentrollouts.api.recovery.hooks import Hook, HookStatus
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.core.effects import Manifest, Problem

PREFIX: Final = "AGENTROLLOUTS_"
"""Beginning of the names of all variables of the operator."""
_NAME_LENGTH: Final = 36
"""Characters of a hook's name in the name of its Job, which has at most 63."""


def key_of(rollout: AgentRollout, entry: HookStatus) -> str:
    """The idempotency key of a hook: the same for every try."""
    return f"{attempt_key_of(rollout, entry)}/{entry.name}"


def attempt_key_of(rollout: AgentRollout, entry: HookStatus) -> str:
    """The key that all hooks of an attempt share: one names its result by it, and another finds it."""
    metadata = rollout.metadata
    return f"{metadata.namespace}/{metadata.name}/{metadata.uid[:5]}/{entry.attempt}"


def job_name(rollout: AgentRollout, entry: HookStatus, tries: int) -> str:
    """The name of the Job of a try."""
    identity = f"{rollout.metadata.uid}/{entry.attempt}/{entry.at}/{entry.name}/{tries}"
    short = entry.name[:_NAME_LENGTH].rstrip("-")
    return f"{short}-{entry.attempt}-{tries}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"


def unfit(hook: Hook, cron_job: Manifest | None, namespace: str) -> Problem | None:
    """Why a CronJob cannot be copied for a hook, and the command that corrects it."""
    name = hook.job.cron_job if hook.job else ""
    where = f"cronjob {name} --namespace={namespace}"
    if cron_job is None:
        text = f"CronJob {name} of hook {hook.name} does not exist; create it, suspended and with the label"
        return Problem(Reason.HOOK_UNFIT, f"{text} {LABEL_HOOK}=true")
    labels, spec = (cron_job.get("metadata") or {}).get("labels") or {}, cron_job.get("spec") or {}
    if labels.get(LABEL_HOOK) != "true":
        text = f"CronJob {name} of hook {hook.name} is not labeled as a hook; kubectl label {where}"
        return Problem(Reason.HOOK_UNFIT, f"{text} {LABEL_HOOK}=true")
    if spec.get("suspend") is not True:
        patch = '\'{"spec":{"suspend":true}}\''
        text = f"CronJob {name} of hook {hook.name} is not suspended, so it also runs by itself"
        return Problem(Reason.HOOK_UNFIT, f"{text}; kubectl patch {where} --patch={patch}")
    if taken := sorted(set(_taken(cron_job))):
        text = f"CronJob {name} of hook {hook.name} sets {', '.join(taken)}, which the operator sets"
        return Problem(Reason.HOOK_UNFIT, f"{text}; rename it: kubectl edit {where}")
    return None


def job_of(
    rollout: AgentRollout, hook: Hook, entry: HookStatus, cron_job: Manifest, variables: Mapping[str, str]
) -> Manifest:
    """The Job of the newest try of a hook.

    Args:
        rollout: The rollout.
        hook: The hook in its plan.
        entry: The hook in its status, with the name of the Job.
        cron_job: The CronJob, which can be copied.
        variables: The input, by the names of the variables without their prefix.
    """
    template, owner = cron_job["spec"]["jobTemplate"], cron_job["metadata"]
    metadata = template.get("metadata") or {}
    spec: dict[str, Any] = copy.deepcopy(dict(template["spec"]))
    spec["activeDeadlineSeconds"] = hook.timeout_seconds
    added = [{"name": f"{PREFIX}{name}", "value": text} for name, text in variables.items()]
    for container in spec["template"]["spec"]["containers"]:
        container["env"] = [*(container.get("env") or ()), *added]
    annotations = {ANNOTATION_HOOK_OF: owner["name"], ANNOTATION_HOOK_KEY: key_of(rollout, entry)}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": entry.job,
            "namespace": rollout.metadata.namespace,
            "labels": dict(metadata.get("labels") or {}),
            "annotations": {**(metadata.get("annotations") or {}), **annotations},
            "ownerReferences": [
                {
                    "apiVersion": "batch/v1",
                    "kind": "CronJob",
                    "name": owner["name"],
                    "uid": owner["uid"],
                    "controller": True,
                }
            ],
        },
        "spec": spec,
    }


def _taken(cron_job: Manifest) -> Iterator[str]:
    """Variables of the template whose names only the operator may use."""
    pod = cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    for container in (*pod["containers"], *(pod.get("initContainers") or ())):
        for variable in container.get("env") or ():
            if variable["name"].startswith(PREFIX):
                yield variable["name"]
