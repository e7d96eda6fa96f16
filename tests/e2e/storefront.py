"""The agents of the demo behind the gateway, and customers: releases, requests, and who answered them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from sandbox import scenarios
from sandbox.agents.fleet import Fleet
from sandbox.people.load import Answer, Ledger, LoadGenerator, LoadPlan
from tests.e2e.scene import Scene, Shop
from tests.e2e.witness import PATIENCE

AGENT: Final = "support-agent"
QUIET_ANSWERS: Final = 120
"""So many answers of others, one after the other, show that a release is out of the traffic."""
ANSWER_SECONDS: Final = 60
"""A request that is answered later than that counts as lost."""


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
    url = f"{given.stack.gateway_url}/run"
    return LoadGenerator(LoadPlan(url, host=host, rate=60, timeout_seconds=ANSWER_SECONDS))


def gets_requests(ledger: Ledger, release: str) -> None:
    """Wait until a release has answered some requests."""
    assert ledger.wait_until(lambda: ledger.counts()[release] >= 20, seconds=PATIENCE), ledger.counts()


def gets_no_more_requests(ledger: Ledger, release: str, answers: int = QUIET_ANSWERS) -> None:
    """Wait until others have given so many answers since the last one of a release."""

    def is_over() -> bool:
        last = ledger.last(release)
        since = ledger.counts(last.answered) if last else ledger.counts()
        return since.total() - since[release] - since[""] >= answers

    assert ledger.wait_until(is_over, seconds=PATIENCE), ledger.counts()


def unanswered(ledger: Ledger, since: float) -> list[Answer]:
    """Requests that no release answered."""
    return [answer for answer in ledger.answers(since) if not answer.release]
