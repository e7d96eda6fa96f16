"""An HTTPRoute of another owner: the named rule, its backends, and the annotation that claims them.

Ours in such a route are the weights of the backends that are releases of a rollout, and one annotation,
`<rollout>.agentrollouts.dev/split`, the claim. It is written with the weights, in one patch: it carries the
latch of a rollback, and it says which backends were ours and which of them is stable, so that the split can
be settled when the rollout is gone and nothing else remembers it.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from agentrollouts.api.model.base import ApiModel
from agentrollouts.api.names import GROUP
from agentrollouts.api.reasons import Reason
from agentrollouts.api.status import ReleaseRecord
from agentrollouts.core.effects import Manifest, Patch, Problem
from agentrollouts.core.traffic.backends import key_of_ref
from agentrollouts.core.traffic.latch import UNTOLD, Latch, trigger_of
from agentrollouts.core.traffic.weights import FULL, share_of

SPLIT: Final = f".{GROUP}/split"
"""What stands behind a rollout's name in the key of its claim."""

Operation = Mapping[str, Any]
"""One step of a JSON patch (RFC 6902)."""


class Claim(ApiModel):
    """What a rollout has set in a route."""

    uid: str
    """Of the rollout; another one of the same name knows nothing of its attempts."""
    rule: str
    """Name of the rule."""
    stable: str | None = None
    """Key of the backend that gets everything once the rollout is gone."""
    services: tuple[str, ...] = ()
    """Keys of all backends whose weights were set."""
    rolled_back: int | None = None
    """The latch: the attempt that was rolled back."""
    trigger: str | None = None
    """Why it was rolled back, in one word."""
    message: str | None = None
    """Why, in a sentence."""
    detour: dict[str, Any] | None = None
    """The mark of a detour in progress."""
    detour_message: str | None = None
    """Its sentence."""

    @property
    def latch(self) -> Latch | None:
        """The latch, if the claim carries it."""
        if self.rolled_back is None:
            return None
        return Latch(self.rolled_back, trigger_of(self.trigger), self.message or UNTOLD, self.uid)


@dataclass(frozen=True, slots=True)
class Rule:
    """The rule as it was read."""

    index: int
    name: str
    route: str
    """Name of its route."""
    services: tuple[str | None, ...]
    """The key of each backend; None for a backend that is not in the namespace of the route."""
    refs: Sequence[Manifest]
    is_sticky: bool = False
    """Whether it keeps users on the backend that they got first."""

    def __str__(self) -> str:
        return f"rule {self.name} of HTTPRoute {self.route}"

    def weight(self, position: int) -> int:
        """The weight of a backend; one that names none has 1 (Gateway API, HTTPBackendRef)."""
        return int(self.refs[position].get("weight", 1))

    def share(self, record: ReleaseRecord) -> int | None:
        """Percent of its requests that a release gets; None if that cannot be seen."""
        return share_of(record, ((name, self.weight(at)) for at, name in enumerate(self.services)))


def rule_of(route: Manifest, name: str) -> Rule | Problem:
    """The one rule of that name in a route."""
    rules = (route.get("spec") or {}).get("rules") or ()
    matches = [index for index, rule in enumerate(rules) if rule.get("name") == name]
    if len(matches) != 1:
        names = ", ".join(str(rule.get("name", "one without a name")) for rule in rules) or "none"
        return Problem(
            Reason.ROUTE_UNEXPECTED,
            f"HTTPRoute {route['metadata']['name']} must have one rule named {name}, it has {len(matches)} "
            f"(its rules: {names}); set `name: {name}` on the rule of the agent",
        )
    [index] = matches
    refs, namespace = rules[index].get("backendRefs") or (), route["metadata"].get("namespace")
    is_sticky = rules[index].get("sessionPersistence") is not None
    services = tuple(_service(ref, namespace) for ref in refs)
    return Rule(index, name, route["metadata"]["name"], services, refs, is_sticky)


def _service(ref: Manifest, namespace: str | None) -> str | None:
    return key_of_ref(ref) if ref.get("namespace") in {None, namespace} else None


def claim_of(route: Manifest | None, rollout: str) -> Claim | None:
    """What a rollout of that name has set in a route; None if nothing, or nothing that can be read."""
    text = _annotations(route).get(f"{rollout}{SPLIT}")
    try:
        return Claim.model_validate_json(text) if text else None
    except ValidationError:  # someone else wrote it
        return None


def is_claimed(route: Manifest, rollout: str) -> bool:
    """Whether a route has the annotation of a rollout of that name, readable or not."""
    return f"{rollout}{SPLIT}" in _annotations(route)


def claimants(route: Manifest) -> Iterator[str]:
    """Names of the rollouts that have set something in a route."""
    return (key.removesuffix(SPLIT) for key in _annotations(route) if key.endswith(SPLIT))


def _annotations(route: Manifest | None) -> Mapping[str, str]:
    return ((route or {}).get("metadata") or {}).get("annotations") or {}


def settled(route: Manifest, rollout: str, claim: Claim | None) -> tuple[Operation, ...]:
    """Everything to the release that was stable, and no trace of the rollout.

    If the rule, or the backend of stable, no longer exists, its owner has decided otherwise: weights stay.
    They also stay in a detour: an agent that was switched off is not switched on by a deletion.

    Args:
        route: The route.
        rollout: Name of the rollout.
        claim: What its annotation says, as `claim_of` reads it.
    """
    rule = rule_of(route, claim.rule) if claim else None
    forget = annotated(route, rollout, claim, None)
    if claim is None or claim.stable is None or claim.detour or not isinstance(rule, Rule):
        return forget
    if claim.stable not in rule.services:
        return forget
    return (*weighed(rule, dict.fromkeys(claim.services, 0) | {claim.stable: FULL}), *forget)


def weighed(rule: Rule, shares: Mapping[str, int]) -> tuple[Operation, ...]:
    """The weights that differ, under the condition that the rule is as it was read."""
    path = f"/spec/rules/{rule.index}"
    changes = [
        {"op": "add", "path": f"{path}/backendRefs/{position}/weight", "value": shares[service]}
        for position, service in enumerate(rule.services)
        if service and service in shares and rule.weight(position) != shares[service]
    ]
    if not changes:
        return ()
    return (
        {"op": "test", "path": f"{path}/name", "value": rule.name},
        {"op": "test", "path": f"{path}/backendRefs", "value": rule.refs},
        *changes,
    )


def annotated(
    route: Manifest, rollout: str, before: Claim | None, claim: Claim | None
) -> tuple[Operation, ...]:
    """The claim as it has to be; where there is no annotation at all, under the condition that it is so.

    Args:
        route: The route.
        rollout: Name of the rollout.
        before: What its annotation says, as `claim_of` reads it.
        claim: What it has to say; None for no annotation.
    """
    annotations, key, path = _annotations(route), f"{rollout}{SPLIT}", "/metadata/annotations"
    text = json.dumps(claim.to_json(), sort_keys=True, separators=(",", ":")) if claim else None
    if annotations.get(key) == text or (claim and _has_mark(before, claim)):
        return ()
    if route["metadata"].get("annotations") is None:
        return (
            {"op": "test", "path": path, "value": None},
            {"op": "add", "path": path, "value": {key: text}},
        )
    own = f"{path}/{key.replace('/', '~1')}"
    return ({"op": "add", "path": own, "value": text} if text else {"op": "remove", "path": own},)


def _has_mark(before: Claim | None, claim: Claim) -> bool:
    """Whether the claim of a rollback or detour is there; sentences do not count, as they may be refused."""
    if before is None or (claim.rolled_back is None and claim.detour is None):
        return False
    return before == claim.copy_with(message=before.message, detour_message=before.detour_message)


def patch(route: Manifest, operations: tuple[Operation, ...]) -> Patch:
    """Operations on that route."""
    metadata = {key: route["metadata"][key] for key in ("name", "namespace")}
    return Patch({"apiVersion": route["apiVersion"], "kind": route["kind"], "metadata": metadata}, operations)
