"""Rollouts at rest cost nothing."""

from collections import Counter
from functools import partial

from tests.e2e.scene import Scene, Shop

IDLE = 20
SECONDS = 15
WRITES = {"POST", "PUT", "PATCH", "APPLY", "DELETE"}
OURS = {"agentreleases", "agentrollouts", "configmaps", "events", "featureflags", "grpcroutes", "httproutes"}


def test_at_rest_nothing_is_written(given: Scene) -> None:
    """The API server itself counts no write to any kind of ours while twenty rollouts are idle."""
    shops = [given.shop(f"idle-{number}") for number in range(IDLE)]
    for shop in shops:
        shop.comes_to("Healthy")
        shop.is_back()
        shop.until("told", partial(shows, shop, 100))
        shop.until("its record is written", partial(is_recorded, shop))
    given.witness.wait_for_rest(3)
    before = writes(given)

    given.witness.holds("", lambda: True, SECONDS)

    assert writes(given) - before == Counter()


def shows(shop: Shop, weight: int) -> bool:
    """Whether the status tells stable's weight."""
    return bool(shop.status["weights"]["stable"] == weight)


def is_recorded(shop: Shop) -> bool:
    """Whether nothing of its record is left in the status."""
    return not shop.status["record"]["unwritten"]


def writes(given: Scene) -> Counter[str]:
    """Every write of a kind of ours that the API server has served."""
    is_ours = {f"{verb} {resource}" for verb in WRITES for resource in OURS}
    return Counter({call: count for call, count in given.api.served().items() if call in is_ours})
