"""What a rollout knew outlives it: deleted and created again, in virtual time."""

import json
from datetime import timedelta

import pytest

from agentrollouts.api.attempt import State
from agentrollouts.api.objects import ObjectMeta
from agentrollouts.api.people.action import ActionType
from agentrollouts.api.reasons import Reason
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.rollout.decide import decide
from agentrollouts.core.rollout.snapshots.facts import (
    FACTS_MANAGER,
    HEALTHY,
    QUARANTINED,
    Banned,
    ban_of,
    healthy_of,
)
from testkit.builders.names import AGENT, NEW, NEXT, OLD, OLDEST, START, digest_of, snapshot_of
from testkit.builders.observations import owned_snapshots
from testkit.builders.releases import a_ready_release
from testkit.builders.rollouts import a_rollout
from testkit.builders.routes import BY_PATCH, THEIRS, a_shop
from testkit.world import Behavior, World, a_world

BAD = Behavior(failed=0.3)


def recreated(world: World, uid: str = "uid-of-the-next", **traffic: bool) -> World:
    """The same rollout, applied again after it was deleted: no status, another uid, what it owned is gone."""
    metadata = world.rollout.metadata.replace(uid=uid, annotations={}, generation=1)
    world.rollout = world.rollout.replace(metadata=metadata, status=AgentRolloutStatus())
    world.base = a_rollout(**world.base.spec)
    if not traffic.get("stays"):
        world.traffic.clear()
    world.current_poll = world.poll_result = world.wake_at = None
    world.ended.clear()
    world.route_weights.clear()
    world.settle()
    return world


def an_attempt(behavior: Behavior | None = None, **spec: object) -> World:
    """`OLD` serves, `NEW` has just begun with 5%."""
    world = a_world(a_rollout(**spec).serving(OLD), OLD)
    world.ship(NEW, behavior)
    world.settle()
    return world


@pytest.mark.parametrize("stays", [False, True])
def test_what_is_in_quarantine_stays_out(*, stays: bool) -> None:
    """Never a request for it, whether or not the old route is still there; stable serves on."""
    world = an_attempt(BAD)
    world.run_until(State.ROLLED_BACK)
    recreated(world, stays=stays)
    world.run(3600)

    assert world.shares()[OLD] == 100
    assert set(world.route_weights) <= {0}
    assert world.ready_reason() == "Quarantined"
    (entry,) = world.status.quarantined
    assert (entry.release, entry.digest, entry.attempt) == (NEW, digest_of(NEW), 2)
    assert len(world.told(Reason.RECALLED)) == 1


def test_a_retry_works_as_before() -> None:
    """The action names the attempt of the first rollout, and the release starts again, from 5%."""
    world = an_attempt(BAD)
    world.run_until(State.ROLLED_BACK)
    recreated(world)
    world.agents[NEW] = Behavior()
    world.act(ActionType.RETRY, attempt=2, release=NEW)
    world.settle()
    assert (world.state, world.shares()) == (State.CANARY, {OLD: 95, NEW: 5})
    assert QUARANTINED not in world.snapshots[snapshot_of(NEW)].annotations
    world.run_until(State.HEALTHY)


@pytest.mark.parametrize("stays", [False, True])
def test_in_mid_canary_the_attempt_starts_over(*, stays: bool) -> None:
    """25% before, 5% after; stable keeps the rest at every moment."""
    world = an_attempt()
    world.run(700)
    assert world.shares() == {OLD: 75, NEW: 25}
    recreated(world, stays=stays)

    assert (world.state, world.shares()) == (State.CANARY, {OLD: 95, NEW: 5})
    assert world.status.attempt is not None
    assert world.status.attempt.phase_index == 0
    assert max(world.route_weights) == 5
    world.run_until(State.HEALTHY)


@pytest.mark.parametrize("trigger", ["spec", "action"])
def test_the_mark_of_another_rollout_takes_nothing_back(trigger: str) -> None:
    """A route that outlived its rollout says that attempt 2 was rolled back: that was another attempt 2."""
    world = a_world(a_rollout().remembering(OLDEST).serving(OLD), OLD, OLDEST)
    world.ship(NEW)
    world.settle()
    if trigger == "spec":
        world.ask_for(OLD)
    else:
        world.act(ActionType.ROLL_BACK, release=NEW)
    world.run(60)
    recreated(world, stays=True)
    world.run(60)
    assert world.shares()[OLD] == 100
    world.ship(NEXT)
    world.settle()
    assert (world.state, world.shares()[NEXT]) == (State.CANARY, 5)


def test_healthy_stays_healthy_without_an_attempt() -> None:
    """What was found healthy and is asked for serves at once, and an earlier one can be rolled back to."""
    world = a_world(a_rollout().asking_for(OLDEST), OLDEST)
    world.run_until(State.HEALTHY)
    for release in (OLD, NEW):
        world.ship(release)
        world.run_until(State.HEALTHY)
    world.settle()
    recreated(world)
    assert (world.ready_reason(), world.shares()[NEW]) == ("Healthy", 100)
    assert [entry.release for entry in world.status.history] == [NEW, OLD, OLDEST]
    world.ask_for(OLD)
    world.settle()
    assert (world.state, world.shares()[OLD]) == (State.BAKING, 100)


def test_a_rest_writes_each_fact_once() -> None:
    """They are a function of the status: written when they are missing, and never again."""
    world = an_attempt(BAD)
    world.run_until(State.ROLLED_BACK)
    world.settle()
    assert decide(world.observe()).writes == ()
    world.snapshots = owned_snapshots([OLD, NEW])
    writes = decide(world.observe()).writes
    facts = [write for write in writes if getattr(write, "manager", "") == FACTS_MANAGER]
    assert {write.manifest["metadata"]["name"] for write in facts} == {snapshot_of(OLD), snapshot_of(NEW)}
    world.settle()
    assert decide(world.observe()).writes == ()
    healthy, ban = (
        healthy_of(world.snapshots[snapshot_of(OLD)], AGENT),
        ban_of(world.snapshots[snapshot_of(NEW)], AGENT),
    )
    assert healthy is not None
    assert ban is not None
    assert (healthy.digest, healthy.service and healthy.service.name) == (
        digest_of(OLD),
        "support-agent-4-1-0",
    )
    assert (ban.digest, ban.reason, ban.attempt) == (digest_of(NEW), "GateFailed", 2)


@pytest.mark.parametrize("effects", range(8))
def test_the_process_may_end_at_any_write(effects: int) -> None:
    """Whatever was written when a rollback was under way, the next process writes the rest."""
    world = an_attempt(BAD)
    while world.state is not State.ROLLING_BACK and world.now.hour < 20:
        world.run(5)
        if world.state in {State.ROLLING_BACK, State.VERIFYING, State.ROLLED_BACK}:
            break
    for done in (effects, 1, 2):
        world.step(done)
    world.run(3600)
    recreated(world)
    world.run(60)
    assert (world.ready_reason(), world.shares()[OLD]) == ("Quarantined", 100)


def _fact(world: World, release: str) -> dict[str, str]:
    return json.loads(world.snapshots[snapshot_of(release)].annotations[HEALTHY])  # type: ignore[no-any-return]


def _annotated(snapshot: ObjectMeta, **facts: str) -> ObjectMeta:
    keys = {"healthy": HEALTHY, "quarantined": QUARANTINED}
    return snapshot.replace(annotations={keys[key]: text for key, text in facts.items()})


def test_a_fact_counts_for_its_own_digest_only() -> None:
    """Copied to another snapshot, or about another agent, or not readable, it is nothing."""
    world = a_world(a_rollout().serving(OLD).asking_for(OLD), OLD)
    world.settle()
    text = world.snapshots[snapshot_of(OLD)].annotations[HEALTHY]
    snapshot = owned_snapshots([NEW])[snapshot_of(NEW)]
    assert healthy_of(world.snapshots[snapshot_of(OLD)], AGENT) is not None
    assert healthy_of(world.snapshots[snapshot_of(OLD)], "another-agent") is None
    for wrong in (text, "{", "[]", "null", '"x"', json.dumps(_fact(world, OLD) | {"agent": "other"})):
        assert healthy_of(_annotated(snapshot, healthy=wrong), AGENT) is None
        assert ban_of(_annotated(snapshot, quarantined=wrong), AGENT) is None


def test_with_nothing_known_the_first_release_is_the_first() -> None:
    """Its snapshot was owned by nobody else, and went with the rollout."""
    world = an_attempt()
    world.snapshots = owned_snapshots([NEW], uid="uid-of-its-release")
    recreated(world)
    assert (world.state, world.shares()) == (State.BAKING, {NEW: 100})


def test_snapshots_that_come_back_later_are_recalled_too() -> None:
    """A backup restores the rollout first: while its release waits, what is known of others arrives."""
    world = an_attempt(BAD)
    world.run_until(State.ROLLED_BACK)
    kept, world.snapshots = world.snapshots, {}
    releases, world.releases = world.releases, {}
    recreated(world)
    assert world.ready_reason() == "ReleaseNotFound"
    world.releases = releases
    world.settle()
    assert world.ready_reason() == "SnapshotMissing"
    world.snapshots = kept
    world.settle()
    assert (world.ready_reason(), world.shares()) == ("Quarantined", {OLD: 100})


def test_a_quarantine_that_is_seen_late_is_kept_too() -> None:
    """Stable is known, and the snapshot of what is asked for comes with its past."""
    world = an_attempt(BAD)
    world.run_until(State.ROLLED_BACK)
    snapshot = world.snapshots.pop(snapshot_of(NEW))
    world.ask_for(OLD)
    recreated(world)
    assert (world.ready_reason(), world.status.quarantined) == ("Healthy", ())
    world.snapshots[snapshot.name] = snapshot
    world.ask_for(NEW)
    world.run(60)
    assert (world.ready_reason(), world.shares()[OLD]) == ("Quarantined", 100)


def test_in_a_route_of_somebody_else_too() -> None:
    """The claim of the first rollout is another one's; the weights go with stable."""
    world = a_world(a_rollout(traffic=BY_PATCH).serving(OLD), OLD)
    world.traffic[THEIRS] = a_shop(OLDEST, OLD, NEW, NEXT)
    world.ship(NEW, BAD)
    world.run_until(State.ROLLED_BACK)
    recreated(world, stays=True)
    world.run(600)
    assert (world.ready_reason(), world.shares()[OLD]) == ("Quarantined", 100)


def test_the_newest_healthy_release_is_the_one_that_served_last() -> None:
    """After a rollback at rest that is the older one."""
    world = a_world(a_rollout().asking_for(OLDEST), OLDEST)
    world.run_until(State.HEALTHY)
    world.ship(OLD)
    world.run_until(State.HEALTHY)
    world.ask_for(OLDEST)
    world.run_until(State.HEALTHY)
    world.settle()
    recreated(world)
    assert (world.ready_reason(), world.shares()[OLDEST]) == ("Healthy", 100)


def test_a_restored_status_is_what_counts() -> None:
    """With its status the rollout goes on where it was, and nothing is recalled."""
    world = an_attempt()
    world.run(300)
    world.rollout = world.rollout.replace(metadata=world.rollout.metadata.replace(uid="uid-of-the-next"))
    world.run(60)
    assert (world.state, world.told(Reason.RECALLED)) == (State.CANARY, [])
    assert world.now - world.start > timedelta(seconds=300)
    assert a_ready_release(NEW).metadata.name in world.shares()


def test_the_sentence_of_a_recalled_quarantine_is_quoted_once() -> None:
    """It comes from an object that many people can edit, however often the rollout is made again."""
    banned = Banned(
        agent=AGENT, digest=digest_of(NEW), release=NEW, reason="GateFailed", message="dana asked", time=START
    )
    once = banned.entry.message
    again = banned.copy_with(message=once).entry.message
    assert once == again == 'The snapshot says: "dana asked"'
    assert banned.copy_with(message="").entry.message == ""
