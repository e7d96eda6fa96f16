"""Figure: a breach in a scraped sample; how long until the canary gets its last request.

Real agents behind the real gateway, 200 requests a second, scraped every second, asked about every 2 s. The
bad bundle fails from its first request on, which it gets when its phase begins. Two times are told: from the
first sample that shows a failed run, and from the first by which the judge may say Fail, the fourth since the
counting start. The samples are read from Prometheus, and what the canary got from the client's ledger.
"""

import copy
import functools
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final

from agentrollouts.core.metrics.silence import MIN_SCRAPES
from bench.rig.report import Check, Result, Series
from sandbox import scenarios
from sandbox.agents.endpoints import PORT, SPARE, a_service
from sandbox.agents.fleet import Fleet
from sandbox.operator import OperatorProcess
from sandbox.people.load import Ledger, LoadGenerator, LoadPlan
from sandbox.programs import web
from sandbox.stack import Stack

ATTEMPTS: Final = 8
TARGET_SECONDS: Final = 4
RATE: Final = 200
WEIGHT: Final = 25
MIN_SAMPLES: Final = 30

_NAMESPACE: Final = "support"
_AGENT: Final = "support-agent"
_HOST: Final = "support.example.com"
_CANARY: Final = f"{SPARE}:{PORT}"


def measure(stack: Stack, operator: OperatorProcess) -> Result:
    """So many bad releases, one after the other, beside the one healthy release."""
    operator.start()
    fleet = Fleet(stack)
    fleet.prepare()
    stack.add_gateway(_NAMESPACE)
    stack.apply(scenarios.manifest_path(scenarios.HEALTHY))
    fleet.deploy(scenarios.HEALTHY)
    stack.apply([*a_service(_NAMESPACE, "canary"), _rollout(scenarios.HEALTHY)])
    _wait(stack, "Healthy")
    plan = LoadPlan(f"{stack.gateway_url}/run", host=_HOST, rate=RATE)
    with LoadGenerator(plan) as ledger:
        attempts = [_attempt(stack, ledger, f"{_AGENT}-4.2.0-bench-{number}") for number in range(ATTEMPTS)]
    failing, breaching, requests = zip(*attempts, strict=True)
    return Result(
        f"Breach in a scraped sample → the canary's last request; {RATE} requests/s, {WEIGHT}% canary",
        (
            Series(
                f"sample {MIN_SCRAPES} of the segment, the first to be judged → last request",
                "s",
                (breaching,),
            ),
            Series("first sample with a failed run → last request", "s", (failing,)),
            Series("requests that the canary got", "", (requests,)),
        ),
        tuple(
            Check(
                f"from the {which} ≤ {TARGET_SECONDS} s", f"{max(times):.2f} s", max(times) <= TARGET_SECONDS
            )
            for which, times in (("sample that can be judged", breaching), ("first failed run", failing))
        ),
    )


def _attempt(stack: Stack, ledger: Ledger, name: str) -> tuple[float, float, float]:
    """Ship a bad release and see it taken back.

    Returns:
        Seconds to its last request from the first sample with a failed run, and from the first that the judge
        takes for enough; and the number of its requests.
    """
    stack.apply(_bad_release(name))
    _start_agent(stack, name)
    stack.apply(_rollout(name))
    _wait(stack, "RolledBack", digest_of=name)
    time.sleep(1)  # long enough for a request that should not have been sent
    last = ledger.last(name)
    if last is None:
        raise RuntimeError(f"{name} never got a request")
    samples = list(_samples(stack, name))
    stopped = last.answered + (time.time() - time.monotonic())
    failing = next(at for at, failed, _ in samples if failed)
    counted = [at for at, failed, _ in samples if failed and at >= _counting_start(stack)]
    return stopped - failing, stopped - counted[MIN_SCRAPES - 1], float(ledger.counts()[name])


def _counting_start(stack: Stack) -> float:
    """When the attempt's segment began to be counted, in seconds since 1970."""
    attempt = _status(stack)["attempt"]
    return datetime.fromisoformat(attempt["countingStartTime"]).timestamp()


def _samples(stack: Stack, release: str) -> Iterator[tuple[float, float, float]]:
    """Every scraped sample of a release: its time in seconds since 1970, failed runs, all runs."""
    at_times: dict[float, dict[str, float]] = {}
    for series in stack.query(f'agent_runs_total{{release="{release}"}}[5m]'):
        for at, value in series["values"]:
            at_times.setdefault(at, {})[series["metric"]["outcome"]] = float(value)
    for at, outcomes in sorted(at_times.items()):
        yield at, outcomes.get("failed", 0), sum(outcomes.values())


def _wait(stack: Stack, state: str, digest_of: str | None = None, seconds: float = 60) -> None:
    """Wait until the rollout's attempt is in a state; with a release given, the attempt of that release."""

    def is_there() -> bool:
        status = _status(stack)
        attempt = status.get("attempt") or {}
        named = digest_of is None or status.get("lastRollback", {}).get("from") == digest_of
        return attempt.get("state") == state and named

    _until(is_there, f"the rollout is not {state}", seconds)


def _status(stack: Stack) -> dict[str, Any]:
    status: dict[str, Any] = stack.kubectl.get(f"aro/{_AGENT}", f"--namespace={_NAMESPACE}").get("status", {})
    return status


def _until(is_so: Callable[[], bool], otherwise: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{otherwise} after {seconds:g} s")
        time.sleep(0.1)


def _start_agent(stack: Stack, release: str) -> None:
    """The one canary agent, started anew with another bundle."""
    where = (f"agentrelease/{release}", f"--namespace={_NAMESPACE}")
    stack.kubectl("wait", *where, "--for=jsonpath={.status.snapshot.name}", "--timeout=30s")
    snapshot = stack.kubectl.get(*where)["status"]["snapshot"]["name"]
    flags = {
        "--kubeconfig": str(stack.account_kubeconfig(_NAMESPACE, _AGENT)),
        "--namespace": _NAMESPACE,
        "--snapshot": snapshot,
        "--listen": _CANARY,
        "--release": release,
    }
    if (former := stack.processes.get("canary")) is not None:
        former.stop()
    labels = {"job": "agents", "namespace": _NAMESPACE, "agent": _AGENT, "release": release}
    stack.add_target("canary", _CANARY, labels)
    command = [sys.executable, "-m", "sandbox.agent", *(part for flag in flags.items() for part in flag)]
    healthy = functools.partial(web.answers, f"http://{_CANARY}/healthz")
    stack.add_process("canary", command, healthy=healthy).start()
    _until(lambda: bool(stack.query(f'up{{release="{release}"}} == 1')), f"{release} is not scraped", 30)


def _bad_release(name: str) -> dict[str, Any]:
    """The demo's bad release under another name, with a digest of its own, on the one canary service."""
    manifest: dict[str, Any] = copy.deepcopy(scenarios.load_release(scenarios.BAD_PROMPT))
    manifest["metadata"]["name"] = name
    spec = manifest["spec"]
    spec["components"]["prompt"]["inline"]["system"] += f"Your name is {name}.\n"
    spec["serving"]["service"]["name"] = "canary"
    return manifest


def _rollout(release: str) -> dict[str, Any]:
    gates = (
        ("errors", "error-rate"),
        ("completion", "task-completion"),
        ("latency", "latency"),
        ("cost", "cost-per-run"),
    )
    return {
        "apiVersion": "agentrollouts.dev/v1alpha1",
        "kind": "AgentRollout",
        "metadata": {"name": _AGENT, "namespace": _NAMESPACE},
        "spec": {
            "agent": _AGENT,
            "releaseRef": {"name": release},
            "phases": [{"name": "canary", "weight": WEIGHT, "durationSeconds": 600}],
            "gates": [
                {"name": name, "template": template, "minSamples": MIN_SAMPLES} for name, template in gates
            ],
            "analysis": {"intervalSeconds": 2, "warmupSeconds": 2, "staleAfterSeconds": 10},
            "bake": {"durationSeconds": 0},
            "rollback": {"verify": {"withinSeconds": 1, "watchSeconds": 0}},  # it may take half an hour
            "traffic": {"httpRoute": {"parentRefs": [{"name": "public"}], "hostnames": [_HOST]}},
        },
    }
