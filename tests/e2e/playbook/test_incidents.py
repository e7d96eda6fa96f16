"""Incidents of the playbook, each as a team lives through it: what is seen, what the operator does, and when.

The runs are counters of agents that work by the traffic that they are assigned; everything else is real. The
seconds of `docs/playbooks.md` are the properties that a run with `--junitxml` writes down.
"""

import time
from collections.abc import Callable

import yaml

from testkit.agents import USUAL_FAILURES
from tests.command import run
from tests.e2e.manifests import FIRST, phase
from tests.e2e.scene import BACK, HALF, SECOND, Scene, seconds_between
from tests.e2e.witness import eventually

Note = Callable[[str, object], None]

SOON = 120
"""Seconds within which a release that harms is rolled back, from its first request on, on any machine."""
GATES = [
    {"name": "errors", "template": "error-rate", "minSamples": 10},
    {"name": "tools", "template": "tool-errors", "severity": "High", "minSamples": 10},
]


def derived(given: Scene, *arguments: str) -> None:
    """Apply what `agentrollouts derive` prints."""
    done = run(given.stack.kubeconfig, ["derive", *arguments, f"--namespace={given.namespace}"])
    assert done.returncode == 0, done.stderr
    given.api.apply(yaml.safe_load(done.stdout))


def test_a_bad_prompt_is_reverted_alone(given: Scene, record_property: Note) -> None:
    """A release with the former prompt is derived; the combination is known, so it serves at once."""
    (shop,) = given.serving("shop")
    shop.ships(SECOND)
    shop.comes_to("Healthy")

    begun = time.monotonic()
    derived(given, f"shop-{SECOND}", "--version=2.0.1", f"--take=prompt=shop-{FIRST}")
    shop.asks_for("2.0.1")
    shop.comes_to("Healthy")
    seconds = time.monotonic() - begun

    record_property("from the command to all traffic, s", round(seconds, 1))
    assert seconds <= SOON
    assert shop.attempt["kind"] == "Return"
    first, last = shop.status["history"][-1], shop.status["history"][0]
    assert (last["release"], last["digest"]) == ("shop-2.0.1", first["digest"])


def test_a_tool_that_fails_while_the_agent_compensates(given: Scene, record_property: Note) -> None:
    """No run fails, since the agent calls its tool again; the gate of the tool calls rolls back."""
    for version, failing in ((FIRST, 0.01), (SECOND, 0.3)):
        given.agents.call(given.namespace, f"shop-{version}", failing)
    (shop,) = given.serving("shop", gates=GATES)
    shop.ships(SECOND, phases=HALF)

    shop.is_rolled_back_for("GateFailed")
    shop.comes_to("RolledBack")

    rollback, window = shop.status["lastRollback"], shop.status["affectedWindow"]
    assert rollback["message"].startswith("tools: canary "), rollback
    assert "errors:" not in rollback["message"]
    seconds = seconds_between(window["startTime"], rollback["routedTime"])
    record_property("from the first request to the route, s", seconds)
    record_property("runs of the bad release", window.get("runs"))
    assert seconds <= SOON
    assert shop.weights() == BACK


def test_a_provider_that_got_worse_is_not_blamed_on_the_canary(given: Scene) -> None:
    """Both fail more often, by the same factor: the attempt waits at its weight until that is over.

    If enough of stable was recorded before, it is known that the cause is shared.
    """
    (shop,) = given.serving("shop", gates=[{**GATES[0], "maxRatio": "1.5"}])
    for version in (FIRST, SECOND):
        given.agents.fail(given.namespace, f"shop-{version}", 0.2)
    shop.ships(SECOND, phases=[phase("half", 50, 8)])

    shop.comes_to("Held")
    assert shop.weights() == (50, 50)
    assert shop.attempt["hold"]["reason"] in {"Inconclusive", "SharedCause"}
    for version in (FIRST, SECOND):
        given.agents.fail(given.namespace, f"shop-{version}", USUAL_FAILURES)
    shop.comes_to("Healthy")

    assert "lastRollback" not in shop.status


def test_a_provider_that_got_worse_is_replaced(given: Scene, record_property: Note) -> None:
    """At rest, a release with another model is derived from the one that serves, and shipped as any other."""
    (shop,) = given.serving("shop")
    given.agents.fail(given.namespace, f"shop-{FIRST}", 0.2)
    eventually("failures", lambda: given.runs_seen(f"shop-{FIRST}", "failed") > 50)

    begun = time.monotonic()
    derived(given, f"shop-{FIRST}", "--version=1.0.1", "--set=model=anthropic/claude-x-2026-09-01")
    shop.asks_for("1.0.1")
    shop.comes_to("Healthy")
    seconds = time.monotonic() - begun

    record_property("from the command to all traffic, s", round(seconds, 1))
    assert seconds <= SOON
    assert shop.status["stable"]["release"] == "shop-1.0.1"
