"""The agent over HTTP: answers, metrics, and the process itself."""

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import aiohttp
import pytest
from aiohttp.test_utils import TestServer
from prometheus_client.parser import text_string_to_metric_families

from agentrollouts_agent import verify
from sandbox import scenarios
from sandbox.agent.bundle import Behavior
from sandbox.agent.run import run_agent
from sandbox.agent.service import parse_request
from sandbox.people.customers import customer_request
from sandbox.people.load import Load, LoadPlan
from tests.agent.snapshots import mount, snapshot

Serve = Callable[[str], AbstractAsyncContextManager[TestServer]]
Sample = tuple[str, frozenset[tuple[str, str]]]


async def scrape(server: TestServer) -> dict[Sample, float]:
    """All samples that the agent exposes, by name and labels."""
    async with aiohttp.ClientSession() as client, client.get(server.make_url("/metrics")) as response:
        text = await response.text()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def sample(name: str, **labels: str) -> Sample:
    """The key of a sample in what `scrape` returns. No label names the release: those come from the pod."""
    return name, frozenset(labels.items())


async def test_answer_names_the_release_and_the_outcome(serve: Serve) -> None:
    """A completed run is a 200 whose header and body say who answered and how."""
    async with (
        serve(scenarios.HEALTHY) as server,
        aiohttp.ClientSession() as client,
        client.post(server.make_url("/run"), data=customer_request(1, 10).body) as response,
    ):
        body = await response.json()

    assert (response.status, response.headers["agent-release"], response.headers["x-agent-outcome"]) == (
        200,
        scenarios.HEALTHY,
        "completed",
    )
    assert (body["release"], body["outcome"]) == (scenarios.HEALTHY, "completed")


@pytest.mark.parametrize("name", [scenarios.HEALTHY, scenarios.BAD_PROMPT])
async def test_each_answer_has_the_digest_of_its_bundle(
    serve: Serve, name: str, files_of: Callable[[str], dict[str, bytes]]
) -> None:
    """Completed, failed and malformed requests, other paths and the metrics: all name one release."""
    expected = verify(files_of(name), name).identity.headers()
    async with serve(name) as server, aiohttp.ClientSession() as client:
        ledger = await Load(LoadPlan(str(server.make_url("/run")), rate=None, limit=100)).run()
        others = [
            await client.request(method, server.make_url(path))
            for method, path in (("POST", "/run"), ("GET", "/metrics"), ("GET", "/healthz"), ("GET", "/no"))
        ]

    named = {(answer.release, answer.digest) for answer in ledger.answers()}
    assert named == {tuple(expected.values())}
    assert [response.status for response in others] == [400, 200, 200, 404]
    assert all(expected.items() <= response.headers.items() for response in others)


async def test_same_request_same_answer(serve: Serve) -> None:
    """A request that is sent twice is answered twice alike, cost included."""
    bodies = []
    async with serve(scenarios.HEALTHY) as server, aiohttp.ClientSession() as client:
        for _ in range(2):
            async with client.post(server.make_url("/run"), data=customer_request(7, 10).body) as response:
                bodies.append(await response.read())

    assert bodies[0] == bodies[1]


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"user": "u"}', b'{"user": "u", "message": "m", "order": {"number": "A"}}']
)
async def test_malformed_request(serve: Serve, body: bytes) -> None:
    """A body of another shape is a 400 that says which shape is wanted, and no run."""
    async with serve(scenarios.HEALTHY) as server, aiohttp.ClientSession() as client:
        async with client.post(server.make_url("/run"), data=body) as response:
            answer = await response.json()
        started = (await scrape(server))[sample("agent_runs_started_total")]

    shape = "the body must be {user, message, order: {number, totalUsd, ageDays}}"
    assert (response.status, answer, started) == (400, {"error": shape}, 0)


async def test_metrics_are_what_the_client_saw(serve: Serve, behavior_of: Callable[[str], Behavior]) -> None:
    """The counters equal what the client counted, and about 30% of the bad release's runs failed."""
    release = scenarios.BAD_PROMPT
    async with serve(release) as server:
        ledger = await Load(LoadPlan(str(server.make_url("/run")), rate=None, limit=600)).run()
        samples = await scrape(server)

    outcomes = ledger.outcomes(release)
    counted = {outcome: samples.get(sample("agent_runs_total", outcome=outcome), 0) for outcome in outcomes}
    assert counted == dict(outcomes)
    assert ledger.statuses() == Counter({200: 600 - outcomes["failed"], 500: outcomes["failed"]})
    assert 0.25 <= outcomes["failed"] / 600 <= 0.36
    behavior = behavior_of(release)
    runs = [run_agent(behavior, parse_request(customer_request(number, 1000).body)) for number in range(600)]
    assert samples[sample("agent_runs_started_total")] == 600
    assert samples[sample("agent_run_duration_seconds_count")] == 600
    assert samples[sample("agent_run_steps_sum")] == sum(run.steps for run in runs)
    assert samples[sample("agent_run_cost_usd_sum")] == pytest.approx(sum(run.cost_usd for run in runs))
    bad_args = samples[sample("agent_tool_calls_total", tool="issue_refund", result="bad_args")]
    assert bad_args == samples[sample("agent_decisions_total", decision="approve")]
    assert sample("agent_external_actions_total", kind="issue_refund") not in samples


async def test_runs_take_their_time(serve: Serve, behavior_of: Callable[[str], Behavior]) -> None:
    """All runs together take at least what the model needs for them, and no longer than the clients saw."""
    release = scenarios.HEALTHY
    behavior = behavior_of(release)
    runs = [run_agent(behavior, parse_request(customer_request(number, 1000).body)) for number in range(100)]
    async with serve(release) as server:
        ledger = await Load(
            LoadPlan(str(server.make_url("/run")), rate=None, limit=100, connections=16)
        ).run()
        samples = await scrape(server)

    waited = sum(answer.answered - answer.sent for answer in ledger.answers())
    needed = sum(run.seconds for run in runs)
    assert needed <= samples[sample("agent_run_duration_seconds_sum")] <= waited


async def test_children_at_zero(serve: Serve) -> None:
    """An agent that makes its children at the start exposes all at 0, the other one those without labels."""
    async with serve(scenarios.HEALTHY) as early, serve(scenarios.BAD_PROMPT) as late:
        samples = [await scrape(server) for server in (early, late)]

    unlabeled = {
        "agent_runs_started_total": 1,
        "agent_run_duration_seconds_count": 1,
        "agent_run_duration_seconds_sum": 1,
        "agent_run_cost_usd_count": 1,
        "agent_run_cost_usd_sum": 1,
        "agent_run_steps_count": 1,
        "agent_run_steps_sum": 1,
    }
    names = [
        Counter(name for name, _ in exposition if not name.endswith("_bucket")) for exposition in samples
    ]
    assert names == [
        Counter(
            {
                **unlabeled,
                "agent_runs_total": 5,
                "agent_tool_calls_total": 20,
                "agent_decisions_total": 3,
                "agent_external_actions_total": 1,
            }
        ),
        Counter(unlabeled),
    ]
    assert {value for exposition in samples for value in exposition.values()} == {0.0}


async def test_process_serves_a_bundle_until_it_is_told_to_stop(
    tmp_path: Path, files_of: Callable[[str], dict[str, bytes]]
) -> None:
    """The process says where it listens, names its bundle by digest, and ends with 0 on SIGTERM."""
    process = await start_agent("--bundle", str(mount(tmp_path, files_of(scenarios.FIXED))))
    assert process.stdout is not None
    url = (await process.stdout.readline()).decode().split()[-1]
    async with aiohttp.ClientSession() as client, client.get(f"{url}/healthz") as response:
        health = await response.json()
    process.send_signal(signal.SIGTERM)
    await process.communicate()  # to the end of its output, so that nothing of it outlives the test's loop

    assert process.returncode == 0
    assert health["release"] == "r"
    assert health["digest"].startswith("sha256:")


@pytest.mark.parametrize(
    ("files", "said", "code"),
    [
        ({}, "bundle.json: No such file or directory", 1),
        (snapshot() | {"bundle.json": b"{}"}, "bundle.json has digest sha256:44136fa355b3678a", 1),
        (snapshot() | {"release.json": b"{}"}, "it needs bundle.json, and release.json with digest", 1),
        (snapshot({"prompt": {}}), "Cannot serve r: prompt.system must be a text that is not empty\n", 2),
    ],
)
async def test_process_with_a_bundle_it_cannot_serve(
    tmp_path: Path, files: dict[str, bytes], said: str, code: int
) -> None:
    """A bundle that is missing, without its digest or unservable ends the process with one sentence."""
    process = await start_agent("--bundle", str(mount(tmp_path, files)))
    _, stderr = await process.communicate()

    assert process.returncode == code
    assert stderr.decode().count("\n") == 1
    assert said in stderr.decode()


async def start_agent(*arguments: str) -> asyncio.subprocess.Process:
    """Start an agent of release `r` on a free port of loopback."""
    flags = ("--listen", "127.0.0.1:0", "--release", "r")
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-m", "sandbox.agent", *arguments, *flags)
    return await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
