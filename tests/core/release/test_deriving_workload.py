"""The Deployment and the Service of a derived release differ from the base's in the named fields alone."""

import copy
from collections.abc import Iterator
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.core.release.checks import Refusal
from agentrollouts.core.release.deriving.workload import (
    Identity,
    Running,
    derived_workload,
    leftovers,
    pod_labels,
    running,
    uses,
)
from testkit.builders.workloads import a_workload

Path = tuple[str | int, ...]

OLD: Final = Identity(
    release="support-agent-4.2.1",
    version="4.2.1",
    service="support-agent-4-2-1",
    snapshot="support-agent-0123456789abcdef",
    digest="sha256:" + "01" * 32,
    image="registry.example/runtime:1",
)
NEW: Final = Identity(
    release="support-agent-4.2.2",
    version="4.2.2",
    service="support-agent-4-2-2",
    snapshot="support-agent-fedcba9876543210",
    digest="sha256:" + "fe" * 32,
    image="registry.example/runtime:2",
)
TEXTS: Final = (OLD.release, OLD.service, OLD.version, "4-2-1", OLD.snapshot, OLD.digest, str(OLD.image))
POD: Final = ("spec", "template", "spec")
EXPRESSION: Final = (
    *POD,
    "topologySpreadConstraints",
    0,
    "labelSelector",
    "matchExpressions",
    0,
    "values",
    0,
)


def a_base(**fields: Any) -> Running:  # noqa: ANN401 any field
    """What runs the base."""
    deployment, service = a_workload(OLD.release, OLD.version, OLD.snapshot, **fields)
    return Running(deployment=deployment, service=service)


def derived(base: Running, namespace: str | None = None) -> Running:
    """What runs the new release."""
    made = derived_workload(base, OLD, NEW, namespace)
    assert isinstance(made, Running), made
    return made


def texts(value: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:  # noqa: ANN401 any object
    """Each text with its path."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ())
    for key, each in pairs:
        yield from texts(each, (*path, key))
    if isinstance(value, str):
        yield path, value


def changes(before: Any, after: Any) -> dict[Path, tuple[str, str]]:  # noqa: ANN401 any object
    """The texts that differ; both objects have the same fields."""
    old, new = dict(texts(before)), dict(texts(after))
    assert old.keys() == new.keys()
    return {path: (old[path], new[path]) for path in old if old[path] != new[path]}


def test_what_names_the_base_names_the_new_release() -> None:
    """The name, the labels, the selectors, the variables, the arguments and the snapshot; nothing else."""
    base = a_base()
    before, made = copy.deepcopy(base), derived(base)

    name, version, release = (
        (OLD.service, NEW.service),
        (OLD.version, NEW.version),
        (OLD.release, NEW.release),
    )
    assert changes(base.deployment, made.deployment) == {
        ("metadata", "name"): name,
        ("metadata", "labels", "version"): version,
        ("spec", "selector", "matchLabels", "version"): version,
        ("spec", "template", "metadata", "labels", "version"): version,
        (*POD, "containers", 0, "args", 1): release,
        (*POD, "containers", 0, "env", 0, "value"): release,
        (*POD, "volumes", 0, "configMap", "name"): (OLD.snapshot, NEW.snapshot),
        EXPRESSION: version,
    }
    assert changes(base.service, made.service) == {
        ("metadata", "name"): name,
        ("metadata", "labels", "version"): version,
        ("spec", "selector", "version"): version,
    }
    assert before == base, "the base is not changed"


def test_what_still_has_the_version_is_reported() -> None:
    """By its path; a Secret and an account of that name are not copied, so they are named as before."""
    base = a_base()
    assert list(leftovers(base.deployment, derived(base).deployment, OLD)) == [
        "spec.template.spec.serviceAccountName",
        "spec.template.spec.containers[0].image",
        "spec.template.spec.containers[0].env[1].value",
        "spec.template.spec.containers[0].env[2].valueFrom.secretKeyRef.name",
    ]
    assert uses(base.deployment, OLD.snapshot)
    assert not uses(base.deployment, NEW.snapshot)


def test_the_image_of_the_runtime_is_that_of_the_new_release() -> None:
    """A release that takes its runtime from another one runs it; any other image stays."""
    base = a_base()
    containers = base.deployment["spec"]["template"]["spec"]["containers"]
    containers.append({"name": "runtime", "image": OLD.image})
    images = [each["image"] for each in derived(base).deployment["spec"]["template"]["spec"]["containers"]]
    assert images == ["registry.example/support-agent:4.2.1", NEW.image]


KEYS: Final = st.sampled_from(["name", "value", "image", "configMap", "env", "claimName", "url", "hostname"])
ANY: Final = st.recursive(
    st.sampled_from(TEXTS) | st.integers() | st.none() | st.text("ab", max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
ALLOWED: Final = {("env", "value"), ("configMap", "name")}


def is_named(path: Path) -> bool:
    """Whether a field below `extra` may change."""
    keys = [key for key in path if isinstance(key, str)]
    return tuple(keys[-2:]) in ALLOWED or keys[-1] == "image"


@given(extra=ANY)
def test_only_the_named_fields_differ(extra: object) -> None:
    """Whatever else is in the Deployment, and whatever text it has, is the base's."""
    base = a_base(extra=extra)
    made = derived(base)

    below = {
        path: pair for path, pair in changes(base.deployment, made.deployment).items() if path[1] == "extra"
    }
    assert all(is_named(path) for path in below), below
    assert all(before in TEXTS for before, _ in below.values())
    plain = [
        path for path, text in texts(extra) if text == OLD.snapshot and path[-2:] == ("configMap", "name")
    ]
    assert {("spec", "extra", *path) for path in plain} <= below.keys()


@given(labels=st.dictionaries(st.sampled_from("abcd"), st.sampled_from([*TEXTS[:4], "x", "y"]), max_size=4))
def test_no_service_selects_the_pods_of_both(labels: dict[str, str]) -> None:
    """Each Service selects the pods of its own release, or the copy is refused."""
    base = a_base()
    for selector in (
        base.service["spec"]["selector"],
        base.deployment["spec"]["selector"]["matchLabels"],
        pod_labels(base.deployment),
    ):
        assert isinstance(selector, dict)
        selector.clear()
        selector.update(labels)
    made = derived_workload(base, OLD, NEW, None)

    selects = {OLD.release, OLD.service, OLD.version, "4-2-1"} & set(labels.values())
    assert isinstance(made, Running) == bool(selects)
    if isinstance(made, Running):
        old, new = (each.service["spec"]["selector"].items() for each in (base, made))
        assert new <= pod_labels(made.deployment).items()
        assert not new <= pod_labels(base.deployment).items()
        assert not old <= pod_labels(made.deployment).items()


def test_what_the_api_server_or_a_tool_wrote_is_left_out() -> None:
    """The copy can be applied, and no tool takes it for its own."""
    base = a_base()
    marks = {"argocd.argoproj.io/tracking-id": "a", "deployment.kubernetes.io/revision": "3", "team": "shop"}
    for each in (base.deployment, base.service):
        each["metadata"] |= {"uid": "u", "resourceVersion": "5", "annotations": marks}  # type: ignore[index]
        each["status"] = {"observedGeneration": 1}  # type: ignore[index]
    base.service["spec"].update(clusterIP="10.0.0.7", clusterIPs=["10.0.0.7"])
    base.service["spec"]["ports"][0]["nodePort"] = 30001
    made = derived(base, "elsewhere")

    for each in (made.deployment, made.service):
        assert each.keys() == {"apiVersion", "kind", "metadata", "spec"}
        assert each["metadata"].keys() == {"name", "namespace", "labels", "annotations"}
        assert each["metadata"]["annotations"] == {"team": "shop"}
        assert each["metadata"]["namespace"] == "elsewhere"
    assert made.service["spec"] == {
        "type": "ClusterIP",
        "selector": {"app": "support-agent", "version": "4.2.2"},
        "ports": [{"port": 8080}],
    }


def test_a_service_without_an_address_stays_without() -> None:
    """`clusterIP: None` is what a user wrote."""
    base = a_base()
    base.service["spec"]["clusterIP"] = "None"
    assert derived(base).service["spec"]["clusterIP"] == "None"


SHARED: Final = (
    "Service support-agent-4-2-1 selects the pods of other and support-agent-4-2-1; let it select those of "
    "one release"
)


@pytest.mark.parametrize(
    ("objects", "sentence"),
    [
        ([], "Service support-agent-4-2-1: the input does not have it; add it"),
        ([a_base().service] * 2, "Service support-agent-4-2-1: the input has 2 of that name; give one"),
        (
            [a_base().service],
            "no Deployment with pods of Service support-agent-4-2-1 is in the input; add it",
        ),
        (
            [a_base().service, a_base().deployment, {**a_base().deployment, "metadata": {"name": "other"}}],
            SHARED,
        ),
        (
            [{**a_base().service, "spec": {"ports": []}}, a_base().deployment],
            "Service support-agent-4-2-1 has no selector, so its Deployment is not known",
        ),
    ],
)
def test_a_base_that_is_not_known_is_refused(objects: list[dict[str, Any]], sentence: str) -> None:
    """By what is missing, or there twice."""
    refused = running(OLD.service, objects)
    assert isinstance(refused, Refusal)
    assert (refused.path, refused.message) == ("--workload", sentence)


def test_a_deployment_whose_name_says_nothing_is_refused() -> None:
    """The new one would replace it."""
    base = a_base()
    base.deployment["metadata"]["name"] = "support-blue"
    refused = derived_workload(base, OLD, NEW, None)
    assert isinstance(refused, Refusal)
    assert refused.message == (
        "Deployment support-blue has neither the name nor the version of support-agent-4.2.1 in its name, "
        "so the new one has no name; rename it"
    )
