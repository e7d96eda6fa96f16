"""An operator whose settings limit its tenants. Run by `test_limits.py` inside a sandbox of its own.

By hand: `python -m sandbox run -- python -m pytest tests/e2e/apart/inside_limits.py`.
"""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from sandbox.operator import OperatorProcess
from sandbox.programs import gateway
from sandbox.stack import Stack
from tests.e2e.manifests import FIRST, a_release, routed
from tests.e2e.scene import HALF, Scene, condition_of

MOST = 3
READY, REFUSED = "Materialized", "LimitExceeded"
RELEASES = 4
SETTINGS: dict[str, Any] = {
    "gatewayClasses": [gateway.CLASS],
    "limits": {"rolloutsPerNamespace": MOST, "releasesPerNamespace": RELEASES},
}


@pytest.fixture(scope="session")
def operator(stack: Stack) -> Iterator[OperatorProcess]:
    """The operator with the chart's rights, which let it get Gateways here."""
    inner = deepcopy(dict(gateway.gateway("default")))
    inner["metadata"]["name"] = inner["spec"]["gatewayClassName"] = "inner"
    stack.apply(inner)
    process = OperatorProcess(stack, values={"settings": SETTINGS})
    process.start()
    yield process
    process.stop()
    assert "is forbidden: User" not in process.log_text()


def test_a_route_is_attached_to_permitted_classes_only(given: Scene) -> None:
    """The class is read with the chart's own rights; an edit to another class moves no route."""
    shop = given.shop("open", traffic=routed(given.namespace))
    shop.comes_to("Healthy")
    closed = given.shop("closed", traffic=routed(given.namespace, "inner"))

    message = given.says("AgentRollout", "closed", "Ready", "GatewayNotPermitted")
    assert "Gateway inner in namespace default is of class inner" in message
    assert "name a Gateway of class sandbox" in message
    assert given.now("HTTPRoute", "closed") is None

    shop.asks_for(FIRST, traffic=routed(given.namespace, "inner"))
    given.says("AgentRollout", "open", "Ready", "GatewayNotPermitted")
    route = given.now("HTTPRoute", "open")
    assert route is not None
    assert [parent["name"] for parent in route["spec"]["parentRefs"]] == ["public"]
    closed.asks_for(FIRST, traffic=routed(given.namespace))
    closed.comes_to("Healthy")


def test_hostnames_are_granted_by_namespace(given: Scene, operator: OperatorProcess) -> None:
    """A hostname of another team gets no route; one that exists stays, and its canary is rolled back."""
    shop = given.shop("open", traffic=routed(given.namespace))
    shop.comes_to("Healthy")
    shop.ships("2.0.0", phases=HALF)
    shop.is_counting()
    operator.change_settings(gateways=[{"gateways": ["default/public"], "hosts": ["*.support.example.com"]}])
    try:
        given.says("AgentRollout", "open", "Ready", "Held")
        assert shop.attempt["hold"]["reason"] == "HostNotPermitted"
        assert shop.weights() == (50, 50)
        shop.asks_for(FIRST)
        shop.is_back()

        closed = given.shop("closed", traffic=routed(given.namespace))
        message = given.says("AgentRollout", "closed", "Ready", "HostNotPermitted")
        assert f"hostnames[0]: the operator's settings do not permit {given.namespace}.example.com" in message
        assert given.now("HTTPRoute", "closed") is None

        operator.change_settings(gateways=[{"namespaces": [given.namespace], "gateways": ["*/public"]}])
        closed.comes_to("Healthy")
    finally:
        operator.change_settings(gateways=[])


def test_limits_follow_the_settings_file(given: Scene, operator: OperatorProcess) -> None:
    """The youngest rollout ships once an older one is gone; gates are counted as soon as the file says so."""
    for number in range(MOST):
        given.shop(f"agent-{number}").comes_to("Healthy")
    young = given.shop("young")
    given.says("AgentRollout", "young", "Ready", "LimitExceeded")
    assert condition_of(young.manifest, "Stalled")["status"] == "True"

    given.api.delete(given.ref("AgentRollout", "agent-0"))
    young.comes_to("Healthy")

    gates = [{"name": name, "template": "error-rate"} for name in ("a", "b")]
    young.asks_for(FIRST, gates=gates)
    operator.change_settings(limits={**SETTINGS["limits"], "gatesPerRollout": 1})
    message = given.says("AgentRollout", "young", "Ready", "LimitExceeded")
    assert message.startswith("spec.gates: has 2 gates, and the operator's settings permit 1")


def test_a_release_beyond_the_limit_is_ready_once_an_older_one_is_gone(
    given: Scene, operator: OperatorProcess
) -> None:
    """Also once the settings file permits more; until then its status stays as it is."""
    versions = [f"1.0.{number}" for number in range(RELEASES + 2)]
    for number, version in enumerate(versions):
        given.api.apply(a_release(given.namespace, "many", version))
        given.says("AgentRelease", f"many-{version}", "Ready", READY if number < RELEASES else REFUSED)
    last = f"many-{versions[-1]}"
    before = given.now("AgentRelease", last)

    given.api.delete(given.ref("AgentRelease", f"many-{versions[0]}"))
    given.says("AgentRelease", f"many-{versions[-2]}", "Ready", READY)
    assert given.now("AgentRelease", last) == before

    operator.change_settings(limits={**SETTINGS["limits"], "releasesPerNamespace": RELEASES + 1})
    try:
        given.says("AgentRelease", last, "Ready", READY)
    finally:
        operator.change_settings(limits=SETTINGS["limits"])
