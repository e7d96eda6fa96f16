"""Which rollouts answer for which in a detour, and whom a change of what a rollout serves concerns.

The entries are part of the index of the cache. A rollout that no other one names costs one look-up in it.
"""

from collections.abc import Hashable, Iterator
from typing import Final

from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.core.containment.fallback import lead_of
from agentrollouts.shell.index.requirements import Known

FALLBACK: Final = "fallback"
"""Opens the entry of a rollout by the one that answers for it."""


def entries(key: Ref, rollout: Manifest) -> Iterator[Hashable]:
    """Under what a rollout is found: the one that answers for it."""
    place: object = rollout.get("spec")
    for field in ("fallback", "rollout", "name"):
        place = place.get(field) if isinstance(place, dict) else None
    if isinstance(place, str):
        yield FALLBACK, key.namespace, place


def followers(rollout: Manifest, known: Known, *, is_gone: bool = False) -> tuple[Ref, ...]:
    """The rollouts to look at when the one that answers for them comes to serve something else.

    Args:
        rollout: The rollout as it will be.
        known: What is known, with the rollout as it was.
        is_gone: Whether the rollout is gone instead.
    """
    key = Ref.of(rollout)
    found = known.keys_of(FALLBACK, key.namespace, key.name)
    if not found:
        return ()
    after = None if is_gone else rollout
    return () if lead_of(key.name, known.get(key)) == lead_of(key.name, after) else found
