"""Prometheus is stopped or hangs: no attempt advances, and a rollback still works."""

from tests.e2e.manifests import phase
from tests.e2e.prometheus import hanging, stopped
from tests.e2e.scene import BACK, Scene, condition_of, now

PHASE_SECONDS = 30
"""Longer than it takes to stop Prometheus, also on a busy machine."""


def test_stopped(given: Scene) -> None:
    """Nothing advances beyond the phase's end, and the object says why; it goes on by itself afterwards."""
    (shop, reverted) = given.serving("forward", "reverted")
    for each, seconds in ((reverted, 600), (shop, PHASE_SECONDS)):
        each.ships("2.0.0", phases=[phase("half", 50, seconds), phase("most", 90, 600)])
        each.is_counting(phase="half")

    with stopped(given.stack):
        away = now()
        message = given.says("AgentRollout", "forward", "MetricsAvailable", "MetricsUnavailable")
        reverted.asks_for("1.0.0")
        reverted.is_back()
        given.witness.holds("the phase", lambda: shop.attempt["phaseName"] == "half", PHASE_SECONDS + 1)
        shop.keeps_its_weights(since=away)
        condition = condition_of(shop.manifest, "MetricsAvailable")

    assert condition["status"] == "False"
    assert "errors:" in message
    shop.is_counting(phase="most")
    assert reverted.status["lastRollback"]["trigger"] == "SpecReverted"


def test_hanging(given: Scene) -> None:
    """An unresponsive server prevents neither a rollback nor anything else that needs no metrics."""
    (shop, other) = given.serving("hanging", "beside")
    shop.ships("2.0.0", phases=[phase("half", 50, 600)])
    shop.is_counting(phase="half")

    with hanging(given.stack):
        given.says("AgentRollout", "hanging", "MetricsAvailable", "MetricsUnavailable")
        shop.asks_for("1.0.0")
        shop.is_back()
        other.ships("2.0.0")
        other.until("the canary has its weight", lambda: other.weights() == (50, 50))

    shop.comes_to("RolledBack")
    assert (shop.weights(), shop.status["quarantined"]) == (BACK, [])
