"""Inputs: news from the watch, the lists and our own writes. Outputs: which keys have to be looked at."""

from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.shell.cache import Cache
from agentrollouts.shell.inputs.intake import Intake
from agentrollouts.shell.workqueue import WorkQueue

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
