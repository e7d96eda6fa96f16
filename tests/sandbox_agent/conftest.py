"""Input: the release manifests of `sandbox.scenarios`, resolved to bundles by the operator's own code.

Nothing is faked: bundles go through the agent's own reader, requests through real HTTP.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from aiohttp.test_utils import TestServer

from agentrollouts.api.release import AgentRelease
from agentrollouts.core.release import bundle as operator_bundle
from sandbox import scenarios
from sandbox.agent.bundle import Bundle, read_bundle
from sandbox.agent.metrics import Identity
from sandbox.agent.service import AgentService

BundleText = Callable[[str], str]
BundleOf = Callable[[str], Bundle]
Serve = Callable[[str], AbstractAsyncContextManager[TestServer]]


@pytest.fixture
def bundle_text() -> BundleText:
    """The text of `bundle.json` of a release of the scenarios, as the operator would write it."""
    return resolve


@pytest.fixture
def bundle_of() -> BundleOf:
    """The bundle of a release of the scenarios, as the agent reads it."""
    return lambda name: read_bundle(resolve(name))


@pytest.fixture
def serve() -> Serve:
    """Serves a release on a free port of loopback; only 4.1.0 makes its label children at the start."""

    @asynccontextmanager
    async def serving(name: str) -> AsyncIterator[TestServer]:
        identity = Identity("support", "support-agent", name)
        service = AgentService(
            read_bundle(resolve(name)), identity, children_at_zero=name == scenarios.HEALTHY
        )
        server = TestServer(service.application())
        async with server:
            yield server

    return serving


def resolve(name: str) -> str:
    """Resolve a release of the scenarios; that none is refused is part of the story."""
    resolved = operator_bundle.resolve(AgentRelease.model_validate(scenarios.load_release(name)), {})
    assert isinstance(resolved, operator_bundle.Bundle), resolved
    return resolved.text
