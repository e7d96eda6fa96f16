"""Input: a process that ends between the route of a rollback and its status. Output: who is named for it."""

from datetime import timedelta
from typing import Any, Final

import pytest

from agentrollouts.api.attempt import State
from agentrollouts.api.people.action import ActionType
from agentrollouts.api.reasons import Reason
from testkit.builders.names import NEW, OLD, OLDEST
from testkit.world import World, a_world_at_rest

DANA, LEE = "dana@example.com", "lee@example.com"
HALF: Final = [{"name": "half", "weight": 50, "durationSeconds": 300}]
WHY: Final = "customers report wrong refunds"


def world_with(*, canary: bool) -> World:
    """A canary with half of the traffic, or a rollout at rest."""
    world = a_world_at_rest(OLDEST, OLD, phases=HALF)
    world.settle()
    if canary:
        world.ship(NEW)
        world.run_until(State.CANARY)
        world.run(60)
    world.keeps_records = False
    return world


def crash(world: World) -> str:
    """Only the route is written; the answer is the release that it no longer sends anything to."""
    before = world.status
    world.step(1)
    assert (world.status.last_rollback, world.status.actions) == (before.last_rollback, before.actions)
    bad = NEW if before.canary else OLD
    assert world.shares().get(bad, 0) == 0
    return bad


def request(world: World, by: str = DANA, name: str = "roll-back-x7k2p") -> None:
    """A rollback of what is newest."""
    bad = NEW if world.status.canary else OLD
    world.act(ActionType.ROLL_BACK, by, release=bad, reason=WHY, name=name)


def started(world: World) -> dict[str, Any]:
    """The entry of the rollback."""
    record = world.status.record
    assert record is not None
    [found] = [each for each in record.unwritten if each["event"] == "RollbackStarted"]
    return found


@pytest.mark.parametrize("canary", [True, False])
def test_the_action_is_found_again_and_credited(*, canary: bool) -> None:
    """Its person, name and reason are in the entry and in the ledger, as without a crash."""
    world = world_with(canary=canary)
    request(world)
    bad = crash(world)
    world.settle()

    entry, [taken] = started(world), world.status.actions
    assert {key: entry[key] for key in ("by", "action", "reason", "trigger", "recovered")} == {
        "by": DANA,
        "action": "roll-back-x7k2p",
        "reason": WHY,
        "trigger": "Action",
        "recovered": True,
    }
    assert (taken.by, taken.uid) == (DANA, world.actions["roll-back-x7k2p"].metadata.uid)
    assert [(each.release, each.reason) for each in world.status.quarantined] == [
        (bad, Reason.ROLLBACK_REQUESTED)
    ]


@pytest.mark.parametrize(("canary", "answer"), [(True, "NothingToDo"), (False, "Stale")])
def test_a_later_action_is_not_credited(*, canary: bool, answer: str) -> None:
    """Of two people who request the same rollback, the one whose action moved the route is named."""
    world = world_with(canary=canary)
    request(world)
    crash(world)
    world.now += timedelta(seconds=2)
    request(world, LEE, name="a-second-one")
    world.settle()

    assert (started(world)["by"], started(world)["action"]) == (DANA, "roll-back-x7k2p")
    assert {each.name: each.result for each in world.status.actions} == {
        "roll-back-x7k2p": "Done",
        "a-second-one": answer,
    }


@pytest.mark.parametrize("canary", [True, False])
def test_without_its_action_a_mark_names_no_one(*, canary: bool) -> None:
    """The action was deleted in between: its sentence is quoted, and no one is credited by it."""
    world = world_with(canary=canary)
    request(world)
    crash(world)
    world.actions.clear()
    world.settle()

    entry, back = started(world), world.status.last_rollback
    assert back is not None
    assert {"by", "action", "proved"}.isdisjoint(entry)
    assert (entry["trigger"], back.reason, world.status.actions) == ("Timeout", Reason.ROUTE_MARKED, ())
    assert entry["message"].startswith('The route says: "')
    assert DANA in entry["message"]
