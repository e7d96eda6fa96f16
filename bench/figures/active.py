"""Figure: what attempts under way cost, with a real Prometheus that holds series of every one of them.

All canaries begin at about the same time and stay in their first phase. Processor time is that of the
operator's process as the kernel counts it; writes are counted by the API server, and queries by Prometheus.
The server's share, which grows with the series and with the age of the segment, is told beside it.
"""

import asyncio
import time
from dataclasses import dataclass
from typing import Final, NamedTuple

from bench.rig import meters
from bench.rig.crowd import ROLLOUTS, Crowd
from bench.rig.exporting import export
from bench.rig.report import Check, Result, Series
from sandbox.people.apiserver import ApiServer, Manifest
from sandbox.programs import web
from sandbox.stack import Stack

INTERVAL_SECONDS: Final = 30
SCRAPE_SECONDS: Final = 15
WARMUP_SECONDS: Final = 30
"""Shorter than by default, so that everything is counted soon."""
SETTLED_SECONDS: Final = WARMUP_SECONDS + 5 * SCRAPE_SECONDS
"""After that time everything can be judged."""
MEASURED_SECONDS: Final = 180
"""At the least: to read takes time too, so all is divided by the time between two readings.

Numbers alone are written at every sixth tick, so that this holds one such write of each attempt.
"""
STEPS: Final = 10
"""Parts of that time, each a sample of processor time and memory."""

_TEMPLATES: Final = ("error-rate", "task-completion", "latency", "cost-per-run", "tool-errors")


@dataclass(frozen=True, slots=True)
class Load:
    """So many attempts with so many gates, and what they may cost."""

    attempts: int
    gates: int
    cpu_seconds_per_minute: float
    memory_mib: float | None = None
    writes_per_second: float | None = None
    queries_per_second: float | None = None

    def rollout(self) -> Manifest:
        """Fields of the spec of every rollout.

        Burst factors are given, since there is no history of four hours to measure them on.
        """
        return {
            "analysis": {"intervalSeconds": INTERVAL_SECONDS, "warmupSeconds": WARMUP_SECONDS},
            "gates": [
                {"name": name, "template": name, "burstFactor": "1"} for name in _TEMPLATES[: self.gates]
            ],
        }


MANY: Final = Load(1_000, 5, cpu_seconds_per_minute=30)
USUAL: Final = Load(
    500, 3, cpu_seconds_per_minute=5, memory_mib=120, writes_per_second=9, queries_per_second=17
)
"""What Flagger needs 5.2 CPU seconds, 99 MiB, 50 writes and 50 queries for, and Argo Rollouts 39, 263, 118
and 50."""


class _Reading(NamedTuple):
    at: float
    operator: float
    prometheus: float
    writes: float
    queries: float


async def measure(stack: Stack, server: ApiServer, pid: int, load: Load) -> Result:
    """Three minutes in which all attempts are judged.

    Args:
        stack: whose operator is the process `pid`.
        server: its API server.
        pid: of the operator.
        load: what is under way.
    """
    crowd = Crowd(server, load.attempts, spec=load.rollout())
    await asyncio.to_thread(export, stack, crowd, SCRAPE_SECONDS)
    await crowd.settle(seconds=600)
    await crowd.begin_canaries(crowd.names, seconds=300)
    await asyncio.sleep(SETTLED_SECONDS)
    before = await _read(stack, server, pid)
    shares, memory, last = [], [], before
    for _ in range(STEPS):
        await asyncio.sleep(MEASURED_SECONDS / STEPS)
        now = await _read(stack, server, pid)
        shares.append(60 * (now.operator - last.operator) / (now.at - last.at))
        memory.append(meters.resident_mib(pid))
        last = now
    judged = await _judged(server, load)
    if judged < load.attempts:
        raise RuntimeError(f"Only {judged} of {load.attempts} attempts were judged")
    return _result(load, before, last, tuple(shares), tuple(memory))


def _result(
    load: Load, before: _Reading, after: _Reading, shares: tuple[float, ...], memory: tuple[float, ...]
) -> Result:
    spent = _Reading(*((b - a) / (after.at - before.at) for a, b in zip(before, after, strict=True)))
    per_tick = spent.queries * INTERVAL_SECONDS / load.attempts
    cpu = 60 * spent.operator
    checks = [
        Check(
            f"≤ {load.cpu_seconds_per_minute:g} CPU s a minute",
            f"{cpu:.1f}",
            cpu <= load.cpu_seconds_per_minute,
        ),
        Check("≤ 1 request to Prometheus per rollout and tick", f"{per_tick:.2f}", per_tick <= 1),
    ]
    bounds = (
        (load.memory_mib, "MiB", max(memory)),
        (load.writes_per_second, "API writes/s", spent.writes),
        (load.queries_per_second, "queries/s", spent.queries),
    )
    checks += [
        Check(f"≤ {most:g} {what}", f"{value:.1f}", value <= most) for most, what, value in bounds if most
    ]
    return Result(
        f"{load.attempts} attempts under way, {load.gates} gates, every {INTERVAL_SECONDS} s",
        (
            Series("processor time of the operator", "s a minute", (shares,)),
            Series("memory of the operator", "MiB", (memory,)),
        ),
        tuple(checks),
        (
            f"{spent.writes:.1f} API writes/s and {spent.queries:.1f} queries/s.",
            f"Prometheus itself took {60 * spent.prometheus:.1f} CPU s a minute.",
        ),
    )


async def _judged(server: ApiServer, load: Load) -> int:
    """How many attempts have counts for every gate."""
    rollouts = await server.get(ROLLOUTS)
    every = [one["status"].get("gates", ()) for one in rollouts["items"]]
    return sum(len(gates) == load.gates and all(gate.get("present") for gate in gates) for gates in every)


async def _read(stack: Stack, server: ApiServer, pid: int) -> _Reading:
    metrics = await asyncio.to_thread(web.get, f"{stack.prometheus_url}/metrics")
    return _Reading(
        time.monotonic(),
        meters.cpu_seconds(pid),
        meters.cpu_seconds(meters.pid_of(stack.processes["prometheus"])),
        await meters.api_writes(server),
        meters.queries(metrics),
    )
