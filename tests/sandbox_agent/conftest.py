"""Input: the release manifests of `sandbox.scenarios`, resolved to bundles by the operator's own code.

Nothing is faked: bundles go through the agent's own reader, requests through real HTTP.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from aiohttp.test_utils import TestServer

from agentrollouts.api.release import AgentRelease
from agentrollouts.core.release.decide import ReleaseObservation, decide_release
from agentrollouts_agent import Bundle, verify
from sandbox import scenarios
from sandbox.agent.bundle import Behavior, read_behavior
from sandbox.agent.service import AgentService
from testkit.builders.names import START

Files = Callable[[str], dict[str, bytes]]
BehaviorOf = Callable[[str], Behavior]
Serve = Callable[[str], AbstractAsyncContextManager[TestServer]]


@pytest.fixture
def files_of() -> Files:
    """The files of a release of the scenarios, as the operator would write them."""
    return resolve


@pytest.fixture
def behavior_of() -> BehaviorOf:
    """The behavior of a release of the scenarios, as the agent finds it."""
    return lambda name: read_behavior(bundle(name))


@pytest.fixture
def serve() -> Serve:
    """Serves a release on a free port of loopback; only 4.1.0 makes its label children at the start."""

    @asynccontextmanager
    async def serving(name: str) -> AsyncIterator[TestServer]:
        service = AgentService(
            read_behavior(bundle(name)), bundle(name).identity, children_at_zero=name == scenarios.HEALTHY
        )
        server = TestServer(service.application())
        async with server:
            yield server

    return serving


def bundle(name: str) -> Bundle:
    """The verified bundle of a release of the scenarios."""
    return verify(resolve(name), name)


def resolve(name: str) -> dict[str, bytes]:
    """Resolve a release of the scenarios; that none is refused is part of the story."""
    release = AgentRelease.model_validate(scenarios.load_release(name))
    decision = decide_release(ReleaseObservation(now=START, release=release, config_maps={}))
    return {name: text.encode() for name, text in decision.writes[0].manifest["data"].items()}
