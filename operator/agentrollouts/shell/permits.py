"""The administrator's limits as the settings have them now, applied to one rollout at a time.

Only a rollout that is about to begin waits for the API server, for at most a second.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import NamedTuple

from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.release import AgentRelease
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.core.effects import Problem
from agentrollouts.core.release.permits import too_many
from agentrollouts.core.rollout.grants import Grant, grant_refusal
from agentrollouts.core.rollout.permits import (
    attached,
    gateway_refusal,
    parents,
    too_many_gates,
    with_old_place,
)
from agentrollouts.core.states import is_under_way
from agentrollouts.core.traffic.manifests import is_ours
from agentrollouts.settings.settings import Settings
from agentrollouts.shell.cache import Cache
from agentrollouts.shell.inputs.gateway_classes import GATEWAY, GatewayClasses
from agentrollouts.shell.relations import RELEASE, ROLLOUT, ROUTE


class Permitted(NamedTuple):
    """A rollout as it may be served."""

    rollout: AgentRollout
    refused: Problem | None
    """Why it may not move forward; None if it may."""
    unattached: Problem | None
    """Why it has no route, although its spec requests one."""


class Permits:
    """What a tenant may request.

    Args:
        settings: As last found good.
        cache: Knows all rollouts of a namespace.
        classes: Knows the class of a Gateway.
        mark: Has a rollout looked at.
    """

    def __init__(
        self, settings: Settings, cache: Cache, classes: GatewayClasses, mark: Callable[[Ref], None]
    ) -> None:
        self._cache = cache
        self._classes = classes
        self._mark = mark
        self._waiting: defaultdict[str, set[Ref]] = defaultdict(set)
        """By namespace, rollouts that are not served because older ones are."""
        self.replace(settings)

    def replace(self, settings: Settings) -> None:
        """Use these settings from now on."""
        self._settings = settings
        self._grants = [Grant(each.namespaces, each.gateways, each.hosts) for each in settings.gateways]

    async def prepare(self, rollout: AgentRollout) -> None:
        """Read the class of a new Gateway, unless an attempt is in progress: a rollback waits for none."""
        if not self._settings.gateway_classes or is_under_way(rollout.status):
            return
        new = {place for place, _ in parents(rollout)} - attached(rollout, self._route(rollout))
        await self._classes.first((Ref(GATEWAY, *place) for place in new), _key(rollout))

    def examine(self, rollout: AgentRollout) -> Permitted:
        """The rollout as it may be served, and what stands against more."""
        limits, key = self._settings.limits, _key(rollout)
        refused = grant_refusal(rollout, self._grants) if self._grants else None
        problem = refused or self._gateways(rollout)
        unattached = None
        if problem is not None:
            rollout = with_old_place(rollout, self._route(rollout))
            unattached = problem if rollout.spec.traffic.http_route is None else None
        self.leave(key)
        if self._cache.is_beyond(key, most := limits.rollouts_per_namespace):
            self._waiting[key.namespace].add(key)
            problem = too_many(ROLLOUT, "rolloutsPerNamespace", key.namespace, most)
        problem = too_many_gates(rollout.spec, limits.gates_per_rollout) or problem
        return Permitted(rollout, unattached or problem, unattached)

    def leave(self, key: Ref) -> None:
        """A rollout waits no longer; if it is gone, those that may have its place are looked at.

        One that was deleted and made again is among the youngest, so each pass does this.
        """
        waiting = self._waiting[key.namespace]
        waiting.discard(key)
        if waiting:
            most = self._settings.limits.rollouts_per_namespace
            for served in waiting.intersection(self._cache.ages.oldest(ROLLOUT, key.namespace, most)):
                waiting.discard(served)
                self._mark(served)
        else:
            del self._waiting[key.namespace]

    def _gateways(self, rollout: AgentRollout) -> Problem | None:
        allowed = frozenset(self._settings.gateway_classes)
        if not allowed:
            return None
        key = _key(rollout)
        classes = {place: self._classes.find(Ref(GATEWAY, *place), key) for place, _ in parents(rollout)}
        return gateway_refusal(rollout, allowed, classes, attached(rollout, self._route(rollout)))

    def _route(self, rollout: AgentRollout) -> Manifest | None:
        route = self._cache.get(_key(rollout)._replace(kind=ROUTE))
        return route if route is not None and is_ours(route, rollout) else None


class ReleasePermits:
    """How many releases a tenant may have, and of what size.

    Args:
        settings: As last found good.
        cache: Knows all releases of a namespace.
    """

    def __init__(self, settings: Settings, cache: Cache) -> None:
        self._limits = settings.limits
        self._cache = cache

    def replace(self, settings: Settings) -> None:
        """Use these settings from now on."""
        self._limits = settings.limits

    def examine(self, release: AgentRelease) -> tuple[Problem | None, int, str]:
        """What stands against one more release; the bytes that its bundle can have; what limits them."""
        limits, namespace = self._limits, release.metadata.namespace
        most, largest = limits.releases_per_namespace, limits.release_bytes_per_namespace
        room = largest - self._cache.bundle_bytes(namespace)
        limit = f"limits.releaseBytesPerNamespace in the operator's settings is {largest:,}"
        if self._cache.is_beyond(Ref(RELEASE, namespace, release.metadata.name), most):
            return too_many(RELEASE, "releasesPerNamespace", namespace, most), room, limit
        return None, room, limit


def _key(rollout: AgentRollout) -> Ref:
    return Ref(ROLLOUT, rollout.metadata.namespace, rollout.metadata.name)
