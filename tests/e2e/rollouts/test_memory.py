"""What was healthy or in quarantine outlives the rollout, and the way back is kept: on the real parts."""

import pytest

from tests.e2e.lost import owners_of, uid_of
from tests.e2e.manifests import FIRST, phase
from tests.e2e.scene import BACK, Scene, Shop, now

SECOND = "2.0.0"
LONG = [phase("half", 50, 600)]


def recreate(shop: Shop) -> float:
    """Delete the rollout and apply it again, as `kubectl replace --force` does; when it was applied."""
    scene = shop.scene
    uid = uid_of(scene, shop.ref)
    scene.api.delete(shop.ref)
    scene.witness.wait("the rollout is gone", lambda: scene.witness.get(shop.ref) is None)
    began = now()
    scene.api.apply(shop.manifest_as_written())
    shop.until("another rollout", lambda: shop.manifest.get("metadata", {}).get("uid", uid) != uid)
    return began


def shares(shop: Shop, began: float) -> set[tuple[int, int] | None]:
    """All splits that were written into the traffic object since then."""
    versions = shop.scene.witness.versions(shop.traffic, began)
    return {version.weights for version in versions if version.time >= began and not version.is_gone}


def test_what_is_in_quarantine_stays_out(given: Scene) -> None:
    """`kubectl replace --force` of a rollout whose release was rolled back: no request goes to it."""
    [shop] = given.serving("banned", phases=LONG)
    shop.ships(SECOND, failing=0.9)
    shop.comes_to("RolledBack")
    given.says("AgentRollout", "banned", "Stalled", "Quarantined")
    given.witness.wait("stable has all traffic", lambda: shop.weights() == BACK)
    began = recreate(shop)

    given.says("AgentRollout", "banned", "Ready", "Quarantined")
    shop.until("stable serves", lambda: shop.weights() == BACK)
    given.witness.holds("stable serves alone", lambda: shop.weights() == BACK, 5)
    assert shares(shop, began) == {BACK}
    assert shop.status["stable"]["release"] == f"banned-{FIRST}"
    assert [entry["release"] for entry in shop.status["quarantined"]] == [f"banned-{SECOND}"]
    assert "attempt" not in shop.status


def test_in_mid_canary_it_starts_over(given: Scene) -> None:
    """The first release never has less than the plan gives it, and the canary begins at the first phase."""
    phases = [phase("tenth", 10, 1), phase("half", 50, 600)]
    [shop] = given.serving("again", phases=phases)
    shop.ships(SECOND)
    shop.is_counting(phase="half")
    number = shop.attempt["number"]
    shop.spec |= {"phases": [phase("tenth", 10, 600), phase("half", 50, 600)]}
    began = recreate(shop)

    shop.is_counting(phase="tenth")
    assert shop.status["stable"]["release"] == f"again-{FIRST}"
    assert shares(shop, began) <= {BACK, (90, 10)}
    assert shop.attempt["number"] == number
    assert (shop.attempt["phaseIndex"], shop.attempt["weight"]) == (0, 10)


@pytest.mark.parametrize("is_trying", [False, True])
def test_the_snapshot_of_stable_is_deleted(given: Scene, *, is_trying: bool) -> None:
    """It is made again from its AgentRelease; without one the condition says what is lost."""
    agent = "trying" if is_trying else "resting"
    [shop] = given.serving(agent, phases=LONG)
    if is_trying:
        shop.ships(SECOND)
        shop.is_counting()
    snapshot = given.ref("ConfigMap", shop.status["stable"]["snapshot"])
    before, rollout = uid_of(given, snapshot), uid_of(given, shop.ref)
    given.api.delete(snapshot)
    given.witness.wait(
        "the snapshot is there again",
        lambda: (
            (manifest := given.witness.get(snapshot)) is not None and manifest["metadata"]["uid"] != before
        ),
    )
    given.witness.wait("the rollout keeps it", lambda: rollout in owners_of(given, snapshot))

    given.api.delete(given.ref("AgentRelease", f"{agent}-{FIRST}"))
    given.api.delete(snapshot)
    message = given.says("AgentRollout", agent, "RollbackReady", "SnapshotMissing")
    assert f"ConfigMap {snapshot.name} is missing" in message
    assert f"apply AgentRelease {agent}-{FIRST} again" in message
