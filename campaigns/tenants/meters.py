"""What an administrator would see of the operator meanwhile: probes, memory, the lag of its event loop."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Final

import aiohttp
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from sandbox.operator import OperatorProcess

PROBE_SECONDS: Final = 0.5
TIMEOUT_SECONDS: Final = 5.0
"""Of a probe, as the chart sets it."""

_LAG: Final = "agentrollouts_event_loop_lag_seconds_bucket"
_KIB_PER_MIB: Final = 1 << 10


@dataclass
class Reading:
    """What was seen between two moments."""

    probes: int = 0
    failed: list[str] = field(default_factory=list)
    """What each failed probe of /healthz said."""
    slowest_probe: float = 0.0
    """Seconds until the slowest answer."""
    rss: list[float] = field(default_factory=list)
    """Memory in MiB, at each probe."""
    lag: float = 0.0
    """The bound in seconds under which the event loop's worst lag was, of the buckets of its histogram."""

    @property
    def peak_mib(self) -> float:
        """The most memory that was seen."""
        return max(self.rss, default=0.0)


@asynccontextmanager
async def metered(operator: OperatorProcess, most: float) -> AsyncIterator[Reading]:
    """Look at the operator for as long as the context lasts; the reading is complete afterwards.

    Args:
        operator: It must run.
        most: Seconds after which a probe has failed.
    """
    reading = Reading()
    timeout = aiohttp.ClientTimeout(total=most)
    async with aiohttp.ClientSession(operator.url, timeout=timeout) as session:
        before = await lags(session)
        probing = asyncio.create_task(_probe(session, operator, reading))
        try:
            yield reading
        finally:
            probing.cancel()
            with suppress(asyncio.CancelledError):
                await probing
        with suppress(aiohttp.ClientError, TimeoutError):
            reading.lag = _worst(before, await lags(session))


def resident_mib(pid: int) -> float:
    """Memory of a process; 0 if it has ended."""
    return _of_status(pid, "VmRSS:")


def open_files(pid: int) -> int:
    """How many files and connections a process has open."""
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def sockets(pid: int) -> int:
    """How many of these are connections, or wait for some."""
    count = 0
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):  # closed meanwhile
            count += str(file.readlink()).startswith("socket:")
    return count


async def metrics_of(operator: OperatorProcess) -> dict[str, float]:
    """The operator's metrics that have no labels, by name."""
    async with aiohttp.ClientSession(operator.url) as session:
        samples = await _samples(session)
    return {sample.name: sample.value for sample in samples if not sample.labels}


async def lags(session: aiohttp.ClientSession) -> dict[float, float]:
    """How often the event loop was late by at most so many seconds, since the operator started."""
    samples = await _samples(session)
    return {float(sample.labels["le"]): sample.value for sample in samples if sample.name == _LAG}


async def _samples(session: aiohttp.ClientSession) -> list[Sample]:
    async with session.get("/metrics") as response:
        text = await response.text()
    return [sample for family in text_string_to_metric_families(text) for sample in family.samples]


async def _probe(session: aiohttp.ClientSession, operator: OperatorProcess, reading: Reading) -> None:
    """Probe as the kubelet does: until a process has responded once, it is starting, and has not failed."""
    answered: int | None = None
    while True:
        began, pid = time.monotonic(), operator.process.pid
        try:
            async with session.get("/healthz") as response:
                text, status = (await response.text()).strip(), response.status
        except (aiohttp.ClientError, TimeoutError) as error:
            text, status = type(error).__name__, 0
        reading.probes += 1
        reading.slowest_probe = max(reading.slowest_probe, time.monotonic() - began)
        if status:
            answered = pid
        if status != HTTPStatus.OK and pid == answered:
            reading.failed.append(text)
        if pid is not None:
            reading.rss.append(resident_mib(pid))
        await asyncio.sleep(max(0.0, began + PROBE_SECONDS - time.monotonic()))


def _worst(before: dict[float, float], after: dict[float, float]) -> float:
    """The lowest bound that no lag of the time between exceeded."""
    counts = {bound: count - before.get(bound, 0.0) for bound, count in after.items()}
    return min(bound for bound, count in counts.items() if count == max(counts.values()))


def _of_status(pid: int, field_name: str) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) for line in lines if line.startswith(field_name)), 0) / _KIB_PER_MIB
