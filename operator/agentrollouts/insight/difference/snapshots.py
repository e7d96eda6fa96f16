"""Where the bundle of a release is, also of one that is deleted but that a rollout still knows. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

Manifest = Mapping[str, Any]


class NoSnapshotError(LookupError):
    """The bundle of a release is not known; the text says why."""


def records(rollout: Manifest) -> list[Manifest]:
    """What a rollout knows of releases, the newest last."""
    status = rollout.get("status") or {}
    kept = [*reversed(status.get("history") or ()), status.get("canary"), status.get("stable")]
    return [each for each in kept if each]


def by_release(rollouts: Iterable[Manifest]) -> dict[str, Manifest]:
    """What some rollouts know of releases, by the name of the release."""
    return {each["release"]: each for rollout in rollouts for each in records(rollout)}


def snapshot(name: str, manifest: Manifest | None, record: Manifest | None) -> str:
    """The ConfigMap of a release.

    Args:
        name: The release.
        manifest: It itself, if it still exists.
        record: What a rollout knows of it, if one does.

    Raises:
        NoSnapshotError: none of them names one.
    """
    status = (manifest or {}).get("status") or {}
    found = (status.get("snapshot") or {}).get("name") or (record or {}).get("snapshot")
    if not found:
        missing = "it has no snapshot yet" if manifest else "there is no such release in this namespace"
        raise NoSnapshotError(f"agentrelease {name}: {missing}")
    return str(found)
