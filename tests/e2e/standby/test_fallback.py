"""Input: agents that are switched off while another one answers for them. Output: their routes.

The operator is killed before each switch, so that another process finds what happened.
"""

from agentrollouts.adapters.cluster.resources import Ref
from tests.e2e.manifests import FIRST, routed, service_of
from tests.e2e.rollouts.test_crash import without_operator
from tests.e2e.scene import SECOND, Scene, Shop, condition_of
from tests.e2e.witness import eventually


def backends(shop: Shop) -> dict[str, int]:
    """The weights of its route."""
    route = shop.scene.witness.now(shop.route) or {}
    return {ref["name"]: ref["weight"] for ref in route["spec"]["rules"][-1]["backendRefs"]}


def spec_of(given: Scene, route: Ref) -> object:
    """The route as it is in the cluster."""
    return (given.witness.now(route) or {}).get("spec")


def sends(shop: Shop, release: str, weight: int) -> None:
    """Wait until the route has this backend alone."""
    expected = {service_of(release): weight}
    eventually(f"{shop.ref} sends {expected}", lambda: backends(shop) == expected)


def switched_off(shop: Shop) -> str:
    """Someone does while there is no operator; the identity of the detour."""
    with without_operator(shop.scene):
        action = shop.act("SwitchOff")
    assert shop.answer(action)[0] == "Done"
    return str(shop.status["detour"]["id"])


def switched_on(shop: Shop, detour: str) -> None:
    """Someone does while there is no operator."""
    with without_operator(shop.scene):
        action = shop.act("SwitchOn", detour=detour)
    assert shop.answer(action)[0] == "Done"


def test_another_agent_answers_by_whatever_it_serves(given: Scene) -> None:
    """The route follows its releases; while both are off, neither sends to the other."""
    traffic = routed(given.namespace, gateway="nobody", statusless=True)
    (faq,) = given.serving("faq", traffic=traffic, fallback={"rollout": {"name": "support"}})
    (support,) = given.serving("support", traffic=traffic, fallback={"rollout": {"name": "faq"}})
    faq.until("it knows support", lambda: (faq.status.get("fallback") or {}).get("service"))
    before = spec_of(given, support.route)

    off = switched_off(support)
    sends(support, f"faq-{FIRST}", 100)
    faq.ships(SECOND)
    faq.comes_to("Healthy")
    sends(support, f"faq-{SECOND}", 100)

    also = switched_off(faq)
    sends(support, f"support-{FIRST}", 0)
    sends(faq, f"faq-{SECOND}", 0)
    for shop, other in ((support, "faq"), (faq, "support")):
        shop.until("it says so", lambda shop=shop: condition_of(shop.manifest, "FallbackNotReady"))  # type: ignore[misc]
        told = condition_of(shop.manifest, "FallbackNotReady")["message"]
        assert told.startswith(f"AgentRollout {other} is switched off itself"), told

    switched_on(faq, also)
    sends(support, f"faq-{SECOND}", 100)
    switched_on(support, off)
    sends(support, f"support-{FIRST}", 100)
    assert spec_of(given, support.route) == before
    assert backends(faq) == {service_of(f"faq-{SECOND}"): 100}
