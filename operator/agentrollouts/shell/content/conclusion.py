"""What was concluded from a release's content, so that the same content is not examined twice.

A release that is refused is looked at as often as any other: after a write of its own status, and after each
change of its metadata.
"""

from dataclasses import dataclass

from agentrollouts.api.reasons import Reason
from agentrollouts.api.release import AgentRelease
from agentrollouts.core.conditions import READY, find_condition
from agentrollouts.core.release.bundle import Bundle
from agentrollouts.core.release.checks import ANNOTATION_ALLOW
from agentrollouts.core.release.decide import ReleaseDecision, ReleaseObservation
from agentrollouts.core.release.standing import is_settled, kept_by


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What a decision about a release rested on."""

    basis: int
    """Everything that it depends on, as one number."""
    needs: int = 0
    """Bytes for which there was no room; 0 if that is not the reason."""

    def still_holds(self, obs: ReleaseObservation) -> bool:
        """Whether the same would be decided now, but for the room."""
        return self.basis == _basis(obs, obs.release)


def needs_content(obs: ReleaseObservation) -> bool:
    """Whether a decision depends on what the release contains."""
    release, snapshots = obs.release, obs.snapshots
    if release.metadata.deletion_timestamp is not None or is_settled(release, snapshots):
        return False
    return obs.refused is None or kept_by(release, snapshots) is not None


def conclusion(obs: ReleaseObservation, decision: ReleaseDecision) -> Conclusion | None:
    """What to remember of a decision; None if nothing was examined, or if it has to be made again."""
    if obs.examined is None or decision.writes or decision.wake_at is not None:
        return None
    release = obs.release if decision.status is None else obs.release.replace(status=decision.status)
    ready, bundle = find_condition(release.status.conditions, READY), obs.examined.bundle
    lacks_room = ready is not None and ready.reason == Reason.LIMIT_EXCEEDED
    needs = len(bundle.text.encode()) if lacks_room and isinstance(bundle, Bundle) else 0
    return Conclusion(_basis(obs, release), needs)


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
