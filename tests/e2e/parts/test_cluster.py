"""The adapter against a real API server. Inputs: its state. Outputs: what is returned, raised and stored."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agentrollouts.adapters.cluster.client import Cluster
from agentrollouts.adapters.cluster.errors import (
    AlreadyExistsError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    NotServedError,
    UnavailableError,
)
from agentrollouts.adapters.cluster.resources import KINDS, Manifest, Ref, Resource
from sandbox.stack import Stack
from tests.e2e.api import Api
from tests.e2e.witness import PATIENCE

NAMESPACE = "adapter-cluster"


def config_map(name: str, data: dict[str, str], **metadata: object) -> Manifest:
    """A ConfigMap to apply."""
    identity = {"namespace": NAMESPACE, "name": name}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": identity | metadata, "data": data}


def rollout(name: str) -> Manifest:
    """The least AgentRollout."""
    return {
        "apiVersion": "agentrollouts.dev/v1alpha1",
        "kind": "AgentRollout",
        "metadata": {"namespace": NAMESPACE, "name": name},
        "spec": {
            "agent": name,
            "releaseRef": {"name": "support-agent-4.1.0"},
            "traffic": {"httpRoute": {"parentRefs": [{"name": "public"}]}},
        },
    }


def route(canary: int) -> Manifest:
    """An HTTPRoute that gives the canary this weight."""
    backends = [
        {"name": "s", "port": 80, "weight": 100 - canary},
        {"name": "c", "port": 80, "weight": canary},
    ]
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"namespace": NAMESPACE, "name": "weights"},
        "spec": {"parentRefs": [{"name": "public"}], "rules": [{"backendRefs": backends}]},
    }


@pytest.fixture(scope="module")
def kinds(stack: Stack) -> None:
    """Our kinds are served, and there is a namespace to work in."""
    stack.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    stack.apply(Path("crds"))
    stack.kubectl.insist("get", "agentreleases,agentrollouts", "--all-namespaces", seconds=120)


@pytest.fixture
async def cluster(stack: Stack, kinds: None) -> AsyncIterator[Cluster]:  # noqa: ARG001 they must be served
    """A connection as administrator."""
    connected = await Cluster.connect(stack.kubeconfig, timeout_seconds=60)
    yield connected
    await connected.close()


def fields(manifest: Manifest | None, key: str) -> Any:  # noqa: ANN401 - JSON
    """One part of an object that must be there."""
    assert manifest is not None
    return manifest[key]


async def test_apply_creates_then_makes_our_fields_equal(cluster: Cluster) -> None:
    """A field that was applied and is left out later goes; a field of somebody else stays."""
    await cluster.apply(config_map("fields", {"a": "1", "b": "1"}))
    await cluster.apply(config_map("fields", {"theirs": "1"}), manager="somebody")
    applied = await cluster.apply(config_map("fields", {"a": "2"}))
    assert applied["data"] == {"a": "2", "theirs": "1"}
    assert fields(await cluster.get(Ref.of(applied)), "data") == {"a": "2", "theirs": "1"}


async def test_apply_without_force_does_not_take_fields(cluster: Cluster) -> None:
    """A field of somebody else is a conflict that names the owner; with force it becomes ours."""
    await cluster.apply(config_map("owned", {"a": "theirs"}), manager="somebody")
    with pytest.raises(ConflictError, match="somebody"):
        await cluster.apply(config_map("owned", {"a": "ours"}), force=False)
    assert fields(await cluster.apply(config_map("owned", {"a": "ours"})), "data") == {"a": "ours"}


async def test_an_equal_apply_writes_nothing(cluster: Cluster) -> None:
    """Applying the same again leaves the version as it is, so that a fixed point costs no history."""
    first = await cluster.apply(config_map("same", {"a": "1"}))
    second = await cluster.apply(config_map("same", {"a": "1"}))
    assert first["metadata"]["resourceVersion"] == second["metadata"]["resourceVersion"]


async def test_a_status_is_replaced_only_at_the_version_it_was_computed_from(cluster: Cluster) -> None:
    """The spec is not touched, the new object is returned, and a stale version is a conflict."""
    created = await cluster.apply(rollout("status"), manager="git")
    written = await cluster.replace_status(created | {"status": {"observedGeneration": 1}, "spec": {}})
    assert written["spec"] == created["spec"]
    assert written["status"] == {"observedGeneration": 1}
    with pytest.raises(ConflictError):
        await cluster.replace_status(created | {"status": {"observedGeneration": 2}})
    again = await cluster.replace_status(written | {"status": {"observedGeneration": 3}})
    assert (
        fields(await cluster.get(Ref.of(created)), "status") == {"observedGeneration": 3} == again["status"]
    )


async def test_the_status_of_an_object_that_is_gone_is_not_found(cluster: Cluster, stack: Stack) -> None:
    """Deleted, or deleted and made again, the old version is written nowhere."""
    created = await cluster.apply(rollout("gone"), manager="git")
    stack.kubectl("delete", "agentrollout", "gone", "-n", NAMESPACE)
    with pytest.raises(NotFoundError):
        await cluster.replace_status(created | {"status": {"observedGeneration": 1}})
    await cluster.apply(rollout("gone"), manager="git")
    with pytest.raises(ConflictError):
        await cluster.replace_status(created | {"status": {"observedGeneration": 1}})


async def test_an_absent_object_and_an_unknown_kind_are_different(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing object is None; a missing namespace and a missing kind are errors of their own."""
    assert await cluster.get(Ref("ConfigMap", NAMESPACE, "absent")) is None
    assert await cluster.get(Ref("HTTPRoute", "no-such-namespace", "absent")) is None
    orphan = config_map("orphan", {}) | {"metadata": {"namespace": "no-such-namespace", "name": "orphan"}}
    with pytest.raises(NotFoundError, match="no-such-namespace"):
        await cluster.apply(orphan)
    for resource in (
        Resource("absent.example/v1", "things"),
        Resource("agentrollouts.dev/v1alpha1", "things"),
    ):
        monkeypatch.setitem(KINDS, "Thing", resource)
        thing = {
            "apiVersion": resource.api_version,
            "kind": "Thing",
            "metadata": {"namespace": NAMESPACE, "name": "x"},
        }
        with pytest.raises(NotServedError, match="install its CustomResourceDefinition"):
            await cluster.get(Ref.of(thing))
        with pytest.raises(NotServedError):
            await cluster.list("Thing")
        with pytest.raises(NotServedError):
            await cluster.apply(thing)


async def test_an_invalid_object_is_told_with_its_field(cluster: Cluster) -> None:
    """The API server's own words reach the caller, be it the schema that is broken or only a type."""
    with pytest.raises(InvalidError, match=r"spec\.releaseRef: Required value"):
        await cluster.apply(rollout("invalid") | {"spec": {"agent": "a"}})
    with pytest.raises(InvalidError, match=r"\.spec\.agent: expected string"):
        await cluster.apply(rollout("invalid") | {"spec": {"agent": 3}})


async def test_a_list_is_complete_and_selected(cluster: Cluster) -> None:
    """All objects with the labels, in the form of single objects."""
    for name, color in (("l1", "red"), ("l2", "red"), ("l3", "blue")):
        await cluster.apply(config_map(name, {}, labels={"color": color, "of": "list"}))
    red = await cluster.list("ConfigMap", NAMESPACE, {"color": "red", "of": "list"})
    assert sorted(Ref.of(item).name for item in red) == ["l1", "l2"]
    everywhere = await cluster.list("ConfigMap", labels={"of": "list"})
    assert sorted(str(Ref.of(item)) for item in everywhere) == [
        f"ConfigMap {NAMESPACE}/{name}" for name in ("l1", "l2", "l3")
    ]


async def test_an_event_is_seen_by_kubectl(cluster: Cluster, stack: Stack) -> None:
    """An Event about an object is where people look for it, and is made once."""
    about = await cluster.apply(rollout("event"), manager="git")
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"namespace": NAMESPACE, "name": "event.1"},
        "involvedObject": {"apiVersion": about["apiVersion"], "kind": "AgentRollout"}
        | {key: about["metadata"][key] for key in ("namespace", "name", "uid")},
        "reason": "RolledBack",
        "message": "The canary was worse",
        "type": "Warning",
        "firstTimestamp": "2026-11-21T10:00:00Z",
        "lastTimestamp": "2026-11-21T10:00:00Z",
        "count": 1,
        "source": {"component": "agentrollouts"},
    }
    await cluster.create(event)
    assert "The canary was worse" in stack.kubectl("describe", "agentrollout", "event", "-n", NAMESPACE)
    with pytest.raises(AlreadyExistsError):
        await cluster.create(event)


async def test_a_dry_run_checks_an_object_and_stores_nothing(cluster: Cluster) -> None:
    """The schema is asked as for a real one, and the name is free afterwards."""
    named = config_map("dry", {"a": "1"})
    assert fields(await cluster.create(named, dry_run=True), "data") == {"a": "1"}
    assert await cluster.get(Ref.of(named)) is None
    with pytest.raises(InvalidError, match=r"spec\.releaseRef: Required value"):
        await cluster.create(rollout("dry") | {"spec": {"agent": "a"}}, dry_run=True)


async def test_the_api_server_picks_a_name_and_says_who_asks(cluster: Cluster) -> None:
    """An object with `generateName` comes back with its name, a review with the caller's."""
    picked = config_map("", {"a": "1"}) | {"metadata": {"namespace": NAMESPACE, "generateName": "picked-"}}
    stored = await cluster.create(picked)
    assert fields(await cluster.get(Ref.of(stored)), "data") == {"a": "1"}
    assert Ref.of(stored).name.startswith("picked-")
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    assert fields(await cluster.create(review), "status")["userInfo"]["username"]


@pytest.mark.usefixtures("cluster")
async def test_what_the_account_may_not_do_is_forbidden(stack: Stack) -> None:
    """An account without a Role reads nothing, and the error says what it lacks."""
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"namespace": NAMESPACE, "name": "nobody"},
    }
    stack.apply(account)
    nobody = await Cluster.connect(stack.account_kubeconfig(NAMESPACE, "nobody"), timeout_seconds=60)
    with pytest.raises(ForbiddenError, match="cannot get resource"):
        await nobody.get(Ref("ConfigMap", NAMESPACE, "fields"))
    await nobody.close()


async def test_a_frozen_api_server_ends_a_call_at_its_deadline(stack: Stack) -> None:
    """A stopped API server costs each call its timeout and no more, and calls work again when it goes on."""
    connected = await Cluster.connect(stack.kubeconfig, timeout_seconds=0.5)
    server = stack.processes["apiserver"]
    server.pause()
    try:
        calls = [connected.get(Ref("ConfigMap", "default", "absent")) for _ in range(5)]
        async with asyncio.timeout(PATIENCE):
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
    finally:
        server.resume()
    assert [type(outcome) for outcome in outcomes] == [UnavailableError] * 5
    patient = await Cluster.connect(stack.kubeconfig, timeout_seconds=60)
    assert await patient.get(Ref("ConfigMap", "default", "absent")) is None
    await patient.close()
    await connected.close()


async def test_a_route_write_is_one_request(cluster: Cluster, stack: Stack) -> None:
    """Changing weights reads no object and sends no discovery request; `bench/` measures the time.

    The API server counts the requests for routes. It cannot tell whose discovery requests it counts, and the
    controller manager sends some every 30 s. So the adapter counts its own.
    """
    sent: list[tuple[str, str]] = []
    connected = await Cluster.connect(
        stack.kubeconfig, timeout_seconds=60, on_call=lambda verb, kind, *_: sent.append((verb, kind))
    )
    await cluster.apply(route(0))
    api = Api(stack)
    before = api.served()

    for canary in range(1, 11):
        await connected.apply(route(canary))

    calls = api.served() - before
    await connected.close()
    of_routes = {call: count for call, count in calls.items() if call.endswith(" httproutes")}
    of_routes.pop("WATCH httproutes", None)  # one of someone else may end meanwhile
    assert of_routes == {"APPLY httproutes": 10}
    assert sent == [("apply", "HTTPRoute")] * 10


def weighing(weight: int, refs: object) -> list[dict[str, object]]:
    """A patch of the first backend's weight in a rule that is as it was read."""
    path = "/spec/rules/0/backendRefs"
    return [
        {"op": "test", "path": path, "value": refs},
        {"op": "add", "path": f"{path}/0/weight", "value": weight},
    ]


async def test_a_patch_changes_its_fields_and_nothing_else(cluster: Cluster) -> None:
    """One write; who owned the list owns it no more, and our name stands beside theirs."""
    await cluster.apply(route(0), manager="git")
    read = await cluster.get(Ref.of(route(0)))
    refs = fields(read, "spec")["rules"][0]["backendRefs"]

    written = await cluster.patch(Ref.of(route(0)), weighing(95, refs))

    assert written["spec"]["rules"][0]["backendRefs"] == [{**refs[0], "weight": 95}, refs[1]]
    assert {entry["manager"] for entry in written["metadata"]["managedFields"]} >= {"agentrollouts", "git"}
    assert (written["kind"], written["apiVersion"]) == ("HTTPRoute", "gateway.networking.k8s.io/v1")


async def test_a_patch_whose_test_fails_writes_nothing(cluster: Cluster) -> None:
    """What was read is not so any more: a conflict, so that it is read again."""
    before = await cluster.apply(route(0), manager="git")

    with pytest.raises(ConflictError):
        await cluster.patch(Ref.of(before), weighing(95, []))

    assert (await cluster.apply(route(0), manager="git"))["metadata"]["resourceVersion"] == before[
        "metadata"
    ]["resourceVersion"]


async def test_a_patch_that_the_schema_refuses_is_no_conflict(cluster: Cluster) -> None:
    """It would be refused again."""
    await cluster.apply(route(0), manager="git")

    with pytest.raises(InvalidError, match="weight"):
        await cluster.patch(
            Ref.of(route(0)),
            weighing(-1, fields(await cluster.get(Ref.of(route(0))), "spec")["rules"][0]["backendRefs"]),
        )


async def test_a_patch_of_what_is_not_there(cluster: Cluster) -> None:
    """Nothing is made by a patch."""
    with pytest.raises(NotFoundError):
        await cluster.patch(Ref("HTTPRoute", NAMESPACE, "never"), weighing(1, []))


async def test_a_first_annotation_is_added_only_where_there_is_none(cluster: Cluster) -> None:
    """A test for null holds for a field that is absent, and so guards the annotations of others."""
    await cluster.apply(config_map("bare", {"a": "1"}), manager="git")
    ref, path = Ref("ConfigMap", NAMESPACE, "bare"), "/metadata/annotations"
    first: list[dict[str, object]] = [
        {"op": "test", "path": path, "value": None},
        {"op": "add", "path": path, "value": {"x.agentrollouts.dev/split": "1"}},
    ]

    annotated = await cluster.patch(ref, first)
    assert annotated["metadata"]["annotations"] == {"x.agentrollouts.dev/split": "1"}
    with pytest.raises(ConflictError):
        await cluster.patch(ref, first)

    key = "x.agentrollouts.dev~1split"
    bare = await cluster.patch(ref, ({"op": "remove", "path": f"{path}/{key}"},))
    assert "annotations" not in bare["metadata"]
    assert await cluster.patch(ref, first)


async def test_only_the_version_that_was_seen_is_deleted(cluster: Cluster) -> None:
    """One that has changed since is kept; one that is gone is no error."""
    older = await cluster.apply(config_map("going", {"a": "1"}))
    newer = await cluster.apply(config_map("going", {"a": "2"}))

    with pytest.raises(ConflictError):
        await cluster.delete_version(older)
    await cluster.delete_version(newer)
    assert await cluster.get(Ref.of(newer)) is None
    await cluster.delete_version(newer)
