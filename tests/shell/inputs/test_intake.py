"""Inputs: news from the watch, the lists and our own writes. Outputs: which keys have to be looked at."""

from typing import Any

import pytest

from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.core.rollout.snapshots.facts import HEALTHY, QUARANTINED
from agentrollouts.shell.cache import Cache
from agentrollouts.shell.inputs.intake import Intake
from agentrollouts.shell.workqueue import Shares, WorkQueue

RELEASE = Ref("AgentRelease", "support", "one")
ROLLOUT = Ref("AgentRollout", "support", "agent")


def an_object(ref: Ref, version: int) -> Manifest:
    """A release, or a rollout that asks for it."""
    metadata = {"name": ref.name, "namespace": ref.namespace, "resourceVersion": str(version)}
    return {"kind": ref.kind, "metadata": metadata, "spec": {"agent": "agent", "releaseRef": {"name": "one"}}}


async def taken(queue: WorkQueue[Ref]) -> set[Ref]:
    """All keys that are dirty."""
    return {await queue.take() for _ in range(len(queue))}


async def test_news_mark_what_they_touch_and_nothing_else_does() -> None:
    """A new release is looked at by itself and by the rollout that asks for it; the same again by nobody."""
    cache, queue = Cache(), WorkQueue[Ref](lambda: 0.0)
    intake = Intake(cache, queue)
    intake.put(an_object(ROLLOUT, 1))
    intake.put(an_object(RELEASE, 2))
    assert await taken(queue) == {ROLLOUT, RELEASE}
    queue.done(ROLLOUT)
    queue.done(RELEASE)
    intake.put(an_object(RELEASE, 2))
    intake.put(an_object(RELEASE, 1))
    intake.drop(an_object(RELEASE, 1))
    assert await taken(queue) == set()
    intake.drop(an_object(RELEASE, 3))
    assert await taken(queue) == {ROLLOUT, RELEASE}
    assert cache.get(RELEASE) is None


async def test_a_route_that_moves_marks_the_rollouts_at_its_old_door_and_at_its_new_one() -> None:
    """A warning appears and goes on both sides, without a look at all rollouts."""
    cache, queue = Cache(), WorkQueue[Ref](lambda: 0.0)
    intake = Intake(cache, queue)

    def route(name: str, version: int, hostname: str) -> Manifest:
        metadata = {"name": name, "namespace": "support", "resourceVersion": str(version)}
        spec = {"parentRefs": [{"name": "public"}], "hostnames": [hostname]}
        return {"kind": "HTTPRoute", "metadata": metadata, "spec": spec}

    rollouts = [Ref("AgentRollout", "support", name) for name in ("one", "two")]
    for version, ref in enumerate(rollouts):
        manifest = an_object(ref, version + 1)
        intake.put({**manifest, "spec": {"agent": ref.name}})
    intake.put(route("one", 3, "a"))
    intake.put(route("two", 4, "b"))
    for ref in await taken(queue):
        queue.done(ref)

    intake.put(route("shop", 5, "a"))
    assert await taken(queue) == {rollouts[0]}
    queue.done(rollouts[0])
    intake.put(route("shop", 6, "b"))
    assert await taken(queue) == set(rollouts)
    for ref in rollouts:
        queue.done(ref)
    intake.drop(route("shop", 7, "b"))
    assert await taken(queue) == {rollouts[1]}


async def test_what_cannot_wait_is_marked_so() -> None:
    """A rollout with a canary, one of which a person wants something else, and one that is gone; no other."""
    cache = Cache()
    queue = WorkQueue[Ref](lambda: 0.0, Shares(is_urgent=cache.is_urgent))
    intake = Intake(cache, queue)

    async def is_urgent(version: int, *, kind: Ref = ROLLOUT, gone: bool = False, **fields: Any) -> bool:  # noqa: ANN401 any JSON
        manifest = an_object(kind, version)
        manifest["metadata"] |= {"generation": 1} | fields.pop("metadata", {})
        (intake.drop if gone else intake.put)({**manifest, **fields})
        for key in await taken(queue):
            urgent = queue.is_urgent(key) if key == kind else False
            queue.done(key)
            if key == kind:
                return urgent
        raise AssertionError("it was not marked")

    def attempt(state: str, observed_generation: int = 0) -> dict[str, Any]:
        return {"attempt": {"number": 1, "state": state}, "observedGeneration": observed_generation}

    urgency = {
        "new": await is_urgent(1),
        "a first release": await is_urgent(2, status=attempt("Initial")),
        "healthy": await is_urgent(3, status=attempt("Healthy")),
        "another release": await is_urgent(4, metadata={"generation": 2}, status=attempt("Healthy")),
        "our status": await is_urgent(5, metadata={"generation": 2}, status=attempt("Healthy", 2)),
        "an annotation": await is_urgent(
            6, metadata={"generation": 2, "annotations": {"agentrollouts.dev/note": "now"}}
        ),
        "a canary": await is_urgent(7, metadata={"generation": 2}, status=attempt("Canary")),
        "a canary still": await is_urgent(8, metadata={"generation": 2}, status=attempt("Canary", 2)),
        "over": await is_urgent(9, metadata={"generation": 2}, status=attempt("RolledBack")),
        "gone": await is_urgent(10, gone=True),
        "a release": await is_urgent(11, kind=RELEASE, metadata={"generation": 3}),
        "a release again": await is_urgent(12, kind=RELEASE, metadata={"generation": 4}),
    }

    assert [what for what, urgent in urgency.items() if urgent] == [
        "another release",
        "an annotation",
        "a canary",
        "a canary still",
        "gone",
    ]


@pytest.mark.parametrize(
    ("manager", "operation", "is_kept"),
    [
        ("agentrollouts-facts", "Apply", True),
        ("agentrollouts-facts", "Update", False),
        ("kubectl-annotate", "Update", False),
        (None, None, False),
    ],
)
async def test_a_fact_that_someone_else_wrote_last_is_not_taken_in(
    manager: str | None, operation: str | None, *, is_kept: bool
) -> None:
    """A tenant can neither declare a release healthy nor quarantine one; other annotations stay."""
    cache, queue = Cache(), WorkQueue[Ref](lambda: 0.0)
    ref = Ref("ConfigMap", "support", "agent-1234")
    facts = {HEALTHY: "{}", QUARANTINED: "{}"}
    fields: Manifest = {"f:metadata": {"f:annotations": {f"f:{key}": {} for key in facts}}}
    entries = [{"manager": manager, "operation": operation, "fieldsV1": fields}] if manager else []
    names = {"release.agentrollouts.dev/two": "2.0.0"}
    metadata = {"annotations": facts | names, "managedFields": entries}
    manifest = an_object(ref, 1)
    manifest["metadata"] |= metadata
    Intake(cache, queue).put(manifest)

    config_map = cache.get(ref)
    assert config_map is not None
    assert config_map["metadata"]["annotations"] == names | (facts if is_kept else {})
    assert manifest["metadata"]["annotations"] == facts | names


async def test_rollouts_of_one_agent_look_at_each_other_only_when_it_can_matter() -> None:
    """A thousand that report their status do not make each other decide again; one that begins does."""
    cache, queue = Cache(), WorkQueue[Ref](lambda: 0.0)
    intake = Intake(cache, queue)
    twin = Ref("AgentRollout", "support", "twin")
    intake.put(an_object(ROLLOUT, 1))
    intake.put(an_object(twin, 2))
    marked = []
    states: list[dict[str, Any]] = [
        {"status": {"conditions": []}},
        {"status": {"attempt": {"number": 1}}},
        {"status": {"attempt": {"number": 2}}},
        {"status": {"attempt": {"number": 2}}, "spec": {"agent": "other", "releaseRef": {"name": "one"}}},
        {"status": {"attempt": {"number": 2}}},
    ]
    for key in await taken(queue):
        queue.done(key)
    for version, fields in enumerate(states, start=3):
        intake.put({**an_object(twin, version), **fields})
        marked.append(await taken(queue))
        for key in marked[-1]:
            queue.done(key)

    assert marked == [{twin}, {twin, ROLLOUT}, {twin}, {twin}, {twin, ROLLOUT}]
