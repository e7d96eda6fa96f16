"""Which hook is due, what must be read for it, and what is left to do.

Hooks of a rollback are noted in the status write that makes its window final; hooks before traffic, once
nothing else is in the way of the attempt. Then one step of one hook follows another. A rollout at rest with
hooks that have ended needs nothing to be read.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from agentrollouts.api.attempt import Trigger
from agentrollouts.api.objects import ObjectMeta
from agentrollouts.api.recovery.hooks import (
    ENDS,
    MAX_HOOK_STATES,
    Hook,
    HookState,
    HookStatus,
    Moment,
    cron_jobs_of,
)
from agentrollouts.api.recovery.tools import tools_of
from agentrollouts.api.rollback import Rollback
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.api.status import AgentRolloutStatus, ReleaseRecord
from agentrollouts.core.effects import Creation, Problem
from agentrollouts.core.recovery.hooks.input import bad_release, variables
from agentrollouts.core.recovery.hooks.job import job_of, unfit
from agentrollouts.core.recovery.hooks.reads import NO_READS, HookReads
from agentrollouts.core.recovery.hooks.response import Call, Responses
from agentrollouts.core.recovery.hooks.scope import without_work
from agentrollouts.core.recovery.hooks.step import is_missing, stepped
from agentrollouts.core.recovery.hooks.view import Objects, View
from agentrollouts.core.recovery.hooks.webhook import call_of
from agentrollouts.core.states import is_pending

SOON: Final = timedelta(seconds=2)
"""When to look again while a hook has just begun, or is about to."""
PART: Final = 10
"""While a hook runs, its Job is looked at again after this part of the time for which it has run: a hook that
hangs costs little, and its end is seen late by a tenth at most."""
LATER: Final = timedelta(seconds=30)
"""When to look again at what cannot be read or created, and at the latest at a Job that runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """The hooks of one rollout in one decision."""

    rollout: AgentRollout
    """With the persisted status."""
    now: datetime
    cron_jobs: Objects
    jobs: Objects
    refused: Problem | None
    """Why the last creation of a Job failed."""
    endpoints: frozenset[str] | None = None
    """Endpoints that webhooks of the namespace may use; None if all."""
    responses: Responses = field(default_factory=dict)
    """What became of the requests of webhooks."""
    snapshots: Mapping[str, ObjectMeta] = field(default_factory=dict)
    """Those of the agent, by name, which say what tools a release has."""
    starting: ReleaseRecord | None = None
    """The release that begins as soon as the hooks before its traffic have ended."""
    is_fit: bool = True
    """Whether everything that the plan runs is known to be usable. Until then no hook before traffic starts,
    so that none fails for what the attempt waits for."""
    pauses: bool = False
    """Whether a rollback is not on the route yet. Until then no Job is looked at: none can delay it."""

    def after(self, status: AgentRolloutStatus) -> AgentRolloutStatus:
        """The next status with its hooks; the same value if nothing changes."""
        entries = self.noted(status)
        return status if entries is status.hooks else status.copy_with(hooks=entries)

    def noted(self, after: AgentRolloutStatus) -> tuple[HookStatus, ...]:
        """The entries of the next status; the same value if nothing changes.

        Args:
            after: The next status but for this, with what people requested of hooks.
        """
        if self.pauses or (not after.hooks and not self.rollout.spec.hooks):
            return after.hooks
        if after.hooks != self.rollout.status.hooks:  # an action is taken: its effect is a write by itself
            return after.hooks
        due = (*self._repairs(after), *self._preparations(after))
        if due:
            return trimmed((*after.hooks, *due))
        return self._stepped(after)

    def reads(self, after: AgentRolloutStatus) -> HookReads:
        """What the decision after this one needs to know.

        Args:
            after: The next status.
        """
        if self.pauses:
            return NO_READS
        cron_jobs, jobs = set[str](), set[str]()
        if self.starting:
            cron_jobs |= {*cron_jobs_of(self.rollout.spec.hooks)}
        entry = self._current(after)
        if entry and entry.job and entry.state is HookState.RUNNING:
            jobs.add(entry.job)
        hook = self._hook(entry) if entry else None
        is_uncreated = entry is not None and (entry.state is HookState.WAITING or entry.job_uid is None)
        if hook and hook.job and is_uncreated:
            cron_jobs.add(hook.job.cron_job)
        return HookReads(frozenset(cron_jobs), frozenset(jobs))

    def creations(self) -> Iterator[Creation]:
        """The Job of the newest try, if the persisted status has it and the API server does not."""
        entry = None if self.pauses else self._current(self.rollout.status)
        hook = self._hook(entry) if entry else None
        if entry is None or hook is None or hook.job is None:
            return
        if not is_missing(entry, self._view(entry, self.rollout.status)):
            return
        cron_job = self.cron_jobs.get(hook.job.cron_job)
        if cron_job is None or isinstance(cron_job, Problem):
            return
        given = variables(self.rollout, entry, self.starting, self.snapshots)
        if given and unfit(hook, cron_job, self.rollout.metadata.namespace) is None:
            yield Creation(job_of(self.rollout, hook, entry, cron_job, given))

    def calls(self) -> Iterator[Call]:
        """The request of the newest try, if the persisted status has it and no response is known."""
        entry = None if self.pauses else self._current(self.rollout.status)
        if entry is None or entry.webhook is None:
            return
        given = variables(self.rollout, entry, self.starting, self.snapshots)
        call = call_of(self.rollout, self._hook(entry), entry, given["JSON"]) if given else None
        if call and call.key not in self.responses:
            yield call

    def until(self, reads: HookReads, after: AgentRolloutStatus) -> datetime | None:
        """When to look again; None while nothing is left to do.

        Args:
            reads: What the next decision needs to know.
            after: The next status.
        """
        times = (self._call_time(after), self._read_time(reads, after) if reads else None)
        return min(filter(None, times), default=None)

    def _read_time(self, reads: HookReads, after: AgentRolloutStatus) -> datetime:
        seen = [self.jobs.get(name) for name in reads.jobs]
        seen += [self.cron_jobs.get(name) for name in reads.cron_jobs]
        is_stuck = self.refused is not None or any(isinstance(each, Problem) for each in seen)
        is_stuck = is_stuck or not (reads.jobs or reads.without(self.cron_jobs, self.jobs))
        return self.now + (LATER if is_stuck else self._soon(self._current(after)))

    def _soon(self, entry: HookStatus | None) -> timedelta:
        if entry is None or entry.start_time is None or entry.job_uid is None:
            return SOON
        return min(LATER, max(SOON, (self.now - entry.start_time) / PART))

    def _call_time(self, after: AgentRolloutStatus) -> datetime | None:
        """When the next request is due, or the one in progress might have been forgotten."""
        entry = None if self.pauses else self._current(after)
        if entry is None or entry.webhook is None:
            return None
        return entry.webhook.next_time or self.now + LATER

    def _repairs(self, after: AgentRolloutStatus) -> Iterator[HookStatus]:
        """The hooks of a rollback whose window has just become final."""
        attempt, before, window = after.attempt, self.rollout.status.affected_window, after.affected_window
        if window is None or attempt is None or not window.is_final or window.attempt != attempt.number:
            return
        was_final = before is not None and before.attempt == window.attempt and before.is_final
        if was_final or not repairs_after(self.rollout.spec.rollback, attempt.trigger):
            return
        yield from self._new(attempt.number, Moment.AFTER_ROLLBACK, after)

    def _preparations(self, after: AgentRolloutStatus) -> Iterator[HookStatus]:
        """The hooks before the traffic of the pending attempt, once it waits for nothing else."""
        attempt = after.attempt
        if self.starting is None or not self.is_fit or attempt is None or not is_pending(after):
            return
        if attempt.digest == self.starting.digest:
            yield from self._new(attempt.number, Moment.BEFORE_TRAFFIC, after)

    def _new(self, number: int, at: Moment, after: AgentRolloutStatus) -> Iterator[HookStatus]:
        if any((entry.attempt, entry.at) == (number, at) for entry in after.hooks):
            return
        for hook in self.rollout.spec.hooks:
            if hook.at is at:
                yield self._first(hook, HookStatus(attempt=number, name=hook.name, at=at), after)

    def _first(self, hook: Hook, entry: HookStatus, after: AgentRolloutStatus) -> HookStatus:
        """The entry of a hook that is noted now, with its end if there is nothing for it to repair."""
        bad = bad_release(after, entry.attempt)
        tools = tools_of(self.snapshots.get(bad.snapshot)) if bad else None
        why = without_work(hook, bad.release, tools) if bad else ""
        if not why:
            return entry
        return entry.replace(state=HookState.NOT_NEEDED, end_time=self.now, message=why)

    def _stepped(self, after: AgentRolloutStatus) -> tuple[HookStatus, ...]:
        entry = self._current(after)
        step = stepped(entry, self._view(entry, after)) if entry else entry
        if step is entry:
            return after.hooks
        return tuple(step if each is entry and step else each for each in after.hooks)

    def _current(self, status: AgentRolloutStatus) -> HookStatus | None:
        """The hook whose turn it is: the one that runs, or the first that may start."""
        left = [entry for entry in status.hooks if entry.state not in ENDS]
        running = next((entry for entry in left if entry.state is HookState.RUNNING), None)
        return running or next((entry for entry in left if self._may_start(entry, status)), None)

    def _may_start(self, entry: HookStatus, status: AgentRolloutStatus) -> bool:
        """Whether a waiting hook starts now, or is not needed anymore."""
        if entry.at is Moment.AFTER_ROLLBACK or not self._is_current(entry, status):
            return True
        return self.starting is not None and self.is_fit

    def _is_current(self, entry: HookStatus, status: AgentRolloutStatus) -> bool:
        """Whether something still depends on the hook; a hook before traffic ends with its attempt."""
        number = status.attempt.number if status.attempt and is_pending(status) else None
        return entry.at is Moment.AFTER_ROLLBACK or entry.attempt == number

    def _hook(self, entry: HookStatus) -> Hook | None:
        named = ((hook.name, hook.at) for hook in self.rollout.spec.hooks)
        index = next((i for i, each in enumerate(named) if each == (entry.name, entry.at)), None)
        return None if index is None else self.rollout.spec.hooks[index]

    def _view(self, entry: HookStatus, status: AgentRolloutStatus) -> View:
        return View(
            rollout=self.rollout,
            hook=self._hook(entry),
            is_current=self._is_current(entry, status),
            cron_jobs=self.cron_jobs,
            jobs=self.jobs,
            refused=self.refused,
            now=self.now,
            endpoints=self.endpoints,
            responses=self.responses,
        )


def repairs_after(plan: Rollback, trigger: Trigger | None) -> bool:
    """Whether hooks run after a rollback with this cause."""
    return trigger is not None and trigger.value in {cause.value for cause in plan.hooks_after}


def trimmed(entries: tuple[HookStatus, ...]) -> tuple[HookStatus, ...]:
    """The newest entries, and older ones before them that have not ended or that failed."""
    excess = len(entries) - MAX_HOOK_STATES
    if excess <= 0:
        return entries
    ranks = {HookState.RUNNING: 3, HookState.WAITING: 2, HookState.FAILED: 1}
    by_need = sorted(range(len(entries)), key=lambda index: (ranks.get(entries[index].state, 0), index))
    dropped = set(by_need[:excess])
    return tuple(entry for index, entry in enumerate(entries) if index not in dropped)
