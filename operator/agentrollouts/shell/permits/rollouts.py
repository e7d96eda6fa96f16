"""The limits and grants that concern rollouts.

Only a rollout that is about to begin waits for the API server, for at most a second.
"""

from typing import NamedTuple

from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.core.action.people import Authority, Unproved
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
from agentrollouts.core.traffic.manifests import ROUTES, is_ours, own_route
from agentrollouts.settings.settings import Settings
from agentrollouts.shell.cache import Cache
from agentrollouts.shell.inputs.gateway_classes import GATEWAY, GatewayClasses
from agentrollouts.shell.permits.waiting import Mark, Places
from agentrollouts.shell.relations import ROLLOUT


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

    def __init__(self, settings: Settings, cache: Cache, classes: GatewayClasses, mark: Mark) -> None:
        self._cache = cache
        self._classes = classes
        self._places = Places(ROLLOUT, cache, mark, settings.limits.rollouts_per_namespace)
        self.replace(settings)

    def replace(self, settings: Settings) -> None:
        """Use these settings from now on."""
        self._settings = settings
        self._grants = [Grant(each.namespaces, each.gateways, each.hosts) for each in settings.gateways]
        self._places.replace(settings.limits.rollouts_per_namespace)

    @property
    def authority(self) -> Authority:
        """What is believed about who requests something."""
        said = self._settings.authority
        return Authority(said.username_prefix, Unproved(said.unproved), said.releaser_is_stamped)

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
            unattached = problem if rollout.spec.traffic.own_route is None else None
        if not self._places.take(key):
            most = limits.rollouts_per_namespace
            problem = too_many(ROLLOUT, "rolloutsPerNamespace", key.namespace, most)
        problem = too_many_gates(rollout.spec, limits.gates_per_rollout) or problem
        return Permitted(rollout, unattached or problem, unattached)

    def leave(self, key: Ref) -> None:
        """A rollout is gone."""
        self._places.leave(key)

    def give(self, namespace: str) -> None:
        """Something has changed in a namespace: look at the rollouts that come to have a place."""
        self._places.give(namespace)

    def _gateways(self, rollout: AgentRollout) -> Problem | None:
        allowed = frozenset(self._settings.gateway_classes)
        if not allowed:
            return None
        key = _key(rollout)
        classes = {place: self._classes.find(Ref(GATEWAY, *place), key) for place, _ in parents(rollout)}
        return gateway_refusal(rollout, allowed, classes, attached(rollout, self._route(rollout)))

    def _route(self, rollout: AgentRollout) -> Manifest | None:
        """The route of the rollout; one of another kind than the spec names if there is no other yet."""
        own = own_route(rollout)
        kinds = sorted(ROUTES, key=lambda kind: own is None or kind != own[0])
        routes = (self._cache.get(_key(rollout)._replace(kind=kind)) for kind in kinds)
        return next((route for route in routes if route is not None and is_ours(route, rollout)), None)


def _key(rollout: AgentRollout) -> Ref:
    return Ref(ROLLOUT, rollout.metadata.namespace, rollout.metadata.name)
