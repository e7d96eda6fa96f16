"""Figure: what a hundred healthy rollouts cost when nothing happens.

Writes are counted by the API server itself, over every kind that the operator writes; here nobody else writes
them. Processor time and memory are those of the operator's process, as the kernel counts them.
"""

import asyncio
from typing import Final

from bench.rig.meters import api_writes, cpu_seconds, resident_mib
from bench.rig.report import Check, Result, Series
from sandbox.people.apiserver import ApiServer

SECONDS: Final = 60
STEPS: Final = 12
"""Parts of that time, each a sample of processor time and memory."""


async def measure(server: ApiServer, pid: int, size: int) -> Result:
    """A minute of nothing.

    Args:
        server: the API server, where everything is at rest.
        pid: of the operator.
        size: how many rollouts there are.
    """
    before, busy = await api_writes(server), cpu_seconds(pid)
    shares, memory = [], []
    for _ in range(STEPS):
        await asyncio.sleep(SECONDS / STEPS)
        now = cpu_seconds(pid)
        shares.append(100 * (now - busy) / (SECONDS / STEPS))
        memory.append(resident_mib(pid))
        busy = now
    writes = await api_writes(server) - before
    return Result(
        f"At rest, {size} rollouts, {SECONDS} s",
        (
            Series("processor time of the operator", "% of a core", (tuple(shares),)),
            Series("memory of the operator", "MiB", (tuple(memory),)),
        ),
        (Check(f"0 API writes in {SECONDS} s", f"{writes:.0f}", writes == 0),),
    )
