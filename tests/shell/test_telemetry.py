"""Inputs: what shell and adapters report. Outputs: what a scrape and a probe get over real HTTP."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

from aiohttp import ClientSession
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from agentrollouts.telemetry import Probe, Telemetry, endpoint, serve


def fine() -> None:
    """A probe that finds nothing wrong."""


@asynccontextmanager
async def getting(
    telemetry: Telemetry, healthy: Probe = fine, ready: Probe = fine
) -> AsyncIterator[ClientSession]:
    """A client of the endpoint, on a free port."""
    async with (
        serve(endpoint(telemetry, healthy=healthy, ready=ready), "127.0.0.1", 0) as port,
        ClientSession(f"http://127.0.0.1:{port}") as session,
    ):
        yield session


async def scraped(telemetry: Telemetry) -> dict[str, float]:
    """Our own samples of one scrape, without buckets and times of creation."""
    async with getting(telemetry) as session, session.get("/metrics") as response:
        families = text_string_to_metric_families(await response.text())
        return {
            f"{sample.name}{sorted(sample.labels.values())}": sample.value
            for family in families
            for sample in family.samples
            if sample.name.startswith("agentrollouts_") and not sample.name.endswith(("_bucket", "_created"))
        }


async def test_everything_reported_is_in_the_scrape() -> None:
    """Each report moves exactly its own metric."""
    telemetry = Telemetry()
    telemetry.reconciled("AgentRollout", 0.5)
    telemetry.api_call("apply", "HTTPRoute", "200", 0.25)
    telemetry.api_call("replace_status", "AgentRollout", "409", 0.125)
    telemetry.polled("default", "Ok", 0.5)
    telemetry.rollbacks_blocked(2)
    telemetry.rolled_back("Breach", 2.0)
    telemetry.drilled("0.25", None)
    telemetry.drilled("0.5", "2.0")
    telemetry.attempt_ended("Healthy")
    telemetry.restored()
    for outcome in ("Accepted", "Timeout", "Accepted"):
        telemetry.alerts_posted("default", outcome)
    telemetry.settings_reloaded(ok=True)
    telemetry.settings_reloaded(ok=False)
    telemetry.lagged(0.125)
    telemetry.watch_queue(lambda: 3, lambda: 1.5)
    telemetry.watch_lease(lambda: False)
    telemetry.watch_statuses(lambda: 4, lambda: 5)
    assert await scraped(telemetry) == {
        "agentrollouts_reconcile_duration_seconds_count['AgentRollout']": 1,
        "agentrollouts_reconcile_duration_seconds_sum['AgentRollout']": 0.5,
        "agentrollouts_api_call_duration_seconds_count['200', 'HTTPRoute', 'apply']": 1,
        "agentrollouts_api_call_duration_seconds_sum['200', 'HTTPRoute', 'apply']": 0.25,
        "agentrollouts_api_call_duration_seconds_count['409', 'AgentRollout', 'replace_status']": 1,
        "agentrollouts_api_call_duration_seconds_sum['409', 'AgentRollout', 'replace_status']": 0.125,
        "agentrollouts_conflicts_total['AgentRollout']": 1,
        "agentrollouts_poll_duration_seconds_count['Ok', 'default']": 1,
        "agentrollouts_poll_duration_seconds_sum['Ok', 'default']": 0.5,
        "agentrollouts_rollback_duration_seconds_count['Breach']": 1,
        "agentrollouts_rollback_duration_seconds_sum['Breach']": 2.0,
        "agentrollouts_drill_duration_seconds_count['Routed']": 2,
        "agentrollouts_drill_duration_seconds_sum['Routed']": 0.75,
        "agentrollouts_drill_duration_seconds_count['LastRun']": 1,
        "agentrollouts_drill_duration_seconds_sum['LastRun']": 2.0,
        "agentrollouts_attempts_total['Healthy']": 1,
        "agentrollouts_rollbacks_blocked[]": 2,
        "agentrollouts_statuses_unwritten[]": 4,
        "agentrollouts_statuses_incomplete[]": 5,
        "agentrollouts_foreign_writes_total[]": 1,
        "agentrollouts_alerts_posts_total['Accepted', 'default']": 2,
        "agentrollouts_alerts_posts_total['Timeout', 'default']": 1,
        "agentrollouts_settings_reloads_total['ok']": 1,
        "agentrollouts_settings_reloads_total['failed']": 1,
        "agentrollouts_event_loop_lag_seconds_count[]": 1,
        "agentrollouts_event_loop_lag_seconds_sum[]": 0.125,
        "agentrollouts_queue_depth[]": 3,
        "agentrollouts_queue_oldest_seconds[]": 1.5,
        "agentrollouts_leader[]": 0.0,
        "agentrollouts_build_info['0.1.0']": 1,
    }


async def test_the_queue_is_looked_at_when_metrics_are_read() -> None:
    """A stuck loop cannot leave a figure of better days behind."""
    telemetry, depth = Telemetry(), [1.0]
    telemetry.watch_queue(lambda: depth[0], lambda: 0.0)
    before = await scraped(telemetry)
    depth[0] = 7.0
    after = await scraped(telemetry)
    assert (before["agentrollouts_queue_depth[]"], after["agentrollouts_queue_depth[]"]) == (1.0, 7.0)


async def test_the_event_loop_runs_while_metrics_are_rendered() -> None:
    """A collector that waits for the event loop is answered, so rendering does not occupy the loop."""
    telemetry, begun, seen = Telemetry(), asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    class Waiting(Collector):
        def collect(self) -> Iterator[Metric]:
            loop.call_soon_threadsafe(begun.set)
            yield GaugeMetricFamily("loop_answered", "Whether the loop ran", value=float(seen.wait(10)))

    telemetry.registry.register(Waiting())

    async def answer() -> None:
        await begun.wait()
        seen.set()

    async with getting(telemetry) as session, asyncio.TaskGroup() as tasks:
        tasks.create_task(answer())
        async with session.get("/metrics") as response:
            assert "loop_answered 1.0" in await response.text()


async def test_the_queue_is_asked_on_the_event_loop() -> None:
    """The queue belongs to the loop: another thread could see it while it changes."""
    telemetry, threads = Telemetry(), list[int]()

    def depth() -> float:
        threads.append(threading.get_ident())
        return 1.0

    telemetry.watch_queue(depth, depth)
    await scraped(telemetry)

    assert threads == [threading.get_ident()] * 2


async def test_a_probe_tells_what_is_wrong() -> None:
    """A probe answers 200, or 503 with the sentence, each for its own question."""
    async with getting(Telemetry(), ready=lambda: "The cache is not filled yet") as session:
        answers = []
        for path in ("/healthz", "/readyz"):
            async with session.get(path) as response:
                answers.append((response.status, await response.text()))
    assert answers == [(200, "ok\n"), (503, "The cache is not filled yet\n")]
