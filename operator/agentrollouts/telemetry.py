"""What the operator says about itself: metrics, and the endpoint that serves them with the probes.

Built by `main`, handed to shell and adapters as plain callables, so that nothing below knows of
Prometheus. Labels come from closed vocabularies (kinds, codes, reasons) or from the administrator
(sources). Only `shell.rollout_metrics` has names of objects as labels, and bounds them.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any, Final

from aiohttp import web
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

Probe = Callable[[], str | None]
"""What is wrong, in a sentence; None if nothing is."""

_FAST: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
LAG_STEP_SECONDS: Final = 0.05
"""How often the event loop's lag is measured; a block is seen shorter by up to so much."""
_LAG: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5)
_SLOW: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0)


class _Now:
    """What is true at the moment, in contrast to what has happened so far."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, text: str) -> Gauge:
            return Gauge(name, text, registry=registry)

        self.blocked = gauge(
            "agentrollouts_rollbacks_blocked",
            "Rollouts whose rollback is refused or undone, so that the bad release keeps traffic",
        )
        self.unwritten = gauge(
            "agentrollouts_statuses_unwritten", "Objects whose newest status the API server does not store"
        )
        self.incomplete = gauge(
            "agentrollouts_statuses_incomplete",
            "Objects of whose status the API server does not store every field, as its CRDs are older",
        )
        self.depth = gauge("agentrollouts_queue_depth", "Objects that are waiting to be reconciled")
        self.oldest = gauge(
            "agentrollouts_queue_oldest_seconds",
            "Time that the oldest of these objects has waited in seconds",
        )
        self.tasks = gauge("python_asyncio_tasks", "Tasks in the event loop")
        self.leader = gauge(
            "agentrollouts_leader", "1 on the replica that decides and writes, 0 on the others"
        )
        self.leader.set(1)


class Telemetry:
    """Our metrics, each moved by one method; `registry` is what `/metrics` shows."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self._reconcile = self._histogram(
            "reconcile_duration_seconds",
            "Duration of one pass of observe, decide and act in seconds",
            ["kind"],
        )
        self._api = self._histogram(
            "api_call_duration_seconds",
            "Duration of a request to the API server in seconds",
            ["verb", "kind", "code"],
        )
        self._conflicts = self._counter(
            "conflicts", "Writes rejected because the object had changed (409)", ["kind"]
        )
        self._polls = self._histogram(
            "poll_duration_seconds", "Duration of a query to Prometheus in seconds", ["source", "outcome"]
        )
        self._rollback = self._histogram(
            "rollback_duration_seconds",
            "Time from the rollback decision until the route shows it in seconds",
            ["trigger"],
            _SLOW,
        )
        self._drill = self._histogram(
            "drill_duration_seconds",
            "Time from the decision that ends a drill until the route, or the last run, in seconds",
            ["stage"],
            _SLOW,
        )
        self._attempts = self._counter("attempts", "Attempts that ended", ["outcome"])
        self._restored = self._counter(
            "foreign_writes", "Traffic objects that someone else changed and the operator restored", []
        )
        self._reloads = self._counter("settings_reloads", "Changes of the settings file", ["outcome"])
        self._posts = self._counter(
            "alerts_posts", "Posts of all alerts to an Alertmanager", ["alertmanager", "outcome"]
        )
        self._lag = self._histogram("event_loop_lag_seconds", "Lag of the event loop in seconds", [], _LAG)
        self._now = _Now(self.registry)
        self._read: dict[Gauge, Callable[[], float]] = {}
        """What is read on the event loop whenever the metrics are read."""
        Info("agentrollouts_build", "Version of the operator", registry=self.registry).info(
            {"version": version("agentrollouts")}
        )

    def reconciled(self, kind: str, seconds: float) -> None:
        """A pass over one object ended."""
        self._reconcile.labels(kind).observe(seconds)

    def api_call(self, verb: str, kind: str, code: str, seconds: float) -> None:
        """A call to the API server ended; `code` is the HTTP status, "timeout" or "unreachable"."""
        self._api.labels(verb, kind, code).observe(seconds)
        if code == "409":
            self._conflicts.labels(kind).inc()

    def polled(self, source: str, outcome: str, seconds: float) -> None:
        """A query to Prometheus ended; `outcome` is "Ok" or the kind of the error."""
        self._polls.labels(source, outcome).observe(seconds)

    def rolled_back(self, trigger: str, seconds: float) -> None:
        """The route shows a rollback that was decided `seconds` before."""
        self._rollback.labels(trigger).observe(seconds)

    def drilled(self, routed: str | None, last_run: str | None) -> None:
        """A drill ended; of each stage, the seconds since the decision, as far as they are known."""
        for stage, seconds in (("Routed", routed), ("LastRun", last_run)):
            if seconds is not None:
                self._drill.labels(stage).observe(float(seconds))

    def rollbacks_blocked(self, number: int) -> None:
        """So many rollbacks are refused by the API server, or undone by someone, now."""
        self._now.blocked.set(number)

    def attempt_ended(self, outcome: str) -> None:
        """An attempt reached a final state."""
        self._attempts.labels(outcome).inc()

    def restored(self) -> None:
        """Someone else has changed a traffic object, and it is restored."""
        self._restored.inc()

    def settings_reloaded(self, *, ok: bool) -> None:
        """The settings file has changed, and its new content was taken or refused."""
        self._reloads.labels("ok" if ok else "failed").inc()

    def alerts_posted(self, alertmanager: str, outcome: str) -> None:
        """The alerts that are true were posted to an Alertmanager."""
        self._posts.labels(alertmanager, outcome).inc()

    def lagged(self, seconds: float) -> None:
        """The event loop woke a task this long after it was due."""
        self._lag.observe(seconds)

    async def measure_lag(self) -> None:
        """Blocking code delays everything, including rollbacks, and no other metric would show it."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LAG_STEP_SECONDS
            await asyncio.sleep(LAG_STEP_SECONDS)
            self.lagged(max(0.0, loop.time() - due))

    def watch_queue(self, depth: Callable[[], float], oldest_seconds: Callable[[], float]) -> None:
        """Reads these whenever the metrics are read, so that the figures are always current."""
        self._read |= {self._now.depth: depth, self._now.oldest: oldest_seconds}

    def watch_statuses(self, unwritten: Callable[[], float], incomplete: Callable[[], float]) -> None:
        """Reads these whenever the metrics are read."""
        self._read |= {self._now.unwritten: unwritten, self._now.incomplete: incomplete}

    def watch_lease(self, is_held: Callable[[], bool]) -> None:
        """Reads this whenever the metrics are read."""
        self._now.leader.set_function(is_held)

    async def rendered(self, renderer: Executor) -> bytes:
        """The metrics as text. The thread of `renderer` writes them, so that the event loop is not blocked.

        Values that belong to the loop are read before, on the loop.
        """
        for gauge, read in self._read.items():
            gauge.set(read())
        self._now.tasks.set(len(asyncio.all_tasks()))
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(renderer, generate_latest, self.registry)

    def _histogram(
        self, name: str, text: str, labels: list[str], buckets: tuple[float, ...] = _FAST
    ) -> Histogram:
        return Histogram(f"agentrollouts_{name}", text, labels, buckets=buckets, registry=self.registry)

    def _counter(self, name: str, text: str, labels: list[str]) -> Counter:
        return Counter(f"agentrollouts_{name}", text, labels, registry=self.registry)


def endpoint(telemetry: Telemetry, *, healthy: Probe, ready: Probe) -> web.Application:
    """/metrics for Prometheus; /healthz and /readyz for the kubelet: 200, or 503 with what is wrong."""
    renderer = ThreadPoolExecutor(1, "metrics")

    async def metrics(_: web.Request) -> web.Response:
        body = await telemetry.rendered(renderer)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def stop(_: web.Application) -> None:
        renderer.shutdown(wait=False, cancel_futures=True)

    def probe(check: Probe) -> Callable[[web.Request], Any]:
        async def status(_: web.Request) -> web.Response:
            problem = check()
            return web.Response(text=f"{problem or 'ok'}\n", status=503 if problem else 200)

        return status

    app = web.Application()
    app.on_cleanup.append(stop)
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/healthz", probe(healthy))
    app.router.add_get("/readyz", probe(ready))
    return app


@asynccontextmanager
async def serve(app: web.Application, address: str, port: int) -> AsyncIterator[int]:
    """Serves `app` while the context lasts; gives the port, which the system chose if `port` is 0.

    Raises:
        OSError: the address is in use or not ours.
    """
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    await runner.setup()
    try:
        site = web.TCPSite(runner, address, port)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
