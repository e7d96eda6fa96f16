"""The immutable ConfigMap that contains a bundle: what agents read, and all that a rollback needs.

Owned by every AgentRelease and AgentRollout that needs it, so that the garbage collector removes it with the
last of them. Each owner is written by server-side apply under a field manager of its own: a later write by
one owner can then never drop another, and no list has to be read before it is written.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import rfc8785
from pydantic import ValidationError

from agentrollouts.api.names import FIELD_MANAGER, LABEL_AGENT, LABEL_MANAGED_BY, LABEL_RELEASE
from agentrollouts.api.objects import ObjectMeta
from agentrollouts.api.recovery.tools import annotations_of
from agentrollouts.api.release import AgentRelease
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.core.effects import Manifest, Write
from agentrollouts.core.release.bundle import Bundle, digest_of, is_bundle

BUNDLE_KEY: Final = "bundle.json"
RELEASE_KEY: Final = "release.json"
RELEASE_ANNOTATION: Final = "release.agentrollouts.dev/"
"""Followed by the name of a further release with the same content; its value is that release's version."""

Owner = AgentRelease | AgentRollout

MAKER: Final = f"{FIELD_MANAGER}-snapshot-"
"""Beginning of the names of the field managers that write snapshots for the first time."""
HEAD: Final = "bundle"
"""The field of a head that says what the text was."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot as returned by the API server, or its head."""

    metadata: ObjectMeta
    digest: str
    """The digest of what it really contains, whatever it is called; empty if it contains no bundle."""
    size: int
    """Bytes of `bundle.json`."""
    is_immutable: bool
    bundle: str | None = None
    """The text of `bundle.json`; None in a head."""

    @classmethod
    def of(cls, manifest: Manifest) -> Self | None:
        """Read a ConfigMap or its head; None for one that is not a snapshot of ours."""
        snapshot = cls.read(manifest)
        if snapshot is None or (snapshot.bundle is not None and not is_bundle(snapshot.bundle)):
            return None
        return snapshot if snapshot.is_marked and snapshot.digest else None

    @classmethod
    def read(cls, manifest: Manifest) -> Self | None:
        """The same, whatever its labels say: what it is called and what it contains are proof enough."""
        try:
            metadata = ObjectMeta.model_validate(manifest.get("metadata"))
        except ValidationError:
            return None
        text = (manifest.get("data") or {}).get(BUNDLE_KEY)
        digest, size = contents(manifest)
        is_immutable = manifest.get("immutable") is True
        return cls(metadata, digest, size, is_immutable, text)

    @property
    def is_marked(self) -> bool:
        """Whether it has the labels of a snapshot of ours."""
        labels = self.metadata.labels
        return labels.get(LABEL_MANAGED_BY) == FIELD_MANAGER and LABEL_RELEASE in labels

    def is_whole(self, agent: str) -> bool:
        """Whether it contains what its name says."""
        return self.metadata.name == snapshot_name(agent, self.digest)

    @property
    def releases(self) -> frozenset[str]:
        """Names of all releases that had this content, also of those that are gone."""
        return releases_of(self.metadata)


def contents(manifest: Manifest) -> tuple[str, int]:
    """Digest and size in bytes of the bundle in a ConfigMap, or of which a head was made; "" without one."""
    if head := manifest.get(HEAD):
        return str(head["digest"]), int(head["size"])
    text = (manifest.get("data") or {}).get(BUNDLE_KEY)
    if not isinstance(text, str):
        return "", 0
    content = text.encode(errors="replace")
    return digest_of(content), len(content)


def head_of(manifest: Manifest) -> Manifest:
    """A snapshot without its text, which is read again where a decision needs it.

    A namespace can have thousands of them, of a MiB each. That a snapshot contains what its name says is
    checked here, once for each version of it.
    """
    digest, size = contents(manifest)
    head = {key: value for key, value in manifest.items() if key not in {"data", "binaryData"}}
    return {**head, HEAD: {"digest": digest, "size": size}} if digest else head


def releases_of(snapshot: ObjectMeta) -> frozenset[str]:
    """Names of all releases that had this content, also of those that are gone."""
    return released(snapshot.labels, snapshot.annotations)


def released(labels: Mapping[str, str], annotations: Mapping[str, str]) -> frozenset[str]:
    """Names of all releases that a snapshot's labels and annotations record."""
    marks = [mark for mark in annotations if mark.startswith(RELEASE_ANNOTATION)]
    names = {mark.removeprefix(RELEASE_ANNOTATION) for mark in marks}
    first = labels.get(LABEL_RELEASE)
    return frozenset(names | ({first} if first else set()))


def is_owned(snapshot: ObjectMeta, owner: Owner) -> bool:
    """Whether the snapshot stays for as long as this owner does."""
    return any(reference.uid == owner.metadata.uid for reference in snapshot.owner_references)


def snapshot_name(agent: str, digest: str) -> str:
    """`<agent>-<first 16 hex digits of the digest>`."""
    return f"{agent}-{digest.removeprefix('sha256:')[:16]}"


def snapshot_write(release: AgentRelease, bundle: Bundle) -> Write:
    """The first write of a snapshot, with the release as its first owner.

    Labels and annotations of the release are not copied: they would carry the marks of the tool that
    applied it, and that tool would then prune what is not in Git.
    """
    description = {
        "agent": release.spec.agent,
        "digest": bundle.digest,
        "name": release.metadata.name,
        "version": release.spec.version,
    }
    metadata = {
        "name": snapshot_name(release.spec.agent, bundle.digest),
        "namespace": release.metadata.namespace,
        "labels": labels_of(release.spec.agent, release.metadata.name),
        **annotations_of(bundle.tools),
        "ownerReferences": [_reference(release)],
    }
    data = {BUNDLE_KEY: bundle.text, RELEASE_KEY: rfc8785.dumps(description).decode()}
    return Write(_config_map(metadata) | {"immutable": True, "data": data}, _maker(release))


def labels_of(agent: str, release: str) -> dict[str, str]:
    """The labels by which a snapshot is watched and found."""
    return {
        LABEL_MANAGED_BY: FIELD_MANAGER,
        "app.kubernetes.io/part-of": FIELD_MANAGER,
        "app.kubernetes.io/component": "snapshot",
        LABEL_AGENT: agent,
        LABEL_RELEASE: release,
    }


def fitting(desired: Manifest, existing: Manifest) -> dict[str, Any] | None:
    """The first write of a snapshot where a ConfigMap of that name exists; None if it must not be adopted.

    What is immutable and has the same bundle is adopted. Another maker's `release.json` stays, as it must.
    """
    there, ours = existing.get("data") or {}, desired["data"]
    if existing.get("immutable") is not True or there.get(BUNDLE_KEY) != ours[BUNDLE_KEY]:
        return None
    return dict(desired) if there == ours else _config_map(desired["metadata"])


def owner_write(snapshot: ObjectMeta, owner: Owner) -> Write:
    """The write that adds an owner to a snapshot which exists.

    It has the uid, so that the API server rejects it (409) if the snapshot does not exist, and never creates
    an empty one. A release also records its name, since a name must not return with other content.
    """
    metadata: dict[str, Any] = {
        "name": snapshot.name,
        "namespace": snapshot.namespace,
        "uid": snapshot.uid,
        "ownerReferences": [_reference(owner)],
    }
    if isinstance(owner, AgentRelease) and snapshot.labels.get(LABEL_RELEASE) != owner.metadata.name:
        metadata["annotations"] = {f"{RELEASE_ANNOTATION}{owner.metadata.name}": owner.spec.version}
    return Write(_config_map(metadata), owner_manager(owner))


def release_write(snapshot: ObjectMeta, owner: Owner) -> Write:
    """The write by which an owner gives a snapshot up: it applies no entry, so its own is removed."""
    metadata = {"name": snapshot.name, "namespace": snapshot.namespace, "uid": snapshot.uid}
    return Write(_config_map(metadata), owner_manager(owner))


def owner_manager(owner: Owner) -> str:
    """The field manager in whose name an owner's entry is kept."""
    return f"{FIELD_MANAGER}-owner-{owner.metadata.uid}"


def _maker(release: AgentRelease) -> str:
    """The field manager of a first write.

    Another one than the owner's: an owner whose entry was taken away applies its entry alone, and would
    thereby give up all else that it applied before. One for each release: of two that make the same
    snapshot at once, both stay.
    """
    return f"{MAKER}{release.metadata.uid}"


def _reference(owner: Owner) -> dict[str, str]:
    """Neither controller nor blocking: there are several owners, and none waits for a snapshot to go."""
    return {
        "apiVersion": owner.api_version,
        "kind": owner.kind,
        "name": owner.metadata.name,
        "uid": owner.metadata.uid,
    }


def _config_map(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
