"""Other routes with the same hostname at the same parent.

They share the requests of that hostname by the rules of the Gateway API, so the weights of one of them may
not hold. That is reported and stops nothing.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from agentrollouts.core.effects import Manifest

NAMED: Final = 3
"""How many routes are named by a warning; with more, only that there are more, which stays true for long."""


class Door(NamedTuple):
    """Where requests come in: a hostname at a parent of a route."""

    kind: str
    namespace: str
    name: str
    hostname: str
    """Empty for all hostnames of the listener."""


def doors(route: Manifest) -> Iterator[tuple[Door, Mapping[str, Any]]]:
    """The doors of a route, each with the `parentRef` that names it."""
    spec, namespace = route.get("spec") or {}, route["metadata"].get("namespace") or ""
    for parent in spec.get("parentRefs") or ():
        kind, where = parent.get("kind") or "Gateway", parent.get("namespace") or namespace
        for hostname in spec.get("hostnames") or ("",):
            yield Door(kind, where, parent.get("name") or "", hostname), parent


def with_same_door(ours: Manifest, others: Iterable[Manifest]) -> tuple[str, ...]:
    """The routes that share a door with ours, as `namespace/name`, in order; all of those that are given.

    Two listeners of one Gateway are two doors; a route that names no listener, or no port, is at all of them.
    """
    here = list(doors(ours))
    return tuple(
        sorted(
            f"{other['metadata'].get('namespace')}/{other['metadata']['name']}"
            for other in others
            if any(_is_same(mine, theirs) for mine in here for theirs in doors(other))
        )
    )


def _is_same(one: tuple[Door, Mapping[str, Any]], other: tuple[Door, Mapping[str, Any]]) -> bool:
    (mine, parent), (theirs, their_parent) = one, other
    return mine == theirs and all(
        None in {parent.get(field), their_parent.get(field)} or parent[field] == their_parent[field]
        for field in ("sectionName", "port")
    )
