"""Inputs: settings, and no API server. Outputs: which Prometheus serves whom, and what the probes say."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from aiohttp import ClientSession

from agentrollouts.adapters.cluster.resources import Ref
from agentrollouts.settings.load import Watcher
from agentrollouts.settings.settings import Settings
from agentrollouts.shell.running import STUCK_SECONDS, Operator
from agentrollouts.shell.sources import Sources
from agentrollouts.shell.workqueue import WorkQueue
from agentrollouts.telemetry import LAG_STEP_SECONDS


def sources(**servers: dict[str, Any]) -> Settings:
    """Settings with these Prometheus servers."""
    entries = [{"name": name, "url": "http://127.0.0.1:1"} | fields for name, fields in servers.items()]
    return Settings.model_validate({"prometheus": entries})


def test_a_source_serves_the_namespaces_that_the_administrator_names() -> None:
    """All where none is named; a name that does not exist serves nobody."""
    configured = Sources(sources(open={}, closed={"namespaces": ["support"]}))
    lookups = [("open", "any"), ("closed", "support"), ("closed", "any"), ("none", "any")]
    assert [configured.find(*one) is not None for one in lookups] == [True, True, False, False]
    configured.close()


def test_new_settings_keep_what_did_not_change() -> None:
    """Connections of a server live on through a reload that is about another one."""
    configured = Sources(sources(same={}, changed={}, gone={}))
    before = {name: configured.find(name, "any") for name in ("same", "changed", "gone")}
    configured.replace(sources(same={}, changed={"timeoutSeconds": 1}, new={}))
    after = {name: configured.find(name, "any") for name in ("same", "changed", "gone", "new")}
    assert after["same"] is before["same"]
    assert after["changed"] not in {None, before["changed"]}
    assert (after["gone"], after["new"] is not None) == (None, True)
    configured.close()


def a_kubeconfig(folder: Path) -> Path:
    """A kubeconfig of an API server that does not answer."""
    path = folder / "kubeconfig"
    parts = {
        "cluster": {"server": "http://127.0.0.1:1"},
        "user": {},
        "context": {"cluster": "c", "user": "c"},
    }
    config = {f"{part}s": [{"name": "c", part: content}] for part, content in parts.items()}
    path.write_text(json.dumps(config | {"current-context": "c"}))
    return path


def settings_file(folder: Path, port: int = 0) -> Path:
    """Settings that say where to serve."""
    file = folder / "settings.yaml"
    file.write_text(json.dumps({"serve": {"address": "127.0.0.1", "port": port}}))
    return file


@asynccontextmanager
async def a_waiting_operator(folder: Path) -> AsyncIterator[tuple[Operator, ClientSession]]:
    """An operator that waits for an API server, and a client of its probes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    operator = Operator(Watcher(settings_file(folder, port)), a_kubeconfig(folder))
    starting = asyncio.create_task(operator.start())
    async with ClientSession(f"http://127.0.0.1:{port}") as session:
        yield operator, session
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)
    await operator.stop()


async def test_while_there_is_no_api_server_it_is_healthy_but_not_ready(tmp_path: Path) -> None:
    """It waits, and is not restarted for that; when it is told to stop, it does."""
    async with a_waiting_operator(tmp_path) as (_, session):
        answers = {path: await answer(session, path) for path in ("/healthz", "/readyz")}
    assert answers == {
        "/healthz": "ok",
        "/readyz": "the cache is being filled (Failed to list ConfigMap in all namespaces: "
        "the API server is not reachable (ClientConnectorError))",
    }


async def test_a_worker_that_ended_is_a_reason_to_be_restarted(tmp_path: Path) -> None:
    """None of them ever ends by itself, so this is a bug that nothing else would show."""
    async with a_waiting_operator(tmp_path) as (operator, session):
        assert await answer(session, "/healthz") == "ok"
        operator._spawn(asyncio.sleep(0), "worker 0")  # noqa: SLF001 a bug cannot be made from outside
        await asyncio.sleep(0)
        assert await answer(session, "/healthz") == "ended by a bug: worker 0"


async def test_a_block_of_the_event_loop_shows_in_the_metrics(tmp_path: Path) -> None:
    """Whatever blocks it, the lag is counted, up to one step shorter than the block."""
    blocked = 0.3
    async with a_waiting_operator(tmp_path) as (operator, session):
        assert await answer(session, "/healthz") == "ok"
        time.sleep(blocked)  # noqa: ASYNC251 this is the block
        assert await answer(session, "/healthz") == "ok"
        longest = operator.telemetry.registry.get_sample_value("agentrollouts_event_loop_lag_seconds_sum")
    assert longest is not None
    assert longest >= blocked - LAG_STEP_SECONDS


async def test_a_worker_that_hangs_is_a_reason_to_be_restarted_and_load_is_not(tmp_path: Path) -> None:
    """What counts is that looks end, not how old the oldest of what waits is."""
    now = 0.0
    queue = WorkQueue[Ref](lambda: now)
    operator = Operator(Watcher(settings_file(tmp_path)), None)
    operator._is_working = True  # noqa: SLF001 there is no API server here
    for number in range(1_000):
        queue.mark(Ref("AgentRollout", "support", f"agent-{number}"))

    for _ in range(500):
        key = await queue.take()
        now += 1
        assert operator._ailment(queue) is None  # noqa: SLF001
        queue.done(key)
    assert queue.oldest_seconds() > 2 * STUCK_SECONDS

    hung = await queue.take()
    for _ in range(int(STUCK_SECONDS)):  # another worker makes progress meanwhile
        now += 1
        queue.done(await queue.take())
    assert operator._ailment(queue) is None  # noqa: SLF001
    now += 1
    assert operator._ailment(queue) == "the workers have made no progress for 181 s"  # noqa: SLF001
    queue.done(hung)
    assert operator._ailment(queue) is None  # noqa: SLF001


async def test_workers_that_take_nothing_are_a_reason_to_be_restarted(tmp_path: Path) -> None:
    """Once there is something to take, and they are at work at all."""
    now = 0.0
    queue = WorkQueue[Ref](lambda: now)
    operator = Operator(Watcher(settings_file(tmp_path)), None)
    now = 2 * STUCK_SECONDS
    queue.mark(Ref("AgentRollout", "support", "agent"))
    assert operator._ailment(queue) is None  # noqa: SLF001 the cache is being filled
    operator._is_working = True  # noqa: SLF001
    assert operator._ailment(queue) is None  # noqa: SLF001
    now += STUCK_SECONDS + 1
    assert operator._ailment(queue) == "the workers have made no progress for 181 s"  # noqa: SLF001


async def test_a_replica_without_the_lease_is_healthy_however_much_waits(tmp_path: Path) -> None:
    """A warm standby takes no keys, and that is no reason to restart it."""
    now = 0.0
    queue = WorkQueue[Ref](lambda: now)
    operator = Operator(Watcher(settings_file(tmp_path)), None)
    operator._is_ready = True  # noqa: SLF001
    queue.mark(Ref("AgentRollout", "support", "agent"))
    now += 10 * STUCK_SECONDS
    assert operator._ailment(queue) is None  # noqa: SLF001


async def test_a_stuck_event_loop_does_not_answer(tmp_path: Path) -> None:
    """The kubelet's request runs into its timeout."""
    async with a_waiting_operator(tmp_path) as (_, session):
        assert await answer(session, "/healthz") == "ok"
        began, url = threading.Event(), f"{session._base_url}/healthz"  # noqa: SLF001

        def ask() -> bytes:
            began.set()
            with urlopen(url, timeout=0.3) as response:  # noqa: S310 our own address
                return bytes(response.read())

        asking = asyncio.create_task(asyncio.to_thread(ask))
        await asyncio.sleep(0)
        began.wait(10)
        time.sleep(0.6)  # noqa: ASYNC251 this is the block
        with pytest.raises(TimeoutError):
            await asking


async def answer(session: ClientSession, path: str) -> str:
    """What a probe says, once somebody listens."""
    async with asyncio.timeout(10):
        while True:
            try:
                async with session.get(path) as response:
                    return (await response.text()).strip()
            except OSError:
                await asyncio.sleep(0)
