"""AgentRelease: observe, decide, act.

A release and its snapshot are known without their content. That is read from the API server only where it
decides something: until the snapshot is written, once in the life of most releases.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from agentrollouts.adapters.cluster.errors import ConflictError
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.model.nested import read_json
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
from agentrollouts.shell.controllers.controller import Outcome, earliest, existing, parsed, seconds_until
from agentrollouts.shell.effects.act import Actor
from agentrollouts.shell.effects.statuses.writer import Written
from agentrollouts.shell.effects.writes import PacedWrites
from agentrollouts.shell.permits.releases import ReleasePermits
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
        return None if text is None else remembered(read_json(text))

    def observe(self, release: AgentRelease, problem: Problem | None) -> ReleaseObservation:
        """The world of a release, without any content."""
        found = self._cache.snapshots_of(release.metadata.namespace, release.spec.agent)
        snapshots = tuple(snapshot for snapshot in found if snapshot.is_marked and snapshot.digest)
        obs = ReleaseObservation(now=self._clock(), release=release, snapshots=snapshots, problem=problem)
        if self._permits is None or kept_by(release, snapshots) is not None:
            return obs
        permit = self._permits.examine(_key(release))
        return replace(obs, refused=permit.refused, room=permit.room, limit=permit.limit)

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
    """The controller of AgentReleases.

    Args:
        observer: Builds what a decision reads.
        actor: Carries out decisions.
        writes: The same for snapshots, at a bounded pace.
        permits: What the administrator permits.
        desk: Whose release is examined.
    """

    def __init__(
        self,
        observer: ReleaseObserver,
        actor: Actor,
        writes: PacedWrites,
        permits: ReleasePermits,
        desk: Desk,
    ) -> None:
        self._observer = observer
        self._actor = actor
        self._writes = writes
        self._permits = permits
        self._desk = desk
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
        obs = self._observer.observe(release, self._writes.problem(key))
        is_known = needs_content(obs) and self._is_known(key, obs)
        if needs_content(obs) and not is_known and not self._desk.take(key):
            return Outcome(None, is_complete=True)  # it keeps the room for which it was marked
        try:
            return Outcome(None, is_complete=True) if is_known else await self._decide(key, manifest, obs)
        finally:
            self._desk.done(key)
            self._permits.rooms.end_turn(key)

    def _is_known(self, key: Ref, obs: ReleaseObservation) -> bool:
        """Whether the content was found to be what it is, and there is no more room for it than before."""
        known = self._concluded.get(key)
        return known is not None and known.still_holds(obs) and not self._permits.rooms.has_turn(key)

    async def _decide(self, key: Ref, manifest: Manifest, obs: ReleaseObservation) -> Outcome:
        before = obs.problem
        if needs_content(obs):
            self._concluded.pop(key, None)  # if this fails, it is tried again without a turn
            obs = await self._observer.examined(obs)
        decision = decide_release(obs)
        pause = await self._writes.write(key, decision.writes)
        problem = self._writes.problem(key)
        written = Written()
        if decision.status is not None and (problem is None or before is not None):
            written = await self._actor.statuses.replace(manifest, decision.status.to_json())
            if written.is_new:
                self._actor.send_events(manifest, decision.events)
        self._conclude(key, obs, decision)
        wait = earliest(seconds_until(obs.now, decision.wake_at), written.again)
        return Outcome.of(pause, problem, wait)

    def _conclude(self, key: Ref, obs: ReleaseObservation, decision: ReleaseDecision) -> None:
        found = conclusion(obs, decision)
        if found is None:
            self._concluded.pop(key, None)
        else:
            self._concluded[key] = found
        if found is not None and found.needs:
            self._permits.rooms.wait(key, found.needs)
        else:
            self._permits.rooms.leave(key)

    async def settle(self, key: Ref) -> bool:
        """A release leaves nothing behind: its snapshot outlives it on purpose."""
        self.forget(key)
        self._actor.statuses.forget(key)
        return True

    def forget(self, key: Ref) -> None:
        """Follow a release no longer."""
        self._writes.forget(key)
        self._concluded.pop(key, None)
        self._desk.leave(key)
        self._permits.leave(key)

    def is_urgent(self, manifest: Mapping[str, object]) -> bool:  # noqa: ARG002 the protocol's signature
        """No traffic waits for a release."""
        return False


def _key(release: AgentRelease) -> Ref:
    return Ref(RELEASE, release.metadata.namespace, release.metadata.name)
