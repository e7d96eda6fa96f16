"""Input: endpoints, Services and Gateways that come and go. Output: where traffic goes, and what is said."""

import time
from collections.abc import Mapping
from typing import Any, Final

from agentrollouts.adapters.cluster.resources import Ref
from sandbox.agents.endpoints import a_service
from tests.e2e.manifests import phase, routed, service_of
from tests.e2e.scene import BACK, Scene, Shop, condition_of
from tests.e2e.shop_route import shop_route

GRACE: Final = 3
ASKED: Final = [phase("some", 20, 1, approval="Required"), phase("half", 50, 600)]
"""Phases of which the first passes at once, and then waits for a person."""
PLAN: Final[Mapping[str, Any]] = {
    "phases": ASKED,
    "gates": [],
    "analysis": {"endpointGraceSeconds": GRACE, "intervalSeconds": 1},
    "bake": {"durationSeconds": 0},
    "rollback": {"verify": {"withinSeconds": 1, "watchSeconds": 0}},
}


def lose(scene: Scene, version: str, agent: str = "agent") -> float:
    """The agents of a release end: its endpoint is not ready any more. It was until then."""
    name = service_of(f"{agent}-{version}")
    _, endpoints = a_service(scene.namespace, name, ready=False)
    before = time.monotonic()
    scene.api.apply(endpoints)
    return before


def regain(scene: Scene, version: str, agent: str = "agent") -> None:
    """They are back."""
    scene.api.apply(*a_service(scene.namespace, service_of(f"{agent}-{version}")))


def trying(scene: Scene, **plan: object) -> Shop:
    """A canary at 20%, confirmed by the gateway."""
    shop = scene.shop("agent", traffic=routed(scene.namespace), **{**PLAN, **plan})
    shop.comes_to("Healthy")
    shop.ships("2.0.0")
    shop.until("80/20 in effect", lambda: shop.weights() == (80, 20) and applied(shop) == "True")
    return shop


def applied(shop: Shop) -> str:
    """The status of TrafficApplied."""
    return str(condition_of(shop.manifest, "TrafficApplied").get("status"))


def test_a_canary_that_loses_its_last_endpoint_is_rolled_back_after_the_grace(given: Scene) -> None:
    """It never advances meanwhile, though a person approves; the release is in quarantine."""
    shop = trying(given)
    shop.comes_to("AwaitingApproval")
    lost = lose(given, "2.0.0")
    shop.until("that is seen", lambda: shop.attempt.get("endpointsLostTime"))
    shop.act("Approve", phase="some")

    shop.is_back()

    routes = given.witness.versions(shop.route)
    rolled_back = next(version for version in routes if version.weights == BACK and version.latch)
    assert rolled_back.time - lost >= GRACE
    shop.is_rolled_back_for("NoReadyEndpoints")
    assert all(version.weights != (50, 50) for version in routes)
    assert [entry["release"] for entry in shop.status["quarantined"]] == ["agent-2.0.0"]


def test_a_canary_whose_endpoint_comes_back_goes_on_across_a_restart(given: Scene) -> None:
    """The time of its loss is in the status, and is forgotten once the canary answers again."""
    shop = trying(given, analysis={"endpointGraceSeconds": 600, "intervalSeconds": 1})
    shop.comes_to("AwaitingApproval")
    lose(given, "2.0.0")
    shop.until("that is seen", lambda: shop.attempt.get("endpointsLostTime"))
    since = shop.attempt["endpointsLostTime"]
    given.operator.kill()
    given.operator.start()
    shop.act("Approve", phase="some")
    given.witness.holds("80/20", lambda: shop.weights() == (80, 20), 2)
    assert shop.attempt["endpointsLostTime"] == since

    regain(given, "2.0.0")

    shop.until("50/50", lambda: shop.weights() == (50, 50))
    shop.until("the loss is forgotten", lambda: "endpointsLostTime" not in shop.attempt)


def test_a_canary_whose_service_is_deleted_is_rolled_back(given: Scene) -> None:
    """Its slice stays, as a person wrote it; the gateway says that it cannot resolve the backend."""
    shop = trying(given)
    given.api.delete(Ref("Service", given.namespace, service_of("agent-2.0.0")))

    message = given.says("AgentRollout", "agent", "TrafficApplied", "RefsNotResolved")
    assert "agent-2-0-0" in message
    assert "has 20%" not in shop.ready["message"]
    shop.is_back()
    shop.is_rolled_back_for("NoReadyEndpoints")


def test_where_neither_answers_nothing_is_moved(given: Scene) -> None:
    """A namespace that is scaled to zero quarantines nothing; the attempt goes on once both are back."""
    shop = trying(given)
    lose(given, "1.0.0")
    message = given.says("AgentRollout", "agent", "Ready", "Held")
    assert "agent-1-0-0" in message
    lose(given, "2.0.0")
    given.witness.holds("80/20", lambda: shop.weights() == (80, 20), GRACE + 2)
    assert not shop.status.get("quarantined")

    for version in ("2.0.0", "1.0.0"):
        regain(given, version)

    shop.comes_to("AwaitingApproval")


def test_at_rest_stable_is_not_rolled_back_to_a_release_without_endpoints(given: Scene) -> None:
    """It stays and says which Service nobody answers at; by force it is rolled back anyway."""
    gates = [{"name": "errors", "template": "error-rate", "noData": "Ignore"}]
    plan = {**PLAN, "phases": [phase("most", 99, 1)], "gates": gates}
    shop = given.shop("agent", traffic=routed(given.namespace), **plan)
    shop.comes_to("Healthy")
    shop.ships("2.0.0")
    shop.comes_to("Healthy")
    shop.until("at rest", lambda: shop.ready.get("status") == "True" and shop.weights() == BACK)
    lose(given, "1.0.0")
    before = given.now("HTTPRoute", "agent")
    assert before is not None

    waiting = shop.act("RollBack", release="agent-2.0.0")

    message = given.says("AgentRollout", "agent", "Ready", "NoHealthyTarget")
    assert "agent-1-0-0" in message
    assert message.endswith("--force")
    after = given.now("HTTPRoute", "agent")
    assert after is not None
    assert after["spec"] == before["spec"]

    forced = shop.act("RollBack", release="agent-2.0.0", force=True)
    shop.until("stable again", lambda: shop.status["stable"]["release"] == "agent-1.0.0")
    assert shop.answer(waiting)[0] == "Stale"
    assert shop.answer(forced)[0] == "Done"


def test_a_route_that_no_gateway_takes_is_not_applied(given: Scene) -> None:
    """As with README's example where the Gateway is in another namespace; the state says so after 30 s."""
    begun = time.monotonic()
    shop = given.shop("agent", traffic=routed(given.namespace, where=given.namespace), **PLAN)

    message = given.says("AgentRollout", "agent", "TrafficApplied", "NoGateway")

    assert time.monotonic() - begun >= 28
    assert f"Gateway {given.namespace}/public" in message
    assert "is it in namespace" in message
    assert applied(shop) == "Unknown"
    assert (shop.attempt["state"], shop.ready["status"]) == ("Initial", "False")
    assert "serves all traffic" not in shop.ready["message"]

    shop.asks_for("1.0.0", traffic=routed(given.namespace))
    shop.until("Ready", lambda: shop.ready.get("status") == "True")
    assert (applied(shop), shop.ready["message"]) == ("True", "agent-1.0.0 serves all traffic")


def test_an_unresolved_backend_in_another_rule_of_a_shared_route_is_not_our_business(given: Scene) -> None:
    """The rule `web` names a Service that does not exist; the rule of the agent is served anyway."""
    first = service_of("agent-1.0.0")
    given.api.apply(shop_route(given.namespace, {"name": first, "port": 8080, "weight": 0}))
    shop = given.shop("agent", **PLAN, traffic={"routePatch": {"name": "shop", "rule": "agent"}})

    shop.comes_to("Healthy")

    route = given.now("HTTPRoute", "shop")
    assert route is not None
    statuses = {
        condition["type"]: condition["status"]
        for p in route["status"]["parents"]
        for condition in p["conditions"]
    }
    assert statuses == {"Accepted": "True", "ResolvedRefs": "False"}
