"""The ways back, measured at the client: real agents behind the gateway, and a record of who answered."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from sandbox import scenarios
from sandbox.agents.fleet import Fleet
from sandbox.people.load import Answer, Ledger, LoadGenerator, LoadPlan
from tests.e2e.manifests import phase, routed
from tests.e2e.prometheus import hanging, stopped
from tests.e2e.scene import Scene, Shop, now
from tests.e2e.shop_route import BY_PATCH, backend, shop_route
from tests.e2e.witness import PATIENCE, eventually

STABLE, CANARY, BROKEN = scenarios.HEALTHY, scenarios.FIXED, scenarios.BAD_PROMPT
AGENT = "support-agent"
QUIET_SECONDS = 2.0
"""How long a release must get no request, of 60 a second, to count as out of the traffic."""


@dataclass(frozen=True)
class Storefront:
    """The demo's rollout, and the agents that answer for its releases."""

    shop: Shop
    fleet: Fleet

    def ships(self, release: str) -> None:
        """Make a release of the demo, start its agent, and ask for it."""
        self.starts(release)
        self.shop.asks_for(version_of(release))

    def starts(self, release: str) -> None:
        """Make a release of the demo, and start its agent."""
        scene = self.shop.scene
        manifest = scenarios.load_release(release)
        manifest["metadata"]["namespace"] = scene.namespace
        scene.api.apply(manifest)
        self.fleet.deploy(release)


@pytest.fixture(params=["a route of the operator", "a route of somebody else"])
def front(given: Scene, request: pytest.FixtureRequest) -> Iterator[Storefront]:
    """The healthy release of the demo behind the gateway."""
    fleet = Fleet(given.stack, namespace=given.namespace)
    fleet.prepare()
    traffic = routed(given.namespace)
    if request.param == "a route of somebody else":
        backends = map(backend, (STABLE, CANARY, BROKEN))
        given.api.apply(shop_route(given.namespace, *backends))
        traffic = BY_PATCH
    shop = Shop(given, AGENT, {"traffic": traffic, "phases": [phase("half", 50, 600)]})
    given.shops[AGENT] = shop
    front = Storefront(shop, fleet)
    front.ships(STABLE)
    shop.comes_to("Healthy")
    yield front
    for release in list(fleet.instances):
        fleet.stop(release)


def version_of(release: str) -> str:
    """What follows the agent's name."""
    return release.removeprefix(f"{AGENT}-")


def customers(given: Scene) -> LoadGenerator:
    """Requests through the gateway."""
    host = f"{given.namespace}.example.com"
    return LoadGenerator(LoadPlan(f"{given.stack.gateway_url}/run", host=host, rate=60))


def gets_requests(ledger: Ledger, release: str) -> None:
    """Wait until a release has answered some requests."""
    assert ledger.wait_until(lambda: ledger.counts()[release] >= 20, seconds=PATIENCE), ledger.counts()


def gets_no_more_requests(ledger: Ledger, release: str) -> None:
    """Wait until a release has answered no request for some time in which others did."""

    def is_over() -> bool:
        return now() - (ledger.last_seen(release) or 0) > QUIET_SECONDS

    assert ledger.wait_until(is_over, seconds=PATIENCE), ledger.counts()


def unanswered(ledger: Ledger, since: float) -> list[Answer]:
    """Requests that no release answered."""
    return [answer for answer in ledger.answers(since) if not answer.release]


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
    patched = (front.shop.manifest["spec"]["traffic"].get("routePatch") or {}).get("name")
    route = given.ref("HTTPRoute", patched or AGENT)

    def spec() -> object:
        return (given.witness.get(route) or {}).get("spec")

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
