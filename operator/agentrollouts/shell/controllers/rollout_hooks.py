"""Hooks as the controller of rollouts sees them: what was read of their objects, and the creation of Jobs.

A failure here is an input of the next decision about hooks. It never delays a write of traffic, and never
becomes the problem of one.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Protocol

from agentrollouts.adapters.cluster.errors import UnavailableError
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.core.rollout.decision import Decision
from agentrollouts.core.rollout.observation import Observation
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
    """

    def __init__(self, cluster: Jobs, mark: Callable[[Ref], None]) -> None:
        self._reads = JobReads(cluster, mark)
        self._creations = Creations(cluster, self._reads.put)

    def seen(self, key: Ref, obs: Observation) -> Observation:
        """The same world, with what is known of its hooks."""
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
        """Create the Jobs of a decision; seconds until a failed creation has to be repeated.

        They rest on the status that this pass has written, or else on the persisted one, which is confirmed.

        Raises:
            ConflictError: that has changed; decide again.
            NotFoundError: the rollout is gone.
        """
        if decision.creations and decision.status is None:
            try:
                await confirm(manifest)
            except UnavailableError:
                return PAUSE_FIRST
        return await self._creations.create(key, decision.creations)

    def forget(self, key: Ref) -> None:
        """A rollout is gone or cannot be read."""
        self._reads.forget(key)
        self._creations.forget(key)

    def close(self) -> None:
        """Stop reading."""
        self._reads.close()
