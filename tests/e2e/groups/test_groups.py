"""Groups on the real API server: one member fails, and the operator rolls back what was shipped with it."""

from tests.e2e.manifests import FIRST, phase, routed
from tests.e2e.scene import BACK, HALF, SECOND, Scene, Shop, condition_of, seconds_between

GROUP = "checkout"


def rolled_back_with_its_group(shop: Shop, failing: Shop) -> None:
    """Wait for it; what people read names both rollouts.

    Raises:
        AssertionError: it was rolled back for another reason.
    """
    shop.comes_to("RolledBack")
    rollback, [banned] = shop.status["lastRollback"], shop.status["quarantined"]
    assert (rollback["trigger"], rollback["reason"]) == ("Group", "GroupRollback"), rollback
    assert rollback["message"].startswith(
        f"{shop.agent}-{SECOND} was shipped together with {failing.agent}-{SECOND}, which {failing.agent} of "
        f"group {GROUP} rolled back (attempt 2): "
    )
    assert "errors: " in rollback["message"], rollback
    assert (banned["release"], banned["reason"]) == (f"{shop.agent}-{SECOND}", "GroupRollback")
    assert (shop.status["stable"]["release"], shop.weights()) == (f"{shop.agent}-{FIRST}", BACK)
    assert seconds_between(failing.status["lastRollback"]["decidedTime"], rollback["decidedTime"]) >= 0


def test_one_fails_and_the_others_roll_back(given: Scene) -> None:
    """One canary, and a release that became stable during the attempt; the one beside the group stays."""
    failing, promoted = given.serving("failing", "promoted", group=GROUP)
    (trial,) = given.serving(
        "trial", group=GROUP, traffic=routed(given.namespace, gateway="nobody", statusless=True)
    )
    (apart,) = given.in_canary("apart")
    for shop, phases in ((failing, HALF), (trial, HALF), (promoted, [phase("half", 50, 5)])):
        shop.ships(SECOND, phases=phases)
    promoted.comes_to("Healthy")
    for shop in (failing, trial):
        shop.is_counting(phase="half")

    given.agents.fail(given.namespace, f"failing-{SECOND}", 0.9)
    failing.is_rolled_back_for("GateFailed")

    rolled_back_with_its_group(trial, failing)
    rolled_back_with_its_group(promoted, failing)
    assert [shop.status["history"][0]["kind"] for shop in (trial, promoted)] == ["Release", "GoBack"]
    for shop in (failing, trial, promoted):
        given.says("AgentRollout", shop.agent, "GroupConsistent", "GroupConsistent")
    assert (apart.attempt["state"], apart.weights()) == ("Canary", (50, 50))
    assert condition_of(apart.manifest, "GroupConsistent") == {}


def test_a_member_follows_though_the_operator_was_killed(given: Scene) -> None:
    """The decision of one member is in its status, so the next process has the others follow."""
    failing, trial = given.serving("failing", "trial", group=GROUP)
    for shop in (failing, trial):
        shop.ships(SECOND, phases=HALF)
    for shop in (failing, trial):
        shop.is_counting(phase="half")

    given.agents.fail(given.namespace, f"failing-{SECOND}", 0.9)
    failing.is_back()
    given.operator.kill()
    given.operator.start()

    failing.comes_to("RolledBack")
    rolled_back_with_its_group(trial, failing)
