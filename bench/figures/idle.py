"""Figure: ten thousand idle rollouts: memory, time until all were looked at, and writes, of a fresh process.

They wait for a release that nobody has made yet, and stand in the API server as `kubectl apply` leaves them,
3.5 KB each. In the same run a bare kopf loop does the least that could be done: it keeps compressed JSON.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from agentrollouts.settings.limits import Limits
from bench.floor import bare_cache
from bench.rig import meters
from bench.rig.report import Check, Result, Series
from sandbox.operator import OperatorProcess
from sandbox.people.apiserver import ApiServer, Manifest
from sandbox.programs import web
from sandbox.programs.process import Process
from sandbox.stack import Stack

SIZE: Final = 10_000
SECONDS: Final = 60
TIMES_MEMORY: Final = 1.4
TIMES_SEEN: Final = 3

_TOGETHER: Final = Limits().rollouts_per_namespace
"""Rollouts of a namespace: as many as the settings permit by default."""
_SEEN_SECONDS: Final = 300
_POLL_SECONDS: Final = 0.1
_SETTLED_SECONDS: Final = 30
"""Before memory is read: the operator has looked at all before kopf's own list has passed through."""


class _Found(NamedTuple):
    seen_seconds: float
    """From the start of the process until it had looked at every rollout."""
    memory_mib: float
    """At rest."""
    peak_mib: float


async def measure(stack: Stack, server: ApiServer, operator: OperatorProcess, size: int = SIZE) -> Result:
    """First the operator, then the bare loop; the operator must run, and writes each status once before.

    Args:
        stack: whose rollouts are made here.
        server: its API server.
        operator: started anew for the measurement.
        size: how many rollouts.
    """
    for name in {_namespace_of(index) for index in range(size)}:
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        await server.apply(f"/api/v1/namespaces/{name}", namespace)
    await server.apply_all({_path(one): one for one in _rollouts(size)}, at_once=32)
    await asyncio.to_thread(_until, lambda: _is_at_rest(operator, size), operator.process)
    await asyncio.to_thread(operator.stop)
    ours = await asyncio.to_thread(_watched, operator.process, lambda: _is_at_rest(operator, size))
    before = await meters.api_writes(server)
    await asyncio.sleep(SECONDS)
    writes = await meters.api_writes(server) - before
    await asyncio.to_thread(operator.stop)
    environment = {"KUBECONFIG": str(stack.kubeconfig), bare_cache.SIZE_VARIABLE: str(size)}
    loop = stack.add_process(
        "keeper", [sys.executable, "-m", "bench.floor.bare_cache"], environment=environment
    )
    theirs = await asyncio.to_thread(_watched, loop, lambda: bare_cache.ALL_SEEN in loop.log.read_text())
    await asyncio.to_thread(loop.stop)
    return _result(size, ours, theirs, writes)


def _result(size: int, ours: _Found, theirs: _Found, writes: float) -> Result:
    memory, seen = ours.memory_mib / theirs.memory_mib, ours.seen_seconds / theirs.seen_seconds
    peak = ours.peak_mib / theirs.peak_mib
    named = (("operator", ours), ("bare kopf loop", theirs))
    return Result(
        f"At rest, {size} idle rollouts",
        (
            *(Series(f"{name}: all seen", "s", ((figures.seen_seconds,),)) for name, figures in named),
            *(Series(f"{name}: memory", "MiB", ((figures.memory_mib,),)) for name, figures in named),
            *(
                Series(f"{name}: memory at its peak", "MiB", ((figures.peak_mib,),))
                for name, figures in named
            ),
        ),
        (
            Check(f"0 API writes in {SECONDS} s", f"{writes:.0f}", writes == 0),
            Check(f"memory ≤ {TIMES_MEMORY} x the bare loop's", f"{memory:.2f} x", memory <= TIMES_MEMORY),
            Check(f"peak ≤ {TIMES_MEMORY} x the bare loop's", f"{peak:.2f} x", peak <= TIMES_MEMORY),
            Check(
                f"all seen within {TIMES_SEEN} x the bare loop's time", f"{seen:.2f} x", seen <= TIMES_SEEN
            ),
        ),
    )


def _watched(process: Process, is_done: Callable[[], bool]) -> _Found:
    """Start a process and look at it until it is done, and a while longer, for its memory at rest."""
    began = time.monotonic()
    process.launch()
    _until(is_done, process)
    seconds = time.monotonic() - began
    time.sleep(_SETTLED_SECONDS)
    pid = meters.pid_of(process)
    return _Found(seconds, meters.resident_mib(pid), meters.peak_mib(pid))


def _until(is_so: Callable[[], bool], process: Process) -> None:
    deadline = time.monotonic() + _SEEN_SECONDS
    while not is_so():
        if time.monotonic() > deadline or not process.running:
            raise TimeoutError(f"{process.name} did not see all in {_SEEN_SECONDS} s; see {process.log}")
        time.sleep(_POLL_SECONDS)


def _is_at_rest(operator: OperatorProcess, size: int) -> bool:
    """Whether it has looked at all rollouts, and nothing waits."""
    try:
        metrics = web.get(operator.metrics_url)
    except OSError:
        return False
    samples = {
        sample.name: sample.value
        for family in text_string_to_metric_families(metrics)
        for sample in family.samples
        if sample.labels in ({}, {"kind": "AgentRollout"})
    }
    looked = samples.get("agentrollouts_reconcile_duration_seconds_count", 0)
    return looked >= size and not samples["agentrollouts_queue_depth"]


def _rollouts(size: int) -> Iterator[Manifest]:
    """With the plan of the documentation written out, and with what `kubectl apply` adds."""
    phases = [
        {"name": f"canary-{weight}", "weight": weight, "durationSeconds": 14_400} for weight in (5, 25, 50)
    ]
    templates = ("error-rate", "task-completion", "latency", "cost-per-run")
    for index in range(size):
        agent = f"agent-{index:05}"
        hosts = [f"{agent}.example.com"]
        route = {"parentRefs": [{"name": "public"}], "hostnames": hosts, "statusless": True}
        manifest: Manifest = {
            "apiVersion": "agentrollouts.dev/v1alpha1",
            "kind": "AgentRollout",
            "metadata": {"name": agent, "namespace": _namespace_of(index)},
            "spec": {
                "agent": agent,
                "releaseRef": {"name": f"{agent}-1.0.0"},
                "phases": phases,
                "gates": [{"name": name, "template": name} for name in templates],
                "traffic": {"httpRoute": route},
            },
        }
        applied = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(manifest)}
        yield manifest | {"metadata": manifest["metadata"] | {"annotations": applied}}


def _path(manifest: Manifest) -> str:
    namespace, name = (manifest["metadata"][key] for key in ("namespace", "name"))
    return f"/apis/agentrollouts.dev/v1alpha1/namespaces/{namespace}/agentrollouts/{name}"


def _namespace_of(index: int) -> str:
    return f"idle-{index // _TOGETHER}"
