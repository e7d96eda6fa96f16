"""Webhooks of a running operator: what an endpoint gets, also if it fails, hangs, or the operator is killed.

Input: an endpoint that verifies and counts, and a rollout with a webhook at both moments. Output: its
requests, the hooks of the rollout, and the traffic.
"""

import base64
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.e2e.hooks.endpoint import Endpoint
from tests.e2e.manifests import FIRST
from tests.e2e.scene import HALF, SECOND, Scene, Shop, condition_of
from tests.e2e.witness import eventually

HOOKS: Final[list[dict[str, Any]]] = [
    {"name": "notify", "at": "BeforeTraffic", "webhook": {"endpoint": "crm"}},
    {"name": "refund", "at": "AfterRollback", "webhook": {"endpoint": "crm"}},
]
PLAN: Final[dict[str, Any]] = {
    "hooks": HOOKS,
    "rollback": {"verify": {"withinSeconds": 5, "watchSeconds": 5}},
}


@pytest.fixture
def endpoint(given: Scene, tmp_path: Path) -> Iterator[Endpoint]:
    """An endpoint that the settings permit for the namespace of the test."""
    key, secret = os.urandom(32), tmp_path / "secret"
    secret.write_text(f"whsec_{base64.b64encode(key).decode()}")
    with Endpoint(key) as made:
        entry = {"name": "crm", "url": made.url, "secretFile": str(secret), "namespaces": [given.namespace]}
        given.operator.change_settings(hooks={"endpoints": [entry]})
        yield made
        given.operator.change_settings(hooks={})


def states(shop: Shop) -> dict[str, str]:
    """The hooks of the second release, and where each stands."""
    number = shop.attempt["number"]
    return {each["name"]: each["state"] for each in shop.status.get("hooks", []) if each["attempt"] == number}


def entry(shop: Shop, name: str) -> dict[str, Any]:
    """The newest entry of a hook; empty before there is one."""
    return next((each for each in reversed(shop.status.get("hooks", [])) if each["name"] == name), {})


def test_an_endpoint_gets_each_webhook_once_by_its_id(given: Scene, endpoint: Endpoint) -> None:
    """Although it fails at first, and the operator is killed while it makes the request."""
    (shop,) = given.serving("agent", **PLAN)
    assert len(endpoint.done) == 1
    endpoint.failing = 1
    shop.ships(SECOND, phases=HALF)
    shop.until(
        "it waits for the next request", lambda: "nextTime" in entry(shop, "notify").get("webhook", {})
    )
    waiting = entry(shop, "notify")
    assert waiting["message"] == 'Endpoint crm responded 500: "please try later"'
    assert waiting["webhook"]["nextTime"] > waiting["startTime"]
    assert (shop.attempt["state"], shop.weights()) == ("Pending", (100, 0))
    shop.is_counting(phase="half")
    assert endpoint.of("notify")[1:] == [endpoint.done[-1]] * 2

    endpoint.opened.clear()
    shop.act("RollBack", release=shop.asked)
    shop.is_back()
    eventually("the endpoint is called", lambda: endpoint.of("refund"))
    given.operator.kill()
    endpoint.failing = 1
    endpoint.opened.set()
    given.operator.start()
    shop.until("the data is recovered", lambda: recovered(shop) == "True")

    assert states(shop) == {"notify": "Succeeded", "refund": "Succeeded"}
    first, *others = endpoint.of("refund")
    assert (set(others), endpoint.done[-1]) == ({first}, first)
    assert (len(endpoint.done), len(set(endpoint.done)), endpoint.forged) == (3, 3, 0)
    [body] = {str(each.body["window"]) for each in endpoint.received if each.id == first}
    assert "'isFinal': True" in body


def recovered(shop: Shop) -> str | None:
    """The condition DataRecovered."""
    status: str | None = condition_of(shop.manifest, "DataRecovered").get("status")
    return status


def test_an_endpoint_that_hangs_delays_no_route(given: Scene, endpoint: Endpoint) -> None:
    """While it holds every request, the next canary of another agent is rolled back all the same."""
    first, second = given.in_canary("one", "two", **PLAN)
    endpoint.opened.clear()
    for index, shop in enumerate((first, second), start=1):
        shop.act("RollBack", release=shop.asked)
        shop.is_back()
        shop.until("the attempt has ended", lambda shop=shop: shop.attempt["state"] == "RolledBack")  # type: ignore[misc]
        eventually("it is called", lambda index=index: len(endpoint.of("refund")) >= index)  # type: ignore[misc]
        assert shop.weights() == (100, 0)
    assert {each["state"] for shop in (first, second) for each in [entry(shop, "refund")]} <= {
        "Running",
        "Waiting",
    }
    assert not [each for each in endpoint.done if each.endswith("/refund")]
    endpoint.opened.set()
    for shop in (first, second):
        shop.until("the data is recovered", lambda shop=shop: recovered(shop) == "True")  # type: ignore[misc]


def test_nothing_starts_without_its_endpoint(given: Scene, endpoint: Endpoint) -> None:
    """The attempt is Pending with a sentence, until the administrator permits the endpoint."""
    other = [{**HOOKS[1], "webhook": {"endpoint": "erp"}}]
    (shop,) = [given.shop("agent", hooks=other)]
    message = given.says("AgentRollout", "agent", "Ready", "HookUnfit")
    assert "Endpoint erp of hook refund is not in the operator's settings" in message
    assert f"not for namespace {given.namespace}" in message
    shop.asks_for(FIRST, hooks=HOOKS)
    shop.comes_to("Healthy")
    assert endpoint.of("notify") == endpoint.done
