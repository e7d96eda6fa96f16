"""Input: text of every kind, in objects and in reasons. Output: what the real API server stores of it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest

from agentrollouts.adapters.cluster.client import Cluster
from agentrollouts.adapters.cluster.errors import InvalidError
from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.names import (
    ANNOTATION_ROLLBACK_MESSAGE,
    ANNOTATION_ROLLED_BACK,
    FIELD_MANAGER,
    LABEL_MANAGED_BY,
)
from agentrollouts.core.effects import Patch, Write
from agentrollouts.shell.cache import Cache
from agentrollouts.shell.effects.act import Actor
from agentrollouts.shell.effects.events import EventSender
from agentrollouts.shell.inputs.intake import Intake
from agentrollouts.shell.workqueue import WorkQueue
from sandbox.operator import OperatorProcess
from sandbox.stack import Stack
from tests.e2e.manifests import a_release
from tests.e2e.scene import Scene

NAMESPACE: Final = "any-text"
TEXTS: Final = {
    "emoji": "🙂👩\u200d💻🇩🇪",
    "beyond U+FFFF": "𝔘𠮷\U0010ffff\U0001fffe",
    "scripts": "日本語 العربية עברית ümlaut e\u0301",
    "controls": "".join(map(chr, [*range(1, 32), *range(127, 160)])),
    "separators": "\u2028\u2029\u0085\u00a0\ufeff",
    "no characters": "\ufffe\uffff\ufdd0",
    "quotes": "\"'\\\\u0041 {{ }} ${x} # : - & * ! | > % @ `",
}


@pytest.fixture
async def cluster(stack: Stack) -> AsyncIterator[Cluster]:
    """A connection as administrator, and a namespace to work in."""
    stack.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    stack.apply(Path("crds"))
    stack.kubectl.insist("get", "agentreleases,agentrollouts", "--all-namespaces", seconds=120)
    connected = await Cluster.connect(stack.kubeconfig, timeout_seconds=60)
    yield connected
    await connected.close()


@pytest.fixture
async def account(stack: Stack, operator: OperatorProcess) -> AsyncIterator[Cluster]:
    """A connection as the operator, since no one else may write a status; the process itself is paused."""
    kubeconfig = stack.account_kubeconfig(operator.namespace, operator.name)
    connected = await Cluster.connect(kubeconfig, timeout_seconds=60)
    operator.process.pause()
    yield connected
    operator.process.resume()
    await connected.close()


def actor(cluster: Cluster) -> Actor:
    """The operator's own hands on this API server."""
    cache = Cache()
    return Actor(cluster, cache, Intake(cache, WorkQueue(lambda: 0.0)), EventSender(cluster))


def a_route(name: str, canary: int, **metadata: Any) -> Manifest:  # noqa: ANN401 - JSON
    """A route of ours."""
    backends = [
        {"name": "s", "port": 80, "weight": 100 - canary},
        {"name": "c", "port": 80, "weight": canary},
    ]
    identity = {"namespace": NAMESPACE, "name": name, "labels": {LABEL_MANAGED_BY: FIELD_MANAGER}}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": identity | metadata,
        "spec": {"parentRefs": [{"name": "public"}], "rules": [{"name": "r", "backendRefs": backends}]},
    }


def weights(route: Manifest | None) -> list[int]:
    """The weights of a route."""
    assert route is not None
    return [ref["weight"] for ref in route["spec"]["rules"][0]["backendRefs"]]


async def test_every_text_arrives_as_it_was_sent(cluster: Cluster) -> None:
    """Server-side apply, JSON patch and Events carry all of Unicode, and no reader on the way changes it."""
    data = {f"text-{number}": text for number, text in enumerate(TEXTS.values())}
    manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "namespace": NAMESPACE,
            "name": "texts",
            "annotations": {"text": "".join(TEXTS.values())},
        },
        "data": data,
    }
    applied = await cluster.apply(manifest)
    assert applied["data"] == data
    assert applied["metadata"]["annotations"] == {"text": "".join(TEXTS.values())}

    again = await cluster.patch(
        Ref.of(manifest), [{"op": "add", "path": "/data/more", "value": "".join(TEXTS.values())}]
    )
    assert again["data"]["more"] == "".join(TEXTS.values())


async def test_half_of_a_surrogate_pair_is_replaced(cluster: Cluster) -> None:
    """What UTF-8 cannot express arrives as U+FFFD, and the rest of the object with it."""
    applied = await cluster.apply(a_route("half", 5, annotations={"text": "a \ud83d b"}))

    assert (applied["metadata"]["annotations"], weights(applied)) == ({"text": "a \ufffd b"}, [95, 5])


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
async def test_a_rollback_is_written_whatever_its_reason_says(cluster: Cluster, text: str) -> None:
    """The route goes to 100/0 with the mark and the reason."""
    hands = actor(cluster)
    name = f"reason-{list(TEXTS.values()).index(text)}"
    await cluster.apply(a_route(name, 20))
    marks = {ANNOTATION_ROLLED_BACK: "7", ANNOTATION_ROLLBACK_MESSAGE: text}

    assert await hands.apply([Write(a_route(name, 0, annotations=marks), FIELD_MANAGER)]) is None

    route = await cluster.get(Ref("HTTPRoute", NAMESPACE, name))
    assert weights(route) == [100, 0]
    assert route is not None
    assert route["metadata"]["annotations"] == marks


@pytest.mark.parametrize(("filler", "left"), [(262_100, {ANNOTATION_ROLLED_BACK: "7"}), (262_150, {})])
async def test_a_rollback_does_not_wait_for_room_among_the_annotations(
    cluster: Cluster, filler: int, left: dict[str, str]
) -> None:
    """Where others have filled the annotations, the weights are written with the bare mark, or without."""
    hands = actor(cluster)
    name = f"full-{filler}"
    await cluster.apply(a_route(name, 20))
    full = {"metadata": {"namespace": NAMESPACE, "name": name, "annotations": {"full": "x" * (filler - 30)}}}
    kind = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute"}
    await cluster.apply(kind | full, manager="somebody")
    marks = {ANNOTATION_ROLLED_BACK: "7", ANNOTATION_ROLLBACK_MESSAGE: "errors: 8 of 19 runs failed"}

    problem = await hands.apply([Write(a_route(name, 0, annotations=marks), FIELD_MANAGER)])

    route = await cluster.get(Ref("HTTPRoute", NAMESPACE, name))
    assert weights(route) == [100, 0]
    assert route is not None
    route["metadata"]["annotations"].pop("full")
    assert route["metadata"]["annotations"] == left
    assert (problem is None) == bool(left)


async def test_a_patch_of_a_foreign_route_does_not_wait_for_room_either(cluster: Cluster) -> None:
    """The weights on a route of someone else go to 100/0 though no claim can be stored there."""
    hands = actor(cluster)
    await cluster.apply(a_route("foreign", 20, annotations={"full": "x" * 262_100}), manager="somebody")
    claim = '{"message":"8 of 19","rolledBack":7,"rule":"r","trigger":"Breach","uid":"u"}'
    path = "/metadata/annotations/agent.agentrollouts.dev~1split"
    ref = "/spec/rules/0/backendRefs"
    operations = (
        {"op": "add", "path": f"{ref}/0/weight", "value": 100},
        {"op": "add", "path": f"{ref}/1/weight", "value": 0},
        {"op": "add", "path": path, "value": claim},
    )

    problem = await hands.apply([Patch(a_route("foreign", 0), operations)])

    assert problem is not None
    assert weights(await cluster.get(Ref("HTTPRoute", NAMESPACE, "foreign"))) == [100, 0]


@pytest.mark.parametrize("size", [100_000, 1_600_000, 3_200_000])
async def test_a_status_that_is_too_large_is_refused_as_such(
    cluster: Cluster, account: Cluster, size: int
) -> None:
    """Too large for etcd or for a request is a refusal, and the attempt is stored without the numbers."""
    rollout = {
        "apiVersion": "agentrollouts.dev/v1alpha1",
        "kind": "AgentRollout",
        "metadata": {"namespace": NAMESPACE, "name": f"status-{size}"},
        "spec": {"agent": "status", "releaseRef": {"name": "status-1.0.0"}},
    }
    stored = await cluster.apply(rollout, manager="git")
    bounds = [{"le": str(n), "canary": "1", "stable": "1"} for n in range(64)]
    segments = [{"phaseIndex": 0, "bounds": bounds}] * 25
    gate = {"verdict": "Pass", "reason": "Passed", "severity": "High", "segments": segments}
    gates = [gate | {"name": f"gate-{n}", "message": "m"} for n in range(max(1, size // 55_000))][:16]
    gates = [gate | {"segments": segments * (1 + size // 1_000_000)} for gate in gates]
    status = {"observedGeneration": 1, "gates": gates}
    hands = actor(account)

    if size > 1_000_000:
        with pytest.raises(InvalidError):
            await account.replace_status(stored | {"status": status})
    await hands.statuses.replace(stored, status)

    persisted = await cluster.get(Ref.of(rollout))
    assert persisted is not None
    assert persisted["status"]["observedGeneration"] == 1
    assert ("gates" in persisted["status"]) == (size < 1_000_000)


def test_a_prompt_with_an_emoji_is_released(given: Scene) -> None:
    """The release becomes Ready, and agents read the very text from its snapshot."""
    text = "".join(TEXTS.values())
    prompt = {"version": "1.0.0", "inline": {"system": text}}
    model = {"version": "1.0.0", "provider": "openai", "name": "gpt-x-2026-08-01"}
    release = a_release(given.namespace, "polite", components={"prompt": prompt, "model": model})
    given.api.apply(release)

    given.says("AgentRelease", release["metadata"]["name"], "Ready", "Materialized")

    manifest = given.now("AgentRelease", release["metadata"]["name"])
    assert manifest is not None
    snapshot = given.now("ConfigMap", manifest["status"]["snapshot"]["name"])
    assert snapshot is not None
    assert "🙂👩\u200d💻🇩🇪𝔘𠮷" in snapshot["data"]["bundle.json"]
