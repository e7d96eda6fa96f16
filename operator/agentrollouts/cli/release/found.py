"""Releases by their names, in files or in a cluster: an AgentRelease, or the snapshot of one that is gone."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.names import FIELD_MANAGER, LABEL_AGENT, LABEL_MANAGED_BY, LABEL_RELEASE
from agentrollouts.cli.mistakes import WrongUseError
from agentrollouts.core.release.checks import ANNOTATION_ALLOW
from agentrollouts.core.release.content import ConfigMapData
from agentrollouts.core.release.deriving.origin import Origin, parts_of
from agentrollouts.core.release.deriving.workload import DEPLOYMENT, SERVICE, name_of
from agentrollouts.core.release.snapshot import RELEASE_ANNOTATION, RELEASE_KEY, Snapshot

CONFIG_MAP: Final = "ConfigMap"
RELEASE: Final = "AgentRelease"


class Reads(Protocol):
    """The API server as needed here; `adapters.cluster.client.Cluster` implements it."""

    async def get(self, ref: Ref) -> Manifest | None:
        """The object, or None. Raises `ClusterError`."""

    async def list(
        self, kind: str, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> list[Manifest]:
        """All objects of a kind that have the labels. Raises `ClusterError`."""


@dataclass(slots=True)
class Found:
    """The releases that a derivation is about."""

    origins: dict[str, Origin] = field(default_factory=dict)
    config_maps: dict[str, ConfigMapData] = field(default_factory=dict)
    namespace: str | None = None
    taken: set[str] = field(default_factory=set)
    """Names that AgentReleases have already."""
    running: list[Manifest] = field(default_factory=list)
    """The Deployments and Services of the namespace, as far as they are needed."""


def in_files(objects: Sequence[Manifest], names: Iterable[str]) -> Found:
    """The releases of these names in files.

    Raises:
        WrongUseError: a name is not there, or is there twice.
    """
    found, sources = Found(), list[Manifest]()
    for name in dict.fromkeys(names):
        releases = [each for each in objects if each.get("kind") == RELEASE and name_of(each) == name]
        snapshots = [each for each in objects if _is_snapshot_of(each, name)]
        if len(releases) > 1:
            raise WrongUseError(f"{name}: {len(releases)} AgentReleases have the name; give one of them")
        if not releases and not snapshots:
            raise WrongUseError(f"{name}: no AgentRelease, and no snapshot of it, is in the files")
        origin = _origin(releases[0], None) if releases else of_snapshot(snapshots[0], name)
        found.origins[name] = origin
        sources += releases or snapshots
    found.config_maps = {
        name_of(each): ConfigMapData(each.get("data") or {}, tuple(each.get("binaryData") or ()))
        for each in objects
        if each.get("kind") == CONFIG_MAP
    }
    found.taken = {name_of(each) for each in objects if each.get("kind") == RELEASE}
    found.namespace = sources[0]["metadata"].get("namespace")
    found.running = [each for each in objects if _runs_in(each, found.namespace)]
    return found


async def in_cluster(api: Reads, namespace: str, names: Iterable[str]) -> Found:
    """The releases of these names in a namespace.

    Raises:
        WrongUseError: a name is not there.
        ClusterError: the cluster cannot be read.
    """
    found = Found(namespace=namespace)
    for name in dict.fromkeys(names):
        release = await api.get(Ref(RELEASE, namespace, name))
        if release is None:
            found.origins[name] = await _gone(api, namespace, name)
            continue
        snapshot = ((release.get("status") or {}).get("snapshot") or {}).get("name")
        kept = await api.get(Ref(CONFIG_MAP, namespace, snapshot)) if snapshot else None
        if kept is None:
            problem = "is not Ready, so its content is not known" if snapshot is None else "has no snapshot"
            raise WrongUseError(f"{name}: {problem}; apply it again, and wait until it is Ready")
        found.origins[name] = _origin(release, kept)
    return found


async def _gone(api: Reads, namespace: str, name: str) -> Origin:
    """A release that was deleted, by its snapshot. Most snapshots have one release, which is its label."""
    ours = {LABEL_MANAGED_BY: FIELD_MANAGER}
    for labels in (ours | {LABEL_RELEASE: name}, ours):
        for each in await api.list(CONFIG_MAP, namespace, labels):
            if _is_snapshot_of(each | {"kind": CONFIG_MAP}, name):
                return of_snapshot(each, name)
    raise WrongUseError(f"{name}: no AgentRelease, and no snapshot of it, is in namespace {namespace}")


def _origin(release: Manifest, kept: Manifest | None) -> Origin:
    annotations = release["metadata"].get("annotations") or {}
    bundle = _bundle(kept, release["spec"]["agent"], release["metadata"]["name"]) if kept else None
    return Origin.of(release, bundle, str(annotations.get(ANNOTATION_ALLOW) or ""))


def of_snapshot(manifest: Manifest, name: str) -> Origin:
    """A release that is gone.

    Raises:
        WrongUseError: the snapshot has other content than its name says.
    """
    from agentrollouts.core.rollout.snapshots.facts import healthy_of  # noqa: PLC0415 slow, and rarely needed

    metadata, data = manifest["metadata"], manifest.get("data") or {}
    agent = str((metadata.get("labels") or {}).get(LABEL_AGENT) or "")
    bundle = _bundle(manifest, agent, name)
    snapshot = Snapshot.read(manifest)
    healthy = healthy_of(snapshot.metadata, agent) if snapshot else None
    spec: dict[str, Any] = {}
    if healthy and healthy.service:
        spec["serving"] = {"service": healthy.service.to_json()}
    if healthy and healthy.requires:
        spec["requires"] = [each.to_json() for each in healthy.requires]
    version = (metadata.get("annotations") or {}).get(f"{RELEASE_ANNOTATION}{name}")
    return Origin(
        name=name,
        agent=agent,
        version=str(version or _first_version(data, name)),
        parts=parts_of(bundle),
        spec=spec,
    )


def _bundle(kept: Manifest, agent: str, name: str) -> str:
    snapshot = Snapshot.of({**kept, "kind": CONFIG_MAP})
    if snapshot is None or snapshot.bundle is None or not snapshot.is_whole(agent):
        raise WrongUseError(f"{name}: ConfigMap {name_of(kept)} is not its snapshot as the operator wrote it")
    return snapshot.bundle


def _first_version(data: Mapping[str, str], name: str) -> str:
    """The version of the release that the snapshot was first written for."""
    try:
        described = json.loads(data.get(RELEASE_KEY, ""))
    except (ValueError, RecursionError):
        described = None
    if isinstance(described, dict) and described.get("name") == name:
        return str(described.get("version"))
    raise WrongUseError(f"{name}: its snapshot does not say which version it had")


def _is_snapshot_of(manifest: Manifest, name: str) -> bool:
    snapshot = Snapshot.of(manifest) if manifest.get("kind") == CONFIG_MAP else None
    return snapshot is not None and name in snapshot.releases


def _runs_in(manifest: Manifest, namespace: str | None) -> bool:
    """Whether it can run a release of that namespace; a file that names none is of any."""
    metadata = manifest.get("metadata")
    other = metadata.get("namespace") if isinstance(metadata, dict) else None
    return manifest.get("kind") in {DEPLOYMENT, SERVICE} and (other is None or namespace in {None, other})
