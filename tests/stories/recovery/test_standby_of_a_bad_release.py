"""A standby that was made from stable, in virtual time: stable turns out bad, and so the standby is."""

from collections.abc import Callable
from typing import Final

import pytest

from agentrollouts.api.attempt import Trigger
from agentrollouts.api.people.action import ActionType
from agentrollouts.api.reasons import Reason
from agentrollouts.api.release import AgentRelease
from agentrollouts.core.recovery.group.member import Harm, Member
from testkit.builders.names import NEW, OLD, OLDEST
from testkit.world import World
from tests.stories.recovery.test_standby import WITHOUT, at_rest, served, tripped

LESS: Final = NEW
"""What is stable, `OLD`, without a tool; it never served."""


def on_less() -> World:
    """The tools of stable fail, and the release without them serves."""
    world = at_rest(OLDEST, OLD, standby=[{**WITHOUT, "releaseRef": {"name": LESS}}], group="checkout")
    world.ship(LESS)
    world.ask_for(OLD)
    release = world.releases[LESS].to_json()
    release["spec"]["parent"] = {"name": OLD}
    release["status"]["diff"] = [{"component": "tools", "from": "2.0.0", "to": "1.0.0", "change": "Narrowed"}]
    world.releases[LESS] = AgentRelease.model_validate(release)
    world.settle()
    tripped(world)
    assert served(world) == {LESS: 100}
    return world


def by_person(world: World) -> None:
    """Someone finds stable bad."""
    world.act(ActionType.ROLL_BACK, release=OLD)


def by_group(world: World) -> None:
    """A sibling rolls back what it shipped together with stable."""
    [shipped] = [entry for entry in world.status.history if entry.release == OLD]
    assert world.status.group is not None
    start = shipped.start_time
    harm = Harm(7, "shop-agent-2.0.0", start, world.now, "errors: 12.8x")
    world.siblings = (Member("shop", world.status.group.since, harms=(harm,)),)


@pytest.mark.parametrize("request_", [by_person, by_group])
def test_it_ends_with_the_rollback_of_stable(request_: Callable[[World], None]) -> None:
    """The release before gets the traffic at once, and neither of the two gets a request again."""
    world = on_less()
    detour = world.status.detour
    assert detour is not None
    request_(world)
    world.settle()

    assert served(world) == {OLDEST: 100}
    rollback, last = world.status.last_rollback, world.status.last_detour
    assert rollback is not None
    assert last is not None
    trigger = Trigger.ACTION if request_ is by_person else Trigger.GROUP
    assert (rollback.trigger, rollback.to, last.id, last.by) == (trigger, OLDEST, detour.id, None)
    [told] = world.told(Reason.DETOUR_ENDED)
    assert told == f"Detour {detour.id} ended, since {LESS} was made from {OLD}; {OLDEST} gets the traffic"
    for _ in range(100):
        world.run(60)
        assert served(world) == {OLDEST: 100}


def test_it_serves_on_while_no_earlier_release_answers() -> None:
    """Also if a person insists: a bad answer is never replaced by none."""
    world = on_less()
    world.deserted = {OLDEST}
    world.act(ActionType.ROLL_BACK, release=OLD, force=True)
    world.run(60)

    assert world.status.stable is not None
    assert (world.status.stable.release, served(world)) == (OLDEST, {LESS: 100})


def test_one_that_has_shown_that_it_works_serves_on() -> None:
    """A drill of it passed, so it does not depend on what stable is."""
    world = at_rest(OLDEST, OLD, standby=[{**WITHOUT, "releaseRef": {"name": LESS}}])
    world.ship(LESS)
    world.ask_for(OLD)
    world.settle()
    world.act(ActionType.DRILL, release=LESS)
    world.run(1200)
    tripped(world)
    assert served(world) == {LESS: 100}
    by_person(world)
    world.run(60)

    assert world.status.stable is not None
    assert (world.status.stable.release, served(world)) == (OLDEST, {LESS: 100})


@pytest.mark.parametrize("effects", range(1, 5))
def test_a_process_that_ends_on_the_way_ends_as_without_it(effects: int) -> None:
    """The release before serves, and the bad one was never served between."""
    world = on_less()
    by_person(world)
    for _ in range(20):
        world.step(effects)
        world.restart()
        assert set(served(world)) <= {LESS, OLDEST}
    world.run(60)

    assert (served(world), world.status.detour) == ({OLDEST: 100}, None)
