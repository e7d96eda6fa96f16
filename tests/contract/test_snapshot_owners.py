import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from agentrollouts.adapters.cluster.client import Cluster
from agentrollouts.adapters.cluster.errors import ClusterError, ConflictError, InvalidError
from agentrollouts.adapters.cluster.resources import Ref
from agentrollouts.api.objects import ObjectMeta
from agentrollouts.api.recovery.tools import TOOLS, Tools, tools_of
from agentrollouts.api.release import AgentRelease
from agentrollouts.core.effects import Write
from agentrollouts.core.release.snapshot import owner_write, snapshot_write
from agentrollouts.core.rollout.snapshots.facts import with_own_facts
from sandbox.stack import Stack
from tests.core.release.releases import SMALL, a_release, bundle_of

pytestmark = pytest.mark.usefixtures("api_server")  # the owners are of our kinds

NAMESPACE = "snapshot-owners"
BUNDLE = bundle_of()
SNAPSHOT = Ref("ConfigMap", NAMESPACE, "support-agent-391c0d796c6e7474")


@pytest.fixture
async def cluster(stack: Stack) -> AsyncIterator[Cluster]:
    """A connection to the real API server, without a snapshot."""
    stack.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    stack.kubectl("delete", "configmaps", "--all", f"--namespace={NAMESPACE}")
    connection = await Cluster.connect(stack.kubeconfig, timeout_seconds=60)
    yield connection
    await connection.close()


async def owner(cluster: Cluster, name: str) -> AgentRelease:
    """A release that exists: the garbage collector would take a snapshot whose owners do not."""
    release = a_release(SMALL, name, metadata={"namespace": NAMESPACE})
    manifest = {
        "apiVersion": release.api_version,
        "kind": release.kind,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": release.spec.to_json(),
    }
    return AgentRelease.model_validate(await cluster.apply(manifest))


async def write(cluster: Cluster, change: Write, *, force: bool = False) -> None:
    """Carry out one write."""
    await cluster.apply(dict(change.manifest), manager=change.manager, force=force)


async def stored(cluster: Cluster) -> ObjectMeta:
    """The snapshot's metadata as returned by the API server, its data checked on the way."""
    config_map = await cluster.get(SNAPSHOT)
    assert config_map is not None
    assert (config_map["immutable"], config_map["data"]["bundle.json"]) == (True, BUNDLE.text)
    return ObjectMeta.model_validate(config_map["metadata"])


async def tools(cluster: Cluster) -> Tools | None:
    """What the operator takes from the annotation."""
    config_map = await cluster.get(SNAPSHOT)
    assert config_map is not None
    return tools_of(ObjectMeta.model_validate(with_own_facts(dict(config_map))["metadata"]))


def owners(metadata: ObjectMeta) -> set[str]:
    """Names of the owners."""
    return {reference.name for reference in metadata.owner_references}


async def test_owners_come_one_by_one(cluster: Cluster) -> None:
    """Each owner adds itself to an immutable ConfigMap and touches neither the others nor the data."""
    await write(cluster, snapshot_write(await owner(cluster, "r1"), BUNDLE))
    for name in ("r2", "r3"):
        await write(cluster, owner_write(await stored(cluster), await owner(cluster, name)))

    assert owners(await stored(cluster)) == {"r1", "r2", "r3"}


async def test_owner_twice_changes_nothing(cluster: Cluster) -> None:
    """The same owner once more leaves the object at its version: no write is stored, no watch event sent."""
    await write(cluster, snapshot_write(await owner(cluster, "r1"), BUNDLE))
    await write(cluster, owner_write(await stored(cluster), await owner(cluster, "r2")))
    before = await stored(cluster)

    await write(cluster, owner_write(before, await owner(cluster, "r2")))

    assert (await stored(cluster)).resource_version == before.resource_version


async def test_owner_whose_entry_was_taken_away_comes_back(cluster: Cluster, stack: Stack) -> None:
    """The maker's entry can be put back alone, and the data that it wrote at first stay."""
    await write(cluster, snapshot_write(await owner(cluster, "r1"), BUNDLE))
    patch = '[{"op": "remove", "path": "/metadata/ownerReferences"}]'
    stack.kubectl(
        "patch", "configmap", SNAPSHOT.name, f"--namespace={NAMESPACE}", "--type=json", f"--patch={patch}"
    )
    assert owners(await stored(cluster)) == set()

    await write(cluster, owner_write(await stored(cluster), await owner(cluster, "r1")))

    assert owners(await stored(cluster)) == {"r1"}


@pytest.mark.parametrize("force", [False, True])
async def test_owner_of_a_snapshot_that_is_gone(cluster: Cluster, stack: Stack, *, force: bool) -> None:
    """A late write for a snapshot that is gone is a conflict, and never makes an empty ConfigMap."""
    await write(cluster, snapshot_write(await owner(cluster, "r1"), BUNDLE))
    late = owner_write(await stored(cluster), await owner(cluster, "r2"))
    stack.kubectl("delete", "configmap", SNAPSHOT.name, f"--namespace={NAMESPACE}")

    with pytest.raises(ConflictError):
        await write(cluster, late, force=force)
    assert await cluster.get(SNAPSHOT) is None


@pytest.mark.parametrize(("force", "error"), [(False, ConflictError), (True, InvalidError)])
async def test_two_releases_of_one_content_at_once(
    cluster: Cluster, *, force: bool, error: type[ClusterError]
) -> None:
    """Of two first writes the second is refused and leaves the first one's snapshot as it is."""
    await write(cluster, snapshot_write(await owner(cluster, "r1"), BUNDLE))
    before = await stored(cluster)

    with pytest.raises(error):
        await write(cluster, snapshot_write(await owner(cluster, "r2"), BUNDLE), force=force)
    assert await stored(cluster) == before


async def test_who_edits_the_tools_of_a_snapshot_makes_them_unknown(cluster: Cluster, stack: Stack) -> None:
    """The API server notes who wrote the annotation last; further owners leave it as it is."""
    acting = replace(BUNDLE, tools={"issue_refund": True})
    await write(cluster, snapshot_write(await owner(cluster, "r1"), acting))
    await write(cluster, owner_write(await stored(cluster), await owner(cluster, "r2")))
    assert await tools(cluster) == {"issue_refund": True}

    edited = f"{TOOLS}={json.dumps({})}"
    stack.kubectl("annotate", "configmap", SNAPSHOT.name, f"--namespace={NAMESPACE}", "--overwrite", edited)

    assert (await stored(cluster)).annotations[TOOLS] == "{}"
    assert await tools(cluster) is None
