"""Figure: what a hundred healthy rollouts cost when nothing happens.

Writes are counted by the API server itself, over every kind that the operator writes; here nobody else writes
them. Processor time and memory are those of the operator's process, as the kernel counts them.
"""

import asyncio
import os
from pathlib import Path
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from bench.apiserver import ApiServer
from bench.report import Check, Result, Series

SECONDS: Final = 60
STEPS: Final = 12
"""Parts of that time, each a sample of processor time and memory."""

_WRITTEN: Final = frozenset({"agentrollouts", "agentreleases", "configmaps", "events", "httproutes"})
_WRITES: Final = frozenset({"APPLY", "CREATE", "DELETE", "PATCH", "POST", "PUT"})
_MIB: Final = 1 << 20


async def measure(server: ApiServer, pid: int, size: int) -> Result:
    """A minute of nothing.

    Args:
        server: the API server, where everything is at rest.
        pid: of the operator.
        size: how many rollouts there are.
    """
    before, busy = await _writes(server), _cpu_seconds(pid)
    shares, memory = [], []
    for _ in range(STEPS):
        await asyncio.sleep(SECONDS / STEPS)
        now = _cpu_seconds(pid)
        shares.append(100 * (now - busy) / (SECONDS / STEPS))
        memory.append(_resident_bytes(pid) / _MIB)
        busy = now
    writes = await _writes(server) - before
    return Result(
        f"At rest, {size} rollouts, {SECONDS} s",
        (
            Series("processor time of the operator", "% of a core", (tuple(shares),)),
            Series("memory of the operator", "MiB", (tuple(memory),)),
        ),
        (Check(f"0 API writes in {SECONDS} s", f"{writes:.0f}", writes == 0),),
    )


async def _writes(server: ApiServer) -> float:
    """How often anybody wrote one of our kinds, since the API server started."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(await server.text("/metrics"))
        if family.name == "apiserver_request"
        for sample in family.samples
        if sample.labels.get("resource") in _WRITTEN and sample.labels.get("verb") in _WRITES
    )


def _cpu_seconds(pid: int) -> float:
    """User and system time; fields 14 and 15 of proc(5), counted behind the name in parentheses."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
