"""The three agents of `examples/`, as kustomize builds them: a first release, a canary, a breach, and back.

Only times, the Gateway and what the containers of the hooks run are those of the sandbox. It makes no pods,
so the test says that the Services have endpoints.
"""

import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
import yaml

from sandbox.agents.endpoints import a_service
from sandbox.parts import parts
from testkit.agents import Agents
from tests.e2e.api import Manifest
from tests.e2e.hooks.pods import Pods
from tests.e2e.manifests import QUICK, routed, service_of
from tests.e2e.scene import BACK, Scene, Shop, condition_of
from tests.e2e.witness import eventually

EXAMPLES: Final = Path(__file__).parents[3] / "examples"
LATER: Final = "2099-01-01T00:00:00Z"
"""When the freeze begins, so that the result does not depend on the day."""


class Story(NamedTuple):
    """What happens to an agent."""

    agent: str
    good: str
    bad: str
    gates: frozenset[str]
    """Those that see it; the first one that fails is in the message."""
    misbehave: Callable[[Agents, str, str, float], None]
    usual: float
    worse: float
    hooks: dict[str, int]
    """How often each runs."""


STORIES: Final = {
    "support": Story(
        *("support-agent", "4.1.0", "4.2.0", frozenset({"errors", "completion"}), Agents.fail, 0.01, 0.6),
        {"keep-memory": 2, "restore-memory": 1, "reverse-refunds": 1},
    ),
    "loans": Story(
        *("loan-agent", "6.4.2", "7.0.0", frozenset({"approvals"}), Agents.approve, 0.45, 0.8),
        {"replay-applications": 2, "queue-for-review": 1},
    ),
    "code-review": Story(
        *("review-agent", "1.8.0", "1.9.0", frozenset({"tool-errors"}), Agents.call, 0.01, 0.6),
        {"hide-comments": 1},
    ),
}


def built(folder: Path) -> list[Manifest]:
    """The objects that `kubectl kustomize` makes of a folder; alert rules are for a cluster that has them."""
    done = subprocess.run(  # noqa: S603 ours
        [parts.kubectl(), "kustomize", folder], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each["kind"] != "PrometheusRule"]


def in_sandbox(manifest: Manifest, namespace: str) -> Manifest:
    """An object of the example in a namespace of the sandbox."""
    manifest["metadata"]["namespace"] = namespace
    spec: dict[str, Any] = manifest.get("spec", {})
    match manifest["kind"]:
        case "CronJob":
            [container] = spec["jobTemplate"]["spec"]["template"]["spec"]["containers"]
            container["command"] = ["true"]
        case "AgentFreeze":
            spec["startTime"] = LATER
        case "AgentRollout":
            spec |= {key: spec.get(key, {}) | QUICK[key] for key in ("analysis", "bake", "rollback")}
            if "traffic" in spec:
                spec["traffic"] = routed(namespace)
    return manifest


def applied(given: Scene, folder: Path, story: Story) -> Shop:
    """The example with its first release, whose agents are ready."""
    objects = [in_sandbox(each, given.namespace) for each in built(folder)]
    [rollout] = [each for each in objects if each["kind"] == "AgentRollout"]
    objects.remove(rollout)
    spec = {key: value for key, value in rollout["spec"].items() if key not in {"agent", "releaseRef"}}
    shop = given.shops[story.agent] = Shop(given, story.agent, spec)
    for version in (story.good, story.bad):
        service = service_of(f"{story.agent}-{version}")
        given.stack.apply(a_service(given.namespace, service)[1])
    given.stack.apply(objects)
    shop.asks_for(story.good)
    return shop


@pytest.mark.parametrize("name", STORIES)
def test_an_example_is_walked(name: str, given: Scene) -> None:
    """A gate that is there for it sees the breach, all traffic is back, and each hook has run."""
    story = STORIES[name]
    for version, share in ((story.good, story.usual), (story.bad, story.worse)):
        story.misbehave(given.agents, given.namespace, f"{story.agent}-{version}", share)
    with Pods(given.stack, given.namespace) as pods:
        shop = applied(given, EXAMPLES / name, story)
        shop.comes_to("Healthy")
        eventually("runs", lambda: given.runs_seen(f"{story.agent}-{story.good}") > 1000)
        shop.asks_for(story.bad)
        shop.until("a rollback", lambda: shop.status.get("lastRollback"))
        shop.until(
            "the data is recovered",
            lambda: condition_of(shop.manifest, "DataRecovered").get("status") == "True",
        )
        shop.comes_to("RolledBack")

    rollback = shop.status["lastRollback"]
    assert (rollback["trigger"], rollback["reason"]) == ("Breach", "GateFailed"), rollback
    assert rollback["message"].partition(": ")[0] in story.gates, rollback
    assert shop.weights() == BACK
    assert {entry["state"] for entry in shop.status["hooks"]} == {"Succeeded"}
    assert Counter(entry["name"] for entry in shop.status["hooks"]) == story.hooks
    assert len(pods.started) == sum(story.hooks.values())
