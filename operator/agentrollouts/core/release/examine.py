"""The examination of a release's content: the one part of a decision that takes time.

Content can have 900 KiB and half a million values, and each is searched for credentials. So this depends on
nothing but the content, and can be done elsewhere than where decisions are made.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from agentrollouts.api.release import AgentRelease, ComponentDiff
from agentrollouts.core.release.bundle import Bundle, config_maps_of, edited, read_bundle, resolve
from agentrollouts.core.release.checks import Refusal, find_warnings
from agentrollouts.core.release.content import ConfigMapData
from agentrollouts.core.release.diff import diff


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """Everything that the examination reads."""

    release: AgentRelease
    """With its content, as returned by the API server."""
    config_maps: Mapping[str, ConfigMapData | None] = field(default_factory=dict)
    """The ConfigMaps that the release refers to; None for one that does not exist."""
    kept: str | None = None
    """`bundle.json` of the snapshot that is the release's permanently; None before there is one."""
    parent: str | None = None
    """`bundle.json` of the parent's snapshot; None if there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What the examination found."""

    bundle: Bundle | Refusal
    """What the release is, or the first thing that is wrong with it."""
    warnings: tuple[str, ...] = ()
    """What a person should look at, although nothing is wrong."""
    edited: str | None = None
    """The first component that no longer is what the snapshot contains; None if there is none."""
    diff: tuple[ComponentDiff, ...] = ()
    """How it differs from its parent; empty without one."""


def examine(content: Content) -> Examined:
    """Examine a release. Once it has a snapshot, that is what it is, and references are not read again."""
    kept, release = content.kept, content.release
    bundle = resolve(release, content.config_maps) if kept is None else read_bundle(kept)
    if isinstance(bundle, Refusal):
        return Examined(bundle=bundle)
    return Examined(
        bundle=bundle,
        warnings=tuple(find_warnings(release, config_maps_of(release, bundle.text))),
        edited=None if kept is None else edited(release, kept),
        diff=() if content.parent is None else diff(content.parent, bundle.text),
    )
