"""Inputs: news from the watch, the lists and our own writes. Outputs: which keys have to be looked at."""

from agentrollouts.adapters.resources import Manifest, Ref
from agentrollouts.shell.cache import Cache
from agentrollouts.shell.inputs import Inputs
from agentrollouts.shell.workqueue import DirtyQueue

RELEASE = Ref("AgentRelease", "support", "one")
ROLLOUT = Ref("AgentRollout", "support", "agent")


def an_object(ref: Ref, version: int) -> Manifest:
    """A release, or a rollout that asks for it."""
    metadata = {"name": ref.name, "namespace": ref.namespace, "resourceVersion": str(version)}
    return {"kind": ref.kind, "metadata": metadata, "spec": {"agent": "agent", "releaseRef": {"name": "one"}}}


async def taken(queue: DirtyQueue[Ref]) -> set[Ref]:
    """All keys that are dirty."""
    return {await queue.take() for _ in range(len(queue))}


async def test_news_mark_what_they_touch_and_nothing_else_does() -> None:
    """A new release is looked at by itself and by the rollout that asks for it; the same again by nobody."""
    cache, queue = Cache(), DirtyQueue[Ref](lambda: 0.0)
    inputs = Inputs(cache, queue)
    inputs.put(an_object(ROLLOUT, 1))
    inputs.put(an_object(RELEASE, 2))
    assert await taken(queue) == {ROLLOUT, RELEASE}
    queue.done(ROLLOUT)
    queue.done(RELEASE)
    inputs.put(an_object(RELEASE, 2))
    inputs.put(an_object(RELEASE, 1))
    inputs.drop(an_object(RELEASE, 1))
    assert await taken(queue) == set()
    inputs.drop(an_object(RELEASE, 3))
    assert await taken(queue) == {ROLLOUT, RELEASE}
    assert cache.get(RELEASE) is None
