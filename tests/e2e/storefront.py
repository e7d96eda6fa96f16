"""The agents of the demo behind the gateway, and customers: releases, requests, and who answered them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from sandbox import scenarios
from sandbox.agents.fleet import Fleet
from sandbox.people.load import Answer, Ledger, LoadGenerator, LoadPlan
from tests.e2e.scene import Scene, Shop, now
from tests.e2e.witness import PATIENCE

AGENT: Final = "support-agent"
QUIET_SECONDS: Final = 2.0
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


@contextmanager
def storefront(scene: Scene, first: str, **spec: object) -> Iterator[Storefront]:
    """A rollout of the demo on this plan that serves its first release; the agents stop at the end."""
    fleet = Fleet(scene.stack, namespace=scene.namespace)
    fleet.prepare()
    shop = Shop(scene, AGENT, dict(spec))
    scene.shops[AGENT] = shop
    front = Storefront(shop, fleet)
    try:
        front.ships(first)
        shop.comes_to("Healthy")
        yield front
    finally:
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
