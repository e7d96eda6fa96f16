"""What is read before and after a stretch of time: counters of the kernel, the API server, Prometheus."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from bench.apiserver import ApiServer

_WRITTEN: Final = frozenset({"agentrollouts", "agentreleases", "configmaps", "events", "httproutes"})
_WRITES: Final = frozenset({"APPLY", "CREATE", "DELETE", "PATCH", "POST", "PUT"})
_QUERIES: Final = frozenset({"/api/v1/query", "/api/v1/query_range"})
_MIB: Final = 1 << 20


def cpu_seconds(pid: int) -> float:
    """User and system time of a process; fields 14 and 15 of proc(5), after the name in parentheses."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid: int) -> float:
    """Memory of a process as `ps` shows it."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / _MIB


async def api_writes(server: ApiServer) -> float:
    """How often anybody wrote one of the kinds that the operator writes, since the API server started."""
    return _sum(
        await server.text("/metrics"),
        "apiserver_request",
        lambda labels: labels.get("resource") in _WRITTEN and labels.get("verb") in _WRITES,
    )


def queries(metrics: str) -> float:
    """How often a Prometheus, whose own metrics these are, was asked."""
    return _sum(metrics, "prometheus_http_requests", lambda labels: labels.get("handler") in _QUERIES)


def _sum(metrics: str, counter: str, wanted: Callable[[Mapping[str, str]], bool]) -> float:
    return sum(
        sample.value
        for family in text_string_to_metric_families(metrics)
        if family.name == counter
        for sample in family.samples
        if sample.name == f"{counter}_total" and wanted(sample.labels)
    )
