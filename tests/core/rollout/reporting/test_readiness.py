"""The way back is kept, and where it is lost, that is reported before anybody needs it: in virtual time."""

import pytest

from agentrollouts.api.attempt import State
from agentrollouts.api.objects import Condition
from agentrollouts.api.reasons import Reason
from agentrollouts.api.status import HistoryEntry, Outcome
from agentrollouts.core.history import kept
from testkit.builders.names import NEW, NEXT, OLD, OLDEST, UID, snapshot_of
from testkit.builders.observations import owned_snapshots
from testkit.builders.releases import a_record
from testkit.builders.rollouts import a_rollout
from testkit.world import Behavior, World, a_world

BAD = Behavior(failed=0.3)


def at_rest(*releases: str, **spec: object) -> World:
    """Each of these became healthy, the last one serves."""
    world = a_world(a_rollout(**spec).asking_for(releases[0]), releases[0])
    world.run_until(State.HEALTHY)
    for release in releases[1:]:
        world.ship(release)
        world.run_until(State.HEALTHY)
    world.settle()
    return world


def condition(world: World) -> Condition:
    """RollbackReady."""
    return next(condition for condition in world.status.conditions if condition.type == "RollbackReady")


def word(world: World) -> tuple[str, str]:
    """Its status and reason."""
    return condition(world).status, condition(world).reason


def owners(world: World, release: str) -> bool:
    """Whether the rollout keeps the snapshot of this release."""
    return any(owner.uid == UID for owner in world.snapshots[snapshot_of(release)].owner_references)


def test_the_first_release_alarms_nobody() -> None:
    """There is nothing to return to yet, and that is no fault."""
    world = at_rest(OLDEST)
    assert word(world) == ("Unknown", "NothingEarlier")
    world.ship(OLD)
    world.settle()
    assert word(world) == ("True", "RecoveryIncomplete")
    world.run_until(State.HEALTHY)
    assert word(world) == ("True", "RecoveryIncomplete")
    assert OLDEST in condition(world).message


@pytest.mark.parametrize("is_trying", [False, True])
def test_the_snapshot_of_stable_is_deleted(*, is_trying: bool) -> None:
    """At rest and in mid-canary: one Event, and a condition that names the object until it is back."""
    world = at_rest(OLDEST, OLD)
    if is_trying:
        world.ship(NEW)
        world.run(60)
    lost = world.snapshots.pop(snapshot_of(OLD))
    world.settle()
    assert word(world) == ("False", "SnapshotMissing")
    assert f"ConfigMap {snapshot_of(OLD)} is missing" in condition(world).message
    assert f"apply AgentRelease {OLD} again" in condition(world).message
    assert len(world.told(Reason.SNAPSHOT_MISSING)) == 1
    world.snapshots[lost.name] = owned_snapshots([OLD], uid="uid-of-its-release")[lost.name]
    world.settle()
    assert word(world) == ("True", "RecoveryIncomplete")
    assert owners(world, OLD)


def test_the_snapshot_of_every_earlier_release_is_deleted() -> None:
    """Stable is whole, but there is nothing that it could be rolled back to."""
    world = at_rest(OLDEST, OLD, NEW)
    del world.snapshots[snapshot_of(OLD)]
    world.settle()
    assert word(world) == ("True", "RecoveryIncomplete")
    assert OLDEST in condition(world).message
    del world.snapshots[snapshot_of(OLDEST)]
    world.settle()
    assert word(world) == ("False", "SnapshotMissing")
    assert snapshot_of(OLD) in condition(world).message
    assert snapshot_of(OLDEST) in condition(world).message


def test_a_rollback_does_not_wait_for_the_condition() -> None:
    """With the snapshot of stable gone, a breach still gives it all traffic."""
    world = at_rest(OLDEST, OLD)
    del world.snapshots[snapshot_of(OLD)]
    world.ship(NEW, BAD)
    world.run_until(State.ROLLED_BACK)
    assert world.shares()[OLD] == 100


@pytest.mark.parametrize("limit", [1, 3, 50])
def test_three_healthy_releases_stay_reachable_however_many_attempts_failed(limit: int) -> None:
    """Also with `historyLimit: 1`; what is reachable is kept by the rollout, and nothing else is."""
    world = at_rest(OLDEST, OLD, NEW, NEXT, historyLimit=limit)
    bad = [f"support-agent-5.{minor}.0" for minor in range(6)]
    for release in bad:
        world.ship(release, BAD)
        world.run_until(State.ROLLED_BACK)
        world.settle()
    world.ask_for(NEXT)
    world.settle()

    healthy = [e.release for e in world.status.history if e.outcome is Outcome.HEALTHY]
    assert healthy == [NEXT, NEW, OLD, OLDEST]
    others = [e.release for e in world.status.history if e.outcome is not Outcome.HEALTHY]
    assert others == bad[::-1][: min(limit, 6)]
    assert all(owners(world, release) for release in healthy)
    assert not any(owners(world, release) for release in bad)
    world.ask_for(OLDEST)
    world.settle()
    assert world.shares()[OLDEST] == 100


def test_a_history_never_outgrows_its_bound() -> None:
    """50 entries, the healthy ones among them, however old they are."""
    record = a_record(OLD).model_dump(exclude={"healthy_time"})
    base = {"reason": "GateFailed", "start_time": "2026-11-21T00:00:00Z", "end_time": "2026-11-21T00:00:00Z"}
    failed = [
        HistoryEntry.model_validate(
            record | base | {"number": n, "outcome": "RolledBack", "digest": f"sha256:{n:064x}"}
        )
        for n in range(200, 4, -1)
    ]
    healthy = [
        HistoryEntry.model_validate(
            record | base | {"number": n, "outcome": "Healthy", "digest": f"sha256:{n:064x}"}
        )
        for n in range(4, 0, -1)
    ]
    for limit in (1, 10, 49, 50):
        entries = kept((*failed, *healthy), a_rollout(historyLimit=limit).plan, ())
        assert [entry.number for entry in entries[-4:]] == [4, 3, 2, 1]
        assert len(entries) == min(limit + 4, 50)
        assert [entry.number for entry in entries[:1]] == [200]
    taken_back = failed[0].replace(digest=healthy[0].digest)
    entries = kept((taken_back, *failed[1:], *healthy), a_rollout(historyLimit=1).plan, (healthy[1].digest,))
    assert [entry.number for entry in entries] == [200, 2, 1]
