"""What concerns what: which rollouts and releases a change of an object touches.

The rules are on plain objects. The cache keeps an index of `entries`, by which it finds the objects again.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Final

from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.names import LABEL_AGENT, LABEL_ROLLOUT
from agentrollouts.core.traffic.conflicts import doors
from agentrollouts.core.traffic.route_claim import claimants

CONFIG_MAP: Final = "ConfigMap"
RELEASE: Final = "AgentRelease"
ROLLOUT: Final = "AgentRollout"
ROUTE: Final = "HTTPRoute"


def entries(key: Ref, manifest: Manifest) -> Iterator[Hashable]:
    """Under what an object is found: its agent, and those that it names or that have claimed it."""
    if key.kind == ROUTE:
        yield from ((ROUTE, Ref(ROLLOUT, key.namespace, name)) for name in claimants(manifest))
        yield from door_numbers(manifest)
        return
    yield key.kind, key.namespace, agent_of(manifest)
    if key.kind == ROLLOUT:
        yield ROLLOUT, key.namespace
        yield (Ref(RELEASE, key.namespace, (_spec(manifest).get("releaseRef") or {}).get("name") or ""),)
        if route := _patched(manifest):
            yield (route,)


def touched(manifest: Manifest, find: Callable[..., Iterable[Ref]]) -> Iterator[Ref]:
    """The rollouts and releases that have to be looked at when this object changes.

    Args:
        manifest: The object.
        find: The known objects under one of the `entries`, given as its parts.
    """
    key, agent = Ref.of(manifest), agent_of(manifest)
    labels = manifest["metadata"].get("labels") or {}
    if key.kind in {ROLLOUT, RELEASE}:
        yield key
    elif rollout := labels.get(LABEL_ROLLOUT):
        yield Ref(ROLLOUT, key.namespace, rollout)
    elif key.kind == CONFIG_MAP:  # a snapshot
        yield from find(RELEASE, key.namespace, agent)
        yield from find(ROLLOUT, key.namespace, agent)
    if key.kind in {RELEASE, ROUTE}:
        yield from find(key)
    if key.kind == ROUTE:
        yield from (Ref(ROLLOUT, key.namespace, name) for name in claimants(manifest))
    if key.kind == ROLLOUT:  # of two rollouts of one agent, or on one rule, one may have had to wait
        yield from find(ROLLOUT, key.namespace, agent)
        if route := _patched(manifest):
            yield from find(route)


def door_numbers(route: Manifest) -> Iterator[int]:
    """The hostnames and parents of a route as small numbers; collisions are resolved later."""
    return (hash(door) for door, _ in doors(route))


def agent_of(manifest: Manifest) -> str | None:
    """The agent of a release, a rollout or a snapshot; our traffic ConfigMaps are found by name alone."""
    if manifest["kind"] in {ROLLOUT, RELEASE}:
        return _spec(manifest).get("agent")
    labels = manifest["metadata"].get("labels") or {}
    return None if LABEL_ROLLOUT in labels else labels.get(LABEL_AGENT)


def _patched(manifest: Manifest) -> Ref | None:
    """The route of another owner in which a rollout sets weights."""
    name = ((_spec(manifest).get("traffic") or {}).get("routePatch") or {}).get("name")
    return Ref(ROUTE, manifest["metadata"]["namespace"], name) if name else None


def _spec(manifest: Manifest) -> Manifest:
    spec = manifest.get("spec")
    return spec if isinstance(spec, dict) else {}
