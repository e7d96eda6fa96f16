"""What a rollout owns: how an object that is made for it is marked, and what proves that it is.

Labels are for finding. The controller in the owner references is the proof.
"""

from collections.abc import Mapping
from typing import Any, Final

from agentrollouts.api.names import API_VERSION, FIELD_MANAGER, LABEL_AGENT, LABEL_MANAGED_BY, LABEL_ROLLOUT
from agentrollouts.api.rollout import AgentRollout

OWNERS: Final = "ownerReferences"


def owned_metadata(
    rollout: AgentRollout, name: str, labels: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The metadata of an object that the rollout controls.

    Args:
        rollout: The owner.
        name: Of the object.
        labels: More labels than those of every such object.
    """
    return {
        "name": name,
        "namespace": rollout.metadata.namespace,
        "labels": {
            LABEL_MANAGED_BY: FIELD_MANAGER,
            LABEL_AGENT: rollout.spec.agent,
            LABEL_ROLLOUT: rollout.metadata.name,
            **(labels or {}),
        },
        OWNERS: [
            {
                "apiVersion": API_VERSION,
                "kind": "AgentRollout",
                "name": rollout.metadata.name,
                "uid": rollout.metadata.uid,
                "controller": True,
            }
        ],
    }


def is_owned_by(manifest: Mapping[str, Any], uid: str) -> bool:
    """Whether this very rollout made it: another one of the same name knows nothing of its attempts."""
    owners = (manifest.get("metadata") or {}).get(OWNERS) or ()
    return any(owner.get("uid") == uid and owner.get("controller") for owner in owners)
