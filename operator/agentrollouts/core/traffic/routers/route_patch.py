"""`spec.traffic.routePatch`: whether the weights in a route of another owner may be set, and to what.

Forward, anything unexpected in the rule is reported and nothing is written. Nothing stops a rollback but a
rule, or a stable release, that does not exist.
"""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from functools import cached_property
from typing import Any, Final

from agentrollouts.api.names import API_VERSION, FIELD_MANAGER, LABEL_MANAGED_BY
from agentrollouts.api.reasons import Reason
from agentrollouts.api.recovery.detour import Detour
from agentrollouts.api.release import ServiceRef
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.api.status import AgentRolloutStatus, ReleaseRecord
from agentrollouts.api.traffic import RoutePatch
from agentrollouts.core.containment.fallback import fallback_of
from agentrollouts.core.containment.mark import content_of, read_content
from agentrollouts.core.effects import Manifest, Patch, Problem
from agentrollouts.core.ownership import OWNERS
from agentrollouts.core.traffic.gateways import route_of
from agentrollouts.core.traffic.latch import Latch, latch_of
from agentrollouts.core.traffic.route_claim import (
    Claim,
    Operation,
    Rule,
    annotated,
    claim_of,
    claimants,
    is_claimed,
    patch,
    rule_of,
    settled,
    weighed,
)
from agentrollouts.core.traffic.routers.router import Find, Key, Router
from agentrollouts.core.traffic.weights import Split, is_shown_back

ROUTE: Final = "HTTPRoute"


class RoutePatchRouter(Router):
    """The weights in one rule of an HTTPRoute of another owner."""

    kind = ROUTE
    managed = ("f:spec", "f:rules")

    def obstacle(self, records: Iterable[ReleaseRecord | None], *, is_return: bool) -> Problem | None:
        """Why these releases cannot share the rule; None if they can, or if there is no rule."""
        rule, rival = self._rule, self.obs.rule_taken_by
        if not isinstance(rule, Rule):
            return rule
        if is_return:
            return _missing(rule, records)
        if _is_made_by_us(self._routes[rule.route]):
            return _surprise(f"HTTPRoute {rule.route} was created by the operator; name your own route")
        if rival:
            message = f"{rule}: rollout {rival} is older and sets its weights; name another rule"
            return Problem(Reason.RULE_TAKEN, message)
        return (
            _sticky(rule)
            or _twice(rule, self._ours)
            or _missing(rule, records)
            or _stranger(rule, self._ours)
        )

    def changes(self, split: Split | None, *, is_blocked: bool) -> Iterator[Patch]:
        """What the routes of others do not show yet; a split that is no longer desired there is settled."""
        for name, route in self._routes.items():
            if operations := self._due(name, route, None if is_blocked else split):
                yield patch(route, operations)

    def latches(self, number: int) -> Iterator[Latch]:
        """The marks in the claims of this very rollout, where the rule is as they say."""
        uid = self.obs.rollout.metadata.uid
        for name, claim in self._claims.items():
            latch = claim.latch if claim and claim.uid == uid else None
            if claim is None or latch is None or latch.number != number:
                continue
            rule = rule_of(self._routes[name], claim.rule)
            if isinstance(rule, Rule) and is_shown_back(self.obs.status, rule.share):
                yield latch

    def detours(self) -> Iterator[Detour]:
        """The marks in the claims of this very rollout."""
        uid = self.obs.rollout.metadata.uid
        for claim in self._claims.values():
            if claim and claim.uid == uid:
                detour = read_content(claim.detour, claim.detour_message or "")
                yield from [detour] if detour else []

    def indivisible(self, fallback: ServiceRef) -> str | None:
        """The fallback is not a backend of the rule."""
        rule = self._rule
        if not isinstance(rule, Rule) or fallback.key in rule.services:
            return None
        return f"{rule} has no backend for the fallback, Service {fallback.name}; add it with weight 0"

    def share(self, record: ReleaseRecord) -> int | None:
        """By the weights in the rule that the spec names."""
        return self._rule.share(record) if isinstance(self._rule, Rule) else None

    def target(self) -> str | None:
        """The backend of stable, as the claim names it."""
        route = route_of(self.obs.rollout, self.obs.traffic)
        claim = self._claims[route["metadata"]["name"]] if route else None
        return claim.stable if claim else None

    @classmethod
    def find(cls, rollout: AgentRollout, find: Find) -> Iterator[Manifest]:
        """The route that the spec names."""
        desired = rollout.spec.traffic.route_patch
        route = find(ROUTE, desired.name) if desired else None
        if route is not None:
            yield route

    @classmethod
    def named(cls, traffic: Mapping[str, Any]) -> Iterator[Key]:
        """The route that the spec names."""
        if name := (traffic.get("routePatch") or {}).get("name"):
            yield ROUTE, name

    @classmethod
    def claimants(cls, manifest: Manifest) -> Iterator[str]:
        """Names of the rollouts that have set weights in a route."""
        return claimants(manifest) if manifest["kind"] == ROUTE else iter(())

    @classmethod
    def settle(cls, manifest: Manifest, rollout: str) -> Iterator[Patch]:
        """All traffic to the release that was stable, and no annotation of the rollout."""
        if manifest["kind"] == ROUTE and is_claimed(manifest, rollout):
            yield patch(manifest, settled(manifest, rollout, claim_of(manifest, rollout)))

    @classmethod
    def taken_by(cls, rollout: AgentRollout, others: Iterable[Manifest]) -> str | None:
        """The oldest of the other rollouts that name the same rule of the same route, if it is older.

        To one that is being deleted, any other one counts as older.
        """
        name, created = rollout.metadata.name, rollout.metadata.creation_timestamp
        rivals: list[tuple[str, str]] = [
            (other["metadata"].get("creationTimestamp") or "", other["metadata"]["name"])
            for other in others
            if _names_the_same(other, rollout) and not other["metadata"].get("deletionTimestamp")
        ]
        if rollout.metadata.deletion_timestamp and rivals:
            return min(rivals)[1]
        oldest = min([(f"{created:%Y-%m-%dT%H:%M:%SZ}" if created else "", name), *rivals])
        return None if oldest[1] == name else oldest[1]

    @property
    def _desired(self) -> RoutePatch | None:
        return self.obs.rollout.spec.traffic.route_patch

    @cached_property
    def _routes(self) -> Mapping[str, Manifest]:
        """All routes, by name."""
        return {name: route for (kind, name), route in self.obs.traffic.items() if kind == ROUTE}

    @cached_property
    def _claims(self) -> Mapping[str, Claim | None]:
        """What this rollout has set in each route, by its name."""
        rollout = self.obs.rollout.metadata.name
        return {name: claim_of(route, rollout) for name, route in self._routes.items()}

    @cached_property
    def _rule(self) -> Rule | Problem | None:
        """The one rule of that name; None where the spec names none."""
        desired = self._desired
        if desired is None:
            return None
        route = self._routes.get(desired.name)
        if route is None:
            where = f"no HTTPRoute {desired.name} in namespace {self.obs.rollout.metadata.namespace}"
            message = f"spec.traffic.routePatch: {where}; create it or name another one"
            return Problem(Reason.ROUTE_NOT_FOUND, message)
        return rule_of(route, desired.rule)

    @cached_property
    def _ours(self) -> frozenset[str]:
        """The fallback, and the backends of our releases: recorded, set before, or desired now."""
        status, spec, release = self.obs.status, self.obs.rollout.spec, self.obs.release
        records = (status.stable, status.canary, *status.history)
        names = {record.service.key for record in records if record and record.service}
        if release and release.spec.serving and release.spec.agent == spec.agent:
            names.add(release.spec.serving.service.key)
        if fallback := fallback_of(spec, status):
            names.add(fallback.key)
        claim = self._claims.get(self._desired.name) if self._desired else None
        return frozenset(names | set(claim.services if claim else ()))

    def _due(self, name: str, route: Manifest, split: Split | None) -> tuple[Operation, ...]:
        rollout, desired, claim = self.obs.rollout.metadata.name, self._desired, self._claims[name]
        if desired and desired.name == name and (not claim or claim.rule == desired.rule):
            return self._weights(route, self._rule, split) if split and isinstance(self._rule, Rule) else ()
        return settled(route, rollout, claim) if is_claimed(route, rollout) else ()

    def _weights(self, route: Manifest, rule: Rule, split: Split) -> tuple[Operation, ...]:
        """The weights of the split; every other release of this rollout has none."""
        if not all(record.service for record in split.sharing):
            return ()  # without a Service there is nothing to send its share to
        shares = dict.fromkeys(self._ours, 0)
        for backend, weight in reversed(split.backends(self.obs.rollout.spec)):
            shares[backend.key] = weight
        services = sorted({service for service in rule.services if service and service in shares})
        metadata, before = self.obs.rollout.metadata, self._claims[rule.route]
        claim = _claim(metadata.uid, split.status, rule.name, services)
        return (*weighed(rule, shares), *annotated(route, metadata.name, before, claim))


def _is_made_by_us(route: Manifest) -> bool:
    """Whether a route looks as if a rollout made it; no proof, so it stops only forward moves."""
    metadata = route["metadata"]
    owners = [(owner.get("apiVersion"), owner.get("kind")) for owner in metadata.get(OWNERS) or ()]
    is_labeled = (metadata.get("labels") or {}).get(LABEL_MANAGED_BY) == FIELD_MANAGER
    return is_labeled or (API_VERSION, "AgentRollout") in owners


def _sticky(rule: Rule) -> Problem | None:
    """Sessions outlive weights: a user who got the canary keeps it at weight 0 (GEP-1619)."""
    if not rule.is_sticky:
        return None
    return Problem(
        Reason.STICKY_ROUTE,
        f"{rule} has sessionPersistence, which keeps users on the canary at weight 0; remove it "
        "from the rule",
    )


def _twice(rule: Rule, ours: AbstractSet[str]) -> Problem | None:
    named = [service for service in rule.services if service in ours]
    twice = next((service for service in named if named.count(service) > 1), None)
    if twice is None:
        return None
    return _surprise(f"{rule} lists {_titled(twice)} twice; keep one backend")


def _missing(rule: Rule, records: Iterable[ReleaseRecord | None]) -> Problem | None:
    for record in records:
        if record and record.service and record.service.key not in rule.services:
            example = _example(record.service)
            return _surprise(
                f"{rule} has no backend for release {record.release}; add {example} to its backendRefs"
            )
    return None


def _example(service: ServiceRef) -> str:
    """A backend as it is written in a route."""
    fields = service.to_json() | {"weight": 0}
    order = ("group", "kind", "name", "port", "weight")
    return "{" + ", ".join(f"{name}: {fields[name]}" for name in order if name in fields) + "}"


def _titled(key: str) -> str:
    """A key in a sentence: kind and name."""
    kind, _, name = key.rpartition("/")
    return f"{kind.partition('.')[0] or 'Service'} {name}"


def _stranger(rule: Rule, ours: AbstractSet[str]) -> Problem | None:
    """An unknown backend can be in the rule, but not with a share: we do not control that share."""
    for position, service in enumerate(rule.services):
        if rule.weight(position) and service not in ours:
            name, weight = rule.refs[position].get("name"), rule.weight(position)
            return _surprise(
                f"{rule}: backend {name} has weight {weight} but is not a release of this rollout; "
                "set its weight to 0 or remove it"
            )
    return None


def _surprise(message: str) -> Problem:
    return Problem(Reason.ROUTE_UNEXPECTED, message)


def _claim(uid: str, status: AgentRolloutStatus, rule: str, services: Iterable[str]) -> Claim:
    latch, detour = latch_of(status), status.detour
    return Claim(
        uid=uid,
        rule=rule,
        stable=status.stable.service.key if status.stable and status.stable.service else None,
        services=tuple(services),
        rolled_back=latch.number if latch else None,
        trigger=latch.trigger if latch else None,
        message=latch.message if latch else None,
        detour=content_of(detour) if detour else None,
        detour_message=detour.message if detour else None,
    )


def _names_the_same(other: Manifest, rollout: AgentRollout) -> bool:
    theirs = ((other.get("spec") or {}).get("traffic") or {}).get("routePatch") or {}
    desired = rollout.spec.traffic.route_patch
    return desired is not None and (theirs.get("name"), theirs.get("rule")) == (desired.name, desired.rule)
