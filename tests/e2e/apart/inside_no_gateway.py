"""A cluster without the kinds of others. Run by `test_no_gateway.py` inside a sandbox of its own.

By hand: `python -m sandbox run -- python -m pytest tests/e2e/apart/inside_no_gateway.py`.
"""

from collections.abc import Iterator

import pytest

from sandbox.parts import parts
from sandbox.stack import Stack
from tests.e2e.manifests import routed
from tests.e2e.scene import HALF, Scene, is_ours


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """A stack that has never heard of an HTTPRoute."""
    with Stack(with_gateway=False, with_gateway_api=False, quiet=True) as started:
        yield started


def test_the_kinds_of_others_come_later(given: Scene) -> None:
    """Without them the ConfigMap splits, and each is missed by name until it comes; without a restart."""
    pid = given.operator.process.pid
    (split,) = given.serving("split")
    split.ships("2.0.0", phases=HALF)
    split.is_counting()
    wanting = given.shop("wanting", traffic=routed(given.namespace, statusless=True))
    message = given.says("AgentRollout", "wanting", "TrafficApplied", "GatewayAPIMissing")
    assert "install" in message
    assert "HTTPRoute" in message
    assert wanting.ready["status"] == "False"
    flagged = given.shop("flagged", traffic={"featureFlag": {}})
    message = given.says("AgentRollout", "flagged", "TrafficApplied", "FeatureFlagMissing")
    assert "install" in message
    assert "FeatureFlag" in message

    given.stack.install_gateway_api()
    given.stack.apply(parts.feature_flag_api())

    flagged.comes_to("Healthy")
    flagged.is_back()
    wanting.comes_to("Healthy")
    wanting.ships("2.0.0", phases=HALF)
    wanting.is_counting()
    route = given.witness.get(wanting.route)
    assert route is not None
    given.api.patch(wanting.route, {"spec": {"hostnames": ["elsewhere.example.com"]}})
    given.witness.wait("our edit", lambda: not is_ours(given.manifest("HTTPRoute", "wanting") or route))
    given.witness.wait(
        "the route is watched now", lambda: is_ours(given.manifest("HTTPRoute", "wanting") or {})
    )
    assert (wanting.weights(), split.weights()) == ((50, 50), (50, 50))
    assert given.operator.process.pid == pid
