"""Rollouts at rest cost nothing."""

from collections import Counter
from functools import partial

from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.scene import Scene, Shop

IDLE = 20
SECONDS = 15
WRITES = {"POST", "PUT", "PATCH", "APPLY", "DELETE"}
OURS = {"agentreleases", "agentrollouts", "configmaps", "events", "httproutes"}


def test_at_rest_nothing_is_written(given: Scene) -> None:
    """The API server itself counts no write to any kind of ours while twenty rollouts are idle."""
    shops = [given.shop(f"idle-{number}") for number in range(IDLE)]
    for shop in shops:
        shop.comes_to("Healthy")
        shop.is_back(within=10)
        shop.until("told", partial(shows, shop, 100))
    given.witness.wait_for_rest(3, within=30)
    before = writes(given)

    given.witness.holds("", lambda: True, SECONDS)

    assert writes(given) - before == Counter()


def shows(shop: Shop, weight: int) -> bool:
    """Whether the status tells stable's weight."""
    return bool(shop.status["weights"]["stable"] == weight)


def writes(given: Scene) -> Counter[str]:
    """Every write that the API server has served, by verb and resource, whoever asked for it."""
    families = text_string_to_metric_families(given.api.text("/metrics"))
    samples = (s for family in families if family.name == "apiserver_request" for s in family.samples)
    found: Counter[str] = Counter()
    for sample in samples:
        labels = sample.labels
        if labels["verb"] in WRITES and labels["resource"] in OURS and labels["dry_run"] == "":
            found[f"{labels['verb']} {labels['resource']}"] += int(sample.value)
    return found
