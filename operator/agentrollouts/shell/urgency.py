"""What cannot wait, as far as the plain objects show it, before anything is decided.

A look at a rollout may be the one that rolls back while a canary has, or could have, traffic; when a person
has changed the spec or an annotation; and once the rollout is gone. Everything else can wait: a release, the
first release of all, a status of what is Healthy. A tenant can make all of its own urgent, which only costs
its own turns.
"""

from typing import Final

from agentrollouts.adapters.cluster.resources import Manifest
from agentrollouts.api.attempt import State
from agentrollouts.core.states import ENDS
from agentrollouts.shell.relations import ROLLOUT

CAN_WAIT: Final = ENDS | {State.PENDING, State.INITIAL, None}
"""States in which no canary has traffic that it could lose."""


def is_urgent(manifest: Manifest) -> bool:
    """Whether an object is a rollout with a canary, or one that is being deleted."""
    if manifest["kind"] != ROLLOUT:
        return False
    attempt = (manifest.get("status") or {}).get("attempt") or {}
    return attempt.get("state") not in CAN_WAIT or "deletionTimestamp" in manifest["metadata"]


def wish_of(manifest: Manifest) -> int:
    """A number that changes with what people ask of a rollout: its spec, its annotations, its deletion."""
    if manifest["kind"] != ROLLOUT:
        return 0
    metadata = manifest["metadata"]
    annotations = tuple(sorted((metadata.get("annotations") or {}).items()))
    return hash((metadata.get("generation"), annotations, metadata.get("deletionTimestamp")))
