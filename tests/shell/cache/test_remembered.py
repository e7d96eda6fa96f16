"""Inputs: objects as large as a tenant can make them. Outputs: what the cache keeps of them."""

import json
import random
import string
from typing import Any

import pytest

from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.names import (
    ANNOTATION_ROLLED_BACK,
    FIELD_MANAGER,
    LABEL_AGENT,
    LABEL_MANAGED_BY,
    LABEL_RELEASE,
    LABEL_ROLLOUT,
)
from agentrollouts.core.release.bundle import digest_of
from agentrollouts.core.release.snapshot import BUNDLE_KEY, Snapshot, snapshot_name
from agentrollouts.core.traffic.manifests import is_made_for
from agentrollouts.shell.cache import Cache
from agentrollouts.shell.relations import CONFIG_MAP, RELEASE, ROLLOUT, ROUTE
from agentrollouts.shell.remembered import LARGE, NAMESPACE_BYTES

BIG = 880 * 1024
HEAD_BYTES = 2048
"""What is kept of one object at the most, as one of a thousand."""


def noise(size: int, seed: int = 0) -> str:
    """Text that nothing makes shorter."""
    return "".join(random.Random(seed).choices(string.ascii_letters + string.digits, k=size))


def an_object(kind: str, name: str = "a", version: int = 1, **fields: Any) -> Manifest:  # noqa: ANN401 any field of an object
    """An object of a namespace."""
    metadata = {"name": name, "namespace": "n", "resourceVersion": str(version), "uid": f"uid-of-{name}"}
    return {"kind": kind, **fields, "metadata": metadata | fields.pop("metadata", {})}


def a_release(name: str = "a", version: int = 1, seed: int = 0) -> Manifest:
    """A release whose content is as large as it may be."""
    components = {
        "prompt": {"version": "1.0.0", "inline": {"text": noise(BIG // 2, seed)}},
        "tools": {"version": "1.0.0", "items": [{"name": "x", "schema": {"text": noise(BIG // 2, seed)}}]},
        "config": {"version": "1.0.0", "configMapRef": {"name": "c"}},
    }
    return an_object(RELEASE, name, version, spec={"agent": "s", "components": components})


def a_snapshot(text: str, agent: str = "s") -> Manifest:
    """A snapshot of an agent."""
    labels = {LABEL_AGENT: agent, LABEL_RELEASE: "one", LABEL_MANAGED_BY: FIELD_MANAGER}
    name = snapshot_name(agent, digest_of(text.encode()))
    return an_object(CONFIG_MAP, name, metadata={"labels": labels}, data={BUNDLE_KEY: text}, immutable=True)


def annotated(kind: str) -> Manifest:
    """An object with the largest annotation that the API server takes, and one of ours."""
    annotations = {"tool.example.com/state": noise(250 * 1024), ANNOTATION_ROLLED_BACK: "1/a"}
    labels = {"team": "x", LABEL_ROLLOUT: "a"}
    return an_object(kind, metadata={"annotations": annotations, "labels": labels}, spec={"agent": "s"})


def kept_bytes(cache: Cache) -> int:
    """Everything that a cache keeps of its objects."""
    return sum(len(entry.packed) for entry in cache._objects.values())  # noqa: SLF001 nothing else shows it


@pytest.mark.parametrize(
    "manifest",
    [
        a_release(),
        a_snapshot(json.dumps({"prompt": {"version": "1.0.0", "content": noise(BIG)}})),
        an_object(CONFIG_MAP, data={"x": noise(BIG)}, metadata={"labels": {LABEL_MANAGED_BY: FIELD_MANAGER}}),
        an_object(CONFIG_MAP, data={"split.json": noise(BIG)}, metadata={"labels": {LABEL_ROLLOUT: "a"}}),
        an_object(CONFIG_MAP, binaryData={"x": noise(BIG)}),
        annotated(ROLLOUT),
        annotated(ROUTE),
        annotated(RELEASE),
        an_object(ROLLOUT, spec={"agent": "s"}, status={"attempt": {"state": "Canary", "x": noise(BIG)}}),
        an_object(ROUTE, spec={"hostnames": ["a"], "rules": [{"name": noise(BIG)}]}),
        an_object(RELEASE, spec={"agent": "s"}, status={"conditions": [{"message": noise(BIG)}]}),
        an_object(ROUTE, metadata={"ownerReferences": [{"uid": noise(BIG)}]}),
    ],
    ids=[
        "a release",
        "a snapshot",
        "a ConfigMap with our label",
        "a traffic ConfigMap",
        "binary data",
        "annotations of a rollout",
        "annotations of a route",
        "annotations of a release",
        "a status",
        "the rules of a route",
        "conditions",
        "owners",
    ],
)
def test_an_object_that_is_as_large_as_it_can_be_takes_next_to_nothing(manifest: Manifest) -> None:
    """Whatever a tenant makes large, the memory of the operator does not grow with it."""
    cache = Cache()
    assert cache.put(manifest)
    assert kept_bytes(cache) < HEAD_BYTES


def test_what_decisions_read_is_kept() -> None:
    """Marks of ours, the labels of a rollout, specs and statuses, and the components of a release."""
    cache = Cache()
    cache.put(annotated(ROLLOUT))
    rollout = cache.get(Ref(ROLLOUT, "n", "a"))
    assert rollout is not None
    assert rollout["metadata"]["annotations"] == {ANNOTATION_ROLLED_BACK: "1/a"}
    assert rollout["metadata"]["labels"] == {LABEL_ROLLOUT: "a", "team": "x"}
    cache.put(a_release())
    release = cache.get(Ref(RELEASE, "n", "a"))
    assert release is not None
    assert release["spec"]["components"] == {
        "prompt": {"version": "1.0.0"},
        "tools": {"version": "1.0.0"},
        "config": {"version": "1.0.0", "configMapRef": {"name": "c"}},
    }
    assert not any(cache.is_outline(Ref(kind, "n", "a")) for kind in (ROLLOUT, RELEASE))


def test_an_empty_map_of_annotations_is_not_a_missing_one() -> None:
    """To add a key to foreign annotations is another write than to add the annotations."""
    cache = Cache()
    cache.put(an_object(ROUTE, "foreign", metadata={"annotations": {"argocd": "x"}}))
    cache.put(an_object(ROUTE, "none"))
    kept = [(cache.get(Ref(ROUTE, "n", name)) or {})["metadata"] for name in ("foreign", "none")]
    assert [metadata.get("annotations") for metadata in kept] == [{}, None]


def test_a_snapshot_is_hashed_as_it_comes_in() -> None:
    """Its head says what it contains, whatever it is called; and how many bytes its namespace has."""
    text, other = json.dumps({"prompt": {"version": "1.0.0"}}), json.dumps({"model": {"version": "2.0.0"}})
    altered = a_snapshot(text)
    altered["data"] = {BUNDLE_KEY: other}
    cache = Cache()
    for version, manifest in enumerate((a_snapshot(text), altered), start=1):
        manifest["metadata"]["resourceVersion"] = str(version)
        cache.put(manifest)
        content = manifest["data"][BUNDLE_KEY]
        (snapshot,) = cache.snapshots_of("n", "s")
        whole = Snapshot.read(manifest)
        assert whole is not None
        assert (snapshot.digest, snapshot.size, snapshot.is_immutable) == (whole.digest, whole.size, True)
        assert snapshot.is_whole("s") is (content == text)
        assert cache.bundle_bytes("n") == len(content)
    cache.drop(an_object(CONFIG_MAP, altered["metadata"]["name"], 3))
    assert cache.bundle_bytes("n") == 0


def test_beyond_the_room_of_a_namespace_only_outlines_are_kept() -> None:
    """A tenant with more than any real one has: their own objects are read again, and nobody else's."""
    cache, text = Cache(), noise(LARGE)
    many = NAMESPACE_BYTES // (LARGE // 2)
    for index in range(many):
        rules = [{"name": f"{index}{text}"}]
        cache.put(an_object(ROUTE, f"r{index}", index + 1, spec={"hostnames": ["a"], "rules": rules}))
    small = an_object(ROUTE, "small", 10_000, spec={"rules": [{"name": "x"}]})
    small["metadata"]["namespace"] = "other"
    cache.put(small)
    assert kept_bytes(cache) < NAMESPACE_BYTES + many * HEAD_BYTES
    assert cache.is_outline(Ref(ROUTE, "n", f"r{many - 1}"))
    assert not cache.is_outline(Ref(ROUTE, "other", "small"))
    for index in range(many):
        cache.drop(an_object(ROUTE, f"r{index}", 20_000 + index))
    cache.put(an_object(ROUTE, "again", 30_000, spec={"rules": [{"name": "x"}]}))
    assert not cache.is_outline(Ref(ROUTE, "n", "again"))


def test_an_outline_still_says_whose_object_it_is() -> None:
    """By its controller or by our own writes, so that it is not taken for someone else's."""
    owners = [{"uid": "other", "name": "x"}, {"uid": "ours", "controller": True, "name": "y"}]
    written = {"manager": FIELD_MANAGER, "operation": "Apply", "fieldsV1": {}}
    rules = [{"name": noise(BIG)}]
    cache = Cache()
    proofs = {"a": {"ownerReferences": owners}, "b": {"managedFields": [written]}, "c": {}}
    for name, metadata in proofs.items():
        cache.put(an_object(ROUTE, name, metadata=metadata, spec={"rules": rules}))
    outlines = {name: cache.get(Ref(ROUTE, "n", name)) for name in "abc"}
    assert all(cache.is_outline(Ref(ROUTE, "n", name)) for name in "abc")
    assert {name for name, manifest in outlines.items() if manifest and is_made_for(manifest, "ours")} == {
        "a",
        "b",
    }


def test_a_change_of_what_nobody_reads_is_no_news() -> None:
    """A tenant that changes an annotation of its own all day has nothing looked at."""
    cache = Cache()
    manifest = annotated(ROLLOUT)
    assert cache.put(manifest)
    manifest["metadata"] |= {"resourceVersion": "2", "annotations": {ANNOTATION_ROLLED_BACK: "1/a", "x": "y"}}
    assert not cache.put(manifest)
    cached = cache.get(Ref(ROLLOUT, "n", "a"))
    assert cached is not None
    assert cached["metadata"]["resourceVersion"] == "2"
    manifest["metadata"] |= {"resourceVersion": "3", "annotations": {ANNOTATION_ROLLED_BACK: "2/a"}}
    assert cache.put(manifest)


def test_a_snapshot_touches_only_those_that_it_names() -> None:
    """Of a hundred releases of an agent, the ninety-nine others are not looked at."""
    cache = Cache()
    for index, name in enumerate(("one", "two", "child"), start=1):
        spec = {"agent": "s"} | ({"parent": {"name": "one"}} if name == "child" else {})
        cache.put(an_object(RELEASE, name, index, spec=spec))
    touched = {ref.name for ref in cache.touched_by(a_snapshot("{}")) if ref.kind == RELEASE}
    assert touched == {"one", "child"}
