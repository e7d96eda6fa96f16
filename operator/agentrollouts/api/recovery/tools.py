"""The tools that a bundle declares, and which of them act on the world, as its snapshot says.

The annotation outlives the AgentRelease, like the snapshot. So a rollback knows what to repair although the
release is deleted. Unknown is a value of its own, None: of a bundle without the component `tools`, and of a
snapshot without the annotation, as earlier versions of the operator wrote it.
"""

import json
from collections.abc import Mapping
from typing import Final

from agentrollouts.api.components import MAX_TOOLS
from agentrollouts.api.names import GROUP
from agentrollouts.api.objects import ObjectMeta

TOOLS: Final = f"{GROUP}/tools"
"""Annotation of a snapshot: the name of each tool, and whether a call has an effect outside the agent."""
MAX_TEXT: Final = 64 * 1024
"""Characters of the annotation above which someone else wrote it."""

Tools = Mapping[str, bool]
"""The name of each tool, and whether a call has an effect outside the agent."""


def external_actions(tools: Tools | None) -> tuple[str, ...] | None:
    """The tools that act on the world; None if that is unknown."""
    return None if tools is None else tuple(sorted(name for name, acts in tools.items() if acts))


def annotations_of(tools: Tools | None) -> dict[str, dict[str, str]]:
    """The field `annotations` of a new snapshot; nothing if its tools are unknown."""
    if tools is None:
        return {}
    return {"annotations": {TOOLS: json.dumps(tools, sort_keys=True, separators=(",", ":"))}}


def tools_of(snapshot: ObjectMeta | None) -> Tools | None:
    """The tools of the bundle in a snapshot; None if they are unknown."""
    text = snapshot.annotations.get(TOOLS, "") if snapshot else ""
    try:
        tools = json.loads(text) if 0 < len(text) <= MAX_TEXT else None
    except (ValueError, RecursionError):  # someone else wrote it
        return None
    if not isinstance(tools, dict) or len(tools) > MAX_TOOLS:
        return None
    return tools if all(isinstance(acts, bool) for acts in tools.values()) else None
