"""The tools of a release, as its snapshot says."""

from agentrollouts.api.recovery.tools import Tools, annotations_of
from testkit.builders.names import snapshot_of
from testkit.world import World


def equip(world: World, release: str, tools: Tools | None) -> None:
    """From now on the snapshot of a release says that it has these tools, or nothing of tools."""
    snapshot = world.snapshots[snapshot_of(release)]
    annotations = annotations_of(tools).get("annotations", {})
    world.snapshots[snapshot.name] = snapshot.replace(annotations={**snapshot.annotations, **annotations})
