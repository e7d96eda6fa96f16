"""What a route says: the weights of its rules, and the share that a detour takes from all releases.

For those who judge from outside: reads manifests as the API server has them, and imports nothing of the
operator.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

Manifest = Mapping[str, Any]
Weights = Mapping[str, int]
"""By Service."""

MARK: Final = "agentrollouts.dev/detour"
FULL: Final = 100
FINE: Final = 100
"""Parts of a percent, in a route that sends a part of the requests elsewhere."""


def rules_of(route: Manifest) -> list[Weights]:
    """The weights of each rule; the last rule is the one that splits the requests."""
    return [
        {ref["name"]: ref["weight"] for ref in rule.get("backendRefs") or ()}
        for rule in route["spec"]["rules"]
    ]


def shares(weights: Weights) -> Weights:
    """Percent of the requests by Service, rounded up; 0 for all if the gateway answers with an error."""
    total = sum(weights.values())
    return {name: -(-FULL * weight // total) if total else 0 for name, weight in weights.items()}


def mark_of(route: Manifest) -> Manifest:
    """The mark of a detour on a route; empty if there is none."""
    text = (route["metadata"].get("annotations") or {}).get(MARK)
    mark: Manifest = json.loads(text) if text else {}
    return mark


def percent_off(route: Manifest) -> int:
    """Percent of the requests that no release gets, as the mark of a detour on the route says."""
    return share_off({"detour": mark_of(route)})


def share_off(of: Manifest) -> int:
    """Percent of the requests that no release gets, as a status or a split says; a standby is a release."""
    detour = of.get("detour") or {}
    return 0 if "standby" in detour else int(detour.get("percent", 0))


def fallback_of(spec: Manifest) -> str | None:
    """The Service that answers instead of the agent; None if there is none."""
    service = (spec.get("fallback") or {}).get("service") or {}
    name: str | None = service.get("name")
    return name


def wrong_rules(route: Manifest, fallback: str | None) -> Iterator[str]:
    """S1: a sentence for each rule whose weights sum neither to 100 nor to what a detour leaves.

    Args:
        route: As the operator wrote it.
        fallback: The Service that answers instead of the agent.
    """
    rules, percent = rules_of(route), percent_off(route)
    if not rules:
        yield "the route has no rule"
    for weights in rules:
        is_whole = all(type(weight) is int and 0 <= weight <= FULL * FINE for weight in weights.values())
        if not is_whole or not _is_split(weights, percent, fallback):
            yield f"the route has the weights {dict(weights)}, and {percent}% is off"


def _is_split(weights: Weights, percent: int, fallback: str | None) -> bool:
    """Whether the fallback has exactly what is off, and the releases have the rest."""
    elsewhere = weights.get(fallback, 0) if fallback else 0
    ours = sum(weights.values()) - elsewhere
    if not percent:
        return ours == FULL and not elsewhere
    if percent == FULL or fallback is None:  # a share needs a fallback
        return (ours, elsewhere, percent) == (0, FULL if fallback else 0, FULL)
    left = (FULL - percent) * FINE
    return elsewhere == percent * FINE and ours in {0, left}  # 0: there is no release yet
