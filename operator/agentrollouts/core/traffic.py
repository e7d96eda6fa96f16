"""What the traffic objects must say: a pure function of the persisted status.

Between `decide` and `act`. Forward moves are persisted in the status first and rendered from it on the next
pass; a move back is rendered from the decision itself, so that stable gets its traffic with the first write.
Another router is one more renderer beside `render_route`, and nothing else.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from agentrollouts.api.meta import (
    API_VERSION,
    FIELD_MANAGER,
    LABEL_AGENT,
    LABEL_MANAGED_BY,
    LABEL_ROLLOUT,
)
from agentrollouts.api.rollout import AgentRollout, HttpRouteTraffic
from agentrollouts.api.status import AgentRolloutStatus, ReleaseRecord
from agentrollouts.core.effects import Manifest
from agentrollouts.core.latch import Latch, is_latched, latch_of, read_latch, without_message

Objects = Mapping[tuple[str, str], Manifest]
"""Manifests by kind and name."""

ROUTE_API: Final = "gateway.networking.k8s.io"
OWNERS: Final = "ownerReferences"
FULL: Final = 100
FLAG_SCHEMA: Final = "https://flagd.dev/schema/v0/flags.json"


@dataclass(frozen=True, slots=True)
class Weights:
    """Shares of traffic in percent; the only place where they are built, so their sum is 100 by type."""

    canary: int

    def __post_init__(self) -> None:
        if not 0 <= self.canary <= FULL:
            raise ValueError(f"A weight is 0 to 100 percent, not {self.canary}")

    @property
    def stable(self) -> int:
        """What the canary does not have."""
        return FULL - self.canary


BACK: Final = Weights(canary=0)
"""The way back: a constant, so that no arithmetic can keep the canary in traffic."""


def asked_weights(status: AgentRolloutStatus) -> Weights | None:
    """The split that the status asks for; None while there is nothing to serve."""
    attempt = status.attempt
    if status.canary is None or attempt is None or is_latched(status):
        return BACK if status.stable else None
    if status.stable is None:
        return Weights(canary=FULL) if attempt.weight else None
    return Weights(canary=attempt.weight)


def render_route(rollout: AgentRollout, status: AgentRolloutStatus, seen: Objects) -> Manifest | None:
    """The HTTPRoute that the operator owns, whole; None where there is none or nothing can be served yet."""
    wanted = rollout.spec.traffic.http_route or _left_route(rollout, seen)
    weights = asked_weights(status)
    if wanted is None or weights is None:
        return None
    sides = ((status.stable, weights.stable), (status.canary, weights.canary))
    if any(weight and not (record and record.service) for record, weight in sides):
        return None  # a route without one of the two would send its share to the other
    parents = [
        {"group": ROUTE_API, "kind": "Gateway"} | parent.model_dump(by_alias=True, exclude_none=True)
        for parent in wanted.parent_refs
    ]
    backends = [
        {"group": "", "kind": "Service", "weight": weight} | record.service.model_dump(by_alias=True)
        for record, weight in sides
        if record is not None and record.service is not None
    ]
    rule = {"matches": [{"path": {"type": "PathPrefix", "value": "/"}}], "backendRefs": backends}
    spec: dict[str, Any] = {"parentRefs": parents, "rules": [rule]}
    if wanted.hostnames:
        spec["hostnames"] = list(wanted.hostnames)
    return {
        "apiVersion": f"{ROUTE_API}/v1",
        "kind": "HTTPRoute",
        "metadata": _metadata(rollout, status, rollout.metadata.name),
        "spec": spec,
    }


def unwanted_route(rollout: AgentRollout, seen: Objects) -> Manifest | None:
    """A route of ours that `spec` wants no more."""
    found = seen.get(("HTTPRoute", rollout.metadata.name))
    if rollout.spec.traffic.http_route or found is None or not is_ours(found, rollout):
        return None
    return found


def _left_route(rollout: AgentRollout, seen: Objects) -> HttpRouteTraffic | None:
    """An unwanted route moves requests until it is deleted, so it is kept right."""
    found = unwanted_route(rollout, seen)
    try:
        return HttpRouteTraffic.model_validate(found.get("spec")) if found else None
    except ValidationError:  # somebody made it another route
        return None


def render_config(rollout: AgentRollout, status: AgentRolloutStatus) -> Manifest | None:
    """The `<rollout>-traffic` ConfigMap for agents that split by themselves; None while nothing is served."""
    weights = asked_weights(status)
    if weights is None:
        return None
    split = {
        "agent": rollout.spec.agent,
        "attempt": status.attempt.number if status.attempt else 0,
        "generation": rollout.metadata.generation,
        "stable": _side(status.stable, weights.stable),
        "canary": _side(status.canary, weights.canary),
    }
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _metadata(rollout, status, f"{rollout.metadata.name}-traffic"),
        "data": {
            "split.json": _json(split),
            "flags.json": _json(_flags(rollout.spec.agent, status, weights)),
        },
    }


def render(rollout: AgentRollout, status: AgentRolloutStatus, seen: Objects) -> tuple[Manifest, ...]:
    """All traffic objects in the order in which they are written: the one that moves requests first.

    Args:
        rollout: Its spec and its name.
        status: What is asked for.
        seen: Our traffic objects as the API server has them.
    """
    manifests = (render_route(rollout, status, seen), render_config(rollout, status))
    return tuple(manifest for manifest in manifests if manifest is not None)


def unshown(rollout: AgentRollout, status: AgentRolloutStatus, seen: Objects) -> Iterator[Manifest]:
    """Those of `render` that the API server does not have as they must be, in the same order.

    The sentence beside a mark does not count: the API server may have refused it.
    """
    for wanted in render(rollout, status, seen):
        found = seen.get(key_of(wanted))
        if not covers(found, without_message(wanted)) or _is_sticky(found):
            yield wanted


def _is_sticky(found: Manifest | None) -> bool:
    """Whether someone made users of our route stay with a canary at weight 0; the next write undoes that."""
    rules = ((found or {}).get("spec") or {}).get("rules") or ()
    return any(rule.get("sessionPersistence") is not None for rule in rules if isinstance(rule, Mapping))


def key_of(manifest: Manifest) -> tuple[str, str]:
    """Kind and name: what an object is found by in an observation."""
    return manifest["kind"], manifest["metadata"]["name"]


def covers(actual: object, wanted: object) -> bool:
    """Whether `actual` says all that `wanted` says; fields that others or the API server added do not matter.

    Lists are compared whole, as Gateway API's lists are atomic; only owners are merged.
    """
    if actual == wanted:  # most of it, at no cost
        return True
    if isinstance(wanted, Mapping):
        return isinstance(actual, Mapping) and all(
            _has_owners(actual.get(key), value) if key == OWNERS else covers(actual.get(key), value)
            for key, value in wanted.items()
        )
    return (
        isinstance(wanted, list | tuple)
        and isinstance(actual, list | tuple)
        and len(actual) == len(wanted)
        and all(covers(theirs, ours) for theirs, ours in zip(actual, wanted, strict=True))
    )


def _has_owners(actual: object, wanted: Iterable[Mapping[str, Any]]) -> bool:
    """Whether we are among the owners; that list is merged, so others may stand beside us."""
    owners = actual if isinstance(actual, list | tuple) else ()
    return all(any(covers(theirs, ours) for theirs in owners) for ours in wanted)


def latch(manifest: Manifest | None) -> Latch | None:
    """The mark of a rolled-back attempt on an object of ours."""
    return read_latch(_annotations(manifest))


def is_ours(actual: Manifest, rollout: AgentRollout) -> bool:
    """Whether an object of the name that we want was made by us for this rollout."""
    labels = (actual.get("metadata") or {}).get("labels") or {}
    marks = {LABEL_MANAGED_BY: FIELD_MANAGER, LABEL_ROLLOUT: rollout.metadata.name}
    return marks.items() <= labels.items()


def is_owned_by(manifest: Manifest, uid: str) -> bool:
    """Whether this very rollout made it: another one of the same name knows nothing of its attempts."""
    owners = (manifest.get("metadata") or {}).get(OWNERS) or ()
    return any(owner.get("uid") == uid for owner in owners)


def _annotations(manifest: Manifest | None) -> Mapping[str, str]:
    return ((manifest or {}).get("metadata") or {}).get("annotations") or {}


def _metadata(rollout: AgentRollout, status: AgentRolloutStatus, name: str) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "name": name,
        "namespace": rollout.metadata.namespace,
        "labels": {
            LABEL_MANAGED_BY: FIELD_MANAGER,
            LABEL_AGENT: rollout.spec.agent,
            LABEL_ROLLOUT: rollout.metadata.name,
        },
        "ownerReferences": [
            {
                "apiVersion": API_VERSION,
                "kind": "AgentRollout",
                "name": rollout.metadata.name,
                "uid": rollout.metadata.uid,
                "controller": True,
            }
        ],
    }
    if found := latch_of(status):
        metadata["annotations"] = found.annotations
    return metadata


def _side(record: ReleaseRecord | None, weight: int) -> Mapping[str, Any] | None:
    if record is None:
        return None
    return {
        "release": record.release,
        "version": record.version,
        "digest": record.digest,
        "snapshot": record.snapshot,
        "weight": weight,
    }


def _flags(agent: str, status: AgentRolloutStatus, weights: Weights) -> Mapping[str, Any]:
    """One flag in flagd's format.

    The canary stands first and the total is constant: then a user who got the canary at 5 % keeps it at 25 %
    (measured with openfeature-provider-flagd 0.6.1).
    """
    sides = [(status.canary, weights.canary), (status.stable, weights.stable)]
    shares = [[record.release, weight] for record, weight in sides if record is not None]
    flag: dict[str, Any] = {
        "state": "ENABLED",
        "variants": {record.release: record.snapshot for record, _ in sides if record is not None},
        "defaultVariant": shares[-1][0],
    }
    if len(shares) > 1:
        key = {"cat": [{"var": "$flagd.flagKey"}, {"var": "targetingKey"}]}
        flag["targeting"] = {"fractional": [key, *shares]}
    return {"$schema": FLAG_SCHEMA, "flags": {f"{agent}-release": flag}}


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
