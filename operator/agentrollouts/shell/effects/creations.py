"""Creates the Jobs of hooks: the last thing that a pass over a rollout does.

Each is created by POST under its own name, so a try has one Job however often it is decided. A failure is an
input of the next decision about hooks and of nothing else. It is repeated with growing pauses, and no other
write waits for it.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol

from agentrollouts.adapters.cluster.errors import (
    AlreadyExistsError,
    ClusterError,
    ForbiddenError,
    InvalidError,
)
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.names import ANNOTATION_HOOK_KEY
from agentrollouts.api.reasons import Reason
from agentrollouts.core.effects import Creation, Problem

logger = logging.getLogger(__name__)

PAUSE_FIRST: Final = 0.5
PAUSE_LAST: Final = 10.0
"""Seconds before a failed creation is tried again; twice as long each time, up to this."""


class Writer(Protocol):
    """What is done to an API server; `adapters.cluster.client.Cluster` is one. All raise `ClusterError`."""

    async def get(self, ref: Ref) -> Manifest | None:
        """The object, or None when there is none."""

    async def create(self, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        """Create an object."""


class _Failure(NamedTuple):
    problem: Problem
    times: int
    until: float


class Creations:
    """The creations for all rollouts.

    Args:
        cluster: Where objects are created.
        created: Called with a rollout and each object that exists for it now.
    """

    def __init__(self, cluster: Writer, created: Callable[[Ref, Manifest], None]) -> None:
        self._cluster = cluster
        self._created = created
        self._failures: dict[Ref, _Failure] = {}

    def problem(self, key: Ref) -> Problem | None:
        """Why the last creation for a rollout failed; None if it did not."""
        failure = self._failures.get(key)
        return failure.problem if failure else None

    async def create(self, key: Ref, creations: Sequence[Creation]) -> float | None:
        """Create all objects, unless it is too soon after a failure; seconds until that has to be repeated.

        None if it does not.
        """
        if not creations:
            self._failures.pop(key, None)
            return None
        loop, before = asyncio.get_running_loop(), self._failures.get(key)
        if before is not None and (left := before.until - loop.time()) > 0:
            return left
        problems = [problem for each in creations if (problem := await self._create(key, each)) is not None]
        if not problems:
            self._failures.pop(key, None)
            return None
        times = before.times + 1 if before else 0
        pause = min(PAUSE_FIRST * 2.0 ** min(times, 10), PAUSE_LAST)
        self._failures[key] = _Failure(problems[0], times, loop.time() + pause)
        return pause

    def forget(self, key: Ref) -> None:
        """A rollout is gone or cannot be read."""
        self._failures.pop(key, None)

    async def _create(self, key: Ref, creation: Creation) -> Problem | None:
        manifest = dict(creation.manifest)
        ref = Ref.of(manifest)
        try:
            existing = await self._created_or_existing(ref, manifest)
        except ClusterError as error:
            logger.warning("%s", error)
            return Problem(_reason(error), str(error))
        if existing is None:
            return Problem(Reason.WRITE_FAILED, f"{ref} existed and was deleted; it is created again")
        if _key_of(existing) != _key_of(manifest):
            return Problem(Reason.NAME_TAKEN, f"{ref} exists and is not the Job of this hook; delete it")
        self._created(key, existing)
        return None

    async def _created_or_existing(self, ref: Ref, manifest: Manifest) -> Manifest | None:
        try:
            return await self._cluster.create(manifest)
        except AlreadyExistsError:
            return await self._cluster.get(ref)


def _reason(error: ClusterError) -> Reason:
    if isinstance(error, ForbiddenError):
        return Reason.FORBIDDEN
    return Reason.WRITE_REFUSED if isinstance(error, InvalidError) else Reason.WRITE_FAILED


def _key_of(manifest: Manifest) -> object:
    return (manifest["metadata"].get("annotations") or {}).get(ANNOTATION_HOOK_KEY)
