import json
from typing import Any

import pytest

from agentrollouts.api.objects import ObjectMeta
from agentrollouts.core.release.snapshot import Snapshot, is_owned, owner_write, snapshot_name, snapshot_write
from tests.core.release.releases import a_release, bundle_of, stored

RELEASE = a_release(metadata={"labels": {"argocd.argoproj.io/instance": "x"}, "annotations": {"note": "y"}})
OTHER = a_release(name="support-agent-4.2.0-again")
BUNDLE = bundle_of()
NAME = "support-agent-391c0d796c6e7474"


def test_first_write_is_known_to_the_letter() -> None:
    """The whole manifest of a snapshot: immutable, owned, labeled, without the release's own labels."""
    write = snapshot_write(RELEASE, BUNDLE)

    assert write.manager == "agentrollouts-snapshot-uid-of-support-agent-4.2.0"
    assert write.manifest == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": NAME,
            "namespace": "support",
            "labels": {
                "app.kubernetes.io/managed-by": "agentrollouts",
                "app.kubernetes.io/part-of": "agentrollouts",
                "app.kubernetes.io/component": "snapshot",
                "agentrollouts.dev/agent": "support-agent",
                "agentrollouts.dev/release": "support-agent-4.2.0",
            },
            "ownerReferences": [
                {
                    "apiVersion": "agentrollouts.dev/v1alpha1",
                    "kind": "AgentRelease",
                    "name": "support-agent-4.2.0",
                    "uid": "uid-of-support-agent-4.2.0",
                }
            ],
        },
        "immutable": True,
        "data": {
            "bundle.json": BUNDLE.text,
            "release.json": json.dumps(
                {
                    "agent": "support-agent",
                    "digest": BUNDLE.digest,
                    "name": "support-agent-4.2.0",
                    "version": "4.2.0",
                },
                separators=(",", ":"),
            ),
        },
    }


def test_added_owner_is_one_entry_and_no_content() -> None:
    """A further owner is written with the snapshot's uid, its own manager, its name, and nothing else."""
    snapshot = stored(snapshot_write(RELEASE, BUNDLE).manifest, RELEASE)
    write = owner_write(snapshot.metadata, OTHER)

    assert write.manager == "agentrollouts-owner-uid-of-support-agent-4.2.0-again"
    assert write.manifest == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": NAME,
            "namespace": "support",
            "uid": "uid-of-snapshot",
            "annotations": {"release.agentrollouts.dev/support-agent-4.2.0-again": "4.2.0"},
            "ownerReferences": [
                {
                    "apiVersion": "agentrollouts.dev/v1alpha1",
                    "kind": "AgentRelease",
                    "name": "support-agent-4.2.0-again",
                    "uid": "uid-of-support-agent-4.2.0-again",
                }
            ],
        },
    }


def test_owner_that_the_label_names_is_not_named_twice() -> None:
    """The release that made the snapshot is in its label, and so leaves no annotation."""
    snapshot = stored(snapshot_write(RELEASE, BUNDLE).manifest)

    assert "annotations" not in owner_write(snapshot.metadata, RELEASE).manifest["metadata"]


def test_snapshot_is_read_back() -> None:
    """From a ConfigMap come the digest of what it holds, its owners, and all names of its releases."""
    manifest = snapshot_write(RELEASE, BUNDLE).manifest
    shared = owner_write(ObjectMeta(name=NAME), OTHER).manifest["metadata"]["annotations"]
    manifest = {**manifest, "metadata": {**manifest["metadata"], "annotations": shared | {"note": "z"}}}
    snapshot = stored(manifest, OTHER)

    assert (
        snapshot.digest,
        snapshot.releases,
        is_owned(snapshot.metadata, RELEASE),
        is_owned(snapshot.metadata, OTHER),
    ) == (
        BUNDLE.digest,
        frozenset({"support-agent-4.2.0", "support-agent-4.2.0-again"}),
        False,
        True,
    )


@pytest.mark.parametrize(
    "manifest",
    [
        {},
        {
            "metadata": {"name": "x", "labels": {"agentrollouts.dev/release": "x"}},
            "data": {"bundle.json": "{}"},
        },
        {"metadata": {"name": "x", "labels": {"app.kubernetes.io/managed-by": "agentrollouts"}}, "data": {}},
        {
            "metadata": {
                "name": "x",
                "labels": {"app.kubernetes.io/managed-by": "agentrollouts", "agentrollouts.dev/release": "x"},
            },
            "binaryData": {"bundle.json": "e30="},
        },
    ],
)
def test_other_config_maps_are_no_snapshots(manifest: dict[str, Any]) -> None:
    """What lacks our labels, the bundle or a name is not read as a snapshot."""
    assert Snapshot.of(manifest) is None


def test_name_of_a_snapshot_follows_from_agent_and_digest() -> None:
    """The agent's name and the first 16 hexadecimal digits."""
    assert snapshot_name("support-agent", BUNDLE.digest) == NAME
