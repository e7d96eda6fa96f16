"""A tool that fails on real parts: a release without it serves, and stable returns by time."""

from functools import partial
from typing import Any, Final

from tests.e2e.manifests import QUICK
from tests.e2e.scene import SECOND, Scene, Shop, seconds_between

AGENT: Final = "teller"
STABLE: Final = f"{AGENT}-{SECOND}"
SPARE: Final = f"{AGENT}-1.0.0"
TOOL: Final = {
    "name": "refund-tool",
    "source": {
        "bad": 'agent_tool_calls_total{result="timeout"}',
        "total": "agent_tool_calls_total",
        "mayBeAbsent": True,
    },
    "type": "Limit",
    "limit": {"value": "0.5", "forSeconds": 0, "windowSeconds": 10},
    "during": ["Full"],
    "action": "Standby",
}
PLAN: Final[dict[str, Any]] = {
    "gates": [*QUICK["gates"], TOOL],
    "watch": {"intervalSeconds": 5},
    "standby": [{"releaseRef": {"name": SPARE}, "gates": ["refund-tool"], "returnAfterSeconds": 10}],
}


def serves(shop: Shop, release: str) -> bool:
    """Whether all traffic goes to a release, in the place of stable."""
    return shop.scene.witness.versions(shop.config)[-1].in_stables_place == (release, 100)


def test_a_release_without_the_tool_serves_until_its_time_is_over(given: Scene) -> None:
    """Twice as long the second time; an action of type SwitchOff replaces it."""
    given.agents.call(given.namespace, STABLE, 0.0)
    (shop,) = given.serving(AGENT)
    shop.ships(SECOND)
    shop.comes_to("Healthy")
    shop.asks_for(SECOND, **PLAN)
    seconds = []
    for _ in range(2):
        given.agents.call(given.namespace, STABLE, 0.9)
        shop.until("the standby serves", partial(serves, shop, SPARE))
        shop.until("it says so", lambda: shop.ready.get("reason") == "OnStandby")
        detour = shop.status["detour"]
        assert (detour["cause"], detour["gate"]) == ("Standby", "refund-tool")
        assert (shop.status["stable"]["release"], shop.status.get("quarantined")) == (STABLE, [])
        seconds.append((detour["trips"], seconds_between(detour["since"], detour["until"])))
        given.agents.call(given.namespace, STABLE, 0.0)
        shop.until("stable serves again", partial(serves, shop, STABLE))
        shop.until("it is healthy", lambda: shop.ready.get("reason") == "Healthy")
    assert seconds == [(1, 10), (2, 20)]

    given.agents.call(given.namespace, STABLE, 0.9)
    shop.until("the standby serves", partial(serves, shop, SPARE))
    assert shop.answer(shop.act("SwitchOff"))[0] == "Done"
    shop.until("it is off", lambda: shop.weights() == (0, 0))
    shop.until("it says so", lambda: shop.ready.get("reason") == "SwitchedOff")
    given.agents.call(given.namespace, STABLE, 0.0)
    off = shop.status["detour"]
    assert (off["cause"], "standby" in off) == ("SwitchOff", False)
    assert shop.answer(shop.act("SwitchOn", detour=off["id"]))[0] == "Done"
    shop.until("stable serves again", partial(serves, shop, STABLE))
