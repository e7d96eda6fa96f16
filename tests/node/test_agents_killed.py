"""The processes of agents, and those of their node, are killed in mid-canary: what traffic does meanwhile.

One attempt for all, with requests and gates. Each test leaves it in progress, and the last one ends it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import pytest

from agentrollouts.adapters.cluster.resources import Manifest, Ref
from sandbox.node.cluster import Cluster
from sandbox.people.load import Ledger, LoadGenerator, LoadPlan
from sandbox.programs import web
from testkit.agents import Agents
from tests.e2e.api import Api
from tests.e2e.manifests import QUICK, phase, routed, service_of
from tests.e2e.scene import BACK, Scene, Shop, check_every_version, now
from tests.e2e.witness import PATIENCE, Version, Witness, eventually
from tests.node.deployments import AGENT, deploy, end, kill, mounted_split
from tests.node.pods import OperatorPods
from tests.repetitions import without_repetitions

NAMESPACE: Final = "killed"
STABLE: Final = "4.1.0"
CANARY: Final = "4.2.1"
SIDES: Final = {STABLE: "stable", CANARY: "the canary"}
LONG: Final = 600
"""A grace that no restart of a process exceeds."""
SHORT: Final = 3
"""A grace that a container in CrashLoopBackOff exceeds."""
PHASES: Final = [
    *(phase(f"to-{weight}", weight, 1, approval="Required") for weight in (10, 20, 30, 40)),
    phase("half", 50, LONG),
]
"""Each but the last waits for a person, so a test knows when a weight may rise."""
RATE: Final = 40
T = TypeVar("T")
ANSWERS: Final = 10
"""How many requests a release answers before it counts as reachable."""


def analysis(grace: int) -> dict[str, Any]:
    """That of a quick plan, with a grace."""
    return {**QUICK["analysis"], "endpointGraceSeconds": grace}


@dataclass(frozen=True)
class Attempt:
    """An attempt on real pods that receives requests."""

    shop: Shop
    pods: dict[str, str]
    """The pod of a release, by version."""
    ledger: Ledger
    endpoints: Witness
    """Every version of the EndpointSlices."""
    number: int

    def approve(self) -> None:
        """A person agrees to the next phase."""
        self.shop.act("Approve", phase=self.shop.attempt["phaseName"])

    def rises(self, since: float) -> Version:
        """Wait for the next weight; the first version of the route that has it.

        Raises:
            AssertionError: since that time there was any other weight than the one before and the next one.
        """
        before = self._weights(since)[0]
        self.shop.until("the next weight", lambda: self._weights(since)[-1] != before)
        assert self._weights(since) == [before, (before[0] - 10, before[1] + 10)]
        versions = self.shop.scene.witness.versions(self.shop.route, since)
        return next(version for version in versions if version.weights != before)

    def kill_until(self, version: str, what: str, condition: Callable[[], T | None]) -> T:
        """Kill a release's process, and each one that replaces it, until a condition gives something true."""

        def killed() -> T | None:
            kill(self.pods[version])
            return condition()

        return eventually(what, killed)

    def is_missed(self, version: str) -> bool:
        """Whether the status reports that a release has no ready endpoint."""
        if version == CANARY:
            return bool(self.shop.attempt.get("endpointsLostTime"))
        ready = self.shop.ready
        return ready.get("reason") == "Held" and service_of(f"{AGENT}-{version}") in ready["message"]

    def absent_at(self, version: str) -> int | None:
        """The version of the EndpointSlice if the release is not ready now, and the status reports that."""
        if not self.is_missed(version):
            return None
        newest = self.endpoints.versions(self._endpoints_of(version))[-1]
        return None if is_ready(newest.manifest) else newest.number

    def was_ready_between(self, version: str, first: int, last: int) -> bool:
        """Whether the endpoint of a release was ready at some moment between two versions of the cluster."""
        versions = self.endpoints.versions(self._endpoints_of(version))
        return any(first < each.number < last and is_ready(each.manifest) for each in versions)

    def record_lost(self, figures: dict[str, float], since: float, when: str) -> None:
        """Record how many requests no release has answered since then."""
        counts = self.ledger.counts(since)
        figures[f"of {counts.total()} requests without an answer {when}"] = counts[""]

    def record_mounted(self, figures: dict[str, float], change: float, versions: list[str]) -> None:
        """Record when pods see the split of now, counted from its change."""
        _, weight = self.shop.scene.witness.versions(self.shop.config)[-1].weights
        what = f"from {weight}% in the traffic ConfigMap until the pod of {{}} sees it"
        waiting = {version: what.format(SIDES[version]) for version in versions}

        def note() -> bool:
            for version, name in waiting.items():
                split = mounted_split(self.pods[version])
                if name not in figures and split and (split["canary"] or {"weight": 0})["weight"] == weight:
                    figures[name] = now() - change
            return set(waiting.values()) <= figures.keys()

        eventually(f"pods see {weight}%", note)

    def check_whole(self) -> None:
        """See that it is still the same attempt and that nothing was rolled back for what was killed.

        Raises:
            AssertionError: it is another one, or something was.
        """
        status = self.shop.status
        assert status["attempt"]["number"] == self.number
        assert not status.get("lastRollback"), status["lastRollback"]
        assert not status.get("quarantined"), status["quarantined"]

    def _endpoints_of(self, version: str) -> Ref:
        """The EndpointSlice of a release, which stays while its pod does."""
        selector = f"--selector=kubernetes.io/service-name={service_of(f'{AGENT}-{version}')}"
        kubectl = self.shop.scene.stack.kubectl
        (endpoints,) = kubectl.get("endpointslices", f"--namespace={NAMESPACE}", selector)["items"]
        return Ref.of(endpoints)

    def _weights(self, since: float) -> list[tuple[int, int]]:
        """The weights since then, without repetitions."""
        versions = self.shop.scene.witness.versions(self.shop.route, since)
        return without_repetitions(version.weights for version in versions)


def is_ready(endpoints: Manifest) -> bool:
    """Whether the one endpoint of a release is ready."""
    return [endpoint["conditions"]["ready"] for endpoint in endpoints["endpoints"] or ()] == [True]


@pytest.fixture(scope="module")
def endpoints(stack: Cluster) -> Iterator[Witness]:
    """Readiness at every moment: a probe can fail again by the time that a test reads it."""
    with Witness(stack, ["EndpointSlice"]) as watching:
        yield watching


@pytest.fixture(scope="module")
def attempt(
    stack: Cluster, operator: OperatorPods, witness: Witness, agents: Agents, endpoints: Witness
) -> Iterator[Attempt]:
    """A canary at 10%, and customers of both releases."""
    scene = Scene(NAMESPACE, stack, operator, witness, agents, Api(stack))
    scene.api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    spec: dict[str, object] = {"phases": PHASES, "analysis": analysis(LONG), "traffic": routed(NAMESPACE)}
    shop = scene.shops[AGENT] = Shop(scene, AGENT, spec)
    pods = {STABLE: deploy(stack, f"{AGENT}-{STABLE}", NAMESPACE)}
    shop.asks_for(STABLE)
    shop.comes_to("Healthy")
    host, health = f"{NAMESPACE}.example.com", f"{stack.gateway_url}/healthz"
    eventually("a route", lambda: web.answers(health, headers={"Host": host}))
    with LoadGenerator(LoadPlan(f"{stack.gateway_url}/run", host=host, rate=RATE)) as ledger:
        pods[CANARY] = deploy(stack, f"{AGENT}-{CANARY}", NAMESPACE)
        shop.asks_for(CANARY)
        shop.comes_to("AwaitingApproval")
        yield Attempt(shop, pods, ledger, endpoints, shop.attempt["number"])
    check_every_version(scene)
    scene.api.delete(shop.ref)
    for version in pods:
        end(stack, f"{AGENT}-{version}", NAMESPACE)


def test_a_mounted_split_follows_the_weights(attempt: Attempt, figures: dict[str, float]) -> None:
    """Pods that mount the traffic ConfigMap see the next weight."""
    attempt.shop.comes_to("AwaitingApproval")
    approved = now()

    attempt.approve()

    attempt.rises(since=approved)
    change = attempt.shop.scene.witness.versions(attempt.shop.config, approved)[-1].time
    attempt.record_mounted(figures, change, [STABLE, CANARY])


@pytest.mark.parametrize("version", [CANARY, STABLE])
def test_nothing_moves_until_a_killed_process_answers_again(
    attempt: Attempt, figures: dict[str, float], version: str
) -> None:
    """The kubelet restarts it; an approval moves no weight before its endpoint is ready, and then does."""
    attempt.shop.comes_to("AwaitingApproval")
    killed = now()

    absent = attempt.kill_until(version, "its absence is seen", lambda: attempt.absent_at(version))
    attempt.approve()

    risen = attempt.rises(since=killed)
    assert attempt.was_ready_between(version, absent, risen.number)
    attempt.check_whole()
    when = f"kill -9 of the process of {SIDES[version]}"
    figures[f"from {when} until the attempt resumes"] = risen.time - killed
    attempt.record_lost(figures, killed, f"after {when}")


def test_an_attempt_outlives_the_processes_of_its_node(
    attempt: Attempt, stack: Cluster, figures: dict[str, float]
) -> None:
    """Kill -9 of kubelet and kube-proxy: both releases answer, no weight moves, and later it advances."""
    attempt.shop.comes_to("AwaitingApproval")
    killed = now()

    for name in ("kubelet", "kube-proxy"):
        stack.processes[name].stop()

    def both_answer() -> bool:
        counts = attempt.ledger.counts(killed)
        return all(counts[f"{AGENT}-{version}"] >= ANSWERS for version in attempt.pods)

    assert attempt.ledger.wait_until(both_answer, PATIENCE)
    for name in ("kubelet", "kube-proxy"):
        stack.processes[name].launch()
    logs = ("logs", attempt.pods[CANARY], f"--namespace={NAMESPACE}")
    stack.kubectl.insist(*logs, seconds=PATIENCE)  # the kubelet serves them
    attempt.shop.keeps_its_weights(since=killed)
    attempt.approve()
    attempt.rises(since=killed)
    attempt.check_whole()
    attempt.record_lost(figures, killed, "after kill -9 of kubelet and kube-proxy")


def test_a_canary_that_keeps_crashing_is_rolled_back_after_the_grace(
    attempt: Attempt, stack: Cluster, figures: dict[str, float]
) -> None:
    """Its only pod comes to CrashLoopBackOff; the reason is NoReadyEndpoints, and it is in quarantine."""
    shop, pod = attempt.shop, attempt.pods[CANARY]
    shop.comes_to("AwaitingApproval" if shop.weights() != (50, 50) else "Canary")
    shop.asks_for(CANARY, analysis=analysis(SHORT))
    generation = shop.scene.api.get(shop.ref)["metadata"]["generation"]
    shop.until("the grace is known", lambda: shop.status["observedGeneration"] == generation)
    killed = now()

    attempt.kill_until(CANARY, "stable has all", lambda: shop.weights() == BACK)

    versions = shop.scene.witness.versions(shop.route, killed)
    back = next(version for version in versions if version.weights == BACK)
    assert back.time - killed >= SHORT
    shop.is_rolled_back_for("NoReadyEndpoints")
    assert [entry["release"] for entry in shop.status["quarantined"]] == [f"{AGENT}-{CANARY}"]
    change = next(v.time for v in shop.scene.witness.versions(shop.config, killed) if v.weights == BACK)
    attempt.record_mounted(figures, change, [STABLE])
    what = f"from kill -9 of the canary until it is rolled back, with a grace of {SHORT} s"
    figures[what] = back.time - killed
    attempt.record_lost(figures, killed, "until a crashing canary is rolled back")

    def waits() -> bool:
        status = stack.kubectl.get(f"pod/{pod}", f"--namespace={NAMESPACE}")["status"]
        waiting = [container["state"].get("waiting", {}) for container in status["containerStatuses"]]
        return [state.get("reason") for state in waiting] == ["CrashLoopBackOff"]

    attempt.kill_until(CANARY, "CrashLoopBackOff", waits)
