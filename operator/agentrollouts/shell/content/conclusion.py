"""What was concluded from a release's content, so that the same content is not examined twice.

A release that is refused is looked at as often as any other: after a write of its own status, after each
change of its metadata, and when there could be room for it.
"""

from dataclasses import dataclass
from typing import Final

from agentrollouts.api.release import AgentRelease
from agentrollouts.core.release.bundle import Bundle
from agentrollouts.core.release.checks import ANNOTATION_ALLOW
from agentrollouts.core.release.decide import ReleaseDecision, ReleaseObservation
from agentrollouts.core.release.standing import is_settled, kept_by

LOOK_AGAIN_SECONDS: Final = 30.0
"""How soon a release for which there is no room is looked at again."""


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What a decision about a release rested on."""

    basis: int
    """Everything that it depends on, as one number."""
    needs: int = 0
    """Bytes for which there was no room; 0 if that is not the reason."""
    wait_seconds: float | None = None

    def still_holds(self, obs: ReleaseObservation) -> bool:
        """Whether the same would be decided now."""
        has_room = obs.room is None or self.needs <= obs.room
        return self.basis == _basis(obs, obs.release) and not (self.needs and has_room)


def needs_content(obs: ReleaseObservation) -> bool:
    """Whether a decision depends on what the release contains."""
    release, snapshots = obs.release, obs.snapshots
    if release.metadata.deletion_timestamp is not None or is_settled(release, snapshots):
        return False
    return obs.refused is None or kept_by(release, snapshots) is not None


def conclusion(obs: ReleaseObservation, decision: ReleaseDecision) -> Conclusion | None:
    """What to remember of a decision; None if nothing was examined, or if it has to be made again."""
    if obs.examined is None or decision.writes:
        return None
    release = obs.release if decision.status is None else obs.release.replace(status=decision.status)
    bundle, room, needs = obs.examined.bundle, obs.room, 0
    if isinstance(bundle, Bundle) and room is not None and len(bundle.text.encode()) > room:
        needs = len(bundle.text.encode())
    if decision.wake_at is not None and not needs:
        return None
    return Conclusion(_basis(obs, release), needs, LOOK_AGAIN_SECONDS if needs else None)


def _basis(obs: ReleaseObservation, release: AgentRelease) -> int:
    metadata, parent = release.metadata, release.spec.parent
    names = {metadata.name, *((parent.name,) if parent else ())}
    digest = release.status.digest
    concerned = (
        (snapshot.metadata.uid, snapshot.digest)
        for snapshot in obs.snapshots
        if not names.isdisjoint(snapshot.releases) or snapshot.digest == digest
    )
    allowed = metadata.annotations.get(ANNOTATION_ALLOW)
    status = release.status.model_dump_json()
    return hash((metadata.uid, metadata.generation, allowed, status, frozenset(concerned)))
