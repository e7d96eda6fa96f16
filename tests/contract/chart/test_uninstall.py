"""The hook that `helm uninstall` runs first: what is rendered, what it may do, and when there is none."""

import json
from collections.abc import Mapping
from typing import Any, Final

import pytest

from agentrollouts.cli.arguments import Command, parse
from sandbox.stack import Stack
from tests.contract.chart.rendering import FULL_NAME, NAME, NAMESPACE, hooks, of_kind, rendered
from tests.contract.chart.test_chart import rights

UNINSTALL: Final = f"{FULL_NAME}-uninstall"
EVERYWHERE: Final[Mapping[str, Any]] = {}
NAMESPACED: Final[Mapping[str, Any]] = {"namespaces": ["team-a", "team-b"]}
RIGHTS: Final = {
    ("agentrollouts.dev", "agentrollouts"): {"list", "rollback"},
    ("agentrollouts.dev", "agentrolloutactions"): {"create"},
}


def the_job(values: Mapping[str, Any]) -> dict[str, Any]:
    """The one Job."""
    [job] = of_kind(hooks(values), "Job")
    return job


def pod_of(owner: Mapping[str, Any]) -> dict[str, Any]:
    """The spec of the pods of a Job or a Deployment."""
    spec: dict[str, Any] = owner["spec"]["template"]["spec"]
    return spec


@pytest.mark.parametrize(("values", "scope"), [(EVERYWHERE, "Cluster"), (NAMESPACED, "")])
def test_each_object_exists_only_during_an_uninstall(values: Mapping[str, Any], scope: str) -> None:
    """Rights come before the Job; all are deleted after it, and before a second try."""
    all_metadata = [each["metadata"] for each in hooks(values)]
    weights = {
        each["kind"]: int(each["metadata"]["annotations"]["helm.sh/hook-weight"]) for each in hooks(values)
    }

    assert weights == {"ServiceAccount": -2, f"{scope}Role": -2, f"{scope}RoleBinding": -1, "Job": 0}
    assert {each["annotations"]["helm.sh/hook"] for each in all_metadata} == {"pre-delete"}
    policies = {each["annotations"]["helm.sh/hook-delete-policy"] for each in all_metadata}
    assert policies == {"before-hook-creation,hook-succeeded"}
    assert {each["name"] for each in all_metadata} == {UNINSTALL}


def test_helm_prints_what_the_job_says() -> None:
    """Otherwise the log would be deleted with the Job before anyone reads it."""
    annotations = the_job(EVERYWHERE)["metadata"]["annotations"]

    assert annotations["helm.sh/hook-output-log-policy"] == "hook-succeeded,hook-failed"


def test_the_account_may_list_and_request_everywhere() -> None:
    """One ClusterRole has exactly these rights, and is bound to the account of the Job."""
    hook_objects = hooks(EVERYWHERE)
    [role], [binding] = of_kind(hook_objects, "ClusterRole"), of_kind(hook_objects, "ClusterRoleBinding")

    assert of_kind(hook_objects, "Role", "RoleBinding") == []
    assert rights(role) == RIGHTS
    assert binding["roleRef"]["name"] == UNINSTALL
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": UNINSTALL, "namespace": NAMESPACE}]


def test_the_account_may_do_the_same_in_some_namespaces() -> None:
    """With namespaces named there is a Role in each and no right outside them."""
    hook_objects = hooks(NAMESPACED)
    roles, bindings = of_kind(hook_objects, "Role"), of_kind(hook_objects, "RoleBinding")

    assert of_kind(hook_objects, "ClusterRole", "ClusterRoleBinding") == []
    assert [rights(role) for role in roles] == [RIGHTS] * 2
    for objects in (roles, bindings):
        assert [each["metadata"]["namespace"] for each in objects] == ["team-a", "team-b"]
    assert {binding["subjects"][0]["namespace"] for binding in bindings} == {NAMESPACE}


def test_the_command_is_one_that_exists() -> None:
    """It waits as long as the value says, for the namespaces of the chart, and fails for no rollback."""
    values = {**NAMESPACED, "uninstall": {"timeoutSeconds": 30}}
    [container] = pod_of(the_job(values))["containers"]
    command, options = parse(container["args"])

    assert (container["command"], command) == (["agentrollouts"], Command.ROLL_BACK_ALL)
    assert (options.namespace, options.timeout, options.best_effort) == (["team-a", "team-b"], 30, True)


def test_an_uninstall_is_held_up_only_for_a_while() -> None:
    """The Job is tried once, and ended a minute after the command should have ended by itself."""
    spec = the_job({"uninstall": {"timeoutSeconds": 30}})["spec"]

    assert (spec["backoffLimit"], spec["activeDeadlineSeconds"]) == (0, 90)
    assert pod_of({"spec": spec})["restartPolicy"] == "Never"


def test_its_pod_is_like_that_of_the_operator() -> None:
    """The same image, limits, place and security, and a token of its own."""
    values = {
        "image": {"digest": "sha256:" + "ab" * 32},
        "imagePullSecrets": [{"name": "registry"}],
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "priorityClassName": "system-cluster-critical",
    }
    [deployment] = of_kind(rendered(values), "Deployment")
    job, operator = pod_of(the_job(values)), pod_of(deployment)
    same = {
        "securityContext",
        "imagePullSecrets",
        "nodeSelector",
        "tolerations",
        "affinity",
        "priorityClassName",
    }
    of_containers = ("image", "imagePullPolicy", "securityContext", "resources")

    assert {key: job[key] for key in same} == {key: operator[key] for key in same}
    for key in of_containers:
        assert job["containers"][0][key] == operator["containers"][0][key]
    assert (job["serviceAccountName"], job["automountServiceAccountToken"]) == (UNINSTALL, True)


def test_its_pod_is_not_one_of_the_operator() -> None:
    """Nothing that selects the operator's pods selects it, except the NetworkPolicy, which confines both."""
    values = {"networkPolicy": {"enabled": True}}
    labels = the_job(values)["spec"]["template"]["metadata"]["labels"]
    [deployment] = of_kind(rendered(values), "Deployment")
    [policy] = of_kind(rendered(values), "NetworkPolicy")
    selector = policy["spec"]["podSelector"]
    [names] = selector["matchExpressions"]

    assert not deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert selector["matchLabels"].items() <= labels.items()
    assert names["values"] == [
        deployment["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"],
        labels["app.kubernetes.io/name"],
    ]


@pytest.mark.parametrize("values", [{"uninstall": {"rollBack": False}}, {"rbac": {"create": False}}])
def test_it_can_be_turned_off(values: Mapping[str, Any]) -> None:
    """Without it, and where no rights may be created, an uninstall is only that."""
    assert hooks(values) == []


def test_a_long_name_is_cut() -> None:
    """The name of a Job becomes a label of its pod, which has at most 63 characters."""
    names = {each["metadata"]["name"] for each in hooks(EVERYWHERE, name="a" * 53)}

    assert [len(name) for name in names] == [63]


def test_its_pod_is_restricted(stack: Stack) -> None:
    """The Job's pod is admitted where only restricted pods are."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    stack.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}})
    stack.apply(of_kind(hooks(EVERYWHERE), "ServiceAccount"))
    pod = {"apiVersion": "v1", "kind": "Pod", **the_job(EVERYWHERE)["spec"]["template"]}
    pod["metadata"] |= {"name": "uninstall", "namespace": NAMESPACE}

    created = stack.kubectl(
        "create", "--dry-run=server", "--validate=strict", "-f", "-", stdin=json.dumps(pod)
    )

    assert created == "pod/uninstall created (server dry run)\n"
    stack.kubectl(
        "delete",
        "serviceaccount",
        f"--namespace={NAMESPACE}",
        f"--selector=app.kubernetes.io/instance={NAME}",
    )
