"""AgentRelease: observe, decide, act.

The API server is read only for the ConfigMaps that a new release refers to.
"""

from collections.abc import Mapping
from typing import Protocol

from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.release import AgentRelease
from agentrollouts.core.effects import Problem
from agentrollouts.core.release.content import ConfigMapData
from agentrollouts.core.release.decide import ReleaseObservation, decide_release, reads
from agentrollouts.core.release.snapshot import Snapshot
from agentrollouts.shell.cache import Cache
from agentrollouts.shell.clock import Clock, utc_now
from agentrollouts.shell.controllers.controller import Outcome, parsed, seconds_until
from agentrollouts.shell.effects.act import Actor
from agentrollouts.shell.effects.writes import PacedWrites
from agentrollouts.shell.relations import CONFIG_MAP


class Reader(Protocol):
    """What is read from an API server; `adapters.cluster.client.Cluster` is one."""

    async def get(self, ref: Ref) -> Manifest | None:
        """The object, or None when there is none. Raises `ClusterError`."""


class ReleaseObserver:
    """Builds the one value that a decision about a release reads."""

    def __init__(self, cache: Cache, cluster: Reader, clock: Clock = utc_now) -> None:
        self._cache = cache
        self._cluster = cluster
        self._clock = clock

    async def observe(self, release: AgentRelease, problem: Problem | None) -> ReleaseObservation:
        """The world of a release. Raises `ClusterError` where a ConfigMap could not be read."""
        namespace = release.metadata.namespace
        manifests = self._cache.snapshots_of(namespace, release.spec.agent)
        snapshots = tuple(found for manifest in manifests if (found := Snapshot.of(manifest)))
        texts = {name: await self._config_map(namespace, name) for name in reads(release, snapshots)}
        return ReleaseObservation(
            now=self._clock(), release=release, config_maps=texts, snapshots=snapshots, problem=problem
        )

    async def _config_map(self, namespace: str, name: str) -> ConfigMapData | None:
        found = await self._cluster.get(Ref(CONFIG_MAP, namespace, name))
        if found is None:
            return None
        return ConfigMapData(found.get("data") or {}, tuple(found.get("binaryData") or ()))


class ReleaseController:
    """The controller of AgentReleases."""

    def __init__(self, observer: ReleaseObserver, actor: Actor, writes: PacedWrites) -> None:
        self._observer = observer
        self._actor = actor
        self._writes = writes

    async def reconcile(self, key: Ref, manifest: Manifest) -> Outcome:
        """One pass over a release. Raises `ClusterError` if it has to be tried again."""
        if manifest["metadata"].get("deletionTimestamp"):  # it leaves nothing behind
            self.forget(key)
            return Outcome(None, is_complete=True)
        release = await parsed(AgentRelease, manifest, self._actor)
        if release is None:
            self.forget(key)
            return Outcome(None, is_complete=True)
        before = self._writes.problem(key)
        obs = await self._observer.observe(release, before)
        decision = decide_release(obs)
        pause = await self._writes.write(key, decision.writes)
        problem = self._writes.problem(key)
        if decision.status is not None and (problem is None or before is not None):
            await self._actor.replace_status(manifest, decision.status.to_json())
            self._actor.send_events(manifest, decision.events)
        return Outcome.of(pause, problem, seconds_until(obs.now, decision.wake_at))

    async def settle(self, key: Ref) -> bool:
        """A release leaves nothing behind: its snapshot outlives it on purpose."""
        self.forget(key)
        return True

    def forget(self, key: Ref) -> None:
        """Follow a release no longer."""
        self._writes.forget(key)

    def is_urgent(self, manifest: Mapping[str, object]) -> bool:  # noqa: ARG002 the protocol's signature
        """No traffic waits for a release."""
        return False
