"""Two releases and their bundles, from the cluster; by default the other one is stable, else the parent."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agentrollouts.insight.difference.snapshots import NoSnapshotError, by_release, records, snapshot
from agentrollouts.insight.named import BUNDLE
from agentrollouts.plugin.kubectl import Kubectl, KubectlError, Manifest
from agentrollouts.plugin.lost import hint


@dataclass(frozen=True, slots=True)
class Bundle:
    """A release with its `bundle.json`."""

    release: str
    text: str


def pair(kubectl: Kubectl, release: str, other: str | None) -> tuple[Bundle, Bundle]:
    """The bundle to compare with, and that of the release.

    Raises:
        KubectlError: one of them is not known.
    """
    names = [release, *([other] if other else [])]
    started = kubectl.start("get", "agentreleases", *names, "--ignore-not-found", "--output=json")
    rollouts = kubectl.json("get", "agentrollouts")["items"]
    found = {each["metadata"]["name"]: each for each in started.list()}
    known = by_release(rollouts)
    if release not in found and release not in known:
        _snapshot(kubectl, release, None, None)
    base = other or _base(release, found.get(release) or {}, rollouts)
    if base not in found and base not in known:
        found |= {base: kubectl.json("get", "agentrelease", base)}
    snapshots = {each: _snapshot(kubectl, each, found.get(each), known.get(each)) for each in (base, release)}
    return _bundle(kubectl, base, snapshots[base]), _bundle(kubectl, release, snapshots[release])


def _base(release: str, manifest: Manifest, rollouts: list[Manifest]) -> str:
    """The stable release of the same agent; the parent if the release is stable itself."""
    for rollout in rollouts:
        stable = ((rollout.get("status") or {}).get("stable") or {}).get("release")
        known = {each["release"] for each in records(rollout)}
        is_ours = rollout["spec"].get("agent") == (manifest.get("spec") or {}).get("agent")
        if stable and stable != release and (is_ours or release in known):
            return str(stable)
    parent = ((manifest.get("spec") or {}).get("parent") or {}).get("name")
    if not parent:
        raise KubectlError(f"{release}: has no stable release and no parent to compare it with; name one")
    return str(parent)


def _snapshot(
    kubectl: Kubectl, name: str, manifest: Manifest | None, record: Mapping[str, Any] | None
) -> str:
    try:
        return snapshot(name, manifest, record)
    except NoSnapshotError as error:
        found = "" if manifest else hint(kubectl, "agentreleases", name)
        raise KubectlError(f"{error}; {found}" if found else str(error)) from error


def _bundle(kubectl: Kubectl, release: str, snapshot: str) -> Bundle:
    data = kubectl.json("get", "configmap", snapshot).get("data") or {}
    if BUNDLE not in data:
        raise KubectlError(f"configmap {snapshot}: has no {BUNDLE}; apply AgentRelease {release} again")
    return Bundle(release, data[BUNDLE])
