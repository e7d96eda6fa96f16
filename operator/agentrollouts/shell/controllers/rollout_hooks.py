"""Hooks as the controller of rollouts sees them: what is known of their Jobs and requests, and new ones.

A failure here is an input of the next decision about hooks. It never delays a write of traffic, and never
becomes the problem of one.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Protocol, Self

from agentrollouts.adapters.cluster.errors import UnavailableError
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.adapters.webhook.client import Client
from agentrollouts.core.rollout.decision import Decision
from agentrollouts.core.rollout.observation import Observation
from agentrollouts.settings.hooks import HookSettings
from agentrollouts.shell.effects.calls import Calls
from agentrollouts.shell.effects.creations import PAUSE_FIRST, Creations
from agentrollouts.shell.inputs.jobs import JobReads


class Jobs(Protocol):
    """The API server as needed here; `adapters.cluster.client.Cluster` implements it."""

    async def get(self, ref: Ref) -> Manifest | None:
        """The object, or None when there is none. Raises `ClusterError`."""

    async def create(self, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        """Create an object. Raises `ClusterError`."""


class RolloutHooks:
    """The hooks of all rollouts.

    Args:
        cluster: Where CronJobs and Jobs are.
        mark: Called for every rollout whose decision about hooks can be another one now.
        calls: The requests of webhooks.
    """

    def __init__(self, cluster: Jobs, mark: Callable[[Ref], None], calls: Calls) -> None:
        self._calls = calls
        self._reads = JobReads(cluster, mark)
        self._creations = Creations(cluster, self._reads.put)

    @classmethod
    def over(cls, cluster: Jobs, mark: Callable[[Ref], None], settings: HookSettings) -> Self:
        """With requests to real endpoints."""
        return cls(cluster, mark, Calls(settings, mark, Client()))

    def replace(self, settings: HookSettings) -> None:
        """Use these settings from now on."""
        self._calls.replace(settings)

    def seen(self, key: Ref, obs: Observation) -> Observation:
        """The same world, with what is known of its hooks."""
        if responses := self._calls.responses(key):
            obs = replace(obs, responses=responses)
        if any(hook.webhook for hook in obs.rollout.spec.hooks):
            obs = replace(obs, webhook_endpoints=self._calls.endpoints(key.namespace))
        problem = self._creations.problem(key)
        cron_jobs, jobs = self._reads.cron_jobs(key), self._reads.jobs(key)
        if not cron_jobs and not jobs and problem is None:
            return obs
        return replace(obs, cron_jobs=cron_jobs, jobs=jobs, hook_problem=problem)

    def follow(self, key: Ref, decision: Decision) -> None:
        """Read what a decision depends on, without waiting for it."""
        self._reads.follow(key, decision.hook_reads)

    async def create(
        self, key: Ref, manifest: Manifest, decision: Decision, confirm: Callable[[Manifest], Awaitable[None]]
    ) -> float | None:
        """Create the Jobs of a decision, and begin its requests; seconds until a failure has to be repeated.

        They rest on the status that this pass has written, or else on the persisted one, which is confirmed.

        Raises:
            ConflictError: that has changed; decide again.
            NotFoundError: the rollout is gone.
        """
        calls = [call for call in decision.calls if not self._calls.is_made(key, call)]
        if (decision.creations or calls) and decision.status is None:
            try:
                await confirm(manifest)
            except UnavailableError:
                return PAUSE_FIRST
        for call in calls:
            self._calls.make(key, call)
        return await self._creations.create(key, decision.creations)

    def forget(self, key: Ref) -> None:
        """A rollout is gone or cannot be read."""
        self._reads.forget(key)
        self._creations.forget(key)
        self._calls.forget(key)

    def close(self) -> None:
        """Stop reading and calling."""
        self._reads.close()
        self._calls.close()
