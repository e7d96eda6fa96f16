"""Inputs: objects and deletions in any order. Outputs: what the cache says is there, and what it touches."""

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.names import LABEL_AGENT, LABEL_RELEASE, LABEL_ROLLOUT
from agentrollouts.core.traffic.manifests import ROUTES, is_made_for
from agentrollouts.shell.cache import NEIGHBORS, TOMBSTONES, Cache
from agentrollouts.shell.relations import CONFIG_MAP, RELEASE, ROLLOUT, ROUTE
from testkit.properties import usually

NAMES = ("a", "b")
AGENTS = ("support", "billing")


def an_object(kind: str, name: str, version: int, agent: str = "support", asks: str = "a") -> Manifest:
    """An object of one of the kinds that are watched."""
    metadata: dict[str, Any] = {"name": name, "namespace": "here", "resourceVersion": str(version)}
    manifest: Manifest = {"kind": kind, "metadata": metadata}
    match kind:
        case "AgentRollout":
            manifest["spec"] = {"agent": agent, "releaseRef": {"name": asks}}
        case "AgentRelease":
            manifest["spec"] = {"agent": agent, "parent": {"name": asks}}
        case "HTTPRoute":
            metadata["labels"] = {LABEL_ROLLOUT: name, LABEL_AGENT: agent}
        case _:
            metadata["labels"] = {LABEL_AGENT: agent}
    return manifest


News = tuple[str, Manifest]
"""`put` or `drop`, and the object."""

objects = st.builds(
    an_object,
    st.sampled_from([ROLLOUT, RELEASE, CONFIG_MAP, ROUTE]),
    st.sampled_from(NAMES),
    st.just(0),
    st.sampled_from(AGENTS),
    st.sampled_from(NAMES),
)


few = st.builds(an_object, st.just(RELEASE), st.sampled_from(NAMES), st.just(0))


@st.composite
def pasts(draw: st.DrawFn, objects: st.SearchStrategy[Manifest] = objects) -> list[News]:
    """What happened to some objects, each change with a version of its own, deletions included."""
    past: list[News] = []
    for version in range(1, draw(st.integers(1, 12)) + 1):
        manifest = draw(objects)
        manifest["metadata"]["resourceVersion"] = str(version)
        past.append((draw(st.sampled_from(["put", "put", "drop"])), manifest))
    return past


def fill_cache(news: Iterable[News]) -> Cache:
    """A cache that was told this."""
    cache = Cache()
    for verb, manifest in news:
        (cache.put if verb == "put" else cache.drop)(manifest)
    return cache


def truth(past: Iterable[News]) -> dict[Ref, Manifest]:
    """What is there after it all."""
    there: dict[Ref, Manifest] = {}
    for verb, manifest in past:
        there.pop(Ref.of(manifest), None)
        if verb == "put":
            there[Ref.of(manifest)] = manifest
    return there


def list_objects(cache: Cache) -> dict[Ref, Manifest]:
    """Everything that a cache knows."""
    kinds = (ROLLOUT, RELEASE, CONFIG_MAP, ROUTE)
    manifests = {key: cache.get(key) for kind in kinds for key in cache.versions(kind, None)}
    return {key: manifest for key, manifest in manifests.items() if manifest is not None}


@given(past=pasts(few), data=st.data())
@usually(400)
def test_the_newest_version_wins_in_any_order_and_however_often_it_is_told(
    past: list[News], data: st.DataObject
) -> None:
    """Late and repeated news change nothing: no old state comes back, and nothing that was deleted."""
    late = data.draw(st.permutations([*past, *data.draw(st.lists(st.sampled_from(past)))]))
    assert list_objects(fill_cache(late)) == truth(past)


@given(past=pasts())
def test_what_belongs_together_is_found_after_any_past(past: list[News]) -> None:
    """The index says the same as a look at every single object."""
    cache, there = fill_cache(past), truth(past)
    for agent in AGENTS:
        expected = [m for m in there.values() if m["kind"] == CONFIG_MAP and label(m, LABEL_AGENT) == agent]
        names = {snapshot.metadata.name for snapshot in cache.snapshots_of("here", agent)}
        assert names == {manifest["metadata"]["name"] for manifest in expected}
        snapshot = an_object(CONFIG_MAP, "any", 0, agent)
        snapshot["metadata"]["labels"][LABEL_RELEASE] = NAMES[0]
        assert set(cache.touched_by(snapshot)) == {
            ref
            for ref, m in there.items()
            if (ref.kind == ROLLOUT and m["spec"]["agent"] == agent)
            or (ref.kind == RELEASE and NAMES[0] in {ref.name, m["spec"]["parent"]["name"]})
        }
    for name in NAMES:
        release = an_object(RELEASE, name, 0)
        assert set(cache.touched_by(release)) == {Ref.of(release)} | {
            ref for ref, m in there.items() if ref.kind == ROLLOUT and m["spec"]["releaseRef"]["name"] == name
        }


def label(manifest: Manifest, name: str) -> str | None:
    """A label's value."""
    value: str | None = manifest["metadata"].get("labels", {}).get(name)
    return value


def test_only_news_are_news() -> None:
    """Being told what is known already, or something older, is no reason to look again."""
    cache = Cache()
    answers = [
        cache.put(an_object(ROLLOUT, "a", 5)),
        cache.put(an_object(ROLLOUT, "a", 5)),
        cache.put(an_object(ROLLOUT, "a", 4)),
        cache.drop(an_object(ROLLOUT, "a", 4)),
        cache.drop(an_object(ROLLOUT, "a", 6)),
        cache.put(an_object(ROLLOUT, "a", 6)),
        cache.put(an_object(ROLLOUT, "a", 7)),
    ]
    assert answers == [True, False, False, False, True, False, True]


def test_a_traffic_object_touches_its_rollout_alone() -> None:
    """Routes and traffic ConfigMaps belong to one rollout, by label."""
    cache = fill_cache([("put", an_object(ROLLOUT, name, 1)) for name in NAMES])
    assert set(cache.touched_by(an_object(ROUTE, "a", 2))) == {Ref(ROLLOUT, "here", "a")}


def test_an_object_that_cannot_be_read_is_kept_as_it_is() -> None:
    """Whatever a spec looks like, the cache holds it, for its condition to say what is wrong."""
    odd: Manifest = {
        "kind": ROLLOUT,
        "metadata": {"name": "odd", "namespace": "here", "resourceVersion": "1", "labels": None},
        "spec": None,
    }
    cache = fill_cache([("put", odd)])
    assert cache.get(Ref.of(odd)) == odd


def test_deletions_are_not_remembered_for_ever() -> None:
    """The oldest deletions are forgotten, so that a busy cluster does not fill the memory."""
    gone = (("drop", an_object(RELEASE, f"r{index}", index + 1)) for index in range(TOMBSTONES + 1))
    cache = fill_cache(gone)
    answers = [cache.put(an_object(RELEASE, name, 1)) for name in ("r0", "r1", f"r{TOMBSTONES}")]
    assert answers == [True, False, False]


def test_what_get_gives_is_the_callers_own_and_has_no_managed_fields() -> None:
    """Nobody can change what is known; what only the API server needs takes no memory."""
    entry = {"manager": "helm"}
    release = {
        "kind": RELEASE,
        "metadata": {"name": "a", "namespace": "n", "resourceVersion": "1", "managedFields": [entry]},
        "spec": {"agent": "one"},
    }
    cache, key = Cache(), Ref(RELEASE, "n", "a")
    cache.put(release)
    for _ in range(2):
        manifest = cache.get(key)
        assert manifest == {**release, "metadata": {"name": "a", "namespace": "n", "resourceVersion": "1"}}
        manifest["spec"]["agent"] = "two"


@pytest.mark.parametrize("kind", [ROUTE, CONFIG_MAP])
def test_who_else_wrote_a_traffic_object_is_known(kind: str) -> None:
    """So that an Event can name them; ourselves and a gateway's status nobody asks for."""
    entries = [
        {"manager": "agentrollouts"},
        {"manager": "git"},
        {"manager": "traefik", "subresource": "status"},
    ]
    cache, manifest = Cache(), an_object(kind, "a", 1)
    manifest["metadata"]["managedFields"] = entries
    cache.put(manifest)

    cached = cache.get(Ref(kind, "here", "a"))
    assert cached is not None
    assert cached["metadata"]["managedFields"] == [{"manager": "git"}]


def patching(name: str, route: str = "shop") -> Manifest:
    """A rollout that sets weights in a route of somebody else."""
    manifest = an_object(ROLLOUT, name, 1, agent=name)
    manifest["spec"]["traffic"] = {"routePatch": {"name": route, "rule": "agent"}}
    return manifest


def a_shop(version: int, *rollouts: str) -> Manifest:
    """A route of somebody else, with what some rollouts left on it."""
    annotations = {f"{name}.agentrollouts.dev/split": "{}" for name in rollouts}
    metadata = {
        "name": "shop",
        "namespace": "here",
        "resourceVersion": str(version),
        "annotations": annotations,
    }
    return {"kind": ROUTE, "metadata": metadata}


def test_a_route_of_somebody_else_touches_those_who_set_weights_in_it() -> None:
    """By their plan, and by what they left on it though they may be gone."""
    cache = Cache()
    for manifest in (patching("a"), patching("b"), patching("c", route="another"), a_shop(2, "gone")):
        assert cache.put(manifest)

    assert {ref.name for ref in cache.touched_by(a_shop(3, "gone"))} == {"a", "b", "gone"}
    assert {ref.name for ref in cache.touched_by(patching("a"))} == {"a", "b"}
    assert [
        rollout["metadata"]["name"] for rollout in cache.rollouts_naming(Ref(ROUTE, "here", "another"))
    ] == ["c"]
    claimed = cache.objects_claimed_by(Ref(ROLLOUT, "here", "gone"))
    assert [route["metadata"]["resourceVersion"] for route in claimed] == ["2"]

    cache.put(a_shop(3))
    assert cache.objects_claimed_by(Ref(ROLLOUT, "here", "gone")) == []


def at_door(name: str, version: int, hostname: str, namespace: str = "here") -> Manifest:
    """A route with a hostname at the one Gateway."""
    metadata = {"name": name, "namespace": namespace, "resourceVersion": str(version)}
    parent = {"name": "public", "namespace": "infra"}
    return {"kind": ROUTE, "metadata": metadata, "spec": {"parentRefs": [parent], "hostnames": [hostname]}}


def test_rollouts_of_one_agent_touch_each_other() -> None:
    """So that the younger one begins when the older one goes; of another agent, or elsewhere, nobody does."""
    cache = Cache()
    for name, agent in (("a", "support"), ("b", "support"), ("c", "billing")):
        cache.put(an_object(ROLLOUT, name, 1, agent))
    gone = an_object(ROLLOUT, "a", 2)
    assert [rollout["metadata"]["name"] for rollout in cache.others_of_agent("here", "a", "support")] == ["b"]
    cache.drop(gone)
    assert {ref.name for ref in cache.touched_by(gone)} == {"a", "b"}
    assert cache.others_of_agent("here", "b", "support") == []


def test_routes_at_one_door_are_found_whatever_they_were_before() -> None:
    """Also in other namespaces; when one moves away, the rollout of the one that is left is looked at."""
    cache = Cache()
    cache.put(an_object(ROLLOUT, "a", 1))
    for manifest in (at_door("a", 2, "x"), at_door("b", 3, "x", "there"), at_door("c", 4, "y")):
        cache.put(manifest)
    assert [r["metadata"]["name"] for r in cache.routes_beside(at_door("a", 2, "x"))] == ["b"]
    assert cache.beside(at_door("b", 5, "x", "there")) == (), "it stays where it is"
    assert cache.beside(at_door("b", 5, "y", "there")) == (Ref(ROLLOUT, "here", "a"),)
    cache.put(at_door("b", 5, "y", "there"))
    assert cache.routes_beside(at_door("a", 2, "x")) == []
    assert cache.beside(at_door("b", 6, "z", "there")) == ()
    assert cache.beside(an_object(RELEASE, "a", 7)) == ()


@pytest.mark.parametrize("kind", ROUTES)
def test_a_route_of_any_kind_keeps_its_services_and_its_door(kind: str) -> None:
    """A Service with a weight is known to have requests; a rollout is looked at when a neighbor comes."""
    cache = Cache()
    cache.put(an_object(ROLLOUT, "a", 1))
    cache.put(at_door("a", 2, "x"))
    route = at_door("b", 3, "x") | {"kind": kind}
    refs = [{"name": "one", "weight": 1}, {"name": "none", "weight": 0}]
    route["spec"]["rules"] = [{"backendRefs": refs}]
    assert cache.beside(route) == (Ref(ROLLOUT, "here", "a"),)
    cache.put(route)
    assert (cache.sends_to("here", "one"), cache.sends_to("here", "none")) == (True, False)


def test_a_route_that_names_a_door_twice_is_taken_in_and_out() -> None:
    """The Gateway API allows it for two listeners."""
    cache = Cache()
    twice = at_door("a", 1, "x")
    twice["spec"]["parentRefs"] *= 2
    assert cache.put(twice)
    assert cache.put(at_door("a", 2, "y"))
    assert cache.routes_beside(at_door("b", 3, "x")) == []
    assert [r["metadata"]["name"] for r in cache.routes_beside(at_door("b", 3, "y"))] == ["a"]


def test_a_crowd_at_one_door_costs_no_more_than_a_few() -> None:
    """A namespace whose rollouts all use one hostname: neither looks nor wake-ups grow with their number."""
    cache = Cache()
    for index in range(50):
        cache.put(an_object(ROLLOUT, f"r{index}", 2 * index + 1, agent=f"r{index}"))
        news = at_door(f"r{index}", 2 * index + 2, "x")
        assert len(cache.beside(news)) <= NEIGHBORS
        cache.put(news)
    assert len(cache.routes_beside(at_door("r0", 2, "x"))) == NEIGHBORS


@pytest.mark.parametrize("kind", [ROUTE, CONFIG_MAP])
def test_that_we_applied_an_object_is_known(kind: str) -> None:
    """Without a label and an owner, that is what makes it ours; a single patch of ours does not."""
    ours = {"manager": "agentrollouts", "operation": "Apply", "fieldsV1": {"f:spec": {}}}
    cache, manifest = Cache(), an_object(kind, "a", 1)
    manifest["metadata"]["managedFields"] = [ours, ours | {"operation": "Update"}]
    cache.put(manifest)

    cached = cache.get(Ref.of(manifest))
    assert cached is not None
    assert is_made_for(cached, "uid-of-nobody")
    assert cached["metadata"]["managedFields"] == [{"manager": "agentrollouts", "operation": "Apply"}]


def test_what_keeps_a_rollout_in_deletion_is_known() -> None:
    """Its condition names the finalizers, and one of them says that its objects are being collected."""
    cache, manifest = Cache(), an_object(ROLLOUT, "a", 1)
    manifest["metadata"] |= {
        "deletionTimestamp": "2026-11-21T10:00:00Z",
        "finalizers": ["foregroundDeletion"],
    }
    cache.put(manifest)

    cached = cache.get(Ref.of(manifest))
    assert cached is not None
    assert cached["metadata"]["finalizers"] == ["foregroundDeletion"]


def test_an_object_that_lost_our_label_can_be_taken_in_again() -> None:
    """The watch called that version gone; it was read by name afterwards, so it is there."""
    cache, manifest = Cache(), an_object(CONFIG_MAP, "a", 7)
    cache.put(manifest)
    cache.drop(manifest)
    assert not cache.put(manifest)
    assert cache.put_unseen(manifest)
    assert cache.get(Ref.of(manifest)) is not None


def test_an_object_touches_its_rollout_whatever_its_labels_say() -> None:
    """By its name, if there is such a rollout."""
    cache = Cache()
    cache.put(an_object(ROLLOUT, "a", 1))
    for kind, name in ((ROUTE, "a"), (CONFIG_MAP, "a-traffic")):
        manifest = an_object(kind, name, 2)
        manifest["metadata"]["labels"] = {}
        assert Ref(ROLLOUT, "here", "a") in set(cache.touched_by(manifest))
        other = an_object(kind, f"b{name}", 2)
        other["metadata"]["labels"] = {}
        assert set(cache.touched_by(other)) == set()
