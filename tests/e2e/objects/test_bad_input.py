"""Objects that the schema lets through and that are wrong anyway, all at once under one operator.

For each: a condition with a reason and the field by name, no haste, and health once it is corrected.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from agentrollouts.adapters.cluster.resources import Ref
from sandbox.programs import web
from sandbox.programs.controlplane import ADMIN
from tests.e2e.api import Manifest
from tests.e2e.manifests import FIRST, a_release
from tests.e2e.mistakes import KEY, MISTAKES, RELEASE, Mistake, a_config, a_foreign_route, made, write_anew
from tests.e2e.scene import BACK, Scene, condition_of, now

VALID: Final = Path(__file__).parents[3] / "crds" / "examples" / "valid"
QUIET_SECONDS = 10
CALLS_PER_OBJECT = 10
"""In so many seconds; looking once a second is no haste."""

each_mistake = pytest.mark.parametrize("mistake", MISTAKES, ids=[mistake.name for mistake in MISTAKES])


@dataclass(frozen=True)
class Bad:
    """A namespace with every mistake in it."""

    scene: Scene
    pid: int | None
    """The process that met them."""


@pytest.fixture(scope="module")
def bad(open_scene: Callable[[], AbstractContextManager[Scene]]) -> Iterator[Bad]:
    """Every mistake, made at once."""
    with open_scene() as scene:
        pid = scene.operator.process.pid
        scene.api.apply(
            a_release(scene.namespace, "neighbor"), a_foreign_route(scene.namespace, "route-taken")
        )
        scene.api.apply(a_config(scene.namespace, "name-taken-traffic", {"theirs": "1"}))
        for mistake in MISTAKES:
            scene.api.apply(*made(scene.namespace, mistake))
        yield Bad(scene, pid)


@each_mistake
def test_a_mistake_is_named(bad: Bad, mistake: Mistake) -> None:
    """The object says by a condition what is wrong and in which field; nothing is served."""
    name = mistake.told_on

    message = bad.scene.says(mistake.on, name, mistake.condition, mistake.reason)

    assert mistake.names in message
    assert KEY not in message
    condition = condition_of(bad.scene.manifest(mistake.on, name), mistake.condition)
    assert condition["status"] == "False"
    if mistake.on == RELEASE:
        assert mistake.names in bad.scene.says("AgentRollout", mistake.name, "Ready", "ReleaseNotReady")


def test_nothing_is_tried_in_haste(bad: Bad) -> None:
    """With all mistakes in place nobody writes a status, and the API server is asked little."""
    for mistake in MISTAKES:
        bad.scene.says(mistake.on, mistake.told_on, mistake.condition, mistake.reason)
    bad.scene.witness.wait_for_rest(2)
    before, since = calls(bad.scene), now()

    bad.scene.witness.holds("", lambda: True, QUIET_SECONDS)

    spent = calls(bad.scene) - before
    assert sum(spent.values()) <= CALLS_PER_OBJECT * len(MISTAKES), spent
    versions = [
        version
        for mistake in MISTAKES
        for version in bad.scene.witness.versions(bad.scene.ref("AgentRollout", mistake.name))
        if version.time > since
    ]
    assert versions == []


def calls(scene: Scene) -> Counter[str]:
    """How often the operator has called the API server, as it says itself."""
    families = text_string_to_metric_families(web.get(scene.operator.metrics_url))
    samples = (sample for family in families for sample in family.samples)
    calls_by_label: Counter[str] = Counter()
    for sample in samples:
        if sample.name == "agentrollouts_api_call_duration_seconds_count":
            calls_by_label[" ".join(sample.labels.values())] += int(sample.value)
    return calls_by_label


@each_mistake
def test_a_mistake_can_be_corrected(bad: Bad, mistake: Mistake) -> None:
    """Once it is corrected, the rollout becomes Ready under the same process."""
    (mistake.mend or write_anew)(bad.scene, mistake)

    bad.scene.says("AgentRollout", mistake.name, "Ready", "Healthy")
    bad.scene.says("AgentRollout", mistake.name, "TrafficApplied", "Applied")
    assert bad.scene.operator.process.pid == bad.pid


def test_a_name_is_not_used_for_other_content(given: Scene) -> None:
    """A release that is deleted and made again with other content is refused, and what serves goes on."""
    (shop,) = given.serving("reused")
    since = now()
    ref = given.ref("AgentRelease", f"reused-{FIRST}")
    given.api.delete(ref)
    given.witness.wait("it is gone", lambda: given.witness.get(ref) is None)
    other = a_release(given.namespace, "reused")
    other["spec"]["components"]["prompt"]["inline"] = {"system": "You are somebody else."}

    given.api.apply(other)

    message = given.says("AgentRelease", f"reused-{FIRST}", "Ready", "NameReused")
    assert "give the release a new name" in message
    shop.until("Ready at what serves", lambda: shop.ready["status"] == "True")
    shop.keeps_its_weights(since)
    assert shop.weights() == BACK


def test_all_valid_examples_are_taken(given: Scene) -> None:
    """What people write is accepted and answered, by the same process.

    All but a freeze, which could stop the rollouts of other tests.
    """
    pid = given.operator.process.pid
    for file in sorted(VALID.glob("*.yaml")):
        example = yaml.safe_load(file.read_text())
        if example["kind"] in {"AgentFreeze", "AgentRolloutRecord"}:
            continue
        example["metadata"] |= {"namespace": given.namespace}
        if "requestedBy" in example["spec"]:
            example["spec"]["requestedBy"] = ADMIN
            example["metadata"]["name"] = file.stem
        (applied,) = given.api.apply(example)

        given.witness.wait(f"{file.name} is answered", partial(is_answered, given, applied))

    assert given.operator.process.pid == pid


def is_answered(given: Scene, applied: Manifest) -> bool:
    """Whether the operator has said something about this generation."""
    manifest = given.witness.get(Ref.of(applied))
    observed_generation = (manifest or {}).get("status", {}).get("observedGeneration", 0)
    return condition_of(manifest, "Ready") != {} and observed_generation >= applied["metadata"]["generation"]
