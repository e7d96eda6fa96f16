"""The stable release's object is deleted in mid-canary: Git was pruned, and the way back must not need it."""

from tests.e2e.lost import owners_of, uid_of
from tests.e2e.manifests import FIRST, phase
from tests.e2e.scene import BACK, Scene


def test_stable_release_deleted(given: Scene) -> None:
    """Its snapshot outlives it in the real garbage collector, and both ways back to it still work."""
    shops = given.serving("breaks", "reverted")
    for shop in shops:
        shop.ships("2.0.0", phases=[phase("half", 50, 600)])
        shop.is_counting()
    snapshots = [given.ref("ConfigMap", shop.status["stable"]["snapshot"]) for shop in shops]

    releases = [given.ref("AgentRelease", f"{shop.agent}-{FIRST}") for shop in shops]
    uids = {uid_of(given, ref) for ref in releases}
    for release in releases:
        given.api.delete(release)
    given.witness.wait(
        "the collector has looked at the snapshots and struck the lost owners",
        lambda: not any(owners_of(given, snapshot) & uids for snapshot in snapshots),
    )
    breaks, reverted = shops
    given.agents.fail(given.namespace, "breaks-2.0.0", 0.9)
    reverted.asks_for(FIRST)

    for shop in shops:
        shop.comes_to("RolledBack")
        assert shop.weights() == BACK
    assert [shop.status["lastRollback"]["trigger"] for shop in shops] == ["Breach", "SpecReverted"]
    reverted.until("Ready at what serves", lambda: reverted.ready.get("status") == "True")
    assert all(given.witness.now(snapshot) for snapshot in snapshots)

    breaks.asks_for(FIRST)
    breaks.until("Ready at what serves", lambda: breaks.ready.get("status") == "True")
