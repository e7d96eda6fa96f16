"""Input: requests to the demo agents through a rollback. Output: whom each answer names, and the route."""

from typing import Any, Final

from sandbox import scenarios
from sandbox.agents.fleet import Fleet
from sandbox.people.load import Answer, LoadGenerator, LoadPlan
from tests.e2e.manifests import a_rollout, phase, routed
from tests.e2e.scene import BACK, Scene
from tests.e2e.witness import PATIENCE, Version

AGENT: Final = "support-agent"
REQUESTS: Final = 1000
LAG_SECONDS: Final = 10.0
"""Between a version of the route and the moment when the gateway, and the witness, know it."""
PLAN: Final[dict[str, Any]] = {
    "phases": [phase("half", 50, 600)],
    "gates": [{"name": "errors", "template": "error-rate", "minSamples": 50}],
}


def ships(scene: Scene, fleet: Fleet, release: str) -> str:
    """Run a release of the scenarios and request it; returns its digest."""
    manifest = scenarios.load_release(release)
    manifest["metadata"]["namespace"] = scene.namespace
    scene.api.apply(manifest)
    fleet.deploy(release)
    scene.api.apply(a_rollout(scene.namespace, AGENT, release, traffic=routed(scene.namespace), **PLAN))
    stored = scene.now("AgentRelease", release)
    assert stored is not None
    return str(stored["status"]["digest"])


def weights_at(versions: list[Version], answer: Answer) -> tuple[int, int]:
    """The largest weights of stable and canary that the route had around an answer."""
    since, until = answer.sent - LAG_SECONDS, answer.answered + LAG_SECONDS
    then = [version.weights for version in versions if since <= version.time <= until]
    before = [version.weights for version in versions if version.time < since][-1:]
    stable, canary = zip(*before, *then, strict=True)
    return max(stable), max(canary)


def test_each_answer_names_a_release_that_had_weight_then(given: Scene) -> None:
    """Of at least 1,000 answers while a bad release is rolled back, each has the digest of its release."""
    fleet, route = Fleet(given.stack, namespace=given.namespace), given.ref("HTTPRoute", AGENT)
    fleet.prepare()
    try:
        good = ships(given, fleet, scenarios.HEALTHY)
        given.witness.wait("a route", lambda: given.witness.versions(route))
        host = given.witness.versions(route)[-1].manifest["spec"]["hostnames"][0]
        url = f"{given.stack.gateway_url}/run"
        with LoadGenerator(LoadPlan(url, host=host, rate=100, timeout_seconds=PATIENCE)) as ledger:
            given.says("AgentRollout", AGENT, "Ready", "Healthy")
            bad = ships(given, fleet, scenarios.BAD_PROMPT)
            assert ledger.wait_until(lambda: ledger.counts()[scenarios.BAD_PROMPT] > 0, PATIENCE)
            given.witness.wait("100/0", lambda: given.witness.versions(route)[-1].weights == BACK)
            assert ledger.wait_until(lambda: ledger.counts().total() >= REQUESTS, PATIENCE)
    finally:
        for release in list(fleet.instances):
            fleet.stop(release)

    versions = given.witness.versions(route)
    answers = [answer for answer in ledger.answers() if answer.release]
    sides = {(scenarios.HEALTHY, good): 0, (scenarios.BAD_PROMPT, bad): 1}
    assert {(answer.release, answer.digest) for answer in answers} == sides.keys()
    assert [a for a in answers if not weights_at(versions, a)[sides[a.release, a.digest]]] == []
