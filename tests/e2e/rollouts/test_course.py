"""How attempts begin and end: first release, promotion, supersession, quarantine, deletion, neighbors."""

import pytest

from tests.e2e.known import reported
from tests.e2e.manifests import FIRST, phase, routed
from tests.e2e.scene import BACK, Scene, is_ours


def test_a_first_release_and_a_good_one(given: Scene) -> None:
    """The first release gets everything at once, the next one step by step, and is then the stable one."""
    (shop,) = given.serving("steps")
    shop.is_back()
    first = [version.weights for version in given.witness.versions(shop.config)]
    shop.ships("2.0.0", phases=[phase("few", 10, 5), phase("ramp", 12, 6, rampSeconds=2)])
    shop.comes_to("Healthy")
    shop.is_back()

    weights = [version.weights for version in given.witness.versions(shop.config)]
    assert (first, list(dict.fromkeys(weights))) == (
        [(0, 100), (100, 0)],
        [(0, 100), (100, 0), (90, 10), (89, 11), (88, 12)],
    )
    assert shop.status["stable"]["release"] == "steps-2.0.0"
    assert [(entry["release"], entry["outcome"]) for entry in shop.status["history"]] == [
        ("steps-2.0.0", "Healthy"),
        ("steps-1.0.0", "Healthy"),
    ]


def test_quarantine(given: Scene) -> None:
    """What was rolled back is not tried again by a resync, a label or a restart; a new digest is."""
    (shop,) = given.serving("again", traffic=routed(given.namespace))
    shop.ships("2.0.0", failing=0.9, phases=[phase("half", 50, 600)])
    shop.comes_to("RolledBack")
    shop.until("Stalled", lambda: shop.ready.get("reason") == "Quarantined")
    assert reported(given, shop.route) == {"Accepted": True, "ResolvedRefs": True}
    before, number = given.now("HTTPRoute", "again"), shop.attempt["number"]

    shop.asks_for("2.0.0")
    for change in ({"labels": {"team": "a"}}, {"annotations": {"synced": "now"}}):
        given.api.patch(shop.ref, {"metadata": change})
    given.operator.kill()
    given.operator.start()
    shop.asks_for("2.0.0", historyLimit=9)
    generation = shop.manifest["metadata"]["generation"]
    shop.until("seen again", lambda: shop.status["observedGeneration"] >= generation)

    assert given.now("HTTPRoute", "again") == before
    assert shop.attempt["number"] == number
    shop.ships("2.0.1")
    shop.is_counting()
    assert (shop.attempt["number"], shop.weights()) == (number + 1, (50, 50))


def test_superseded(given: Scene) -> None:
    """Another release in mid-canary first takes the canary's traffic away, then begins at the first phase."""
    (shop,) = given.serving("other")
    shop.ships("2.0.0", phases=[phase("few", 20, 5), phase("half", 50, 600)])
    shop.is_counting(phase="half")

    shop.ships("3.0.0", phases=[phase("few", 20, 600), phase("half", 50, 600)])
    shop.is_counting(phase="few")
    shop.until("the new canary has its weight", lambda: shop.weights() == (80, 20))

    weights = [version.weights for version in given.witness.versions(shop.config)]
    assert weights[-3:] == [(50, 50), BACK, (80, 20)]
    outcomes = [(entry["release"], entry["outcome"]) for entry in shop.status["history"]]
    assert outcomes == [("other-2.0.0", "Superseded"), ("other-1.0.0", "Healthy")]


def test_side_by_side(given: Scene) -> None:
    """A rollout that breaks leaves its neighbor in the same namespace alone."""
    good, bad = given.serving("good", "bad")
    for shop in (good, bad):
        shop.ships("2.0.0", failing=0.9 if shop is bad else None, phases=[phase("half", 50, 6)])

    bad.comes_to("RolledBack")
    good.comes_to("Healthy")

    assert (good.status["stable"]["release"], bad.status["stable"]["release"]) == ("good-2.0.0", "bad-1.0.0")
    assert "lastRollback" not in good.status


@pytest.mark.parametrize("traffic", ["HTTPRoute", "ConfigMap"])
def test_a_foreign_edit(given: Scene, traffic: str) -> None:
    """Weights that somebody else writes into our object are put back at once."""
    (shop,) = given.serving("mine", traffic=routed(given.namespace))
    shop.ships("2.0.0", phases=[phase("half", 50, 600)])
    shop.is_counting()
    ref = shop.route if traffic == "HTTPRoute" else shop.config
    manifest = given.witness.get(ref)
    assert manifest is not None
    if traffic == "HTTPRoute":
        stable, canary = manifest["spec"]["rules"][0]["backendRefs"]
        given.api.patch(
            ref, {"spec": {"rules": [{"backendRefs": [stable | {"weight": 0}, canary | {"weight": 100}]}]}}
        )
    else:
        given.api.patch(ref, {"data": {"split.json": manifest["data"]["split.json"].replace("50", "5000")}})

    def put_back() -> bool:
        edited = [not is_ours(version.manifest) for version in given.witness.versions(ref)]
        return any(edited) and not edited[-1]

    given.witness.wait("put back", put_back)
    assert given.witness.versions(ref)[-1].weights == (50, 50)


def test_deletion(given: Scene) -> None:
    """With the rollout go its route and ConfigMap, in mid-canary too, and nothing stays in Terminating."""
    (shop,) = given.serving("gone", traffic=routed(given.namespace))
    shop.ships("2.0.0", phases=[phase("half", 50, 600)])
    shop.is_counting()

    given.api.delete(shop.ref)
    children = (shop.ref, shop.route, shop.config)
    given.witness.wait("all gone", lambda: all(given.witness.get(ref) is None for ref in children))

    given.witness.holds("gone", lambda: all(given.witness.get(ref) is None for ref in children), 3)
    releases = given.witness.all("AgentRelease", given.namespace)
    assert [release["metadata"]["name"] for release in releases] == [f"gone-{FIRST}", "gone-2.0.0"]


def test_deletion_of_the_namespace(given: Scene) -> None:
    """A namespace is deleted with everything in it, even in mid-canary: nothing is recreated or blocks it."""
    (shop,) = given.serving("evicted", traffic=routed(given.namespace))
    shop.ships("2.0.0", phases=[phase("half", 50, 600)])
    shop.is_counting()

    given.stack.kubectl("delete", "namespace", given.namespace, "--timeout=100s")

    assert [given.witness.now(ref) for ref in (shop.ref, shop.route, shop.config)] == [None, None, None]
