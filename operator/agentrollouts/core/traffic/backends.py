"""The backends of any route, ours or not: to which Services it sends requests."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from agentrollouts.core.effects import Manifest

Backend = tuple[str, int]
"""Name of the Service, and weight; one that names no weight has 1 (Gateway API, HTTPBackendRef)."""


def backends_of_rule(rule: Mapping[str, Any]) -> Iterator[Backend]:
    """Those of one rule."""
    return ((str(ref.get("name")), ref.get("weight", 1)) for ref in rule.get("backendRefs") or ())


def rules_of(route: Manifest) -> Iterator[Mapping[str, Any]]:
    """The rules of a route."""
    rules = (route.get("spec") or {}).get("rules") or ()
    return (rule for rule in rules if isinstance(rule, Mapping))


def backends(route: Manifest) -> Iterator[Backend]:
    """Those of all rules."""
    return (backend for rule in rules_of(route) for backend in backends_of_rule(rule))


def weighted(routes: Iterable[Manifest]) -> frozenset[str]:
    """Names of the Services to which routes send requests."""
    return frozenset(name for route in routes for name, weight in backends(route) if weight)
