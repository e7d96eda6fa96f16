"""Input: what a Git tool does to objects all day. Output: nothing of it restarts or changes anything."""

from collections.abc import Callable
from functools import partial

import pytest

from agentrollouts.api.names import FIELD_MANAGER
from tests.e2e.api import Manifest
from tests.e2e.manifests import phase
from tests.e2e.scene import Scene, Shop, now
from tests.gitops_tools import health, kstatus
from tests.repetitions import without_repetitions

SECOND, BAD = "2.0.0", "3.0.0"
TRACKING = {
    "labels": {"app.kubernetes.io/instance": "shop", "app.kubernetes.io/managed-by": "Helm"},
    "annotations": {"argocd.argoproj.io/tracking-id": "shop:agentrollouts.dev/AgentRollout:x/agent"},
}
"""What Git tools put on the objects that they keep."""


def resync(shop: Shop) -> None:
    """The same manifests are applied again."""
    shop.asks_for(SECOND)


def relabel(shop: Shop) -> None:
    """The tool's labels and annotations appear on everything that it keeps."""
    scene = shop.scene
    for ref in (shop.ref, scene.ref("AgentRelease", f"{shop.agent}-{SECOND}")):
        scene.api.patch(ref, {"metadata": TRACKING})


def refresh(shop: Shop) -> None:
    """A person asks for a refresh."""
    shop.scene.api.patch(shop.ref, {"metadata": {"annotations": {"argocd.argoproj.io/refresh": "hard"}}})


def another_manager(shop: Shop) -> None:
    """The same manifest under another name, as after a move to another tool."""
    scene = shop.scene
    manifest = {key: shop.manifest[key] for key in ("apiVersion", "kind", "spec")}
    manifest["metadata"] = {"name": shop.ref.name, "namespace": shop.ref.namespace}
    scene.api.apply(manifest, manager="kustomize-controller")


@pytest.mark.parametrize("disturb", [resync, relabel, refresh, another_manager])
def test_nothing_that_a_git_tool_does_restarts_an_attempt(
    given: Scene, disturb: Callable[[Shop], None]
) -> None:
    """Attempt, phase, weight and every clock are what they were; no traffic object has a new version."""
    [shop] = given.serving("agent", phases=[phase("half", 50, 600)])
    shop.ships(SECOND)
    shop.is_counting()
    before, began = shop.progress(), now()

    disturb(shop)
    given.witness.holds("the same attempt", lambda: shop.progress() == before, 4)

    shop.keeps_its_weights(began)
    assert len(given.witness.versions(shop.config, began)) == 1
    assert shop.attempt["number"] == 2


def test_a_resync_does_not_try_again_what_was_rolled_back(given: Scene) -> None:
    """Git still asks for it: Degraded and Failed, with the reason, until something else is shipped."""
    [shop] = given.serving("agent", phases=[phase("half", 50, 600)])
    shop.ships(BAD, failing=0.9)
    shop.comes_to("RolledBack")
    given.says("AgentRollout", "agent", "Stalled", "Quarantined")
    assert kstatus(shop.manifest) == "Failed"
    assert health("agentrollout-progressing", shop.manifest)[0] == "Degraded"
    number = shop.attempt["number"]

    shop.asks_for(BAD)
    given.api.patch(shop.ref, {"metadata": TRACKING})

    given.witness.holds("at rest", lambda: shop.attempt["number"] == number, 3)


def test_nothing_of_ours_is_out_of_sync(given: Scene) -> None:
    """No field outside the status is written, and no label or annotation of a parent is on a child."""
    shop = given.shop("agent", phases=[phase("half", 50, 1)])
    for ref in (shop.ref, given.ref("AgentRelease", "agent-1.0.0")):
        given.api.patch(ref, {"metadata": TRACKING})
    shop.comes_to("Healthy")
    shop.ships(SECOND)
    shop.comes_to("Healthy")

    for kind, name in (("AgentRollout", "agent"), ("AgentRelease", f"agent-{SECOND}")):
        manifest = given.manifest(kind, name)
        assert manifest is not None
        assert written_by_us(manifest) == {("status", "f:status")}
    children = [
        config_map for config_map in given.witness.all("ConfigMap", given.namespace) if is_child(config_map)
    ]
    assert len(children) == 3  # two snapshots and the traffic
    for child in children:
        metadata = child["metadata"]
        keys = {*metadata.get("labels", {}), *metadata.get("annotations", {})}
        assert not [key for key in keys if "argocd" in key or "instance" in key]
        assert metadata["labels"]["app.kubernetes.io/managed-by"] == FIELD_MANAGER


def written_by_us(manifest: Manifest) -> set[tuple[str | None, str]]:
    """Subresource and top-level fields that the operator owns."""
    return {
        (entry.get("subresource"), field)
        for entry in manifest["metadata"]["managedFields"]
        if entry["manager"] == FIELD_MANAGER
        for field in entry["fieldsV1"]
    }


def is_child(manifest: Manifest) -> bool:
    """Whether one of our kinds owns it."""
    owners = manifest["metadata"].get("ownerReferences", ())
    return any(owner["apiVersion"].startswith("agentrollouts.dev/") for owner in owners)


def test_the_course_as_git_tools_see_it(given: Scene) -> None:
    """On the real objects: never Current or Healthy before it is so, and then to stay."""
    began = now()
    [shop] = given.serving("agent", phases=[phase("half", 50, 3)])
    shop.ships(SECOND)
    shop.comes_to("Healthy")
    shop.until("Ready", lambda: shop.ready.get("status") == "True")

    manifests = [version.manifest for version in given.witness.versions(shop.ref, began)]
    requested = [
        manifest for manifest in manifests if manifest["spec"]["releaseRef"]["name"] == f"agent-{SECOND}"
    ]
    assert manifests[0]["status"] == {"observedGeneration": 0}
    assert without_repetitions(map(kstatus, manifests)) == ["InProgress", "Current", "InProgress", "Current"]
    assert without_repetitions(map(partial(health_of, "agentrollout-progressing"), requested)) == [
        "Progressing",
        "Healthy",
    ]
    serving = without_repetitions(map(partial(health_of, "agentrollout-serving"), requested))
    assert serving in (
        ["Progressing", "Healthy"],
        ["Healthy"],
    )  # the first is the edit that nobody has seen yet
    release = given.now("AgentRelease", f"agent-{SECOND}")
    assert release is not None
    assert (kstatus(release), health_of("agentrelease", release)) == ("Current", "Healthy")
    waited = ["wait", "--for=condition=Ready", f"--namespace={given.namespace}", "--timeout=100s"]
    assert "condition met" in given.stack.kubectl(*waited, "agentrollout.agentrollouts.dev/agent")


def health_of(script: str, manifest: Manifest) -> str:
    """What Argo CD would show."""
    return health(script, manifest)[0]
