"""The mark of a detour on a traffic object: written with the weights in one write, before the status.

A process that finds it there, after its predecessor ended in between, knows that the agent is switched off.
Anyone who may edit the route can write a mark. The agent gets less traffic by it, never more.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError

from agentrollouts.api.names import ANNOTATION_DETOUR, ANNOTATION_DETOUR_MESSAGE
from agentrollouts.api.recovery.detour import Detour

MESSAGE: Final = "message"
"""What stands by itself, as the API server might refuse a text where it accepts the rest."""
UID: Final = "uid"


def content_of(detour: Detour) -> dict[str, Any]:
    """All of a detour but its sentence."""
    return {key: value for key, value in detour.to_json().items() if key != MESSAGE}


def annotations_of(detour: Detour, uid: str) -> dict[str, str]:
    """The mark on an object of ours.

    Args:
        detour: The detour in progress.
        uid: UID of the rollout.
    """
    text = json.dumps({**content_of(detour), UID: uid}, sort_keys=True, separators=(",", ":"))
    return {ANNOTATION_DETOUR: text, ANNOTATION_DETOUR_MESSAGE: detour.message}


def read_mark(annotations: Mapping[str, str], uid: str) -> Detour | None:
    """The detour that an object is marked with; None if there is no mark, or one of another rollout."""
    try:
        mark = json.loads(annotations.get(ANNOTATION_DETOUR, "null"))
    except (ValueError, RecursionError):  # someone else wrote it
        return None
    if not isinstance(mark, dict) or mark.get(UID) != uid:
        return None
    return read_content(mark, annotations.get(ANNOTATION_DETOUR_MESSAGE, ""))


def read_content(content: Mapping[str, Any] | None, message: str) -> Detour | None:
    """A detour from what `content_of` says of it, and its sentence; None if it cannot be read."""
    try:
        return Detour.model_validate({**content, MESSAGE: message}) if content else None
    except ValidationError:
        return None
