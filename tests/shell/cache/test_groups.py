"""Inputs: versions of rollouts with and without a group. Outputs: the siblings of each, and who is woken."""

from typing import Any, Final

import pytest

from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.attempt import State
from agentrollouts.api.status import AgentRolloutStatus, GroupStatus
from agentrollouts.core.recovery.group.member import member_of
from agentrollouts.shell.cache import Cache
from agentrollouts.shell.index.groups import NOTHING, Groups, Woken
from agentrollouts.shell.inputs.intake import Intake
from agentrollouts.shell.workqueue import Shares, WorkQueue
from testkit.builders.names import NEW, OLD, START
from testkit.builders.rollouts import RolloutBuilder, a_rollout

GROUP: Final = "checkout"
TRYING: Final = a_rollout(group=GROUP).serving(OLD).trying(NEW)


def ref(name: str, namespace: str = "shop") -> Ref:
    """A rollout."""
    return Ref("AgentRollout", namespace, name)


def status_of(builder: RolloutBuilder) -> AgentRolloutStatus:
    """As a member's."""
    return builder.status.replace(group=GroupStatus(name=GROUP, since=START))


def a_manifest(name: str, builder: RolloutBuilder = TRYING, version: int = 1, **spec: Any) -> Manifest:  # noqa: ANN401
    """A member as returned by the API server."""
    metadata = {"name": name, "namespace": "shop", "resourceVersion": str(version), "uid": name}
    return {
        "kind": "AgentRollout",
        "metadata": metadata,
        "spec": {"agent": name, "group": GROUP, "releaseRef": {"name": "x"}, **spec},
        "status": status_of(builder).to_json(),
    }


def filled(*names: str) -> Groups:
    """These are members."""
    groups = Groups()
    for name in names:
        groups.put(ref(name), a_manifest(name))
    return groups


def test_siblings_are_the_other_members_by_name() -> None:
    """Of one namespace and one group, as their statuses say."""
    groups = filled("b", "a", "c")
    groups.put(ref("d", "elsewhere"), a_manifest("d"))
    groups.put(ref("e"), a_manifest("e", group="other"))

    members = tuple(member_of(name, GROUP, status_of(TRYING)) for name in ("a", "c"))
    assert groups.siblings(ref("b"), GROUP) == members
    assert (groups.siblings(ref("e"), "other"), groups.siblings(ref("b"), None)) == ((), ())


def test_only_what_siblings_decide_on_wakes_them() -> None:
    """A rollback for harm at once, the beginning and the end of a change as usual, and nothing else."""
    groups = filled("a", "b")
    counted = TRYING.changing(elapsed_seconds=60)
    assert groups.put(ref("a"), a_manifest("a", counted)) == NOTHING
    back = TRYING.rolling_back()
    assert groups.put(ref("a"), a_manifest("a", back)) == Woken((ref("b"),), is_urgent=True)
    assert groups.put(ref("a"), a_manifest("a", back.rolling_back(State.VERIFYING))) == NOTHING
    rested = a_rollout(group=GROUP).serving(OLD)
    assert groups.put(ref("b"), a_manifest("b", rested)) == Woken((ref("a"),), is_urgent=False)


@pytest.mark.parametrize("group", [None, "", 7, "other"])
def test_a_member_that_leaves_wakes_those_that_stay(group: object) -> None:
    """Whatever the field holds by then; a rollout that never was in a group wakes no one."""
    groups = filled("a", "b")
    assert groups.put(ref("a"), a_manifest("a", group=group)).keys == (ref("b"),)
    assert groups.siblings(ref("b"), GROUP) == ()
    assert groups.put(ref("z"), a_manifest("z", group=None)) == NOTHING
    assert groups.remove(ref("z")) == NOTHING
    assert (groups.remove(ref("b")).keys, groups.remove(ref("b"))) == ((), NOTHING)


def test_a_status_that_cannot_be_read_is_no_member() -> None:
    """Another version of the operator may have written it."""
    groups = filled("a")
    strange = a_manifest("b")
    strange["status"]["attempt"]["state"] = "Unheard"
    groups.put(ref("b"), strange)

    assert groups.siblings(ref("a"), GROUP) == ()


async def drained(queue: WorkQueue[Ref]) -> list[Ref]:
    """All that is marked, in the order in which it is taken."""
    keys = [await queue.take() for _ in range(len(queue))]
    for key in keys:
        queue.done(key)
    return keys


async def test_siblings_come_before_everything_that_can_wait() -> None:
    """Also those without a canary, which promoted their release meanwhile."""
    cache = Cache()
    queue = WorkQueue[Ref](lambda: 0.0, Shares(is_urgent=cache.is_urgent))
    intake = Intake(cache, queue)
    rested = a_rollout(group=GROUP).serving(OLD)
    intake.put(a_manifest("a"))
    intake.put(a_manifest("b", rested))
    others = [a_manifest(f"other-{index}", rested, group=None) for index in range(9)]
    for other in others:
        intake.put(other)
    await drained(queue)

    for other in others:
        intake.put({**other, "metadata": {**other["metadata"], "resourceVersion": "2"}, "status": {}})
    intake.put(a_manifest("a", TRYING.rolling_back(), version=2))
    assert set((await drained(queue))[:2]) == {ref("a"), ref("b")}
    intake.put(a_manifest("a", TRYING, version=1))
    assert await drained(queue) == []
    [sibling] = cache.groups.siblings(ref("b"), GROUP)
    assert len(sibling.harms) == 1
    intake.drop(a_manifest("a", version=3))
    assert set(await drained(queue)) == {ref("a"), ref("b")}
    assert cache.groups.siblings(ref("b"), GROUP) == ()


async def test_a_version_that_was_read_before_its_watch_event_wakes_them_too() -> None:
    """Who confirms a status before a write puts a newer version into the cache without marking anything."""
    cache = Cache()
    queue = WorkQueue[Ref](lambda: 0.0)
    intake = Intake(cache, queue)
    intake.put(a_manifest("a"))
    intake.put(a_manifest("b"))
    await drained(queue)
    back = a_manifest("a", TRYING.rolling_back(), version=2)
    cache.put(back)
    intake.put(back)

    assert await drained(queue) == [ref("b")]
