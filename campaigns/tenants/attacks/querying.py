"""Tenants whose rollouts query Prometheus every second, too slowly or too much."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any, Final

from campaigns.tenants.agents import Agent
from campaigns.tenants.manifests import JUDGED, NEXT, ROLLOUTS, STABLE, namespace, release, rollout
from campaigns.tenants.row import Bars, Row
from campaigns.tenants.slow_prometheus import TIMEOUT_SECONDS, slow_for
from campaigns.tenants.stage import Stage
from campaigns.tenants.victims import in_canary, is_healthy
from sandbox.stack import Stack

ATTACKER: Final = "attacker"
SLOW: Final = 8
"""Rollouts whose queries are slow, and namespaces with some of them."""
LARGE: Final = 250
GATES: Final = 16
BRIEF: Final = 5
"""So many times fewer large rollouts in a brief run."""
CONDITION: Final = "ShareExceeded"
SETTLING_SECONDS: Final = 60.0
BRIEF_SETTLING_SECONDS: Final = 10.0
"""For every attempt to have its history and be queried at the interval that it gets."""


def _gates(count: int) -> list[dict[str, Any]]:
    """Gates that share no metric, by a matcher that matches everything."""
    return [
        {
            "name": f"violations-{index}",
            "source": {
                "bad": f'agent_violations_total{{part!="{index}"}}',
                "total": f'agent_runs_total{{part!="{index}"}}',
            },
            "burstFactor": "1",
        }
        for index in range(count)
    ]


@asynccontextmanager
async def slow(stage: Stage, namespaces: int) -> AsyncIterator[None]:
    """So many namespaces with `SLOW` rollouts each, whose first release waits for a result."""
    agents = await _make_agents(stage, namespaces, SLOW)
    await stage.make(rollout(*agent, spec={**JUDGED, "bake": {"durationSeconds": 3600}}) for agent in agents)
    await asyncio.sleep(5 * TIMEOUT_SECONDS)
    yield


@asynccontextmanager
async def large(stage: Stage, namespaces: int) -> AsyncIterator[None]:
    """`LARGE` attempts in so many namespaces, each with a canary in its first phase."""
    size = (LARGE // BRIEF if stage.is_brief else LARGE) // namespaces
    agents = await _make_agents(stage, namespaces, size)
    await stage.make(rollout(*agent) for agent in agents)
    await stage.until(agents, is_healthy)
    spec = {**JUDGED, "gates": _gates(GATES)}
    await stage.make(rollout(*agent, NEXT, spec=spec) for agent in agents)
    await stage.until(agents, in_canary)
    await asyncio.sleep(BRIEF_SETTLING_SECONDS if stage.is_brief else SETTLING_SECONDS)
    yield


async def _make_agents(stage: Stage, namespaces: int, size: int) -> list[Agent]:
    """So many agents in each of these namespaces, with both releases, and their counters."""
    places = [f"{ATTACKER}-{index}" for index in range(namespaces)]
    agents = [(place, f"mine-{index:03}") for place in places for index in range(size)]
    for place in places:
        await stage.make(namespace(place))
    for agent in agents:
        stage.agents.add(agent)
    await stage.make(release(*agent, version) for agent in agents for version in (STABLE, NEXT))
    return agents


def _slowed(stack: Stack) -> AbstractAsyncContextManager[dict[str, Any]]:
    return slow_for(stack, ATTACKER)


async def attackers_are_told(stage: Stage) -> Sequence[str]:
    """Every attacker's rollout says that it exceeds its share, and no victim's does.

    A brief run is over before all of them have had a result.
    """
    if stage.is_brief:
        return ()
    rollouts = (await stage.server.get(ROLLOUTS))["items"]
    problems = []
    for is_attacker in (True, False):
        warned = [
            _is_told(each)
            for each in rollouts
            if each["metadata"]["namespace"].startswith(ATTACKER) is is_attacker
        ]
        if not warned or sum(warned) != len(warned) * is_attacker:
            who = "attackers'" if is_attacker else "victims'"
            problems.append(f"{sum(warned)} of {len(warned)} {who} rollouts have the condition {CONDITION}")
    return problems


def _is_told(manifest: Mapping[str, Any]) -> bool:
    conditions = (manifest.get("status") or {}).get("conditions") or ()
    return any(each["type"] == CONDITION and each["status"] == "True" for each in conditions)


ROWS: Final = (
    Row(
        "slow-queries",
        f"{SLOW} rollouts of one namespace whose queries take longer than the source's timeout, every second",
        partial(slow, namespaces=1),
        Bars(breach_ratio=1.5),
        source=_slowed,
        also=attackers_are_told,
    ),
    Row(
        "slow-namespaces",
        f"the same in each of {SLOW} namespaces",
        partial(slow, namespaces=SLOW),
        Bars(breach_ratio=1.5),
        source=_slowed,
        is_sample=False,
    ),
    Row(
        "many-gates",
        f"{LARGE} rollouts of {GATES} gates in one namespace, every second",
        partial(large, namespaces=1),
        also=attackers_are_told,
    ),
    Row(
        "many-gates-spread",
        f"the same {LARGE} rollouts in 10 namespaces",
        partial(large, namespaces=10),
        is_sample=False,
    ),
)
