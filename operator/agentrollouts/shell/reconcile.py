"""The workers: they take dirty keys from the queue and give each to the controller of its kind.

A pass that changed something is followed by another, until nothing is left to do. A failed one is repeated
with growing pauses and delays no other object.
"""

import asyncio
import logging
from collections.abc import Mapping
from math import ceil
from operator import attrgetter
from typing import Final

from agentrollouts.adapters.cluster.errors import ClusterError, ConflictError, NotFoundError
from agentrollouts.adapters.cluster.resources import Ref
from agentrollouts.adapters.cluster.slots import CALLER, Caller
from agentrollouts.shell.cache import Cache
from agentrollouts.shell.controllers.controller import Controller
from agentrollouts.shell.effects.writes import PAUSE_ROLLBACK
from agentrollouts.shell.relations import ROLLOUT
from agentrollouts.shell.workqueue import Shares, WorkQueue
from agentrollouts.telemetry import Telemetry

logger = logging.getLogger(__name__)

PAUSE_FIRST: Final = 0.5
"""Seconds before the first retry; each further one waits twice as long."""
PAUSE_LAST: Final = 30.0
"""Seconds between retries at the most."""

SPARE_WORKERS: Final = 8
"""Workers beside those of the settings, which are the most that one namespace can have."""

HANGING_WORKERS: Final = 64
"""Workers beside all these, as many as can be at objects whose writes hang. They take none of the others."""

PATIENT_PART: Final = 1 / 4
"""Part of the workers of the settings that can be at objects that can wait. More would finish no sooner, as
there is one processor, and each would take the event loop from a rollback."""


def workers_of(workers: int) -> int:
    """How many workers there are, by the settings."""
    return workers + SPARE_WORKERS + HANGING_WORKERS


def shares_of(workers: int, cache: Cache) -> Shares[Ref]:
    """How the workers are shared by namespaces."""
    return Shares(
        tenant_of=attrgetter("namespace"),
        is_urgent=cache.is_urgent,
        of_tenant=workers,
        not_urgent=max(1, ceil(workers * PATIENT_PART)),
        at_a_time=workers + SPARE_WORKERS,
    )


class Reconciler:
    """The workers and what they need.

    Args:
        queue: Where dirty keys come from; due times are monotonic seconds of the running loop.
        cache: What is known.
        controllers: One for each kind that has keys in the queue.
        telemetry: The operator's own metrics.
    """

    def __init__(
        self,
        queue: WorkQueue[Ref],
        cache: Cache,
        controllers: Mapping[str, Controller],
        telemetry: Telemetry,
    ) -> None:
        self._queue = queue
        self._cache = cache
        self._controllers = controllers
        self._telemetry = telemetry
        self._failures: dict[Ref, int] = {}

    async def work(self) -> None:
        """Take keys indefinitely, as one worker of several; a bug is logged, and its key retried later."""
        loop = asyncio.get_running_loop()
        while True:
            key = await self._queue.take()
            started = loop.time()
            CALLER.set(Caller(key.namespace, self._queue.is_urgent(key)))
            try:
                await self.reconcile(key)
            except ConflictError as error:
                logger.info("Retrying: %s", error)
                self._retry(key)
            except ClusterError as error:
                logger.warning("%s", error)
                self._retry(key)
            except Exception:
                logger.exception("Failed to reconcile %s", key)
                self._retry(key)
            finally:
                self._queue.done(key)
                self._telemetry.reconciled(key.kind, loop.time() - started)

    async def reconcile(self, key: Ref) -> None:
        """One pass over one object. Raises `ClusterError` where it has to be tried again."""
        controller, manifest = self._controllers[key.kind], self._cache.get(key)
        if manifest is None:
            await self._settle(controller, key)
            return
        try:
            outcome = await controller.reconcile(key, manifest)
        except NotFoundError:  # deleted, and the watch has not reported it yet
            self._cache.drop(manifest)
            await self._settle(controller, key)
            return
        if outcome.is_complete:
            self._failures.pop(key, None)
        if outcome.is_complete or outcome.wait_seconds is not None:
            self._look_in(key, outcome.wait_seconds)
        else:
            self._retry(key)

    async def _settle(self, controller: Controller, key: Ref) -> None:
        if await controller.settle(key):
            self._failures.pop(key, None)
            self._look_in(key, None)
        else:
            self._retry(key)

    def _look_in(self, key: Ref, seconds: float | None) -> None:
        self._queue.mark_at(key, None if seconds is None else asyncio.get_running_loop().time() + seconds)

    def _retry(self, key: Ref) -> None:
        failures, manifest = self._failures.get(key, 0), self._cache.get(key)
        self._failures[key] = failures + 1
        # an attempt in progress may have to roll back, and one whose rollout is gone has to
        is_urgent = self._controllers[key.kind].is_urgent(manifest) if manifest else key.kind == ROLLOUT
        longest = PAUSE_ROLLBACK if is_urgent else PAUSE_LAST
        self._look_in(key, min(PAUSE_FIRST * 2 ** min(failures, 10), longest))
