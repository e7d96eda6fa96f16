"""Which components differ from stable: by the bundles of both, or else as the release says of its parent."""

from collections.abc import Iterable

from pydantic import ValidationError

from agentrollouts.api.release import AgentRelease, ComponentDiff
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.core.release.diff import diff
from agentrollouts.core.states import is_progressing
from agentrollouts.insight.view.reading import Known, Releases
from agentrollouts.insight.view.shape import Changed

Found = tuple[tuple[Changed, ...], str | None]
"""What changed, and compared with which release."""


def subject_of(rollout: AgentRollout) -> str:
    """The release that the view is about: the canary, or what Git requests."""
    canary = rollout.status.canary
    return canary.release if canary and is_progressing(rollout.status) else rollout.spec.release_ref.name


def changed(rollout: AgentRollout, releases: Releases) -> Found:
    """What differs; nothing if the release is stable, or if nothing is known of it."""
    stable, name = rollout.status.stable, subject_of(rollout)
    if stable and stable.release == name:
        return (), None
    known = releases.get(name, Known())
    before = releases.get(stable.release, Known()).bundle if stable else None
    if stable and before is not None and known.bundle is not None:
        try:
            return _shown(diff(before, known.bundle)), stable.release
        except (ValueError, TypeError, KeyError, AttributeError):
            pass  # a snapshot that someone altered; its digest is checked elsewhere
    return _by_parent(known)


def _by_parent(known: Known) -> Found:
    release = _release(known)
    if release is None or release.spec.parent is None:
        return (), None
    return _shown(release.status.diff), release.spec.parent.name


def _release(known: Known) -> AgentRelease | None:
    if known.release is None or isinstance(known.release, AgentRelease):
        return known.release
    try:
        return AgentRelease.model_validate(known.release)
    except ValidationError:
        return None


def _shown(differences: Iterable[ComponentDiff]) -> tuple[Changed, ...]:
    return tuple(
        Changed(component=each.component, change=each.change, before=each.from_, after=each.to)
        for each in differences
    )
