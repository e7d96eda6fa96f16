"""Input: the committed CRDs and objects. Output: the answer of a real API server. Nothing is mocked."""

from pathlib import Path

import pytest

from agentrollouts.api.crd.manifest import crds
from sandbox.identity import is_proved
from sandbox.stack import Stack
from tests.contract.server import ApiServer
from tests.inside import eventually

CRDS = Path(__file__).parents[2] / "crds"
BINDINGS = ("validatingadmissionpolicybindings", "mutatingadmissionpolicybindings")
NAMES = [crd["metadata"]["name"] for crd in crds()]


@pytest.fixture(scope="session")
def api_server(stack: Stack) -> ApiServer:
    """The sandbox's API server with our kinds, without the policies of a chart that other tests installed."""
    stack.apply(CRDS)
    stack.kubectl.wait_kinds(*NAMES)
    stack.kubectl("delete", ",".join(BINDINGS), "--selector=app.kubernetes.io/name=agentrollouts")
    eventually(lambda: not is_proved(stack.kubectl, "default"))
    return ApiServer(stack.api_url, stack.admin_token, stack.ca_file)
