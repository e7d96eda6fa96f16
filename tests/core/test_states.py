"""The table of states by itself: what can be said of every move without knowing why it is made."""

from itertools import product

import pytest

from agentrollouts.api.attempt import State
from agentrollouts.api.reasons import Reason
from agentrollouts.api.status import AgentRolloutStatus, Outcome
from agentrollouts.core.states import (
    ENDS,
    JUDGED,
    LATCHED,
    TRANSITIONS,
    IllegalMoveError,
    base_state,
    check_move,
    is_under_way,
)
from testkit.builders.names import NEW, OLD
from testkit.builders.rollouts import a_rollout

UNDER_WAY = [state for state in State if state not in ENDS]


def test_the_table_has_every_state_and_no_other() -> None:
    """No state is forgotten, and no move leads to one that the table does not have."""
    assert set(TRANSITIONS) == set(State)
    assert all(moves <= set(State) for moves in TRANSITIONS.values())


def test_the_ends_are_the_outcomes() -> None:
    """An attempt ends in exactly the ways that the history knows."""
    assert {str(state) for state in ENDS} == {str(outcome) for outcome in Outcome}


@pytest.mark.parametrize("state", [state for state in UNDER_WAY if state not in LATCHED])
def test_one_move_takes_the_canary_away(state: State) -> None:
    """From every state that is under way and not on its way back already, one move goes back or gives up."""
    assert TRANSITIONS[state] & {State.ROLLING_BACK, State.SUPERSEDED}


@pytest.mark.parametrize("state", sorted(LATCHED))
def test_a_latched_attempt_stays_latched(state: State) -> None:
    """Once on its way back, no move gives the canary traffic again."""
    assert TRANSITIONS[state] <= LATCHED


@pytest.mark.parametrize("state", UNDER_WAY)
def test_every_state_has_a_way_to_an_end(state: State) -> None:
    """There is no state, and no circle of states, that an attempt cannot leave."""
    reached = {state}
    while more := {after for before in reached for after in TRANSITIONS[before]} - reached:
        reached |= more

    assert reached & ENDS


def test_what_is_judged_can_be_rolled_back() -> None:
    """A gate is asked only where its Fail can do something."""
    assert all(State.ROLLING_BACK in TRANSITIONS[state] for state in JUDGED)


@pytest.mark.parametrize(("origin", "target"), list(product(State, State)))
def test_only_moves_of_the_table_are_allowed(origin: State, target: State) -> None:
    """Staying is no move; every other one is in the table or raises."""
    if origin is target or target in TRANSITIONS[origin]:
        check_move(origin, target)
    else:
        with pytest.raises(IllegalMoveError, match=f"from {origin} to {target}"):
            check_move(origin, target)


@pytest.mark.parametrize("state", UNDER_WAY)
def test_an_attempt_is_under_way_until_it_ends(state: State) -> None:
    """Also while it only stands in line."""
    assert is_under_way(a_rollout().in_state(state).status)


@pytest.mark.parametrize("state", sorted(ENDS))
def test_nothing_is_under_way_after_an_end_or_before_the_first_attempt(state: State) -> None:
    """What is past is remembered and not under way."""
    past = a_rollout().serving(OLD).trying(NEW).changing(state=state)

    assert not is_under_way(past.status)
    assert not is_under_way(AgentRolloutStatus())


def test_a_held_attempt_is_still_what_it_was() -> None:
    """Its base is the state that it goes back to."""
    baking = a_rollout().in_state(State.BAKING)
    attempts = [baking.status.attempt, baking.held_for(Reason.PAUSED).status.attempt]

    assert [base_state(attempt) for attempt in attempts if attempt] == [State.BAKING, State.BAKING]
