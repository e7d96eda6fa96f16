"""Who an object is and who keeps it, as tests about lost objects ask."""

from agentrollouts.adapters.cluster.resources import Ref
from tests.e2e.scene import Scene


def uid_of(given: Scene, ref: Ref) -> str:
    """The identity of an object that exists."""
    manifest = given.witness.get(ref)
    assert manifest is not None
    return str(manifest["metadata"]["uid"])


def owners_of(given: Scene, ref: Ref) -> set[str]:
    """Who keeps an object; it must exist."""
    manifest = given.witness.get(ref)
    assert manifest is not None, f"{ref} was collected"
    return {owner["uid"] for owner in manifest["metadata"].get("ownerReferences", [])}
