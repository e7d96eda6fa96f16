"""Soak: fifty rollouts, a thousand attempts one after another, half of them rolled back, and nothing grows.

Each attempt takes one of two releases that exist all along, so that the objects in the API server are the
same at the end. Events are counted by themselves: there are so many for each attempt, and the API server
forgets them after an hour.
"""

import asyncio
import statistics
import sys
import time
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final

from campaigns.cases import Campaign, Case, Choice
from campaigns.tenants.agents import Agent
from campaigns.tenants.manifests import GROUP, JUDGED, NEXT, ROUTES, STABLE
from campaigns.tenants.meters import metrics_of, open_files, resident_mib, sockets
from campaigns.tenants.stage import Stage
from sandbox.people.apiserver import ApiServer

ROLLOUTS: Final = 50
ROUNDS: Final = 20
"""In each, every rollout makes one attempt."""
WARM_ROUNDS: Final = 4
"""After these, 200 attempts, nothing may grow any more."""
BRIEF_ROLLOUTS: Final = 6
BRIEF_ROUNDS: Final = 6
MOST: Final = 1.05
"""What is counted at the end, of what was counted when it was warm."""
LENIENT: Final = 1.25
"""The same of a brief soak, which is hardly warm."""
QUIET_SECONDS: Final = 3.0
"""After a round, for what was begun to end."""

_SPEC: Final = {
    **JUDGED,
    "phases": [{"name": "half", "weight": 50, "durationSeconds": 1}],
    "analysis": {"intervalSeconds": 1, "warmupSeconds": 0, "staleAfterSeconds": 60},
}
_LISTS: Final = {
    "releases": f"{GROUP}/agentreleases",
    "rollouts": f"{GROUP}/agentrollouts",
    "routes": ROUTES,
    "ConfigMaps": "/api/v1/configmaps",
}
_SAMPLES: Final = 5
"""Readings of a process after a round, of which the median counts."""


def play(choice: Choice) -> Iterator[Case]:
    """One case for each thing that must not grow."""
    is_brief = choice.size is not None
    rollouts, rounds = (BRIEF_ROLLOUTS, BRIEF_ROUNDS) if is_brief else (ROLLOUTS, ROUNDS)
    readings = asyncio.run(_played(rollouts, rounds))
    warm, last = readings[min(WARM_ROUNDS, rounds // 2) - 1], readings[-1]
    most = LENIENT if is_brief else MOST
    for what in last:
        if what == "events" or not choice.wants(what):
            continue
        grown = last[what] / max(warm[what], 1)
        text = f"{warm[what]:.1f}, then {last[what]:.1f}: {grown:.2f}x"
        yield Case(what, text if grown > most else None)


async def _played(rollouts: int, rounds: int) -> list[Mapping[str, float]]:
    """What was counted after each round."""
    readings: list[Mapping[str, float]] = []
    async with Stage.set_up(rollouts, spec=_SPEC) as stage:
        desired = dict.fromkeys(stage.victims.all, STABLE)
        began = time.monotonic()
        for number in range(rounds):
            await _round(stage, desired, set(stage.victims.all[number % 2 :: 2]))
            readings.append(await _reading(stage))
            cells = ", ".join(f"{what} {value:.0f}" for what, value in readings[-1].items())
            attempts = (number + 1) * rollouts
            print(f"  {attempts} attempts in {time.monotonic() - began:.0f} s: {cells}", file=sys.stderr)
    return readings


async def _round(stage: Stage, desired: dict[Agent, str], unlucky: AbstractSet[Agent]) -> None:
    """An attempt of each: an unlucky one's next release is rolled back as soon as it has traffic.

    One that has the next release already returns to the first one, which needs no canary.
    """
    victims = stage.victims
    for agent, version in tuple(desired.items()):
        desired[agent] = NEXT if version == STABLE else STABLE
        await victims.ask(agent, desired[agent])
    async with asyncio.TaskGroup() as group:
        for agent in unlucky:
            if desired[agent] == NEXT:
                group.create_task(_roll_back(stage, agent))
                desired[agent] = STABLE
    await victims.at_rest(tuple(desired), desired)
    await asyncio.sleep(QUIET_SECONDS)


async def _roll_back(stage: Stage, agent: Agent) -> None:
    await stage.victims.in_canary(agent)
    await stage.victims.ask(agent, STABLE)


async def _reading(stage: Stage) -> Mapping[str, float]:
    pid = stage.operator.process.pid
    if pid is None:
        raise RuntimeError("the operator has ended")
    own = []
    for _ in range(_SAMPLES):
        metrics = await metrics_of(stage.operator)
        own.append(
            {
                "memory in MiB": resident_mib(pid),
                "open files": float(open_files(pid)),
                "connections": float(sockets(pid)),
                "tasks": metrics["python_asyncio_tasks"],
            }
        )
        await asyncio.sleep(0.2)
    read = {what: statistics.median(one[what] for one in own) for what in own[0]}
    objects = {what: await _count(stage.server, path) for what, path in _LISTS.items()}
    return read | objects | {"events": await _count(stage.server, "/api/v1/events")}


async def _count(server: ApiServer, path: str) -> float:
    """How many objects a list has."""
    page: dict[str, Any] = await server.get(f"{path}?limit=1")
    return len(page["items"]) + float(page["metadata"].get("remainingItemCount") or 0)


CAMPAIGN: Final = Campaign(
    "soak",
    "a thousand attempts, half of them rolled back, leave memory, files, tasks and objects as they were",
    play,
    "quantities",
)
