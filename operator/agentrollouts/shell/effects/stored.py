"""Whether what was written is what is stored: an admission webhook can change it and call that a success."""

from collections.abc import Mapping
from typing import Any

from agentrollouts.core.effects import Effect, Manifest, Patch, Write
from agentrollouts.core.traffic.manifests import covers


def is_stored(effect: Effect, stored: Manifest) -> bool:
    """Whether an object has the content that was written; labels and annotations do not matter.

    Args:
        effect: The write.
        stored: The object as the API server answered.
    """
    match effect:
        case Write(manifest):
            return covers(stored, {key: value for key, value in manifest.items() if key != "metadata"})
        case Patch(_, operations):
            return all(
                _at(stored, str(operation["path"])) == operation["value"]
                for operation in operations
                if operation["op"] in {"add", "replace"} and str(operation["path"]).startswith("/spec/")
            )
    return True


def _at(manifest: Manifest, path: str) -> Any:  # noqa: ANN401 any JSON
    """What an object has at a JSON pointer; None if it has nothing there."""
    found: Any = manifest
    for step in path.split("/")[1:]:
        if isinstance(found, Mapping):
            found = found.get(step)
        elif isinstance(found, list) and step.isdecimal() and int(step) < len(found):
            found = found[int(step)]
        else:
            return None
    return found
