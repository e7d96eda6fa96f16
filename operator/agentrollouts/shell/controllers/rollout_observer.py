"""Builds the one frozen value that a decision about a rollout reads.

It comes from the cache. The API server is read for what is not watched, and only when a decision depends on
it: the endpoints of a release that is about to start and of the releases that stable could be rolled back to,
and whether the status is current before traffic follows it. Rolling back an attempt reads nothing.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace

from pydantic import ValidationError

from agentrollouts.adapters.cluster.errors import ConflictError, NotFoundError
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.objects import ObjectMeta
from agentrollouts.api.people.action import AgentRolloutAction
from agentrollouts.api.release import AgentRelease
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.core.action.people import Authority
from agentrollouts.core.effects import Patch, Problem
from agentrollouts.core.rollout.desired import about_to_start, digests
from agentrollouts.core.rollout.neighbors.rivals import agent_taken_by
from agentrollouts.core.rollout.observation import Observation
from agentrollouts.core.traffic.conflicts import with_same_door
from agentrollouts.core.traffic.endpoints import services
from agentrollouts.core.traffic.manifests import own_route
from agentrollouts.core.traffic.routers import table
from agentrollouts.core.traffic.routers.router import Key
from agentrollouts.shell.cache import Cache, version_of
from agentrollouts.shell.clock import Clock, utc_now
from agentrollouts.shell.controllers.rollout_reads import Reader, Reads
from agentrollouts.shell.inputs.actions import Actions
from agentrollouts.shell.inputs.endpoints import EndpointWatch
from agentrollouts.shell.inputs.freezes import Freezes
from agentrollouts.shell.inputs.others import OtherRollouts
from agentrollouts.shell.inputs.poller import Poller
from agentrollouts.shell.permits.rollouts import Permits, Permitted
from agentrollouts.shell.relations import RELEASE, ROLLOUT


class RolloutObserver:
    """Looks at the world on behalf of one rollout at a time."""

    def __init__(
        self,
        cache: Cache,
        cluster: Reader,
        poller: Poller,
        clock: Clock = utc_now,
        permits: Permits | None = None,
        endpoints: EndpointWatch | None = None,
    ) -> None:
        self._freezes = Freezes(cache)
        self._others = OtherRollouts(cache)
        self._actions = Actions(cache, cluster)
        self._permits = permits
        self._cache = cache
        self._cluster = cluster
        self._reads = Reads(cluster)
        self._poller = poller
        self._clock = clock
        self._endpoints = endpoints

    def follow(self, key: Ref, services: frozenset[str]) -> None:
        """See the endpoints of these Services from now on, on behalf of a rollout."""
        if self._endpoints is not None:
            self._endpoints.follow(key, services)

    def leave(self, gone: Ref) -> None:
        """A rollout is gone."""
        if self._permits is not None:
            self._permits.leave(gone)

    async def observe(
        self, rollout: AgentRollout, problem: Problem | None, workload_problem: Problem | None = None
    ) -> Observation:
        """The world of a rollout. Raises `ClusterError` where endpoints could not be read.

        Args:
            rollout: The rollout.
            problem: Why the last write for it failed.
            workload_problem: Why the last write of a Deployment or Service failed.
        """
        namespace, name, agent = rollout.metadata.namespace, rollout.metadata.name, rollout.spec.agent
        rollout, refused, unattached = await self._permitted(rollout)
        release = await self._release(Ref(RELEASE, namespace, rollout.spec.release_ref.name))
        standbys = await self._standbys(rollout)
        snapshots, altered = self._intact_snapshots(rollout, release)
        traffic = await self._traffic(rollout)
        actions = await self._actions.unanswered(_key_of(rollout))
        obs = Observation(
            now=self._clock(),
            rollout=rollout,
            release=release,
            standbys=standbys,
            traffic={(manifest["kind"], manifest["metadata"]["name"]): manifest for manifest in traffic},
            refused=refused,
            rule_taken_by=self._rival(rollout),
            agent_taken_by=agent_taken_by(rollout, self._cache.others_of_agent(namespace, name, agent)),
            traffic_problem=unattached or problem,
            workload_problem=workload_problem,
            snapshots=snapshots,
            altered=altered,
            poll_result=self._poller.newest(_key_of(rollout)),
            endpoints=self._seen_endpoints(rollout),
            actions=actions,
            answered=self._cache.answered.of(_key_of(rollout)),
            freezes=self._freezes.covering(rollout.metadata),
            others=self._others.around(rollout, release),
            fallback=self._others.fallback_of(rollout),
            siblings=self._cache.groups.siblings(_key_of(rollout), rollout.spec.group),
            authority=self._permits.authority if self._permits else Authority(),
        )
        return await self._before_start(replace(obs, same_door=self._same_door(obs)))

    async def _before_start(self, obs: Observation) -> Observation:
        """The same world, with the endpoints of the release that is about to start, if there is one."""
        starting = about_to_start(obs)
        if starting is None or starting.service_name is None:
            return obs
        where = obs.rollout.metadata.namespace, starting.service_name
        return replace(obs, endpoints_ready=await self._reads.has_ready_endpoint(*where))

    async def with_reads(
        self, obs: Observation, services: frozenset[str], unread: frozenset[Key] = frozenset()
    ) -> Observation:
        """The same world, with what the API server says about the endpoints of these Services.

        None for those about which it says nothing within `ASKING_SECONDS`.

        Args:
            obs: The world as it is known.
            services: The Services.
            unread: Deployments and Services to read.
        """
        namespace = obs.rollout.metadata.namespace
        readiness, objects = await asyncio.gather(
            asyncio.gather(*(self._reads.readiness(namespace, service) for service in services)),
            asyncio.gather(*(self._reads.workload(namespace, key) for key in unread)),
        )
        return replace(
            obs,
            now=self._clock(),
            endpoints={**obs.endpoints, **dict(zip(services, readiness, strict=True))},
            workloads={**obs.workloads, **dict(zip(unread, objects, strict=True))},
            weighted=frozenset(name for _, name in unread if self._cache.sends_to(namespace, name)),
        )

    async def with_proof(self, obs: Observation) -> Observation:
        """The same world, and whether the API server verifies who creates actions. Raises `ClusterError`."""
        proved = await self._actions.is_identity_proved(_key_of(obs.rollout))
        return replace(obs, now=self._clock(), identity_proved=proved)

    async def lost_requests(self, key: Ref) -> tuple[AgentRolloutAction, ...]:
        """The actions about a rollout that does not exist. Raises `ClusterError` if that is not known."""
        requests = await self._actions.unanswered(key)
        return requests if requests and await self._cluster.get(key) is None else ()

    async def orphans(self, key: Ref) -> tuple[Patch, ...]:
        """What settles the routes that a rollout left behind; nothing if it is still there.

        Raises `ClusterError` if the API server could not be read.
        """
        claimed = self._cache.objects_claimed_by(key)
        if not claimed:
            return ()
        rollout = await self._cluster.get(key)
        return () if rollout is not None else table.settle(await self._whole(claimed), key.name)

    async def confirm(self, manifest: Manifest) -> None:
        """Make sure that a rollout is still as it was seen; a watch may be late, or later than another one.

        Raises:
            ConflictError: it has changed, and its new version is in the cache; decide again.
            NotFoundError: it was deleted.
            ClusterError: the API server could not be read.
        """
        ref = Ref.of(manifest)
        current = await self._cluster.get(ref)
        if current is None:
            raise NotFoundError(f"{ref} is gone")
        if version_of(current) != version_of(manifest):
            self._cache.put(current)
            raise ConflictError(f"{ref} has changed since it was seen")

    async def _permitted(self, rollout: AgentRollout) -> Permitted:
        """A rollout as the administrator permits it; whole if there are no limits."""
        if self._permits is None:
            return Permitted(rollout, None, None)
        await self._permits.prepare(rollout)
        return self._permits.examine(rollout)

    def _intact_snapshots(
        self, rollout: AgentRollout, release: AgentRelease | None
    ) -> tuple[dict[str, ObjectMeta], frozenset[str]]:
        """The snapshots that hold what they should, and the names of those that do not."""
        agent, recorded = rollout.spec.agent, digests(rollout.status, release)
        whole, altered = dict[str, ObjectMeta](), set[str]()
        for snapshot in self._cache.snapshots_of(rollout.metadata.namespace, agent):
            name = snapshot.metadata.name
            if snapshot.is_whole(agent) and recorded.get(name, snapshot.digest) == snapshot.digest:
                whole[name] = snapshot.metadata
            else:
                altered.add(name)
        return whole, frozenset(altered)

    async def whole(self, key: Ref, manifest: Manifest) -> Manifest | None:
        """An object for a decision, read where only its outline is remembered.

        Raises `ClusterError` if it could not be read.
        """
        return await self._cluster.get(key) if self._cache.is_outline(key) else manifest

    async def _traffic(self, rollout: AgentRollout) -> list[Manifest]:
        """Our traffic objects, and the routes of others in which we set weights or have set some."""
        namespace, name = rollout.metadata.namespace, rollout.metadata.name
        claimed = self._cache.objects_claimed_by(Ref(ROLLOUT, namespace, name))
        own = table.find(rollout, lambda kind, child: self._cache.get(Ref(kind, namespace, child)))
        return await self._whole(dict(manifest) for manifest in (*claimed, *own))

    async def _whole(self, manifests: Iterable[Manifest]) -> list[Manifest]:
        read = [await self.whole(Ref.of(manifest), manifest) for manifest in manifests]
        return [manifest for manifest in read if manifest is not None]

    def _same_door(self, obs: Observation) -> tuple[str, ...]:
        """The routes that share a hostname and a parent with the one that the operator owns."""
        key = own_route(obs.rollout)
        ours = obs.traffic.get(key) if key else None
        if ours is None:
            return ()
        return with_same_door(ours, self._cache.routes_beside(dict(ours)))

    def _rival(self, rollout: AgentRollout) -> str | None:
        """An older rollout that sets the same weights in an object of another owner."""
        namespace = rollout.metadata.namespace
        named = {Ref(kind, namespace, name) for kind, name in table.named(rollout.spec.traffic.to_json())}
        others = (other for ref in named for other in self._cache.rollouts_naming(ref))
        return table.taken_by(rollout, others)

    async def _release(self, key: Ref) -> AgentRelease | None:
        manifest = self._cache.get(key)
        if manifest is not None:
            manifest = await self.whole(key, manifest)
        try:
            return AgentRelease.model_validate(manifest) if manifest else None
        except ValidationError:  # its own reconcile tells what is wrong with it
            return None

    async def _standbys(self, rollout: AgentRollout) -> dict[str, AgentRelease]:
        """The releases that `spec.standby` names and that exist."""
        namespace, names = (
            rollout.metadata.namespace,
            (each.release_ref.name for each in rollout.spec.standby),
        )
        found = {name: await self._release(Ref(RELEASE, namespace, name)) for name in names}
        return {name: release for name, release in found.items() if release is not None}

    def _seen_endpoints(self, rollout: AgentRollout) -> Mapping[str, bool | None]:
        """What is known without a read, of the Services that the attempt in progress depends on."""
        if self._endpoints is None:
            return {}
        needed = services(rollout.spec, rollout.status)
        return self._endpoints.readiness(rollout.metadata.namespace, needed)


def _key_of(rollout: AgentRollout) -> Ref:
    return Ref(ROLLOUT, rollout.metadata.namespace, rollout.metadata.name)
