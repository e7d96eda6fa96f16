"""The operator is killed, in every phase at once, and another one goes on from what the API server knows."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from agentrollouts.adapters.cluster.pages import PAGE
from agentrollouts.adapters.cluster.resources import Ref
from agentrollouts.api.names import (
    ANNOTATION_ROLLBACK_TRIGGER,
    ANNOTATION_ROLLED_BACK,
    ANNOTATION_ROLLED_BACK_UID,
    FIELD_MANAGER,
)
from tests.e2e.api import Manifest
from tests.e2e.manifests import FIRST, a_release, phase, routed
from tests.e2e.scene import BACK, Scene, now, seconds_between
from tests.e2e.witness import eventually

LONG = 600
"""Seconds that are over in no test."""


@contextmanager
def without_operator(given: Scene) -> Iterator[None]:
    """`kill -9` at the beginning, a new process that is ready at the end."""
    given.operator.kill()
    try:
        yield
    finally:
        given.operator.start()


def test_killed_in_every_phase(given: Scene) -> None:
    """An attempt goes on with its number, phase, clocks and weights, wherever in the plan it was."""
    first, second, ramp, baking = given.serving("first", "second", "ramp", "baking")
    traffic = routed(given.namespace, gateway="nobody", statusless=True)
    (verifying,) = given.serving("verifying", traffic=traffic)
    start = phase("start", 10, 5)
    patient = {"verify": {"withinSeconds": LONG, "watchSeconds": 0}}
    first.ships("2.0.0", phases=[phase("start", 10, LONG)])
    second.ships("2.0.0", phases=[start, phase("more", 50, LONG)])
    ramp.ships("2.0.0", phases=[start, phase("ramp", 12, LONG, rampSeconds=LONG)])
    baking.ships("2.0.0", phases=[start], bake={"durationSeconds": LONG})
    verifying.ships("2.0.0", failing=0.9, phases=[phase("half", 50, LONG)], rollback=patient)
    first.is_counting(phase="start")
    second.is_counting(phase="more")
    ramp.is_counting(phase="ramp")
    baking.is_counting("Baking")
    verifying.comes_to("Verifying")
    shops = (first, second, ramp, baking, verifying)
    before, killed = [shop.progress() for shop in shops], now()

    with without_operator(given):
        pass
    first.ships("2.0.0", paused=True)  # something that only the new process can answer
    first.comes_to("Held")

    assert [shop.progress() for shop in shops[1:]] == before[1:]
    assert first.attempt["number"] == before[0]["number"]
    for shop in shops:
        shop.keeps_its_weights(since=killed)


def test_the_clock_runs_on_while_nobody_watches(given: Scene) -> None:
    """A phase whose time passed during the crash ends at once, and not after its time once more."""
    seconds = 60
    (shop,) = given.serving("clock")
    shop.ships("2.0.0", phases=[phase("half", 50, seconds), phase("most", 90, LONG)])
    shop.is_counting(phase="half")
    began = shop.attempt["phaseStartTime"]

    with without_operator(given):
        given.witness.holds("half", lambda: shop.weights() == (50, 50), seconds)
    ready = now()
    shop.is_counting(phase="most")

    assert now() - ready < seconds
    assert seconds_between(began, shop.attempt["phaseStartTime"]) >= seconds


def test_a_breach_while_nobody_watched(given: Scene) -> None:
    """What went wrong during the crash is acted on by the new process."""
    (shop,) = given.serving("breach")
    shop.ships("2.0.0", phases=[phase("half", 50, LONG)])
    shop.is_counting(phase="half")

    with without_operator(given):
        given.agents.fail(given.namespace, "breach-2.0.0", 0.9)
        eventually("Prometheus knows", lambda: given.runs_seen("breach-2.0.0", "failed") > 200)
        assert shop.weights() == (50, 50)
    shop.is_back()
    shop.until("the status tells why", lambda: shop.attempt.get("trigger") == "Breach")


def test_killed_between_the_route_and_the_status(given: Scene) -> None:
    """A route that was rolled back stays so, and a rollback that the status does not show is finished."""
    (shop,) = given.serving("latch")
    shop.ships("2.0.0", phases=[phase("half", 50, LONG)])
    shop.is_counting(phase="half")
    number = shop.attempt["number"]

    with without_operator(given):
        given.api.apply(taken_back(given, shop.config, number), manager=FIELD_MANAGER)
    shop.comes_to("RolledBack")

    assert (shop.attempt["number"], shop.attempt["trigger"], shop.weights()) == (number, "Breach", BACK)
    assert shop.status["quarantined"][0]["release"] == "latch-2.0.0"


def taken_back(given: Scene, config: Ref, attempt: int) -> Manifest:
    """The one write with which an operator takes an attempt back, up to the moment at which it was killed."""
    manifest = given.witness.get(config)
    assert manifest is not None
    split = json.loads(manifest["data"]["split.json"])
    split["stable"]["weight"], split["canary"]["weight"] = BACK
    metadata = {key: manifest["metadata"][key] for key in ("name", "namespace", "labels", "ownerReferences")}
    marks = {
        ANNOTATION_ROLLED_BACK: str(attempt),
        ANNOTATION_ROLLED_BACK_UID: metadata["ownerReferences"][0]["uid"],
        ANNOTATION_ROLLBACK_TRIGGER: "Breach",
    }
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {**metadata, "annotations": marks},
        "data": {**manifest["data"], "split.json": json.dumps(split)},
    }


def test_more_than_a_page_of_objects(given: Scene) -> None:
    """What was made while no operator ran is found on all pages of its first list, and watched from there."""
    agents = [f"shop-{number}" for number in range(PAGE + 5)]
    with without_operator(given):
        given.api.apply(*(a_release(given.namespace, agent) for agent in agents))

    given.api.apply(a_release(given.namespace, agents[0], "2.0.0"))

    for name in (f"{agents[0]}-2.0.0", *(f"{agent}-{FIRST}" for agent in agents)):
        given.says("AgentRelease", name, "Ready", "Materialized")
