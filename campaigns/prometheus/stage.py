"""The real parts of the campaign put together, and what is done to them.

An operator as its chart installs it, asking the real Prometheus through doors that can fail; agents whose
counters that Prometheus scrapes; a witness at the real API server.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, Self

from campaigns.prometheus.agents import Agents, Ailment
from campaigns.prometheus.faults import Fault, Place
from campaigns.prometheus.faulty_proxy import TENANT, Doors, Secrets, Sink
from campaigns.prometheus.manifests import NAMESPACE, NEXT, STABLE, path, release, world
from campaigns.prometheus.witness import Witness
from campaigns.scraping import scraped
from sandbox.operator import OperatorProcess
from sandbox.people.apiserver import ApiServer, Manifest
from sandbox.programs import web
from sandbox.stack import Stack

HEALTHY: Final = "healthy"
"""Name of the source without faults."""
PATIENCE: Final = 180.0
"""Seconds for what only takes as long as a busy machine needs."""

_AILMENTS: Final = {
    "agent-exports-nan": Ailment.NAN,
    "agent-gone": Ailment.GONE,
    "counter-reset": Ailment.RESTART,
    "counter-resets": Ailment.RESETS,
}
_DEFAULT_SOURCE: Final = frozenset({Place.AGENT, Place.PROMETHEUS_KILLED, Place.PROMETHEUS_FROZEN})


def source_of(fault: Fault) -> str:
    """The source that a fault's victims ask."""
    return HEALTHY if fault.place in _DEFAULT_SOURCE else fault.name


@dataclass
class Stage:
    """Everything there is."""

    stack: Stack
    server: ApiServer
    witness: Witness
    agents: Agents
    doors: Doors
    sink: Sink
    operator: OperatorProcess
    secrets: Secrets

    @classmethod
    @asynccontextmanager
    async def set_up(cls, stack: Stack, faults: Iterable[Fault]) -> AsyncIterator[Self]:
        """An operator with a source for each fault, none of which is on yet."""
        hidden = _make_secrets(stack.logs)
        async with AsyncExitStack() as exits:
            sink = await exits.enter_async_context(Sink.listening())
            doors = await exits.enter_async_context(Doors.to(stack, hidden, sink.url))
            for fault in faults:
                if source_of(fault) != HEALTHY:
                    await doors.add(fault)
            values = {"settings": {"prometheus": _sources(stack, doors, hidden)}}
            operator = OperatorProcess(stack, values=values)
            await asyncio.to_thread(operator.start)
            exits.callback(operator.stop)
            server = await exits.enter_async_context(ApiServer.of(stack))
            witness = await exits.enter_async_context(Witness.looking(server))
            agents = Agents(NAMESPACE, witness.weights)
            await exits.enter_async_context(scraped(stack, agents.exposition))
            for where, manifest in world():
                await server.apply(where, manifest)
            yield cls(stack, server, witness, agents, doors, sink, operator, hidden)

    async def serve(self, rollouts: Sequence[Manifest]) -> None:
        """Make rollouts with both releases; returns when all are healthy and Prometheus knows their runs."""
        names = [rollout["metadata"]["name"] for rollout in rollouts]
        releases = [release(name, version) for name in names for version in (STABLE, NEXT)]
        await self.server.apply_all({path("agentreleases", one["metadata"]["name"]): one for one in releases})
        await self.server.apply_all({path("agentrollouts", one["metadata"]["name"]): one for one in rollouts})
        await self.witness.until(
            "all rollouts are healthy",
            lambda: all(self.witness.attempt(name).get("state") == "Healthy" for name in names),
            PATIENCE,
        )
        async with asyncio.timeout(PATIENCE):
            while await self._agents_known() < len(self.witness.routes):  # noqa: ASYNC110 no watch tells it
                await asyncio.sleep(0.2)

    async def ship(self, names: Iterable[str]) -> None:
        """Ask for the next release of these agents; returns when each canary counts and is judged."""
        names = tuple(names)
        async with asyncio.TaskGroup() as group:
            for name in names:
                change = {"spec": {"releaseRef": {"name": f"{name}-{NEXT}"}}}
                group.create_task(self.server.merge(path("agentrollouts", name), change))
        await self.witness.until(
            "all canaries have their weight and are judged",
            lambda: all(self.witness.canary(name) and self._is_judged(name) for name in names),
            PATIENCE,
        )

    async def replan(self, name: str, phases: Sequence[Manifest]) -> None:
        """Change the plan of a rollout."""
        await self.server.merge(path("agentrollouts", name), {"spec": {"phases": list(phases)}})

    async def break_down(self, faults: Iterable[Fault], victims: Mapping[str, Fault]) -> None:
        """Switch all of these on."""
        faults = tuple(faults)
        self._ail(
            {name: _AILMENTS[fault.name] for name, fault in victims.items() if fault.place is Place.AGENT}
        )
        if any(fault.place is Place.NO_NAME for fault in faults):
            self._write_settings(broken=True)
        for fault in faults:
            if (door := self.doors.doors.get(fault.name)) is not None:
                await door.break_down()
            elif fault.place is Place.PROMETHEUS_KILLED:
                await asyncio.to_thread(self.stack.processes["prometheus"].stop)
            elif fault.place is Place.PROMETHEUS_FROZEN:
                await asyncio.to_thread(self.stack.processes["prometheus"].pause)

    async def heal(self, faults: Iterable[Fault]) -> None:
        """Switch all of these off."""
        faults = tuple(faults)
        self._ail({})
        if any(fault.place is Place.NO_NAME for fault in faults):
            self._write_settings(broken=False)
        for fault in faults:
            if (door := self.doors.doors.get(fault.name)) is not None:
                await door.heal()
            elif fault.place is Place.PROMETHEUS_KILLED:
                await asyncio.to_thread(self.stack.processes["prometheus"].start)
            elif fault.place is Place.PROMETHEUS_FROZEN:
                await asyncio.to_thread(self.stack.processes["prometheus"].resume)

    async def texts(self) -> dict[str, str]:
        """Everything that the operator wrote, wherever people can read it; by where it is."""
        lists: dict[str, Callable[[], str]] = {
            "its log": self.operator.log_text,
            "its metrics": partial(web.get, self.operator.metrics_url),
        }
        kinds = ("agentreleases", "agentrollouts", "httproutes", "configmaps", "events")
        for kind in kinds:
            lists[kind] = partial(self.stack.kubectl, "get", kind, "--all-namespaces", "--output=json")
        return {where: await asyncio.to_thread(read) for where, read in lists.items()}

    def _is_judged(self, name: str) -> bool:
        return self.witness.condition(name, "MetricsAvailable").get("reason") == "MetricsAvailable"

    def _ail(self, ailing: Mapping[str, Ailment]) -> None:
        self.agents.ailing = dict(ailing)

    def _write_settings(self, *, broken: bool) -> None:
        """As an update of the operator's ConfigMap would; it looks at the file every five seconds."""
        sources = _sources(self.stack, self.doors, self.secrets, broken=broken)
        self.operator.change_settings(prometheus=sources)

    async def _agents_known(self) -> int:
        """How many agents Prometheus has seen."""
        count = "count(count by (agent) (agent_runs_total))"
        rows = await asyncio.to_thread(self.stack.query, count, seconds=10)
        return int(rows[0]["value"][1]) if rows else 0


def _make_secrets(folder: Path) -> Secrets:
    """A token and a tenant that are found nowhere else."""
    made = Secrets(folder / "bearer", folder / "tenant")
    for file in (made.token, made.tenant):
        file.write_text(f"canary-{file.name}-{secrets.token_hex(8)}")
    return made


def _sources(stack: Stack, doors: Doors, hidden: Secrets, *, broken: bool = False) -> list[dict[str, Any]]:
    """The settings' sources: the doors, and Prometheus itself."""
    itself = {
        "name": HEALTHY,
        "url": stack.prometheus_url,
        "timeoutSeconds": 2,
        "bearerTokenFile": str(hidden.token),
        "headerFiles": {TENANT: str(hidden.tenant)},
    }
    return [itself, *doors.settings(broken=broken)]
