"""A route that the operator owns, named after the rollout, whatever its kind: parents, hostnames, weights.

Forward moves are persisted in the status first and rendered from it on the next pass; a rollback is rendered
from the decision itself, so that stable gets its traffic with the first write.
"""

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from agentrollouts.api.release import ServiceRef
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.api.status import ReleaseRecord
from agentrollouts.api.traffic import OwnRoute, Traffic
from agentrollouts.core.effects import Manifest
from agentrollouts.core.traffic.backends import backends, backends_of_rule, rules_of
from agentrollouts.core.traffic.buckets import bucket_count
from agentrollouts.core.traffic.gateways import route_of
from agentrollouts.core.traffic.manifests import ROUTE_API, Objects, metadata_of
from agentrollouts.core.traffic.routers.owned import OwnedRouter
from agentrollouts.core.traffic.weights import FULL, Split, share_of

Spec = TypeVar("Spec", bound=OwnRoute)


class OwnRouteRouter(OwnedRouter, Generic[Spec]):
    """The route of one kind."""

    managed = ("f:spec",)

    @classmethod
    @abstractmethod
    def field(cls, traffic: Traffic) -> Spec | None:
        """The field for this kind of route; None if it is absent."""

    @classmethod
    def is_wanted(cls, traffic: Traffic) -> bool:
        """By that field."""
        return cls.field(traffic) is not None

    @classmethod
    @abstractmethod
    def read(cls, spec: object) -> Spec:
        """The field that would make a route of this spec. Raises `ValidationError`."""

    @classmethod
    @abstractmethod
    def rules(
        cls, route_spec: Spec, split: Split, weighted: Iterable[tuple[ServiceRef, int]]
    ) -> list[Mapping[str, Any]]:
        """The rules of the route, the main one last.

        Args:
            route_spec: The field.
            split: The desired split.
            weighted: The backends of the main rule.
        """

    @classmethod
    def render(cls, rollout: AgentRollout, split: Split, seen: Objects) -> Manifest | None:
        """The whole route; None if the spec has none, or a release has no Service."""
        route_spec = cls.field(rollout.spec.traffic) or cls._left(rollout, seen)
        if route_spec is None:
            return None
        if any(weight and not (record and record.service) for record, weight in split.sides):
            return None  # a route without one of the two would send its share to the other
        spec: dict[str, Any] = {
            "parentRefs": _parents(route_spec),
            "rules": cls.rules(route_spec, split, split.backends(rollout.spec)),
        }
        if route_spec.hostnames:
            spec["hostnames"] = list(route_spec.hostnames)
        return {
            "apiVersion": f"{ROUTE_API}/v1",
            "kind": cls.kind,
            "metadata": metadata_of(rollout, split.status, cls.name(rollout)),
            "spec": spec,
        }

    @classmethod
    def shows(cls, current: Manifest | None, desired: Manifest) -> bool:
        """Whether the route is as it has to be, and keeps no user with a canary at weight 0."""
        return super().shows(current, desired) and not _is_sticky(current)

    def share(self, record: ReleaseRecord) -> int | None:
        """By the main rule, or the most that another rule gives it if that gives it nothing.

        None without a route, or if a rule sends requests nowhere.
        """
        rules = tuple(rules_of(self._current() or {}))
        shares = [share_of(record, backends_of_rule(rule)) for rule in rules]
        known = [share for share in shares if share is not None]
        if not known or len(known) < len(shares):
            return None
        in_buckets = sum(bucket_count(rule) for rule, share in zip(rules, known, strict=True) if share)
        return known[-1] if 0 < known[-1] < FULL else in_buckets or max(known)

    def target(self) -> str | None:
        """The only backend with a weight in the route that splits the requests."""
        route = route_of(self.obs.rollout, self.obs.traffic) or {}
        shared = {name for name, weight in backends(route) if weight}
        return shared.pop() if len(shared) == 1 else None

    @classmethod
    def _left(cls, rollout: AgentRollout, seen: Objects) -> Spec | None:
        """An unwanted route moves requests until it is deleted, so it is kept right."""
        route = cls.unwanted(rollout, seen)
        try:
            return cls.read(route.get("spec")) if route else None
        except ValidationError:  # someone replaced it by another route
            return None


def _parents(route_spec: OwnRoute) -> list[dict[str, Any]]:
    return [
        ({"group": ROUTE_API, "kind": "Gateway"} if parent.is_gateway else {"group": ""})
        | parent.model_dump(mode="json", by_alias=True, exclude_none=True)
        for parent in route_spec.parent_refs
    ]


def _is_sticky(route: Manifest | None) -> bool:
    """Whether someone made users of our route stay with a canary at weight 0; the next write undoes that."""
    return any(rule.get("sessionPersistence") is not None for rule in rules_of(route or {}))
