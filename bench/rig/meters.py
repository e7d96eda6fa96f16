"""What is read before and after a segment of time: counters of the kernel, the API server, Prometheus."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from sandbox.people.apiserver import ApiServer
from sandbox.programs.process import Process

_WRITTEN: Final = frozenset({"agentrollouts", "agentreleases", "configmaps", "events", "httproutes"})
_SEEN: Final = _WRITTEN | {
    "agentfreezes",
    "agentrolloutactions",
    "agentrolloutrecords",
    "cronjobs",
    "deployments",
    "endpointslices",
    "grpcroutes",
    "jobs",
}
"""Kinds that the operator reads or writes; not Services, which the API server itself lists now and then."""
_WATCHES: Final = frozenset({"CONNECT", "WATCH", "WATCHLIST"})
_WRITES: Final = frozenset({"APPLY", "CREATE", "DELETE", "PATCH", "POST", "PUT"})
_QUERIES: Final = frozenset({"/api/v1/query", "/api/v1/query_range"})
_MIB: Final = 1 << 20
_KIB_PER_MIB: Final = 1 << 10


def pid_of(process: Process) -> int:
    """Its process id.

    Raises:
        RuntimeError: it has ended.
    """
    if process.pid is None:
        raise RuntimeError(f"{process.name} has ended; see {process.log}")
    return process.pid


def cpu_seconds(pid: int) -> float:
    """User and system time of a process; fields 14 and 15 of proc(5), after the name in parentheses."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid: int) -> float:
    """Memory of a process as `ps` shows it."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / _MIB


def peak_mib(pid: int) -> float:
    """The most memory that a process ever had."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / _KIB_PER_MIB


async def api_writes(server: ApiServer) -> float:
    """How often anybody wrote one of the kinds that the operator writes, since the API server started."""
    return _sum(
        await server.text("/metrics"),
        "apiserver_request",
        lambda labels: labels.get("resource") in _WRITTEN and labels.get("verb") in _WRITES,
    )


async def api_requests(server: ApiServer, more: frozenset[str] = frozenset()) -> Counter[str]:
    """Requests so far, by verb and kind, for kinds that the operator sees and for `more`; no watches."""
    found = _samples(
        await server.text("/metrics"),
        "apiserver_request",
        lambda labels: labels.get("resource") in _SEEN | more and labels.get("verb") not in _WATCHES,
    )
    counts = Counter[str]()
    for sample in found:  # the same verb and kind have several, by answer
        counts[f"{sample.labels['verb']} {sample.labels['resource']}"] += int(sample.value)
    return counts


def queries(metrics: str) -> float:
    """How often a Prometheus, whose own metrics these are, was asked."""
    return _sum(metrics, "prometheus_http_requests", lambda labels: labels.get("handler") in _QUERIES)


def _sum(metrics: str, counter: str, selects: Callable[[Mapping[str, str]], bool]) -> float:
    return sum(sample.value for sample in _samples(metrics, counter, selects))


def _samples(metrics: str, counter: str, selects: Callable[[Mapping[str, str]], bool]) -> Iterator[Sample]:
    return (
        sample
        for family in text_string_to_metric_families(metrics)
        if family.name == counter
        for sample in family.samples
        if sample.name == f"{counter}_total" and selects(sample.labels)
    )
