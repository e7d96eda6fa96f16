"""An edit of the plan in mid-attempt lifts no approval that the attempt still needs: in virtual time."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.api.attempt import State
from agentrollouts.api.people.action import ActionType
from agentrollouts.api.reasons import Reason
from testkit.builders.names import NEW, NEXT, OLD
from testkit.builders.rollouts import a_rollout
from testkit.world import World, a_world

BEGAN = "approval was required by the plan when the attempt began"


def phase(name: str, weight: int, **fields: object) -> dict[str, Any]:
    """One phase of five minutes."""
    return {"name": name, "weight": weight, "durationSeconds": 300} | fields


ASKED = phase("asked", 20, approval="Required")
PHASES = [phase("first", 5), ASKED, phase("last", 60)]
CAPS = [{"name": "spend", "metric": "agent_run_cost_usd_sum", "max": "100000"}]
"""Of a plan without gates: only time and people decide, in half of the computer's time."""


def an_attempt(phases: list[dict[str, Any]] = PHASES, **spec: object) -> World:
    """`OLD` serves, `NEW` has just begun with 5% under a plan that requires an approval at 20%."""
    world = a_world(a_rollout(phases=phases, **spec).serving(OLD), OLD)
    world.ship(NEW)
    world.settle()
    return world


def message(world: World) -> str:
    """The sentence of the summary condition."""
    return world.status.conditions[0].message


def approve(world: World, name: str) -> None:
    """A person approves this phase of the current attempt."""
    world.act(ActionType.APPROVE, phase=name)
    world.run(600)


EDITS = {
    "not required": [phase("first", 5), phase("asked", 20), phase("last", 60)],
    "renamed": [phase("first", 5), phase("second", 20), phase("last", 60)],
    "removed": [phase("first", 5), phase("last", 60)],
    "above it": [phase("first", 5), phase("high", 50), phase("last", 60)],
    "below it": [phase("first", 5), phase("low", 10), phase("last", 60)],
    "one phase": [phase("only", 5)],
    "a ramp": [phase("all", 100, rampSeconds=300)],
    "reordered": [phase("asked", 1), phase("first", 20), phase("last", 60)],
    "in no time": [phase("first", 5, durationSeconds=1), phase("asked", 95, durationSeconds=1)],
}


@pytest.mark.parametrize("edited", EDITS.values(), ids=EDITS)
@pytest.mark.parametrize("after", [10, 400])
def test_above_its_weight_the_canary_gets_nothing_without_it(
    edited: list[dict[str, Any]], after: int
) -> None:
    """Edited in the first phase, or in the one that requires it: it waits at 20% or below, and says why."""
    world = an_attempt()
    world.run(after)
    world.edit(lambda builder: builder.planning(phases=edited))
    world.run(7200)

    assert world.state is State.AWAITING_APPROVAL
    assert max(world.route_weights) <= 20
    assert "--attempt=2 --phase=asked --reason=..." in message(world)
    assert BEGAN in message(world)
    approve(world, "asked")
    world.run_until(State.HEALTHY)


def test_while_a_person_is_asked_the_plan_cannot_answer() -> None:
    """Editing the approval out restarts the phase, and then the person is asked again."""
    world = an_attempt()
    world.run_until(State.AWAITING_APPROVAL)
    world.edit(lambda builder: builder.planning(phases=EDITS["not required"]))
    world.settle()
    assert world.state is State.CANARY
    world.run(7200)

    assert (world.state, world.shares()[NEW]) == (State.AWAITING_APPROVAL, 20)
    assert len(world.told(Reason.AWAITING_APPROVAL)) == 2


def test_an_approval_that_is_added_in_mid_attempt_stays() -> None:
    """The plan of this attempt only ever grows stricter."""
    world = an_attempt([phase("first", 5), phase("last", 60)])
    world.edit(lambda builder: builder.planning(phases=PHASES))
    world.settle()
    world.edit(lambda builder: builder.planning(phases=EDITS["removed"]))
    world.run(7200)

    assert (world.state, world.shares()[NEW]) == (State.AWAITING_APPROVAL, 5)


def test_several_are_asked_for_one_after_the_other() -> None:
    """What was given is remembered."""
    required = [phase("first", 5), ASKED, phase("again", 40, approval="Required"), phase("last", 60)]
    world = an_attempt(required)
    world.edit(lambda builder: builder.planning(phases=EDITS["removed"]))
    world.run(3600)
    for name in ("asked", "again"):
        assert (world.state, world.shares()[NEW]) == (State.AWAITING_APPROVAL, 5)
        assert f"--attempt=2 --phase={name} --reason=..." in message(world)
        approve(world, name)
    world.run_until(State.HEALTHY)


def test_the_next_attempt_follows_the_plan_as_it_is() -> None:
    """What was required of one attempt is not required of another."""
    world = an_attempt()
    world.edit(lambda builder: builder.planning(phases=EDITS["not required"]))
    world.ship(NEXT)
    world.run_until(State.HEALTHY)
    assert world.status.stable is not None
    assert world.status.stable.release == NEXT


def test_what_was_passed_is_not_asked_for_again() -> None:
    """The approval was given, and then the plan changed."""
    world = an_attempt()
    world.run_until(State.AWAITING_APPROVAL)
    approve(world, "asked")
    world.actions.clear()
    world.edit(lambda builder: builder.planning(bake={"durationSeconds": 60}))
    world.run_until(State.HEALTHY)


PLANS = st.lists(
    st.tuples(st.integers(1, 100), st.booleans(), st.sampled_from([None, 200])),
    min_size=1,
    max_size=4,
    unique_by=lambda drawn: drawn[0],
)


@given(PLANS, st.lists(PLANS, max_size=3))
def test_no_series_of_edits_lifts_one(first: list[Any], edits: list[list[Any]]) -> None:
    """Whatever the plans are: the canary never gets more than the least weight that required an approval."""

    def phases(plan: list[Any]) -> list[dict[str, Any]]:
        return [
            phase(
                f"p{index}",
                weight,
                approval="Required" if is_required else "NotRequired",
                **({"rampSeconds": ramp} if ramp else {}),
            )
            for index, (weight, is_required, ramp) in enumerate(sorted(plan))
        ]

    world = an_attempt(phases(first), gates=[], caps=CAPS)
    for plan in edits:
        world.edit(lambda builder, plan=plan: builder.planning(phases=phases(plan)))  # type: ignore[misc] # default of a lambda
        world.run(250)
    world.run(2400)

    bound = [weight for weight, is_required, _ in first if is_required]
    assert max(world.route_weights) <= min(bound, default=100)
    if bound:
        assert world.state not in {State.BAKING, State.HEALTHY}
