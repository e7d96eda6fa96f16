"""What hooks keep from beginning: an attempt waits for those before its traffic, and for earlier repairs.

Nothing that leads back to stable waits for a hook.
"""

from agentrollouts.api.attempt import State
from agentrollouts.api.reasons import Reason
from agentrollouts.api.recovery.hooks import ENDS, HookState, HookStatus, Moment, OnHookFailure
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.api.status import AgentRolloutStatus, ReleaseRecord
from agentrollouts.core.effects import Problem
from agentrollouts.core.recovery.hooks.job import unfit
from agentrollouts.core.recovery.hooks.plan import Hooks
from agentrollouts.core.recovery.hooks.step import ROLE
from agentrollouts.core.recovery.hooks.webhook import unpermitted
from agentrollouts.core.rights import with_command
from agentrollouts.core.rollout.commands import create_action
from agentrollouts.core.rollout.situation import Situation
from agentrollouts.core.states import is_pending


def hooks_of(s: Situation, starting: ReleaseRecord | None, after: AgentRolloutStatus) -> Hooks:
    """The hooks of the rollout in this decision.

    Args:
        s: What the decision rests on.
        starting: The release for whose beginning nothing but hooks is missing; None if there is none.
        after: The status after the move.
    """
    attempt = after.attempt
    return Hooks(
        rollout=s.obs.rollout,
        now=s.now,
        cron_jobs=s.obs.cron_jobs,
        jobs=s.obs.jobs,
        refused=s.obs.hook_problem,
        endpoints=s.obs.webhook_endpoints,
        responses=s.obs.responses,
        snapshots=s.obs.snapshots,
        starting=starting,
        is_fit=starting is None or _unfit(s) is None,
        pauses=attempt is not None and attempt.state is State.ROLLING_BACK,
    )


def unrepaired(s: Situation) -> Problem | None:
    """What is not repaired yet after an earlier rollback."""
    entries = [entry for entry in s.status.hooks if entry.at is Moment.AFTER_ROLLBACK]
    if failed := next((entry for entry in entries if _holds(s, entry)), None):
        return Problem(Reason.HOOK_FAILED, failure(s.obs.rollout, failed))
    left = next((entry for entry in entries if entry.state not in ENDS), None)
    return Problem(Reason.HOOKS_RUNNING, progress(left)) if left else None


def unprepared(s: Situation, record: ReleaseRecord) -> Problem | None:
    """Why a release cannot begin once nothing else is missing: a hook is unfit, or not over."""
    if not s.spec.hooks:
        return None
    if problem := _unfit(s):
        return problem
    attempt = s.status.attempt
    number = attempt.number if attempt and is_pending(s.status) and attempt.digest == record.digest else None
    entries = [e for e in s.status.hooks if (e.attempt, e.at) == (number, Moment.BEFORE_TRAFFIC)]
    if failed := next((entry for entry in entries if _holds(s, entry)), None):
        return Problem(Reason.HOOK_FAILED, failure(s.obs.rollout, failed))
    if left := next((entry for entry in entries if entry.state not in ENDS), None):
        return Problem(Reason.HOOKS_RUNNING, progress(left))
    names = [hook.name for hook in s.spec.hooks if hook.at is Moment.BEFORE_TRAFFIC]
    if names and not entries:
        return Problem(Reason.HOOKS_RUNNING, f"{record.release} gets traffic after {', '.join(names)}")
    return None


def failure(rollout: AgentRollout, entry: HookStatus) -> str:
    """What failed, and the commands that end the wait."""
    redo = create_action(rollout, "redo-hook", entry.attempt, hook=entry.name)
    waive = create_action(rollout, "waive-hook", entry.attempt, hook=entry.name)
    return (
        f"Hook {entry.name} of attempt {entry.attempt} failed: {entry.message}; to run it again: {redo}; to "
        f"continue without it: {waive}"
    )


def progress(entry: HookStatus) -> str:
    """What a hook that has not ended does."""
    why = f": {entry.message}" if entry.message else ""
    return f"Hook {entry.name} of attempt {entry.attempt} {_doing(entry)}{why}"


def what_runs(entry: HookStatus) -> str:
    """The Job or the request of the newest try."""
    return f"a request to endpoint {entry.webhook.endpoint}" if entry.webhook else f"Job {entry.job}"


def _doing(entry: HookStatus) -> str:
    if entry.state is HookState.RUNNING:
        return f"runs as {what_runs(entry)}"
    next_time = entry.webhook.next_time if entry.webhook else None
    return f"waits for its next request at {next_time:%H:%M:%S} UTC" if next_time else "waits to be started"


def _holds(s: Situation, entry: HookStatus) -> bool:
    """Whether a hook failed, and the plan still has it and lets nothing go forward then."""
    named = next((hook for hook in s.spec.hooks if (hook.name, hook.at) == (entry.name, entry.at)), None)
    return entry.state is HookState.FAILED and named is not None and named.on_failure is OnHookFailure.HOLD


def _unfit(s: Situation) -> Problem | None:
    """The first hook that could not run, before it is needed."""
    return _uncallable(s) or _uncopied(s)


def _uncallable(s: Situation) -> Problem | None:
    """The first endpoint that webhooks of the namespace may not use."""
    namespace = s.obs.rollout.metadata.namespace
    found = (unpermitted(hook, s.obs.webhook_endpoints, namespace) for hook in s.spec.hooks)
    return next(filter(None, found), None)


def _uncopied(s: Situation) -> Problem | None:
    """The first CronJob that cannot be copied, before it is needed: nothing starts without its repair."""
    namespace = s.obs.rollout.metadata.namespace
    for hook in s.spec.hooks:
        if hook.job is None:
            continue
        name = hook.job.cron_job
        if name not in s.obs.cron_jobs:
            return Problem(Reason.HOOKS_RUNNING, f"CronJob {name} of hook {hook.name} has not been read yet")
        found = s.obs.cron_jobs[name]
        if isinstance(found, Problem):
            return with_command(found, namespace, ROLE)
        if problem := unfit(hook, found, namespace):
            return problem
    return None
