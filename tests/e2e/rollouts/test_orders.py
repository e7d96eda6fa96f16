"""What a person requests by actions, on the real API server."""

from tests.e2e.manifests import FIRST, phase
from tests.e2e.scene import Scene


def test_taken_back_tried_again_and_taken_back_days_later(given: Scene) -> None:
    """The canary by one action, its second try by another, and by a third what was found healthy."""
    (shop,) = given.serving("doubted", phases=[phase("half", 50, 600)])
    first, second = f"{shop.agent}-{FIRST}", f"{shop.agent}-2.0.0"
    shop.ships("2.0.0")
    shop.is_counting()
    action = shop.act("RollBack", release=second)
    shop.is_back()
    shop.until("Quarantined", lambda: shop.ready.get("reason") == "Quarantined")
    assert shop.answer(action) == ("Done", f"{second} was rolled back to {first}")

    shop.asks_for("2.0.0", phases=[phase("half", 50, 5)])
    shop.act("Retry", release=second)
    shop.comes_to("Healthy")

    shop.act("RollBack", release=second)
    shop.until("the first one serves", lambda: shop.status["stable"]["release"] == first)
    shop.until("Quarantined", lambda: shop.ready.get("reason") == "Quarantined")
    shop.is_back()
    outcomes = [(entry["release"], entry["outcome"]) for entry in shop.status["history"]]
    assert outcomes == [
        (second, "RolledBack"),
        (second, "Healthy"),
        (second, "RolledBack"),
        (first, "Healthy"),
    ]
    assert [shop.status["lastRollback"][key] for key in ("from", "to", "trigger")] == [
        second,
        first,
        "Action",
    ]
