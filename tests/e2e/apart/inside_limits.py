"""An operator whose settings limit its tenants. Run by `test_limits.py` inside a sandbox of its own.

By hand: `python -m sandbox run -- python -m pytest tests/e2e/apart/inside_limits.py`.
"""

from collections.abc import Iterator
from copy import deepcopy

import pytest
import yaml

from sandbox.operator import OperatorProcess
from sandbox.programs import gateway
from sandbox.stack import Stack
from tests.e2e.manifests import FIRST, routed
from tests.e2e.scene import Scene, condition_of

MOST = 3
SETTINGS = {"gatewayClasses": [gateway.CLASS], "limits": {"rolloutsPerNamespace": MOST}}


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
    assert given.manifest("HTTPRoute", "closed") is None

    shop.asks_for(FIRST, traffic=routed(given.namespace, "inner"))
    given.says("AgentRollout", "open", "Ready", "GatewayNotPermitted")
    route = given.manifest("HTTPRoute", "open")
    assert route is not None
    assert [parent["name"] for parent in route["spec"]["parentRefs"]] == ["public"]
    closed.asks_for(FIRST, traffic=routed(given.namespace))
    closed.comes_to("Healthy")


def test_limits_follow_the_settings_file(given: Scene, operator: OperatorProcess) -> None:
    """The youngest rollout ships once an older one is gone; gates are counted as soon as the file says so."""
    for number in range(MOST):
        given.shop(f"agent-{number}").comes_to("Healthy")
    young = given.shop("young")
    given.says("AgentRollout", "young", "Ready", "LimitExceeded")
    assert condition_of(young.manifest, "Stalled")["status"] == "True"

    given.api.delete(given.ref("AgentRollout", "agent-0"))
    young.comes_to("Healthy", within=30)

    gates = [{"name": name, "template": "error-rate"} for name in ("a", "b")]
    young.asks_for(FIRST, gates=gates)
    settings = yaml.safe_load(operator.settings_file.read_text())
    settings["limits"]["gatesPerRollout"] = 1
    operator.settings_file.write_text(yaml.safe_dump(settings))
    message = given.says("AgentRollout", "young", "Ready", "LimitExceeded", 30)
    assert message.startswith("spec.gates: has 2 gates, and the operator's settings permit 1")
