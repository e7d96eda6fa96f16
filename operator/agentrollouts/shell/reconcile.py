"""One pass over one object: observe, decide, act; and what happens when a pass fails.

The workers take dirty keys from the queue. A pass that changed something is followed by another, until
nothing is left to do. A failed one is tried again with growing pauses, and keeps nobody else waiting.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, TypeVar

from pydantic import ValidationError

from agentrollouts.adapters.cluster.errors import ClusterError, ConflictError, NotFoundError
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.model.base import ApiModel
from agentrollouts.api.reasons import Reason
from agentrollouts.api.release import AgentRelease
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.effects import Effect, Event, Problem
from agentrollouts.core.release.decide import decide_release
from agentrollouts.core.rollout.decide import decide
from agentrollouts.core.rollout.reporting.invalid import invalid_events, invalid_status
from agentrollouts.core.states import ENDS, is_under_way
from agentrollouts.shell.cache import ROLLOUT, Cache
from agentrollouts.shell.controllers.observe import Observer
from agentrollouts.shell.effects.act import Actor
from agentrollouts.shell.effects.pace import Pace
from agentrollouts.shell.inputs.poller import Poller
from agentrollouts.shell.permits import LOOK_AGAIN_SECONDS
from agentrollouts.shell.workqueue import DirtyQueue
from agentrollouts.telemetry import Telemetry

logger = logging.getLogger(__name__)

PAUSE_FIRST: Final = 0.5
"""Seconds before the first retry; each further one waits twice as long."""
PAUSE_LAST: Final = 30.0
"""Seconds between retries at the most."""
PAUSE_UNDER_WAY: Final = 2.0
"""The same while an attempt is under way: a way back that the API server could not take is tried again
soon.
"""

Model = TypeVar("Model", bound=ApiModel)


class Reconciler:
    """The workers and what they need.

    Args:
        queue: Where dirty keys come from; due times are monotonic seconds of the running loop.
        cache: What is known.
        observer: Builds observations.
        actor: Carries out decisions.
        poller: Follows what a decision wants to know.
        telemetry: The operator's own metrics.
    """

    def __init__(
        self,
        queue: DirtyQueue[Ref],
        cache: Cache,
        observer: Observer,
        actor: Actor,
        poller: Poller,
        telemetry: Telemetry,
    ) -> None:
        self._queue = queue
        self._cache = cache
        self._observer = observer
        self._actor = actor
        self._poller = poller
        self._telemetry = telemetry
        self._failures: dict[Ref, int] = {}
        self._problems: dict[Ref, Problem] = {}
        self._pace: Pace[Ref] = Pace(asyncio.get_running_loop().time)

    async def work(self) -> None:
        """Take keys for ever, as one worker of several; a bug is logged, and its key tried again later."""
        loop = asyncio.get_running_loop()
        while True:
            key = await self._queue.take()
            started = loop.time()
            try:
                await self.reconcile(key)
            except ConflictError as error:
                logger.info("Looking again: %s", error)
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
        manifest = self._cache.get(key)
        if manifest is None or manifest["metadata"].get("deletionTimestamp"):
            await self._gone(key)
            return
        try:
            await (self._rollout if key.kind == ROLLOUT else self._release)(key, manifest)
        except NotFoundError:  # deleted, and the watch has not said so yet
            self._cache.drop(manifest)
            await self._gone(key)

    async def _gone(self, key: Ref) -> None:
        """Nothing is followed any more; what a rollout left split in a route of somebody else is settled."""
        self._poller.follow(key, None)
        self._observer.follow(key, frozenset())
        if key.kind == ROLLOUT and await self._actor.apply(await self._observer.orphans(key)):
            self._retry(key)
        else:
            self._forget(key)

    async def _rollout(self, key: Ref, manifest: Manifest) -> None:
        rollout = await self._parsed(AgentRollout, manifest)
        if rollout is None:
            self._forget(key)
            return
        obs = await self._observer.rollout(rollout, self._problems.get(key))
        decision = decide(obs)
        if decision.unsure_of:
            obs = await self._observer.asked_about(obs, decision.unsure_of)
            decision = decide(obs)
        self._poller.follow(key, decision.asking)
        self._observer.follow(key, decision.services)
        if decision.rests_on_status:
            await self._observer.confirm(manifest)
        pause = await self._write(key, decision.writes)
        if decision.status is not None:
            status = decision.status.to_json()
            await self._actor.replace_status(manifest, status, is_news=decision.is_news)
            self._measure(obs.status, decision.status)
        is_done = not pause and key not in self._problems
        self._actor.tell(manifest, self._what_happened(decision.events, is_done=is_done))
        wait = _until(obs.now, decision.wake_at)
        if obs.refused is not None and obs.refused.reason is Reason.LIMIT_EXCEEDED:
            wait = LOOK_AGAIN_SECONDS if wait is None else min(wait, LOOK_AGAIN_SECONDS)
        self._wake(key, pause, wait)

    async def _release(self, key: Ref, manifest: Manifest) -> None:
        release = await self._parsed(AgentRelease, manifest)
        if release is None:
            self._forget(key)
            return
        known = self._problems.get(key)
        obs = await self._observer.release(release, known)
        decision = decide_release(obs)
        pause = await self._write(key, decision.writes)
        if decision.status is not None and (key not in self._problems or known is not None):
            await self._actor.replace_status(manifest, decision.status.to_json())
            self._actor.tell(manifest, decision.events)
        self._wake(key, pause, _until(obs.now, decision.wake_at))

    async def _parsed(self, model: type[Model], manifest: Manifest) -> Model | None:
        """The object as a value; where it cannot be read, its conditions and an Event say so."""
        try:
            return model.model_validate(manifest)
        except ValidationError as error:
            status = invalid_status(manifest, error, datetime.now(UTC))
            if status is not None:
                await self._actor.replace_status(manifest, status)
                self._actor.tell(manifest, invalid_events(manifest, error))
            return None

    async def _write(self, key: Ref, writes: Sequence[Effect]) -> float:
        """Do what was decided, unless it is too soon to repeat it: then the seconds until it is not."""
        pause = self._pace.pause(key, writes)
        if not pause:
            self._note(key, await self._actor.apply(writes))
        return pause

    def _measure(self, before: AgentRolloutStatus, after: AgentRolloutStatus) -> None:
        rollback, ended = after.last_rollback, after.attempt
        if rollback and rollback.routed_time and (before.last_rollback or rollback).routed_time is None:
            seconds = (rollback.routed_time - rollback.decided_time).total_seconds()
            self._telemetry.rolled_back(rollback.trigger, seconds)
        if ended and is_under_way(before) and not is_under_way(after):
            self._telemetry.attempt_ended(ended.state)

    def _what_happened(self, events: Sequence[Event], *, is_done: bool) -> list[Event]:
        """Without what was to be put back and is not yet; what was is counted."""
        told = [event for event in events if is_done or event.reason is not Reason.ROUTE_RESTORED]
        for _ in [event for event in told if event.reason is Reason.ROUTE_RESTORED]:
            self._telemetry.restored()
        return told

    def _note(self, key: Ref, problem: Problem | None) -> None:
        """Remember why a write failed, for the next observation, which comes after a pause."""
        if problem is None:
            self._problems.pop(key, None)
        else:
            self._problems[key] = problem

    def _wake(self, key: Ref, pause: float, wait: float | None) -> None:
        """Look again when the decision wants it, or sooner where something has to be written again."""
        if pause:
            self._look_in(key, pause)
        elif key in self._problems:
            self._retry(key)
        else:
            self._failures.pop(key, None)
            self._look_in(key, wait)

    def _look_in(self, key: Ref, seconds: float | None) -> None:
        self._queue.mark_at(key, None if seconds is None else asyncio.get_running_loop().time() + seconds)

    def _retry(self, key: Ref) -> None:
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        attempt = (((self._cache.get(key) or {}).get("status") or {}).get("attempt")) or {}
        longest = PAUSE_LAST if attempt.get("state") in ENDS | {None} else PAUSE_UNDER_WAY
        self._look_in(key, min(PAUSE_FIRST * 2 ** min(failures, 10), longest))

    def _forget(self, key: Ref) -> None:
        self._poller.follow(key, None)
        self._observer.follow(key, frozenset())
        self._problems.pop(key, None)
        self._failures.pop(key, None)
        self._pace.forget(key)
        self._queue.mark_at(key, None)


def _until(now: datetime, then: datetime | None) -> float | None:
    """Seconds from one time to another."""
    return None if then is None else (then - now).total_seconds()
