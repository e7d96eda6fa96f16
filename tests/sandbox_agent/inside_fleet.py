"""`sandbox.agents.fleet` on a running stack. Run by `test_fleet.py` inside a sandbox of its own.

By hand: `python -m sandbox run -- python -m pytest tests/sandbox_agent/inside_fleet.py`. There is no operator
here: the test itself writes snapshots as the operator would.
"""

import functools
import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from agentrollouts.api.crd import manifest
from agentrollouts.core.release.bundle import digest_of
from sandbox import scenarios
from sandbox.agents.fleet import Fleet
from sandbox.errors import CommandError, ProcessError
from sandbox.people.load import LoadGenerator, LoadPlan
from sandbox.programs import web
from sandbox.stack import Stack
from tests.inside import eventually

HOST = "support.example.com"
BACKENDS = ("support-agent-4-1-0", "support-agent-4-2-0")


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """One stack for all tests of this file, with our CRDs."""
    with Stack(quiet=True) as started:
        started.apply(list(manifest.crds()))
        started.kubectl.wait_kinds("agentreleases.agentrollouts.dev")
        yield started


@pytest.fixture(scope="module")
def fleet(stack: Stack) -> Fleet:
    """The agents of namespace support; none runs yet."""
    fleet = Fleet(stack)
    fleet.prepare()
    return fleet


def materialise(stack: Stack, release: str, files: dict[str, bytes]) -> str:
    """Write a snapshot, name it in the release's status as the operator does, and return its name."""
    name = f"support-agent-{digest_of(files['bundle.json'])[7:23]}"
    data = {name: text.decode() for name, text in files.items()}
    stack.apply(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": "support"},
            "data": data,
        }
    )
    status = json.dumps({"status": {"snapshot": {"name": name}}})
    stack.kubectl(
        "patch",
        f"agentrelease/{release}",
        "--namespace=support",
        "--subresource=status",
        "--type=merge",
        "--patch",
        status,
    )
    return name


def endpoint(stack: Stack, service: str) -> tuple[list[str], bool]:
    """Addresses and readiness that the endpoints of a service show."""
    first_endpoint = stack.kubectl.get(f"endpointslice/{service}", "--namespace=support")["endpoints"][0]
    return first_endpoint["addresses"], first_endpoint["conditions"]["ready"]


def route() -> dict[str, Any]:
    """A route that sends half of the requests to each of the two releases."""
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "support", "namespace": "support"},
        "spec": {
            "parentRefs": [{"name": "public", "namespace": "default"}],
            "hostnames": [HOST],
            "rules": [{"backendRefs": [{"name": name, "port": 8080, "weight": 50} for name in BACKENDS]}],
        },
    }


def test_unknown_release(fleet: Fleet) -> None:
    """A release that was never applied cannot be deployed, and the error is kubectl's own."""
    with pytest.raises(CommandError, match='"support-agent-9" not found'):
        fleet.deploy("support-agent-9")


def test_deploy_without_snapshot(stack: Stack, fleet: Fleet) -> None:
    """Without a snapshot no agent starts, the endpoint is not ready, and the error says what is missing."""
    stack.apply(scenarios.manifest_path(scenarios.HEALTHY))

    with pytest.raises(
        CommandError,
        match=r"support-agent-4\.1\.0 has no snapshot after 0\.2 s \(the operator said nothing\)",
    ):
        fleet.deploy(scenarios.HEALTHY, seconds=0.2)

    assert (endpoint(stack, BACKENDS[0]), fleet.instances) == ((["10.77.0.11"], False), {})


def test_two_releases_behind_one_route(
    stack: Stack, fleet: Fleet, files_of: Callable[[str], dict[str, bytes]]
) -> None:
    """Deployed agents are ready, answer through the gateway under their names, and are scraped with them."""
    releases = (scenarios.HEALTHY, scenarios.BAD_PROMPT)
    for release in releases:
        stack.apply(scenarios.manifest_path(release))
        snapshot = materialise(stack, release, files_of(release))
        assert fleet.deploy(release).snapshot == snapshot
    stack.apply(route())
    eventually(lambda: web.answers(f"{stack.gateway_url}/healthz", headers={"Host": HOST}))

    plan = LoadPlan(f"{stack.gateway_url}/run", host=HOST, rate=None, limit=400, timeout_seconds=60)
    with LoadGenerator(plan) as ledger:
        assert ledger.wait_until(lambda: ledger.counts().total() == 400, seconds=120)

    assert [endpoint(stack, name) for name in BACKENDS] == [(["10.77.0.11"], True), (["10.77.0.12"], True)]
    assert ledger.counts() == Counter(dict.fromkeys(releases, 200))
    digests = {release: digest_of(files_of(release)["bundle.json"]) for release in releases}
    assert {(answer.release, answer.digest) for answer in ledger.answers()} == set(digests.items())
    failed = [ledger.outcomes(release)["failed"] for release in releases]
    assert failed[0] <= 8
    assert failed[1] >= 40
    labels = 'namespace="support",agent="support-agent"'
    for release in releases:
        runs = f'sum(agent_runs_total{{{labels},release="{release}"}})==200'
        eventually(functools.partial(stack.query, runs))


def test_stopped_agent(stack: Stack, fleet: Fleet) -> None:
    """An agent can be stopped after its release is gone: ended, its endpoint not ready, scraped no more."""
    release = scenarios.BAD_PROMPT
    process = fleet.instances[release].process

    stack.kubectl("delete", f"agentrelease/{release}", "--namespace=support")
    fleet.stop(release)

    assert (process.running, endpoint(stack, BACKENDS[1]), release in fleet.instances) == (
        False,
        (["10.77.0.12"], False),
        False,
    )
    eventually(lambda: stack.query('up{instance="10.77.0.12:8080"}') == [])


def test_bundle_that_was_tampered_with(
    stack: Stack, fleet: Fleet, files_of: Callable[[str], dict[str, bytes]]
) -> None:
    """An agent does not start on a snapshot whose text has another digest than it says, and tells both."""
    release = scenarios.FIXED
    stack.apply(scenarios.manifest_path(release))
    name = materialise(stack, release, files_of(release))
    stack.kubectl(
        "patch", f"configmap/{name}", "--namespace=support", "--patch", '{"data": {"bundle.json": "{}"}}'
    )

    with pytest.raises(ProcessError, match=r"bundle\.json has digest sha256:\w+, release\.json says sha256:"):
        fleet.deploy(release)
