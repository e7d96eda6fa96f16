"""What was due and has not happened: someone who looks learns that the operator does not run."""

from datetime import timedelta
from typing import Any, Final

import pytest

from agentrollouts.api.attempt import State
from agentrollouts.core.conditions import TRAFFIC_APPLIED
from agentrollouts.insight.view.shape import Notice
from agentrollouts.insight.view.view import view
from agentrollouts.insight.view.words import Needs, Topic
from testkit.world import World
from tests.view.states import WORLDS, shipping

LONG: Final = timedelta(hours=12)
WHAT: Final = {
    State.CANARY: "the end of the phase",
    State.BAKING: "the end of the bake",
    State.VERIFYING: "the end of the verification",
}
"""States that end by a clock, and what ends them."""
WHERE: Final = "see kubectl agentrollout check support-agent -n support"


def after(world: World, later: timedelta, **status: Any) -> list[Notice]:  # noqa: ANN401 any field
    """What is said if nothing was written for so long."""
    rollout = world.rollout.copy_with(status=world.status.copy_with(**status))
    seen = view(rollout.to_json(), {}, world.now + later)
    return [each for each in seen.around if each.topic is Topic.OPERATOR]


@pytest.mark.parametrize("state", State)
def test_a_status_that_no_one_writes_is_overdue_once_a_clock_is_over(state: State) -> None:
    """Where only a person, an object or a gate is awaited, no time can be over."""
    world = WORLDS[state]()

    assert after(world, timedelta(seconds=1)) == []
    found = [(each.state, each.needs, each.sentence.partition(" was due ")[0]) for each in after(world, LONG)]
    assert found == ([("Overdue", Needs.PERSON, WHAT[state])] if state in WHAT else [])
    assert all(each.sentence.endswith(WHERE) for each in after(world, LONG))


def test_a_rollback_is_overdue_unless_it_is_reported_as_late() -> None:
    """An operator that ends right after its decision reports nothing; one that runs says what is wrong."""
    reported = WORLDS[State.ROLLING_BACK]()
    reported.run(600)
    crashed = WORLDS[State.ROLLING_BACK]()
    silent = tuple(each for each in crashed.status.conditions if each.type != TRAFFIC_APPLIED)

    assert after(reported, LONG) == []
    [late] = after(crashed, LONG, conditions=silent)
    assert late.sentence.startswith("the end of the rollback was due 11 h ago: the operator does not run")


def test_a_hold_with_an_end_is_overdue_after_it() -> None:
    """Someone who comes back in the morning reads that nothing was rolled back at night."""
    world = shipping(
        gates=[{"name": "errors", "template": "error-rate", "severity": "Medium"}],
        rollback={"afterHoldSeconds": 600},
    )
    world.agents = dict(WORLDS[State.HELD]().agents)
    world.run_until(State.HELD)

    assert after(world, timedelta(seconds=600)) == []
    assert [each.sentence.partition(" was due ")[0] for each in after(world, LONG)] == ["the end of the hold"]
