"""Inputs: whole rollouts on each router. Outputs: how often one decision reads and compares the traffic."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from agentrollouts.api.attempt import State
from agentrollouts.core.effects import Manifest
from agentrollouts.core.rollout.decision import Decision
from agentrollouts.core.traffic import state, weights
from agentrollouts.core.traffic.route_claim import Claim, claim_of
from agentrollouts.core.traffic.routers import route_patch
from testkit.builders.names import NEW, NEXT, OLD, OLDEST
from testkit.builders.rollouts import a_rollout
from testkit.builders.routes import BY_PATCH, BY_ROUTE, THEIRS, a_shop
from testkit.world import Behavior, World, a_world


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> list[Counter[str]]:
    """One counter for each decision: claims read by route, rules, comparisons, and desired weights."""
    counters: list[Counter[str]] = []

    def read_claim(route: Manifest | None, rollout: str) -> Claim | None:
        counters[-1][f"claim of {route['metadata']['name'] if route else None}"] += 1
        return claim_of(route, rollout)

    def counting(owner: Any, name: str, what: str) -> None:  # noqa: ANN401 a module or a class
        shipped = getattr(owner, name)

        def counted(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 as what it replaces
            counters[-1][what] += 1
            return shipped(*args, **kwargs)

        monkeypatch.setattr(owner, name, counted)

    monkeypatch.setattr(route_patch, "claim_of", read_claim)
    counting(route_patch, "rule_of", "rule")
    counting(state.Routing, "state", "comparison")
    counting(weights, "desired_weights", "weights")
    shipped = World.decide

    def decided(world: World) -> Decision:
        counters.append(Counter())
        return shipped(world)

    monkeypatch.setattr(World, "decide", decided)
    return counters


@pytest.mark.parametrize("failed", [0.02, 0.5], ids=["promoted", "rolled back"])
@pytest.mark.parametrize(
    ("traffic", "once"),
    [
        (BY_ROUTE, {"claim of support-agent"}),
        (BY_PATCH, {"claim of shop", "rule"}),
        ({}, set()),
    ],
    ids=["route", "patch", "config"],
)
def test_a_decision_reads_each_object_once(
    counts: list[Counter[str]], traffic: Mapping[str, Any], once: set[str], failed: float
) -> None:
    """One claim for each route, one rule, and a comparison with the persisted and with the next status."""
    world = a_world(a_rollout(traffic=traffic).serving(OLD), OLD, NEW)
    if "routePatch" in traffic:
        world.traffic[THEIRS] = a_shop(OLDEST, OLD, NEW, NEXT)
    world.agents[NEW] = Behavior(failed=failed)
    world.run_until(State.HEALTHY if failed < 0.1 else State.ROLLED_BACK)
    world.settle()

    most: Counter[str] = Counter()
    for counted in counts:
        most |= counted
    assert most == dict.fromkeys(once, 1) | {"comparison": 2, "weights": 2}
