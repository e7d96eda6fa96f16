"""The loan agent of the playbook: a release approves 52% of the applications, where 45% were approved before.

Nothing fails, so no error rate shows it. The 30 minutes for which nothing else may move are 20 s here.
"""

import pytest

from tests.e2e.manifests import FIRST, phase
from tests.e2e.scene import BACK, Scene, Shop, seconds_between

USUAL, GENEROUS = 0.45, 0.52
SOON, QUIET = 120, 20
"""Seconds within which decisions are to be as before, and for which nothing else may move."""
APPROVALS = {"bad": 'agent_decisions_total{decision="approve"}', "total": "agent_decisions_total"}
PLAN = {
    "gates": [
        {"name": "approvals", "source": APPROVALS, "severity": "High", "maxRatio": "1.05", "minSamples": 500},
        {"name": "mix", "template": "decision-mix"},
    ],
    "rollback": {"verify": {"withinSeconds": 12, "watchSeconds": SOON}},
}


def approved(given: Scene, seconds: int) -> float:
    """The share of approvals among all decisions of the last seconds, whichever release made them."""
    series = f'agent_decisions_total{{namespace="{given.namespace}",decision=~"%s"}}'
    [some, every] = (
        float(given.stack.query(f"sum(increase({series % decision}[{seconds}s]))")[0]["value"][1])
        for decision in ("approve", ".*")
    )
    return some / every


def rolled_back(given: Scene) -> Shop:
    """The rollout after the generous release was rolled back, and the rollback was verified."""
    for version, share in ((FIRST, USUAL), ("2.0.0", GENEROUS)):
        given.agents.approve(given.namespace, f"loans-{version}", share)
    (shop,) = given.serving("loans", **PLAN)
    given.witness.wait("a past", lambda: given.runs_seen(f"loans-{FIRST}") > 3000)
    shop.ships("2.0.0", phases=[phase("half", 50, 600)])
    shop.until("a rollback", lambda: shop.status.get("lastRollback"))
    shop.comes_to("RolledBack")
    return shop


def test_more_approvals_than_before_are_rolled_back(given: Scene) -> None:
    """The shift is proved, the traffic is back, decisions are as before in time, and then nothing moves."""
    shop = rolled_back(given)

    rollback, window = shop.status["lastRollback"], shop.status["affectedWindow"]
    assert (rollback["trigger"], rollback["reason"]) == ("Breach", "GateFailed")
    assert rollback["message"].startswith("approvals: canary served ")
    assert "; rate 52% vs 45% = 1.16x, limit 1.05x; evidence " in rollback["message"]
    assert rollback["outcome"] == "Recovered", rollback
    assert seconds_between(rollback["routedTime"], rollback["verifiedTime"]) <= SOON
    assert window["release"] == "loans-2.0.0"

    given.witness.holds("nothing else moves", lambda: shop.weights() == BACK, QUIET)
    assert approved(given, QUIET // 2) == pytest.approx(USUAL, abs=0.005)
    assert shop.status["lastRollback"] == rollback
