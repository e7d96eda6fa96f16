"""Cohorts on the real gateway, counted at the customers: who serves them, and what agents are told."""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any, Final

import pytest

from sandbox import scenarios
from sandbox.agents.fleet import Fleet
from sandbox.people.load import Answer, Ledger, LoadGenerator, LoadPlan
from tests.e2e.manifests import phase, routed
from tests.e2e.scene import BACK, Scene, Shop, now
from tests.e2e.storefront import ANSWER_SECONDS, gets_no_more_requests
from tests.e2e.witness import PATIENCE

AGENT: Final = "support-agent"
STABLE, CANARY = scenarios.HEALTHY, scenarios.FIXED
COHORTS: Final = [
    {"name": "testers", "headers": [{"name": "x-tester", "value": "yes"}], "gets": "Canary"},
    {"name": "high-risk", "headers": [{"name": "x-risk", "value": "high"}], "gets": "Stable"},
]
CALLERS: Final = {
    "testers": (("x-tester", "yes"),),
    "high-risk": (("x-risk", "high"), ("x-tester", "no")),
    "forgers": (("agent-cohort", "testers"),),
}
"""Headers of three kinds of customers. The last ones pretend to be a cohort."""
ENOUGH: Final = 150
"""Answers: of a share of a half, the chance of less than 30% or more than 70% is below one in a million."""
QUIET: Final = 50
"""Answers of stable after the last one of the canary, to customers who were all served by the canary."""


def ships(shop: Shop, fleet: Fleet, release: str) -> None:
    """Make a release of the demo, start its agent, and ask for it."""
    manifest = scenarios.load_release(release)
    manifest["metadata"]["namespace"] = shop.scene.namespace
    shop.scene.api.apply(manifest)
    fleet.deploy(release)
    shop.asks_for(release.removeprefix(f"{AGENT}-"))


@pytest.fixture
def fleet(given: Scene) -> Iterator[Fleet]:
    """Agents behind the gateway."""
    fleet = Fleet(given.stack, namespace=given.namespace)
    fleet.prepare()
    yield fleet
    for release in list(fleet.instances):
        fleet.stop(release)


def a_shop(given: Scene, route: dict[str, Any], **spec: object) -> Shop:
    """A plan of one phase at 50% that lasts longer than the test, with these fields of the route."""
    traffic: dict[str, Any] = dict(routed(given.namespace))
    traffic["httpRoute"] = {**traffic["httpRoute"], **route}
    shop = Shop(given, AGENT, {"traffic": traffic, "phases": [phase("half", 50, 600)], **spec})
    given.shops[AGENT] = shop
    return shop


def customers(given: Scene, headers: tuple[tuple[str, str], ...]) -> LoadGenerator:
    """Requests through the gateway, all with these headers."""
    host = f"{given.namespace}.example.com"
    url = f"{given.stack.gateway_url}/run"
    return LoadGenerator(LoadPlan(url, host=host, rate=25, headers=headers, timeout_seconds=ANSWER_SECONDS))


def sent_since(ledger: Ledger, since: float) -> list[Answer]:
    """The answers to requests that were not under way before."""
    return [answer for answer in ledger.answers(since) if answer.sent >= since]


def told(ledger: Ledger, since: float) -> set[tuple[str, str]]:
    """Which releases answered, and the cohort that each was told."""
    return {(answer.release, answer.cohort) for answer in sent_since(ledger, since)}


def collect(ledgers: dict[str, Ledger], since: float) -> None:
    """Wait until all have enough answers."""
    for ledger in ledgers.values():
        assert ledger.wait_until(partial(has_enough, ledger, since), seconds=PATIENCE)


def has_enough(ledger: Ledger, since: float) -> bool:
    """Whether there are enough answers to requests that were sent since then."""
    return len(sent_since(ledger, since)) >= ENOUGH


def test_who_serves_a_cohort_and_what_its_agent_is_told(given: Scene, fleet: Fleet) -> None:
    """Testers get the canary, high-risk requests get stable, all others are split, and nobody can forge."""
    shop = a_shop(given, {"cohorts": COHORTS}, metrics={"labels": {"cohort": "cohort"}})
    ships(shop, fleet, STABLE)
    shop.comes_to("Healthy")
    with ExitStack() as loads:
        ledgers = {name: loads.enter_context(customers(given, each)) for name, each in CALLERS.items()}
        ships(shop, fleet, CANARY)
        shop.is_counting(phase="half")
        testers = ledgers["testers"]
        assert testers.wait_until(lambda: testers.counts()[CANARY] > 0, seconds=PATIENCE)
        split = now()
        collect(ledgers, split)

        assert told(testers, split) == {(CANARY, "testers")}
        assert told(ledgers["high-risk"], split) == {(STABLE, "high-risk")}
        assert told(ledgers["forgers"], split) == {(STABLE, ""), (CANARY, "")}
        share = Counter(answer.release for answer in sent_since(ledgers["forgers"], split))
        assert 0.3 < share[CANARY] / share.total() < 0.7, share

        before = now()
        shop.asks_for(STABLE.removeprefix(f"{AGENT}-"))
        shop.is_back()
        back = next(v for v in given.witness.versions(shop.route, before) if v.weights == BACK)
        rules = back.manifest["spec"]["rules"]
        weighted = [[ref["name"] for ref in rule["backendRefs"] if ref["weight"]] for rule in rules]
        assert weighted == [[STABLE.replace(".", "-")]] * 3, "testers move in the write of the rollback"
        gets_no_more_requests(testers, CANARY, QUIET)
        after = now()
        collect(ledgers, after)

    assert {release for ledger in ledgers.values() for release, _ in told(ledger, after)} == {STABLE}


def test_a_user_keeps_its_release_until_the_rollback(given: Scene, fleet: Fleet) -> None:
    """Buckets below the weight get only the canary, all others only stable, and after a rollback too."""
    shop = a_shop(given, {"bucketHeader": "x-user-bucket"})
    ships(shop, fleet, STABLE)
    shop.comes_to("Healthy")
    users = {"00": CANARY, "49": CANARY, "50": STABLE, "99": STABLE, "": STABLE}
    with ExitStack() as loads:
        ledgers = {
            bucket: loads.enter_context(customers(given, (("x-user-bucket", bucket),) if bucket else ()))
            for bucket in users
        }
        ships(shop, fleet, CANARY)
        first = ledgers["00"]
        assert first.wait_until(lambda: first.counts()[CANARY] > 0, seconds=PATIENCE)
        split = now()
        collect(ledgers, split)
        served = {bucket: {release for release, _ in told(each, split)} for bucket, each in ledgers.items()}
        assert served == {bucket: {release} for bucket, release in users.items()}

        shop.asks_for(STABLE.removeprefix(f"{AGENT}-"))
        gets_no_more_requests(first, CANARY, QUIET)
        after = now()
        collect(ledgers, after)

    assert {release for ledger in ledgers.values() for release, _ in told(ledger, after)} == {STABLE}
