"""`spec.traffic.routePatch`: whether the weights in a route of another owner may be set, and to what.

Forward, anything unexpected in the rule is reported and nothing is written. Nothing stops a rollback but a
rule, or a stable release, that does not exist.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from agentrollouts.api.attempt import State
from agentrollouts.api.names import FIELD_MANAGER, LABEL_MANAGED_BY
from agentrollouts.api.reasons import Reason
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.api.status import AgentRolloutStatus, ReleaseRecord
from agentrollouts.api.traffic import RoutePatch
from agentrollouts.core.effects import Manifest, Patch, Problem
from agentrollouts.core.history import is_returning
from agentrollouts.core.traffic.latch import Latch, latch_of
from agentrollouts.core.traffic.manifests import is_owned_by, latch
from agentrollouts.core.traffic.observed import Observed
from agentrollouts.core.traffic.route_claim import (
    Claim,
    Operation,
    Rule,
    annotated,
    is_claimed,
    patch,
    rule_of,
    settled,
    weighed,
)
from agentrollouts.core.traffic.weights import ALL_STABLE, FULL, Weights, desired_weights

ROUTE: Final = "HTTPRoute"


def refusal(obs: Observed, records: Iterable[ReleaseRecord | None]) -> Problem | None:
    """Why these releases cannot share the rule; None if they can, or if there is no rule."""
    wanted = obs.rollout.spec.traffic.route_patch
    if wanted is None:
        return None
    rule = _find(obs, wanted)
    if isinstance(rule, Problem):
        return rule
    if obs.rule_taken_by:
        return Problem(
            Reason.RULE_TAKEN,
            f"{_name(wanted)}: rollout {obs.rule_taken_by} is older and sets its weights; name another rule",
        )
    ours = _ours(obs)
    return (
        _sticky(wanted, rule)
        or _twice(wanted, rule, ours)
        or _missing(wanted, rule, records)
        or _stranger(wanted, rule, ours)
    )


def unexpected(obs: Observed, status: AgentRolloutStatus) -> Problem | None:
    """What is wrong with the rule for the desired split, whether or not it blocks a write."""
    weights = desired_weights(status)
    return None if weights is None else refusal(obs, _sharing(status, weights))


def blocked(obs: Observed, status: AgentRolloutStatus) -> Problem | None:
    """Why the desired weights are not written."""
    weights, wanted = desired_weights(status), obs.rollout.spec.traffic.route_patch
    if weights is None or wanted is None:
        return None
    is_back = weights == ALL_STABLE or (weights.canary == FULL and is_returning(status.canary, status))
    if not is_back or (obs.rule_taken_by and not _is_going_back(status)):
        return unexpected(obs, status)
    return unreachable(obs, _sharing(status, weights))


def unreachable(obs: Observed, records: Iterable[ReleaseRecord | None]) -> Problem | None:
    """Why the rule cannot send all traffic to one of these releases, whatever else is wrong with it."""
    wanted = obs.rollout.spec.traffic.route_patch
    rule = _find(obs, wanted) if wanted else None
    if wanted is None or rule is None or isinstance(rule, Problem):
        return rule if isinstance(rule, Problem) else None
    return _missing(wanted, rule, records)


def _sharing(status: AgentRolloutStatus, weights: Weights) -> tuple[ReleaseRecord, ...]:
    """The releases that have a share."""
    sides = ((status.stable, weights.stable), (status.canary, weights.canary))
    return tuple(record for record, weight in sides if record and weight)


def _is_going_back(status: AgentRolloutStatus) -> bool:
    return status.attempt is not None and status.attempt.state in {State.ROLLING_BACK, State.VERIFYING}


def _find(obs: Observed, wanted: RoutePatch) -> Rule | Problem:
    """The one rule of that name."""
    route = obs.traffic.get((ROUTE, wanted.name))
    if route is None:
        where = f"no HTTPRoute {wanted.name} in namespace {obs.rollout.metadata.namespace}"
        return Problem(
            Reason.ROUTE_NOT_FOUND, f"spec.traffic.routePatch: {where}; create it or name another one"
        )
    if (route["metadata"].get("labels") or {}).get(LABEL_MANAGED_BY) == FIELD_MANAGER:
        return _surprise(f"HTTPRoute {wanted.name} was created by the operator; name your own route")
    return rule_of(route, wanted.rule)


def _sticky(wanted: RoutePatch, rule: Rule) -> Problem | None:
    """Sessions outlive weights: a user who got the canary keeps it at weight 0 (GEP-1619)."""
    if not rule.is_sticky:
        return None
    return Problem(
        Reason.STICKY_ROUTE,
        f"{_name(wanted)} has sessionPersistence, which keeps users on the canary at weight 0; remove it "
        "from the rule",
    )


def _twice(wanted: RoutePatch, rule: Rule, ours: set[str]) -> Problem | None:
    named = [service for service in rule.services if service in ours]
    twice = next((service for service in named if named.count(service) > 1), None)
    if twice is None:
        return None
    return _surprise(f"{_name(wanted)} lists Service {twice} twice; keep one backend")


def _missing(wanted: RoutePatch, rule: Rule, records: Iterable[ReleaseRecord | None]) -> Problem | None:
    for record in records:
        if record and record.service and record.service.name not in rule.services:
            example = f"{{name: {record.service.name}, port: {record.service.port}, weight: 0}}"
            return _surprise(
                f"{_name(wanted)} has no backend for release {record.release}; "
                f"add {example} to its backendRefs"
            )
    return None


def _stranger(wanted: RoutePatch, rule: Rule, ours: set[str]) -> Problem | None:
    """An unknown backend can be in the rule, but not with a share: we do not control that share."""
    for position, service in enumerate(rule.services):
        if rule.weight(position) and service not in ours:
            name, weight = rule.refs[position].get("name"), rule.weight(position)
            return _surprise(
                f"{_name(wanted)}: backend {name} has weight {weight} but is not a release of this rollout; "
                "set its weight to 0 or remove it"
            )
    return None


def _ours(obs: Observed) -> set[str]:
    """The Services of this rollout's releases: recorded in its status, set there before, or desired now."""
    status, spec = obs.status, obs.rollout.spec
    records = (status.stable, status.canary, *status.history)
    known = {record.service.name for record in records if record and record.service}
    if obs.release and obs.release.spec.serving and obs.release.spec.agent == spec.agent:
        known.add(obs.release.spec.serving.service.name)
    claim = obs.claims.get(spec.traffic.route_patch.name) if spec.traffic.route_patch else None
    return known | set(claim.services if claim else ())


def _name(wanted: RoutePatch) -> str:
    return f"rule {wanted.rule} of HTTPRoute {wanted.name}"


def _surprise(message: str) -> Problem:
    return Problem(Reason.ROUTE_UNEXPECTED, message)


def patches(obs: Observed, status: AgentRolloutStatus) -> tuple[Patch, ...]:
    """What the routes of others do not show yet; a split that is no longer desired there is settled."""
    return tuple(
        patch(route, operations)
        for (kind, _), route in obs.traffic.items()
        if kind == ROUTE and (operations := _due(obs, status, route))
    )


def _due(obs: Observed, status: AgentRolloutStatus, route: Manifest) -> tuple[Operation, ...]:
    rollout, wanted = obs.rollout.metadata.name, obs.rollout.spec.traffic.route_patch
    claim = obs.claims.get(route["metadata"]["name"])
    if wanted and wanted.name == route["metadata"]["name"] and (not claim or claim.rule == wanted.rule):
        return _split(obs, status, route, wanted)
    return settled(route, rollout, claim) if is_claimed(route, rollout) else ()


def _split(
    obs: Observed, status: AgentRolloutStatus, route: Manifest, wanted: RoutePatch
) -> tuple[Operation, ...]:
    """The desired weights; every other release of this rollout has none."""
    weights, rule = desired_weights(status), rule_of(route, wanted.rule)
    if weights is None or isinstance(rule, Problem) or blocked(obs, status):
        return ()
    if not all(record.service for record in _sharing(status, weights)):
        return ()  # without a Service there is nothing to send its share to
    shares = dict.fromkeys(_ours(obs), 0)
    for record, weight in ((status.canary, weights.canary), (status.stable, weights.stable)):
        if record and record.service:
            shares[record.service.name] = weight
    services = sorted({service for service in rule.services if service and service in shares})
    claim = _claim(obs.rollout, status, wanted.rule, services)
    return (
        *weighed(rule, shares),
        *annotated(route, obs.rollout.metadata.name, claim, obs.claims.get(wanted.name)),
    )


def _claim(rollout: AgentRollout, status: AgentRolloutStatus, rule: str, services: Iterable[str]) -> Claim:
    latch = latch_of(status)
    return Claim(
        uid=rollout.metadata.uid,
        rule=rule,
        stable=status.stable.service.name if status.stable and status.stable.service else None,
        services=tuple(services),
        rolled_back=latch.number if latch else None,
        trigger=latch.trigger if latch else None,
        message=latch.message if latch else None,
    )


def latches(obs: Observed, number: int) -> Iterator[Latch]:
    """What the traffic objects say of the rollback of this attempt."""
    metadata = obs.rollout.metadata
    for (kind, name), manifest in obs.traffic.items():
        claim = obs.claims.get(name) if kind == ROUTE else None
        claimed = claim.latch if claim and claim.uid == metadata.uid else None
        own = latch(manifest) if is_owned_by(manifest, metadata.uid) else None
        yield from (found for found in (own, claimed) if found and found.number == number)


def taken_by(rollout: AgentRollout, others: Iterable[Manifest]) -> str | None:
    """The oldest of the other rollouts that name the same rule of the same route, if it is older.

    Args:
        rollout: The one to check.
        others: Rollouts of its namespace, as returned by the API server.
    """
    name, created = rollout.metadata.name, rollout.metadata.creation_timestamp
    rivals = [
        (other["metadata"].get("creationTimestamp") or "", other["metadata"]["name"])
        for other in others
        if _names_the_same(other, rollout) and not other["metadata"].get("deletionTimestamp")
    ]
    oldest = min([(f"{created:%Y-%m-%dT%H:%M:%SZ}" if created else "", name), *rivals])
    return None if oldest[1] == name else oldest[1]


def _names_the_same(other: Manifest, rollout: AgentRollout) -> bool:
    found = ((other.get("spec") or {}).get("traffic") or {}).get("routePatch") or {}
    wanted = rollout.spec.traffic.route_patch
    return wanted is not None and (found.get("name"), found.get("rule")) == (wanted.name, wanted.rule)
