"""Input: actions and a ledger. Output: what is open, and what is kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.api.attempt import State
from agentrollouts.api.people.action import ActionType, AgentRolloutAction, TakenAction
from agentrollouts.api.reasons import Reason
from agentrollouts.api.status import MAX_LEDGER, AgentRolloutStatus
from agentrollouts.core.action.answers import answer
from agentrollouts.core.action.ledger import FULL, KEPT, entry_of, open_actions, trimmed
from agentrollouts.core.rollout.decide import decide
from testkit.builders.actions import an_action
from testkit.builders.names import NEW, NEXT, OLD, START
from testkit.builders.observations import an_observation
from testkit.builders.rollouts import RolloutBuilder, a_rollout
from testkit.world import World, a_world

TRYING = a_rollout().serving(OLD).trying(NEW)


def holds(count: int, since: int = 0) -> list[AgentRolloutAction]:
    """So many actions, each with a name of its own."""
    return [an_action(ActionType.HOLD, 2, name=f"hold-{number:03}") for number in range(since, since + count)]


def done(action: AgentRolloutAction) -> TakenAction:
    """Its entry."""
    return entry_of(action, Reason.DONE, "It is done", START)


def answered(action: AgentRolloutAction) -> AgentRolloutAction:
    """The action with its answer."""
    status = answer(action, Reason.DONE, "It is done", START)
    assert status is not None
    return action.replace(status=status)


def knowing(entries: list[TakenAction]) -> RolloutBuilder:
    """A canary whose ledger says this, the newest first."""
    return TRYING.having(actions=tuple(reversed(entries)))


@given(st.sets(st.integers(0, 59)), st.integers(0, MAX_LEDGER))
def test_the_newest_entries_and_those_without_an_answer_are_kept(unanswered: set[int], size: int) -> None:
    """No other, and never more than there is room for."""
    actions = holds(size)
    ledger = tuple(done(action) for action in reversed(actions))
    there = [a if n in unanswered else answered(a) for n, a in enumerate(actions)]
    kept = trimmed(ledger, there)

    assert kept[:KEPT] == ledger[:KEPT]
    expected = {actions[number].metadata.uid for number in unanswered if number < size}
    assert {entry.uid for entry in kept[KEPT:]} == expected - {entry.uid for entry in ledger[:KEPT]}


def test_what_was_answered_and_evicted_is_not_taken_again() -> None:
    """A hundred holds and their ends, one after the other, each answered: the ledger stays short."""
    world = a_world(TRYING, OLD, NEW)
    world.settle()
    for number in range(50):
        world.act(ActionType.HOLD, name=f"hold-{number}")
        world.settle()
        world.act(ActionType.RESUME, name=f"resume-{number}")
        world.settle()
    assert len(world.status.actions) == KEPT
    assert len(world.actions) == 100
    writes = world.status_writes
    world.restart()
    world.settle()
    assert (world.status_writes, world.status.attempt and world.status.attempt.held_by) == (writes, None)


def test_a_full_ledger_takes_rollbacks_alone() -> None:
    """Forty actions were taken and have no answer yet: nothing else is taken until they have one."""
    full = knowing([done(action) for action in holds(FULL)])
    waiting = [*holds(FULL), an_action(ActionType.RESUME, 2), *holds(3, since=100)]
    beside = decide(an_observation(full, actions=tuple(waiting)))
    assert (beside.status or full.status).actions == full.status.actions
    rollback = an_action(ActionType.ROLL_BACK, 2, release=NEW)
    status = decide(an_observation(full, actions=(*waiting, rollback))).status
    assert status is not None
    assert status.attempt is not None
    assert (status.attempt.state, status.actions[0].type) == (State.ROLLING_BACK, ActionType.ROLL_BACK)


def unanswerable(count: int) -> World:
    """So many rollbacks of a release that has no traffic, and their answers cannot be written."""
    world = a_world(TRYING, OLD, NEW)
    world.settle()
    world.reply = lambda _: False  # type: ignore[method-assign,assignment] # the API server refuses it
    for number in range(count):
        world.act(ActionType.ROLL_BACK, name=f"back-{number:03}", release=NEXT)
    return world


@pytest.mark.parametrize("count", [45, 59])
def test_refused_rollbacks_do_not_fill_the_status(count: int) -> None:
    """The ledger has room for what the API server takes, and an order that is right is carried out."""
    world = unanswerable(count)
    world.settle()
    assert AgentRolloutStatus.model_validate(world.status.to_json()) == world.status
    world.act(ActionType.ROLL_BACK, name="right", release=NEW)
    world.settle()
    assert world.canary_weight == 0


@given(st.lists(st.sampled_from(range(6)), unique=True), st.lists(st.sampled_from(range(6)), unique=True))
def test_an_action_is_open_until_it_is_in_the_ledger_or_has_its_last_answer(
    taken: list[int], told: list[int]
) -> None:
    """Either is enough."""
    actions = [a if n not in told else answered(a) for n, a in enumerate(holds(6))]
    ledger = [done(actions[number]) for number in taken]
    left = {action.metadata.name for action in open_actions(actions, ledger)}
    assert left == {f"hold-{number:03}" for number in range(6) if number not in {*taken, *told}}


def test_an_answer_that_another_one_follows_is_not_the_last() -> None:
    """A rollback that waits for an endpoint is still to be carried out."""
    action = an_action(ActionType.ROLL_BACK, 2, release=NEW)
    status = answer(action, Reason.WAITING, "no endpoint", START)
    assert status is not None
    waiting = action.replace(status=status)
    assert open_actions([waiting], []) == (waiting,)


def test_more_unanswered_actions_than_there_is_room_for_are_cut() -> None:
    """A status that the API server refuses would record no rollback."""
    world = unanswerable(100)
    for _ in range(3):
        world.step()
        assert len(world.status.actions) <= MAX_LEDGER
