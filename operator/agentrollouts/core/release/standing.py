"""Where a release stands: its snapshot, that of its parent, and whether its content still matters.

Decided by heads of snapshots and a release without its content. So what is materialized costs nothing that
grows with its size.
"""

from typing import Final

from agentrollouts.api.reasons import Reason
from agentrollouts.api.release import AgentRelease
from agentrollouts.core.conditions import READY, find_condition
from agentrollouts.core.release.bundle import references
from agentrollouts.core.release.checks import ANNOTATION_ALLOW
from agentrollouts.core.release.content import ConfigMaps
from agentrollouts.core.release.examine import Content
from agentrollouts.core.release.snapshot import Snapshot, snapshot_name

Snapshots = tuple[Snapshot, ...]
"""All snapshots of an agent in a namespace, or their heads."""

WARNING: Final = ". Warning: "
"""Opens the part of a condition's message that is about warnings."""


def kept_by(release: AgentRelease, snapshots: Snapshots) -> Snapshot | None:
    """The snapshot that is this release's permanently.

    That of the reported digest. While none is reported, the release is resolved: anyone may have written a
    ConfigMap that names it as an owner.
    """
    digest = release.status.digest
    snapshot = named(snapshot_name(release.spec.agent, digest), snapshots) if digest else None
    return snapshot if snapshot is not None and snapshot.is_immutable and snapshot.digest == digest else None


def parent_of(release: AgentRelease, snapshots: Snapshots) -> Snapshot | None:
    """The snapshot of the release that this one was derived from."""
    parent = release.spec.parent
    if parent is None:
        return None
    return next((snapshot for snapshot in snapshots if parent.name in snapshot.releases), None)


def named(name: str, snapshots: Snapshots) -> Snapshot | None:
    """The snapshot of a name."""
    return next((snapshot for snapshot in snapshots if snapshot.metadata.name == name), None)


def is_settled(release: AgentRelease, snapshots: Snapshots) -> bool:
    """Whether nothing depends on the content of a release any longer, so that it need not be read.

    It has its snapshot, and its conditions speak of the current spec. What is left to do is to own it.
    """
    kept, condition = kept_by(release, snapshots), find_condition(release.status.conditions, READY)
    if kept is None or condition is None:
        return False
    generation, parent = release.metadata.generation, parent_of(release, snapshots)
    is_current = generation == condition.observed_generation == release.status.observed_generation
    lacks_diff = parent is not None and not release.status.diff and parent.digest != kept.digest
    can_be_allowed = WARNING in condition.message and ANNOTATION_ALLOW in release.metadata.annotations
    return is_current and condition.reason == Reason.MATERIALIZED and not lacks_diff and not can_be_allowed


def reads(release: AgentRelease, snapshots: Snapshots) -> tuple[str, ...]:
    """Names of the ConfigMaps to read before a release is examined.

    Those that it refers to, until it has a snapshot; its snapshot from then on; and that of its parent.
    """
    kept, parent = kept_by(release, snapshots), parent_of(release, snapshots)
    own = references(release) if kept is None else (kept.metadata.name,)
    return tuple(dict.fromkeys((*own, *((parent.metadata.name,) if parent else ()))))


def content_of(release: AgentRelease, snapshots: Snapshots, config_maps: ConfigMaps) -> Content:
    """What is examined of a release.

    Args:
        release: With its content.
        snapshots: With the texts of those that `reads` names.
        config_maps: Those that `reads` names.
    """
    kept, parent = kept_by(release, snapshots), parent_of(release, snapshots)
    return Content(
        release=release,
        config_maps=config_maps,
        kept=kept.bundle if kept else None,
        parent=parent.bundle if parent else None,
    )
