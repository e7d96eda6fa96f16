"""Inputs: answered actions, and the attempts that a status remembers. Output: which actions are deleted."""

from datetime import timedelta
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.api.people.action import ActionType
from agentrollouts.api.reasons import Reason
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.api.status import Outcome
from agentrollouts.core.action.retention import AT_ONCE, AnsweredAction, expired, oldest_kept
from testkit.builders.actions import an_action
from testkit.builders.names import NEW, NEXT, OLD, START
from testkit.builders.rollouts import a_rollout
from testkit.world import World, a_world

LIMIT: Final = 3


def remembering(attempts: int, *quarantined: int) -> AgentRollout:
    """A rollout after so many attempts, some of which are in quarantine."""
    builder = a_rollout(historyLimit=LIMIT)
    for _ in range(attempts):
        builder = builder.remembering(NEW, Outcome.ROLLED_BACK, Reason.GATE_FAILED)
    builder = builder.having(
        history=builder.status.history[: LIMIT + 2]
    )  # of which two can be rolled back to
    listed = builder.quarantining(*[NEXT] * len(quarantined)).status.quarantined
    entries = tuple(
        entry.copy_with(attempt=number) for entry, number in zip(listed, quarantined, strict=True)
    )
    return builder.having(quarantined=entries).build()


def answered(number: int, attempt: int, *, is_young: bool = False) -> AnsweredAction:
    """An action about that attempt, created before all of them, or after them."""
    made = START if is_young else START - timedelta(days=3)
    return AnsweredAction(f"action-{number}", f"uid-{number}", str(number + 1), attempt, made)


@given(
    st.integers(0, 8),
    st.lists(st.tuples(st.integers(1, 8), st.booleans()), min_size=8, max_size=30),
    st.sets(st.integers(1, 5)),
)
def test_what_is_about_a_forgotten_attempt_goes_and_nothing_else(
    attempts: int, about: list[tuple[int, bool]], quarantined: set[int]
) -> None:
    """A few at a time. What is created again stays, and what could be taken again."""
    rollout = remembering(attempts, *sorted(quarantined))
    actions = [answered(n, attempt, is_young=is_young) for n, (attempt, is_young) in enumerate(about)]
    gone = set()
    while deletions := expired(actions, rollout):
        assert len(deletions) <= AT_ONCE
        names = {deletion.manifest["metadata"]["name"] for deletion in deletions}
        gone |= names
        actions = [action for action in actions if action.name not in names]
    kept = set(range(max(1, attempts - LIMIT + 1), 9)) | quarantined
    old = {
        f"action-{n}" for n, (attempt, is_young) in enumerate(about) if attempt not in kept and not is_young
    }
    assert gone == old


def test_only_the_version_that_was_seen_is_deleted() -> None:
    """By its uid and its resource version, in the namespace of the rollout."""
    rollout = remembering(5)
    (deletion,) = expired([answered(7, 1)], rollout)
    assert deletion.manifest["kind"] == "AgentRolloutAction"
    assert deletion.manifest["metadata"] == {
        "name": "action-7",
        "namespace": rollout.metadata.namespace,
        "uid": "uid-7",
        "resourceVersion": "8",
    }


def test_nothing_is_old_before_the_history_is_full() -> None:
    """The first attempts are all remembered."""
    oldest = [oldest_kept(remembering(attempts)) for attempts in range(6)]
    assert [entry and entry.number for entry in oldest] == [None, None, None, 1, 2, 3]


def a_long_story() -> World:
    """Five attempts, each of which a person ended, with a history of three."""
    world = a_world(a_rollout(historyLimit=LIMIT).serving(OLD), OLD, NEW, NEXT)
    for index in range(5):
        world.ask_for((NEW, NEXT)[index % 2])
        world.run(60)
        world.act(ActionType.HOLD, name=f"hold-{index}")
        canary = world.status.canary
        assert canary is not None
        world.act(ActionType.ROLL_BACK, name=f"back-{index}", release=canary.release)
        world.run(4000)
        entry = world.status.quarantined[0]
        world.act(ActionType.RETRY, name=f"retry-{index}", attempt=entry.attempt, release=entry.release)
        world.ask_for(OLD)
        world.settle()
    world.run(4000)
    return world


def test_a_rollout_deletes_the_actions_of_attempts_that_it_has_forgotten() -> None:
    """With the end of an attempt; the actions of those that it remembers stay, and rest writes nothing."""
    world = a_long_story()
    oldest = oldest_kept(world.rollout)
    assert oldest is not None
    left = [(action.spec.attempt, action.metadata.creation_timestamp) for action in world.actions.values()]
    assert all(
        (attempt or 0) >= oldest.number or (made and made >= oldest.start_time) for attempt, made in left
    )
    assert not {"hold-0", "back-0", "hold-1", "back-1"} & world.actions.keys()
    assert {"hold-2", "back-2", "hold-4", "back-4"} <= world.actions.keys()
    written = world.status_writes
    world.run(24 * 3600)
    assert world.status_writes == written


def test_what_was_deleted_and_is_created_again_is_taken_no_second_time() -> None:
    """A backup that is restored has no effect: each action is answered, and stays."""
    world = a_long_story()
    before, weights = world.status, list(world.route_weights)
    again = (
        an_action(ActionType.ROLL_BACK, 2, name="back-0", release=NEW),
        an_action(ActionType.RETRY, 2, name="retry-0", release=NEW),
        an_action(ActionType.HOLD, 2, name="hold-0"),
    )
    for action in again:
        uid, now = f"another-{action.metadata.name}", world.now
        metadata = action.metadata.replace(uid=uid, creation_timestamp=now)
        world.actions[action.metadata.name] = action.replace(metadata=metadata)
    world.run(600)
    assert {action.metadata.name for action in again} <= world.actions.keys()
    after, then = (each.copy_with(actions=(), conditions=(), record=None) for each in (world.status, before))
    assert after == then
    assert world.route_weights == weights
    assert {entry.result for entry in world.status.actions[:3]} <= {"Stale", "Refused"}
