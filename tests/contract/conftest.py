"""Input: the committed CRDs and objects. Output: the answer of a real API server. Nothing is mocked."""

from pathlib import Path

import pytest

from agentrollouts.api.crd.manifest import crds
from sandbox.stack import Stack
from tests.contract.server import ApiServer

CRDS = Path(__file__).parents[2] / "crds"
NAMES = [f"crd/{crd['metadata']['name']}" for crd in crds()]


@pytest.fixture(scope="session")
def api_server(stack: Stack) -> ApiServer:
    """The sandbox's API server, with our two kinds established."""
    stack.apply(CRDS)
    stack.kubectl("wait", *NAMES, "--for=condition=Established", "--timeout=60s")
    return ApiServer(stack.api_url, stack.admin_token, stack.ca_file)
