"""Input: a template and a release. Output: the Deployment of the release, or why there can be none."""

import copy
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.api.model.base import DNS_SUBDOMAIN
from agentrollouts.api.reasons import Reason
from agentrollouts.api.release import AgentRelease
from agentrollouts.core.workload.template import stamped, unfit, workload_name
from testkit.builders.names import AGENT, NEW, digest_of, snapshot_of
from testkit.builders.releases import a_ready_release, a_record
from testkit.builders.rollouts import a_rollout
from testkit.workloads import TEMPLATE, WORKLOAD

ROLLOUT = a_rollout(workload=WORKLOAD).build()


def a_release(image: str | None = None) -> AgentRelease:
    """A release that says which image it runs in, or does not."""
    manifest = a_ready_release(NEW, service=None).to_json()
    if image:
        manifest["spec"]["components"]["runtime"] = {"version": "1.0.0", "image": image}
    return AgentRelease.model_validate(manifest)


def a_template(**container: object) -> dict[str, Any]:
    """The template with these fields of its container."""
    template = copy.deepcopy(TEMPLATE)
    template["spec"]["template"]["spec"]["containers"][0] |= container
    return template


@given(st.from_regex(DNS_SUBDOMAIN, fullmatch=True).filter(lambda name: len(name) <= 63))
def test_a_name_is_that_of_a_service(release: str) -> None:
    """Whatever the release is called: at most 63 characters, and a letter first (RFC 1035)."""
    assert re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", workload_name(release))


def test_a_release_gets_its_snapshot_its_identity_and_labels_of_its_own() -> None:
    """Everything else is as in the template; its labels and annotations stay with it."""
    template = a_template(env=[{"name": "LEVEL", "value": "info"}])
    template["metadata"]["annotations"] = {"argocd.argoproj.io/tracking-id": "x"}

    deployment = stamped(ROLLOUT, a_record(NEW), a_release(), template)

    labels = {"agentrollouts.dev/agent": AGENT, "agentrollouts.dev/release": NEW}
    assert "annotations" not in deployment["metadata"]
    assert "agentrollouts.dev/template" not in deployment["metadata"]["labels"]
    assert deployment["spec"] == {
        "replicas": 2,
        "selector": {"matchLabels": labels},
        "template": {
            "metadata": {"labels": {"app": AGENT, **labels}, "annotations": {}},
            "spec": {
                "containers": [
                    {
                        "name": "agent",
                        "image": "registry.example/agent:1",
                        "env": [
                            {"name": "AGENT_RELEASE", "value": NEW},
                            {"name": "AGENT_DIGEST", "value": digest_of(NEW)},
                            {"name": "LEVEL", "value": "info"},
                        ],
                        "volumeMounts": [
                            {"name": "agentrollouts-snapshot", "mountPath": "/etc/agent", "readOnly": True}
                        ],
                    }
                ],
                "volumes": [{"name": "agentrollouts-snapshot", "configMap": {"name": snapshot_of(NEW)}}],
            },
        },
    }


def test_a_copy_is_no_template_and_leaves_the_template_as_it_is() -> None:
    """The same input gives the same Deployment, which cannot be copied again."""
    template = a_template()
    before = copy.deepcopy(template)

    first, second = (stamped(ROLLOUT, a_record(NEW), a_release(), template) for _ in range(2))

    assert (first, template) == (second, before)
    assert ROLLOUT.spec.workload is not None
    assert unfit(first, ROLLOUT.spec.workload, a_release()) is not None


DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("registry.example/agent:1", "registry.example/agent:2"),
        ("registry.example/agent", f"registry.example/agent@{DIGEST}"),
        (f"registry.example:5000/a/b:1@{DIGEST}", "registry.example:5000/a/b"),
        ("agent:1", f"agent:2@{DIGEST}"),
    ],
)
def test_a_release_runs_in_an_image_of_the_same_repository(theirs: str, ours: str) -> None:
    """Tag and digest are those of the release."""
    template = a_template(image=theirs)
    assert ROLLOUT.spec.workload is not None

    assert unfit(template, ROLLOUT.spec.workload, a_release(ours)) is None
    deployment = stamped(ROLLOUT, a_record(NEW), a_release(ours), template)

    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == ours


@pytest.mark.parametrize(
    "image",
    [
        "evil.example/agent:1",
        "registry.example/agent-evil:1",
        "registry.example/agent/evil:1",
        "registry.example/agent:1/evil",
        "registry.example/agent:1@evil.example/agent",
        "registry.example/agent@sha256:0",
        "agent:1",
    ],
)
def test_a_release_cannot_name_an_image_of_another_repository(image: str) -> None:
    """Who may write releases must not thereby run any image."""
    assert ROLLOUT.spec.workload is not None
    problem = unfit(TEMPLATE, ROLLOUT.spec.workload, a_release(image))

    assert problem is not None
    assert (problem.reason, image in problem.message) == (Reason.TEMPLATE_UNFIT, True)
    unchanged = stamped(ROLLOUT, a_record(NEW), a_release(image), TEMPLATE)
    assert unchanged["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.example/agent:1"


@pytest.mark.parametrize(
    ("template", "why"),
    [
        (None, "does not exist"),
        ({**TEMPLATE, "metadata": {**TEMPLATE["metadata"], "labels": {}}}, "has to be marked as a template"),
        ({**TEMPLATE, "spec": {**TEMPLATE["spec"], "replicas": 3}}, "has 3 replicas"),
        (a_template(volumeMounts=[{"name": "x", "mountPath": "/etc/agent"}]), "mounts another volume"),
        (a_template(env=[{"name": "AGENT_DIGEST", "value": "x"}]), "sets AGENT_DIGEST in container agent"),
    ],
)
def test_a_template_that_cannot_be_copied_says_what_to_change(
    template: dict[str, Any] | None, why: str
) -> None:
    """By name, with the remedy."""
    assert ROLLOUT.spec.workload is not None
    problem = unfit(template, ROLLOUT.spec.workload, a_release())

    assert problem is not None
    assert why in problem.message
