"""The backends of any route, ours or not: to what it sends requests."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from agentrollouts.api.release import backend_key
from agentrollouts.core.effects import Manifest

Backend = tuple[str, int]
"""Its key, which is the name of a Service, and weight; one that names no weight has 1 (Gateway API,
HTTPBackendRef)."""


def group_of(ref: Mapping[str, Any], kind: str) -> str | None:
    """The group of a reference to such a kind; some meshes call the one of a Service `core`."""
    group: str | None = ref.get("group")
    return "" if (kind, group) == ("Service", "core") else group


def key_of_ref(ref: Mapping[str, Any]) -> str:
    """The key of a `backendRef`."""
    kind = ref.get("kind") or "Service"
    return backend_key(group_of(ref, kind), kind, str(ref.get("name")))


def name_of(key: str) -> str:
    """The name of a backend, of whatever kind."""
    return key.rpartition("/")[2]


def backends_of_rule(rule: Mapping[str, Any]) -> Iterator[Backend]:
    """Those of one rule."""
    return ((key_of_ref(ref), ref.get("weight", 1)) for ref in rule.get("backendRefs") or ())


def rules_of(route: Manifest) -> Iterator[Mapping[str, Any]]:
    """The rules of a route."""
    rules = (route.get("spec") or {}).get("rules") or ()
    return (rule for rule in rules if isinstance(rule, Mapping))


def backends(route: Manifest) -> Iterator[Backend]:
    """Those of all rules."""
    return (backend for rule in rules_of(route) for backend in backends_of_rule(rule))


def weighted(routes: Iterable[Manifest]) -> frozenset[str]:
    """The backends to which routes send requests; Services by their names."""
    return frozenset(name for route in routes for name, weight in backends(route) if weight)
