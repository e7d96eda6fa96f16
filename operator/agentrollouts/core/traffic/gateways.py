"""What gateways report about the route that splits the requests: are its weights in effect, and why not?

Each parent of the current spec counts, by what is reported about the current generation: a report on an older
one, or on a parent that is not in the spec, says nothing. Forward moves wait for it; a rollback does not.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from agentrollouts.api.reasons import Reason
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.api.traffic import OwnRoute, RoutePatch
from agentrollouts.core.conditions import TRAFFIC_APPLIED, find_condition
from agentrollouts.core.effects import Manifest, Problem
from agentrollouts.core.traffic.backends import backends_of_rule, group_of, name_of
from agentrollouts.core.traffic.manifests import HTTP_ROUTE, ROUTE_API, ROUTES, Objects, own_route
from agentrollouts.core.traffic.observed import Observed

SILENCE: Final = timedelta(seconds=30)
"""How long a gateway may take to report on a route before it is taken to be missing."""

_WAITING: Final = frozenset({Reason.APPLYING.value, Reason.NO_GATEWAY.value})

_Said = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Report:
    """The sum of what the gateways say about the current generation of the route."""

    problem: Problem | None = None
    """Why the weights do not count as applied; None if every parent confirms them."""
    until: datetime | None = None
    """When silence will be taken for a missing gateway; None if nothing is waited for."""
    unresolved: tuple[str, ...] = ()
    """What gateways say about references that they cannot resolve."""

    @property
    def is_silence(self) -> bool:
        """Whether a gateway has said nothing, rather than something against the route."""
        return self.problem is not None and self.problem.reason in _WAITING

    @property
    def is_lasting(self) -> bool:
        """Whether it is more than the moment that a gateway takes."""
        return self.problem is not None and self.until is None


def read(obs: Observed) -> Report:
    """What the gateways say; of one that never writes status, and without a route, nothing is expected."""
    traffic, route = obs.rollout.spec.traffic, route_of(obs.rollout, obs.traffic)
    route_spec = traffic.own_route or traffic.route_patch
    if route_spec is None or route is None:
        return Report()
    unresolved = tuple(
        text for text in _texts(route, "ResolvedRefs", "False") if not _is_elsewhere(route, route_spec, text)
    )
    if refused := _refusal(route, unresolved):
        return Report(refused, None, unresolved)
    silent = next(_silent(route), None)
    if silent is None or route_spec.statusless:
        return Report()
    since = _since(obs.status, obs.now)
    if since is not None and since + SILENCE > obs.now:
        waiting = f"{_title(route)} is written; its gateway has not reported it yet"
        return Report(Problem(Reason.APPLYING, waiting), since + SILENCE)
    return Report(Problem(Reason.NO_GATEWAY, f"{silent}{_advice(traffic.route_field)}"))


def route_of(rollout: AgentRollout, seen: Objects) -> Manifest | None:
    """The route that splits the requests; None if there is none in the spec or in the cluster."""
    patched, own = rollout.spec.traffic.route_patch, own_route(rollout)
    if patched:
        return seen.get((HTTP_ROUTE, patched.name))
    keys = (own,) if own else ((kind, rollout.metadata.name) for kind in ROUTES)
    return next((seen[key] for key in keys if key in seen), None)


def follow(rollout: AgentRollout, seen: Objects) -> bool:
    """Whether every gateway has reported that it took over the current generation of the route."""
    route = route_of(rollout, seen) if rollout.spec.traffic.by_route else None
    return route is not None and all(
        any(_is(said, "Accepted", "True", route) for said in _reports(route, parent))
        for parent in _parents(route)
    )


def names(text: str, service: str) -> bool:
    """Whether a gateway's sentence speaks of this Service; what stands before a slash is a namespace."""
    return re.search(rf"(?<![-a-z0-9.]){re.escape(service)}(?![-a-z0-9/]|\.[a-z0-9])", text) is not None


def _title(route: Manifest) -> str:
    return f"{route['kind']} {route['metadata']['name']}"


def _since(status: AgentRolloutStatus, now: datetime) -> datetime | None:
    """Since when the weights are on their way; None once that was found to be too long."""
    condition = find_condition(status.conditions, TRAFFIC_APPLIED)
    if condition is None or condition.reason not in _WAITING:
        return now
    return None if condition.reason == Reason.NO_GATEWAY else min(condition.last_transition_time, now)


def _refusal(route: Manifest, unresolved: tuple[str, ...]) -> Problem | None:
    """The first thing that a gateway has against the route."""
    name = _title(route)
    for text in _texts(route, "Accepted", "False"):
        return Problem(Reason.NOT_ACCEPTED, f"the gateway does not accept {name}: {text}")
    for text in unresolved:
        return Problem(Reason.REFS_NOT_RESOLVED, f"the gateway cannot resolve a backend of {name}: {text}")
    for text in _texts(route, "PartiallyInvalid", "True"):
        return Problem(Reason.PARTIALLY_INVALID, f"the gateway ignored a part of {name}: {text}")
    return None


def _texts(route: Manifest, kind: str, status: str) -> Iterator[str]:
    """Reason and message of each present condition with that status."""
    for parent in _parents(route):
        for said in _reports(route, parent):
            if _is(said, kind, status, route):
                yield f"{said.get('reason')}: {said.get('message')}"


def _is_elsewhere(route: Manifest, route_spec: OwnRoute | RoutePatch, text: str) -> bool:
    """Whether it is about a backend without a share of our traffic: that is not our business.

    It may be in another rule of a shared route, or wait at weight 0 for a release that does not run yet.
    """
    rules = (route.get("spec") or {}).get("rules") or ()
    own = [rule for rule in rules if isinstance(route_spec, OwnRoute) or rule.get("name") == route_spec.rule]
    shares = {name_of(key) for rule in own for key, weight in backends_of_rule(rule) if weight}
    others = {name_of(key) for rule in rules for key, _ in backends_of_rule(rule)} - shares
    return any(names(text, name) for name in others) and not any(names(text, name) for name in shares)


def _silent(route: Manifest) -> Iterator[str]:
    """A sentence for each parent of which no gateway says that it serves the current generation."""
    name, generation = _title(route), route["metadata"].get("generation")
    if not _parents(route):
        yield f"{name} has no parentRefs, so no gateway serves it"
    for parent in _parents(route):
        said = _reports(route, parent)
        missing = [kind for kind in _CONFIRMING if not any(_is(one, kind, "True", route) for one in said)]
        if "ResolvedRefs" in missing and any(_is(one, "ResolvedRefs", "False", route) for one in said):
            missing.remove("ResolvedRefs")  # elsewhere in the route, else it would have been a refusal
        if not missing:
            continue
        if not said:
            yield _unknown(route, parent)
            continue
        if of_any := [one["type"] for one in said if one.get("type") in missing and _is_of_any(one)]:
            yield (
                f"the gateway of {name}, {_named(route, parent)}, reports {' and '.join(of_any)} without "
                "observedGeneration, so its reports confirm no weights and count as if it wrote none."
            )
            continue
        yield (
            f"the gateway of {name}, {_named(route, parent)}, has not reported "
            f"{' and '.join(missing)} for "
            f"generation {generation}; does it still run?"
        )


_CONFIRMING: Final = ("Accepted", "ResolvedRefs")


def _unknown(route: Manifest, parent: _Said) -> str:
    name, own = _title(route), route["metadata"].get("namespace")
    if parent.get("kind") == "Service":
        return (
            f"no mesh has reported on {name}, parentRef {_named(route, parent)}; does the Service "
            "exist, and does a mesh serve its clients?"
        )
    where = parent.get("namespace") or own
    meant = "" if parent.get("namespace") else f" (the parentRef names no namespace, so {own} is meant)"
    return (
        f"no gateway has reported on {name}, parentRef {_named(route, parent)}; is it in namespace "
        f"{where}{meant}, and does it allow routes from namespace {own}?"
    )


def _advice(field: str) -> str:
    return f" If it never writes the status of routes, set spec.traffic.{field}.statusless: true"


def _named(route: Manifest, parent: _Said) -> str:
    kind, where = parent.get("kind", "Gateway"), parent.get("namespace") or route["metadata"].get("namespace")
    section = f" section {parent['sectionName']}" if parent.get("sectionName") else ""
    port = f" port {parent['port']}" if parent.get("port") else ""
    return f"{kind} {where}/{parent.get('name')}{section}{port}"


def _parents(route: Manifest) -> Iterable[_Said]:
    return (route.get("spec") or {}).get("parentRefs") or ()


def _reports(route: Manifest, parent: _Said) -> list[_Said]:
    """The conditions that any controller reports on this parent, whatever their generation."""
    identity = _identity(route, parent)
    return [
        condition
        for parent_status in (route.get("status") or {}).get("parents") or ()
        if _identity(route, parent_status.get("parentRef") or {}) == identity
        for condition in parent_status.get("conditions") or ()
    ]


def _identity(route: Manifest, parent: _Said) -> tuple[object, ...]:
    """What makes two parentRefs the same one, with the defaults of the Gateway API (ParentReference)."""
    kind, namespace = parent.get("kind") or "Gateway", parent.get("namespace")
    group = group_of(parent, kind)
    return (
        ROUTE_API if group is None else group,
        kind,
        namespace or route["metadata"].get("namespace"),
        parent.get("name"),
        parent.get("sectionName") or None,
        parent.get("port") or None,
    )


def _is_of_any(said: _Said) -> bool:
    """Whether a condition does not say which generation it is about."""
    return not said.get("observedGeneration")


def _is(said: _Said, kind: str, status: str, route: Manifest) -> bool:
    """Whether a condition has this status for the current generation; 0 or none is not the current one."""
    generation = route["metadata"].get("generation")
    is_present = bool(generation) and said.get("observedGeneration") == generation
    return is_present and said.get("type") == kind and said.get("status") == status
