"""A release that parts are taken from: as it was written, or as its snapshot has it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from agentrollouts.core.effects import Manifest

Part = Mapping[str, Any]
"""A component as in `spec.components`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A release, with its components as a user writes them."""

    name: str
    agent: str
    version: str
    parts: Mapping[str, Part]
    spec: Mapping[str, Any]
    """The spec as written; empty if the release is gone."""
    allowed: tuple[str, ...] = ()
    """Field paths whose values may look like credentials."""

    @classmethod
    def of(cls, release: Manifest, bundle: str | None, allowed: str = "") -> Self:
        """A release that exists.

        Args:
            release: The AgentRelease.
            bundle: `bundle.json` of its snapshot: what a ConfigMap had when it was read. None if it is not
                known.
            allowed: The field paths in its annotation, with commas between.
        """
        spec = release["spec"]
        return cls(
            name=release["metadata"]["name"],
            agent=spec["agent"],
            version=spec["version"],
            parts=spec["components"] if bundle is None else parts_of(bundle),
            spec=spec,
            allowed=tuple(path for each in allowed.split(",") if (path := each.strip())),
        )


def parts_of(bundle: str) -> dict[str, Part]:
    """The components of a bundle as a user would write them: they have the same digests."""
    return {name: _written(part) for name, part in json.loads(bundle).items()}


def _written(part: Part) -> dict[str, Any]:
    fields = {key: value for key, value in part.items() if key != "content"}
    return fields | ({"inline": part["content"]} if "content" in part else {})
