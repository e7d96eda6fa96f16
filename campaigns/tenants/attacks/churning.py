"""Agents that come and go without end: their EndpointSlices and routes change, and nothing else does."""

import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from campaigns.tenants.attacks.client import Request, sending
from campaigns.tenants.manifests import (
    GATEWAY_GROUP,
    NEXT,
    SERVICE,
    SERVICE_STABLE,
    rollout,
)
from campaigns.tenants.row import Row
from campaigns.tenants.stage import Stage
from campaigns.tenants.victims import in_canary, is_healthy

ATTACKER: Final = "attacker"
ROLLOUTS: Final = 200
BRIEF_ROLLOUTS: Final = 20
RATE: Final = 100.0
"""Changes a second."""
ENDPOINTS: Final = 100
"""Of each slice; all rollouts of the namespace look at the same two."""


@asynccontextmanager
async def churning(stage: Stage) -> AsyncIterator[None]:
    """Every rollout has a canary, and its endpoints and its route change."""
    names = await stage.make_rollouts(ATTACKER, ROLLOUTS, BRIEF_ROLLOUTS, NEXT)
    agents = [(ATTACKER, name) for name in names]
    for agent in agents:
        stage.agents.add(agent)
    await stage.until(agents, is_healthy)
    await stage.make(rollout(ATTACKER, name, NEXT) for name in names)
    await stage.until(agents, in_canary)
    async with sending(_requests(stage, names), RATE):
        yield


def _requests(stage: Stage, names: list[str]) -> Iterator[Request]:
    slices = f"/apis/discovery.k8s.io/v1/namespaces/{ATTACKER}/endpointslices"
    for number, name in enumerate(itertools.cycle(names)):
        for service in (SERVICE, SERVICE_STABLE):
            endpoints = [
                {
                    "addresses": [f"10.9.{number % 250}.{last}"],
                    "conditions": {"ready": (number + last) % 3 > 0},
                }
                for last in range(ENDPOINTS)
            ]
            yield partial(stage.server.merge, f"{slices}/{service}", {"endpoints": endpoints})
        route = f"{GATEWAY_GROUP}/namespaces/{ATTACKER}/httproutes/{name}"
        seen = {"metadata": {"annotations": {"mesh.example.com/seen": str(number)}}}
        yield partial(stage.server.merge, route, seen)


ROW: Final = Row(
    "churning",
    f"endpoints and routes of {ROLLOUTS} canaries change {RATE:g} times a second",
    churning,
)
