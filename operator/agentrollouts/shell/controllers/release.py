"""AgentRelease: observe, decide, act.

A release and its snapshot are known without their content. That is read from the API server only where it
decides something: until the snapshot is written, once in the life of most releases.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from agentrollouts.adapters.cluster.errors import ConflictError
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.release import AgentRelease
from agentrollouts.core.effects import Problem
from agentrollouts.core.release.decide import ReleaseDecision, ReleaseObservation, decide_release
from agentrollouts.core.release.snapshot import Snapshot
from agentrollouts.core.release.standing import kept_by, parent_of, reads
from agentrollouts.shell.cache import Cache
from agentrollouts.shell.clock import Clock, utc_now
from agentrollouts.shell.content.conclusion import Conclusion, conclusion, needs_content
from agentrollouts.shell.content.desk import Desk
from agentrollouts.shell.content.examination import Request
from agentrollouts.shell.content.examiner import Examine, examined_here
from agentrollouts.shell.controllers.controller import Outcome, existing, parsed, seconds_until
from agentrollouts.shell.effects.act import Actor
from agentrollouts.shell.effects.writes import PacedWrites
from agentrollouts.shell.permits import ReleasePermits
from agentrollouts.shell.relations import CONFIG_MAP, RELEASE
from agentrollouts.shell.remembered import remembered


class Reader(Protocol):
    """What is read from an API server; `adapters.cluster.watch.WatchingCluster` is one."""

    async def text(self, ref: Ref) -> bytes | None:
        """The object as it is on the wire, or None when there is none. Raises `ClusterError`."""


class ReleaseObserver:
    """Builds the one value that a decision about a release reads.

    Args:
        cache: Knows releases and snapshots without their content.
        cluster: Has the content.
        clock: The time.
        permits: What the administrator permits; None for everything.
        examine: Examines content.
    """

    def __init__(
        self,
        cache: Cache,
        cluster: Reader,
        clock: Clock = utc_now,
        permits: ReleasePermits | None = None,
        examine: Examine = examined_here,
    ) -> None:
        self._cache = cache
        self._cluster = cluster
        self._clock = clock
        self._permits = permits
        self._examine = examine

    async def whole(self, key: Ref, manifest: Manifest) -> Manifest | None:
        """A release without its content, read where only its outline is remembered; None if it is gone.

        Raises `ClusterError` if it could not be read.
        """
        if not self._cache.is_outline(key):
            return manifest
        text = await self._cluster.text(key)
        return None if text is None else remembered(json.loads(text))

    def observe(self, release: AgentRelease, problem: Problem | None) -> ReleaseObservation:
        """The world of a release, without any content."""
        found = self._cache.snapshots_of(release.metadata.namespace, release.spec.agent)
        snapshots = tuple(snapshot for snapshot in found if snapshot.is_marked and snapshot.digest)
        obs = ReleaseObservation(now=self._clock(), release=release, snapshots=snapshots, problem=problem)
        if self._permits is None or kept_by(release, snapshots) is not None:
            return obs
        refused, room, limit = self._permits.examine(release)
        return replace(obs, refused=refused, room=room, limit=limit)

    async def examined(self, obs: ReleaseObservation) -> ReleaseObservation:
        """The same, with what the content was found to be.

        Raises:
            ConflictError: it is not what was observed; observe again.
            ClusterError: it could not be read.
        """
        release, snapshots = obs.release, obs.snapshots
        namespace, key = release.metadata.namespace, _key(release)
        text = existing(key, await self._cluster.text(key))
        kept, parent = kept_by(release, snapshots), parent_of(release, snapshots)
        texts = {
            name: await self._cluster.text(Ref(CONFIG_MAP, namespace, name))
            for name in reads(release, snapshots)
        }
        request = Request(
            release=text,
            config_maps={} if kept else texts,
            kept=self._of(kept, texts),
            parent=self._of(parent, texts),
        )
        return replace(obs, examined=await self._examine(request), now=self._clock())

    @staticmethod
    def _of(snapshot: Snapshot | None, texts: Mapping[str, bytes | None]) -> bytes | None:
        found = texts.get(snapshot.metadata.name) if snapshot else None
        if snapshot is not None and found is None:
            raise ConflictError(f"ConfigMap {snapshot.metadata.name} is gone since it was seen")
        return found


class ReleaseController:
    """The controller of AgentReleases."""

    def __init__(
        self, observer: ReleaseObserver, actor: Actor, writes: PacedWrites, desk: Desk | None = None
    ) -> None:
        self._observer = observer
        self._actor = actor
        self._writes = writes
        self._desk = desk or Desk(lambda _key: None)
        self._concluded: dict[Ref, Conclusion] = {}

    async def reconcile(self, key: Ref, manifest: Manifest) -> Outcome:
        """One pass over a release. Raises `ClusterError` if it has to be tried again."""
        if manifest["metadata"].get("deletionTimestamp"):  # it leaves nothing behind
            self.forget(key)
            return Outcome(None, is_complete=True)
        manifest = existing(key, await self._observer.whole(key, manifest))
        release = await parsed(AgentRelease, manifest, self._actor)
        if release is None:
            self.forget(key)
            return Outcome(None, is_complete=True)
        try:
            return await self._reconcile(key, manifest, release)
        finally:
            self._desk.done(key)

    async def _reconcile(self, key: Ref, manifest: Manifest, release: AgentRelease) -> Outcome:
        before = self._writes.problem(key)
        obs = self._observer.observe(release, before)
        if needs_content(obs):
            known = self._concluded.get(key)
            if known is not None and known.still_holds(obs):
                return Outcome(known.wait_seconds, is_complete=True)
            if not self._desk.take(key):
                return Outcome(None, is_complete=True)
            obs = await self._observer.examined(obs)
        decision = decide_release(obs)
        pause = await self._writes.write(key, decision.writes)
        problem = self._writes.problem(key)
        if decision.status is not None and (problem is None or before is not None):
            await self._actor.replace_status(manifest, decision.status.to_json())
            self._actor.send_events(manifest, decision.events)
        self._conclude(key, obs, decision)
        return Outcome.of(pause, problem, seconds_until(obs.now, decision.wake_at))

    def _conclude(self, key: Ref, obs: ReleaseObservation, decision: ReleaseDecision) -> None:
        found = conclusion(obs, decision)
        if found is None:
            self._concluded.pop(key, None)
        else:
            self._concluded[key] = found

    async def settle(self, key: Ref) -> bool:
        """A release leaves nothing behind: its snapshot outlives it on purpose."""
        self.forget(key)
        return True

    def forget(self, key: Ref) -> None:
        """Follow a release no longer."""
        self._writes.forget(key)
        self._concluded.pop(key, None)
        self._desk.leave(key)

    def is_urgent(self, manifest: Mapping[str, object]) -> bool:  # noqa: ARG002 the protocol's signature
        """No traffic waits for a release."""
        return False


def _key(release: AgentRelease) -> Ref:
    return Ref(RELEASE, release.metadata.namespace, release.metadata.name)
