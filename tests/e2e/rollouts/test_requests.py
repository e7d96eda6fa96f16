"""The ways back, measured at the client: real agents behind the gateway, and a record of who answered."""

from collections.abc import Iterator

import pytest

from sandbox import scenarios
from tests.e2e.manifests import phase, routed
from tests.e2e.prometheus import hanging, stopped
from tests.e2e.scene import Scene, now
from tests.e2e.shop_route import BY_PATCH, backend, shop_route
from tests.e2e.storefront import (
    AGENT,
    Storefront,
    customers,
    gets_no_more_requests,
    gets_requests,
    storefront,
    unanswered,
    version_of,
)
from tests.e2e.witness import eventually

STABLE, CANARY, BROKEN = scenarios.HEALTHY, scenarios.FIXED, scenarios.BAD_PROMPT


@pytest.fixture(params=["a route of the operator", "a route of somebody else"])
def front(given: Scene, request: pytest.FixtureRequest) -> Iterator[Storefront]:
    """The healthy release of the demo behind the gateway."""
    traffic = routed(given.namespace)
    if request.param == "a route of somebody else":
        backends = map(backend, (STABLE, CANARY, BROKEN))
        given.api.apply(shop_route(given.namespace, *backends))
        traffic = BY_PATCH
    with storefront(given, STABLE, traffic=traffic, phases=[phase("half", 50, 600)]) as front:
        yield front


def test_asked_to_go_back_while_prometheus_hangs(given: Scene, front: Storefront) -> None:
    """A person's request takes the canary out of the traffic without any metric, and no request fails."""
    with customers(given) as ledger:
        gets_requests(ledger, STABLE)
        settled = now()
        front.ships(CANARY)
        gets_requests(ledger, CANARY)

        with hanging(given.stack):
            front.shop.asks_for(version_of(STABLE))
            front.shop.is_back()
            gets_no_more_requests(ledger, CANARY)

    assert unanswered(ledger, settled) == []


def test_a_breach_takes_the_canary_out_of_the_traffic(given: Scene, front: Storefront) -> None:
    """A bundle that fails is taken out of the traffic in mid-phase, and no request fails."""
    with customers(given) as ledger:
        gets_requests(ledger, STABLE)
        eventually("stable is scraped", lambda: given.runs_seen(STABLE))
        settled = now()
        front.ships(BROKEN)
        front.shop.comes_to("RolledBack")
        gets_no_more_requests(ledger, BROKEN)

    assert front.shop.attempt["trigger"] == "Breach"
    assert unanswered(ledger, settled) == []


def test_switched_off_and_on_without_prometheus(given: Scene, front: Storefront) -> None:
    """The fallback answers instead of the agent, no request fails, and the route is then as it was."""
    front.starts(CANARY)
    fallback = scenarios.load_release(CANARY)["spec"]["serving"]["service"]
    front.shop.asks_for(version_of(STABLE), fallback={"service": fallback})
    front.shop.is_seen()
    patched = (front.shop.manifest["spec"]["traffic"].get("routePatch") or {}).get("name")
    route = given.ref("HTTPRoute", patched or AGENT)

    def spec() -> object:
        return (given.witness.now(route) or {}).get("spec")

    before = spec()
    with customers(given) as ledger, stopped(given.stack):
        gets_requests(ledger, STABLE)
        settled = now()
        assert front.shop.answer(front.shop.act("SwitchOff"))[0] == "Done"
        gets_no_more_requests(ledger, STABLE)
        gets_requests(ledger, CANARY)
        front.shop.until("it says so", lambda: front.shop.ready.get("reason") == "SwitchedOff")

        detour = front.shop.status["detour"]["id"]
        assert front.shop.answer(front.shop.act("SwitchOn", detour=detour))[0] == "Done"
        gets_no_more_requests(ledger, CANARY)

    assert spec() == before
    assert unanswered(ledger, settled) == []
