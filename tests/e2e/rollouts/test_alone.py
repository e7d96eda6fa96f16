"""Where no canary runs beside stable: a first release that fails, and stable after a rollback."""

from tests.e2e.manifests import FIRST
from tests.e2e.scene import BACK, HALF, Scene, Shop, condition_of, seconds_between
from tests.e2e.witness import eventually

AT_ONCE = {"value": "0.15", "forSeconds": 2, "windowSeconds": 10}
PATIENT = {"verify": {"withinSeconds": 8, "watchSeconds": 600}}


def in_canary(given: Scene, agent: str) -> Shop:
    """A rollout whose second release has half of the traffic; Prometheus knows stable from before."""
    (shop,) = given.serving(agent, rollback=PATIENT)
    eventually("a past", lambda: given.runs_seen(f"{agent}-{FIRST}") > 1500)
    shop.ships("2.0.0", phases=HALF)
    shop.is_counting(phase="half")
    return shop


def test_a_first_release_that_fails(given: Scene) -> None:
    """It keeps its traffic, as nothing else could have it, and a person reads why; cured, it is healthy."""
    given.agents.fail(given.namespace, f"new-{FIRST}", 0.6)
    gate = {"name": "errors", "template": "error-rate", "minSamples": 10, "limit": AT_ONCE}
    shop = given.shop("new", gates=[gate], bake={"durationSeconds": 8})
    shop.until("held", lambda: shop.attempt.get("hold", {}).get("reason") == "NoHealthyTarget")

    message = shop.attempt["hold"]["message"]
    assert message.startswith("errors: canary had ")
    assert "(60%), above the limit of 15% for " in message
    assert message.endswith("; there is no release to roll back to; ship a fix")
    assert condition_of(shop.manifest, "Stalled")["status"] == "True"
    assert shop.weights() == (0, 100)

    given.agents.fail(given.namespace, f"new-{FIRST}", 0.01)
    shop.comes_to("Healthy")


def test_recovered(given: Scene) -> None:
    """Stable is what it was before the attempt, by its own counts on both sides of it."""
    shop = in_canary(given, "better")
    given.agents.fail(given.namespace, "better-2.0.0", 0.9)
    shop.comes_to("RolledBack")

    rollback = shop.status["lastRollback"]
    assert rollback["outcome"] == "Recovered", rollback
    assert rollback["verification"].startswith("better-1.0.0 is as it was before the attempt. errors: rate ")
    assert " vs 1.0% before the attempt, in " in rollback["verification"]
    assert rollback["lastRuns"]["runs"] > 0
    assert seconds_between(rollback["routedTime"], rollback["observedTime"]) >= 0
    assert rollback["observedTime"] == shop.status["affectedWindow"]["endTime"]
    given.witness.wait("an Event", lambda: "Recovered" in given.events("better"))


def test_not_recovered(given: Scene) -> None:
    """Stable goes on failing without the bad release: the cause is elsewhere, and nothing else is undone."""
    shop = in_canary(given, "worse")
    given.agents.fail_alone(given.namespace, f"worse-{FIRST}", 0.5)
    given.agents.fail(given.namespace, "worse-2.0.0", 0.9)
    shop.comes_to("RolledBack")

    rollback = shop.status["lastRollback"]
    assert rollback["outcome"] == "NotRecovered", rollback
    assert "so the cause is elsewhere: in a dependency" in rollback["verification"]
    assert seconds_between(rollback["routedTime"], rollback["verifiedTime"]) >= 8
    given.witness.wait("an Event", lambda: "NotRecovered" in given.events("worse"))
    given.witness.holds("no further rollback", lambda: shop.weights() == BACK, 3)
    assert [entry["release"] for entry in shop.status["quarantined"]] == ["worse-2.0.0"]
