"""Releases behind an InferencePool on a real API server: the route names them, and what gateways answer.

The CRD is a stand-in, and the sandbox's gateway does not know the kind.
"""

from typing import Any, Final

from tests.e2e.api import Manifest
from tests.e2e.manifests import FIRST, a_release, phase, routed, service_of
from tests.e2e.scene import BACK, HALF, SECOND, Scene, Shop, condition_of

GROUP: Final = "inference.networking.k8s.io"
LONG: Final = {"intervalSeconds": 1, "endpointGraceSeconds": 600}
SHORT: Final = {"intervalSeconds": 1, "endpointGraceSeconds": 3}
"""How long a canary may be without a backend: longer than any test, and then no longer."""


def a_pool(namespace: str, name: str) -> Manifest:
    """A pool of the pods of one release."""
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "InferencePool",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "targetPorts": [{"number": 8080}],
            "endpointPickerRef": {"name": f"{name}-picker", "port": {"number": 9002}},
        },
    }


def ships(shop: Shop, version: str, *, failing: float | None = None, **spec: Any) -> None:  # noqa: ANN401 any field
    """A pool, a release behind it, and the order to serve it; there is no Service."""
    scene, name = shop.scene, f"{shop.agent}-{version}"
    service = {"name": service_of(name), "kind": "InferencePool", "group": GROUP}
    if failing is not None:
        scene.agents.fail(scene.namespace, name, failing)
    scene.api.apply(
        a_pool(scene.namespace, service_of(name)),
        a_release(scene.namespace, shop.agent, version, serving={"service": service}),
    )
    shop.asks_for(version, **spec)


def a_shop(given: Scene, agent: str, **spec: Any) -> Shop:  # noqa: ANN401 any field
    """A rollout whose first release is behind a pool."""
    shop = Shop(given, agent, spec)
    given.shops[agent] = shop
    ships(shop, FIRST)
    return shop


def refs(shop: Shop) -> list[dict[str, Any]]:
    """The backends of the route."""
    found: list[dict[str, Any]] = shop.scene.api.get(shop.route)["spec"]["rules"][0]["backendRefs"]
    return found


def ref(shop: Shop, version: str, weight: int) -> dict[str, Any]:
    """A pool in a route."""
    name = service_of(f"{shop.agent}-{version}")
    return {"group": GROUP, "kind": "InferencePool", "name": name, "weight": weight}


def test_a_canary_between_pools_is_promoted_and_the_next_one_rolled_back(given: Scene) -> None:
    """No gateway writes status, so counted runs confirm; the operator reads no pool and needs no right to."""
    traffic = routed(given.namespace, gateway="nobody", statusless=True)
    shop = a_shop(given, "pooled", traffic=traffic)
    shop.comes_to("Healthy")
    assert refs(shop) == [ref(shop, FIRST, 100)]

    ships(shop, SECOND)
    shop.comes_to("Healthy")
    shop.until("the route has the new pool only", lambda: refs(shop) == [ref(shop, SECOND, 100)])

    ships(shop, "3.0.0", failing=0.9, phases=HALF)
    shop.is_rolled_back_for("GateFailed")
    shop.comes_to("RolledBack")
    marked = {version.weights for version in given.witness.versions(shop.route) if version.latch}
    assert (marked, shop.status["stable"]["service"]) == (
        {BACK},
        {"name": service_of(f"pooled-{SECOND}"), "kind": "InferencePool", "group": GROUP},
    )


def test_a_gateway_that_does_not_know_pools_stops_the_attempt(given: Scene) -> None:
    """It reports InvalidKind; the canary does not advance, the state says why, and the grace ends it."""
    phases = [phase("some", 20, 1), phase("half", 50, 600)]
    [shop] = given.serving("mixed", traffic=routed(given.namespace))
    ships(shop, SECOND, phases=phases, gates=[], analysis=LONG)

    message = given.says("AgentRollout", "mixed", "TrafficApplied", "RefsNotResolved")
    assert "InvalidKind" in message
    shop.until("the loss is noted", lambda: shop.attempt.get("endpointsLostTime"))
    assert shop.attempt["weight"] == 20
    shop.asks_for(SECOND, analysis=SHORT)
    shop.is_rolled_back_for("NoReadyEndpoints")
    shop.comes_to("RolledBack")
    weights = {version.weights for version in given.witness.versions(shop.route)}
    assert weights == {(100, 0), (80, 20)}
    assert f"InferencePool {service_of(shop.asked)}" in shop.status["lastRollback"]["message"]


def test_a_first_release_behind_an_unknown_kind_does_not_become_stable(given: Scene) -> None:
    """There is nothing to roll back to, so it is held until the gateway resolves its backend."""
    shop = a_shop(given, "first", traffic=routed(given.namespace))

    message = given.says("AgentRollout", "first", "TrafficApplied", "RefsNotResolved")
    assert "InvalidKind" in message
    assert condition_of(shop.manifest, "Ready")["status"] == "False"
    assert "stable" not in shop.status
