"""Which rollouts and releases require an agent, and whom a change of what a rollout serves concerns.

The entries are part of the index of the cache. A rollout that nothing requires, and that requires nothing,
costs two look-ups in it.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Final, Protocol

from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.core.recovery.group.requirements import other_of

REQUIRED: Final = "requires"
"""Opens the entry of a rollout or a release that requires an agent."""
ROLLOUT: Final = "AgentRollout"
RELEASE: Final = "AgentRelease"


class Known(Protocol):
    """The cache as needed here."""

    def get(self, key: Ref) -> Manifest | None:
        """What is remembered of an object."""

    def keys_of(self, *entry: Hashable) -> tuple[Ref, ...]:
        """The known objects under one entry."""


def required_by(manifest: Manifest) -> frozenset[str]:
    """The agents that a release requires, or that the releases of a rollout do."""
    if manifest["kind"] == RELEASE:
        holders = [manifest.get("spec")]
    else:
        status = manifest.get("status") or {}
        holders = [status.get("stable"), status.get("canary")]
    return frozenset(
        agent
        for holder in holders
        if isinstance(holder, dict)
        for each in holder.get("requires") or ()
        if isinstance(each, dict) and isinstance(agent := each.get("agent"), str)
    )


def entries(key: Ref, manifest: Manifest) -> Iterator[Hashable]:
    """Under what a release or a rollout is found: the agents that it requires, and that it requires any."""
    agents = required_by(manifest)
    yield from ((REQUIRED, key.namespace, agent) for agent in agents)
    if agents:
        yield REQUIRED, key


def dependents(manifest: Manifest, known: Known, *, is_gone: bool = False) -> tuple[Ref, ...]:
    """The rollouts that have to be looked at when a rollout comes to serve what `manifest` says.

    Those that require its agent, and those of the agents that it requires or required. None if what
    concerns them stays as it is.

    Args:
        manifest: The rollout as it will be.
        known: What is known, with the rollout as it was.
        is_gone: Whether the rollout is gone instead.
    """
    key = Ref.of(manifest)
    agent = (manifest.get("spec") or {}).get("agent")
    requirers = known.keys_of(REQUIRED, key.namespace, agent)
    required = set() if is_gone else set(required_by(manifest))
    if not requirers and not required and not known.keys_of(REQUIRED, key):
        return ()
    before = known.get(key)
    if before is not None and not is_gone and other_of(before) == other_of(manifest):
        return ()
    required |= required_by(before) if before is not None else frozenset()
    found = {*requirers, *(ref for each in required for ref in known.keys_of(ROLLOUT, key.namespace, each))}
    return tuple(sorted(ref for ref in _rollouts(found, known.keys_of) if ref != key))


def _rollouts(refs: Iterable[Ref], find: Callable[..., Iterable[Ref]]) -> set[Ref]:
    """Rollouts, and in the place of releases the rollouts that name them."""
    named = {rollout for ref in refs if ref.kind == RELEASE for rollout in find(ref)}
    return named | {ref for ref in refs if ref.kind == ROLLOUT}
