"""What the chart lets the operator run as a hook, asked of the real API server.

Input: a namespace that opted in with the RoleBinding of `docs/hooks.md`, and Jobs in the operator's name.
Output: which of them the API server accepts.
"""

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import pytest

from sandbox.stack import Stack
from tests.contract.chart.policies import (
    BINDING,
    CREATED,
    FORBIDDEN,
    POLICY,
    check,
    policies,
    type_errors,
    until,
)
from tests.contract.chart.rendering import FULL_NAME, NAMESPACE, of_kind
from tests.contract.people import Someone

WHERE: Final = "hooks"
STRICT: Final = "hooks-strict"
CLOSED: Final = "hooks-closed"
ACCOUNT: Final = f"system:serviceaccount:{NAMESPACE}:{FULL_NAME}"
ROLE: Final = f"{FULL_NAME}-hooks"
ONLY_THESE: Final = {
    "policies": {"authority": False, "operator": False, "tenants": False},
    "hooks": {"policy": True},
}
"""Installed once in a session: an API server does not follow the CronJobs of a binding that comes back."""
PEOPLE: Final = {"dana": "edit", "ada": "admin"}
RBAC: Final = "rbac.authorization.k8s.io"

Manifest = dict[str, Any]

POD: Final[Manifest] = {
    "serviceAccountName": "reverser",
    "restartPolicy": "Never",
    "initContainers": [{"name": "wait", "image": "wait:1"}],
    "containers": [
        {
            "name": "main",
            "image": "reverser:1",
            "command": ["reverse"],
            "args": ["--all"],
            "env": [
                {"name": "LEDGER", "value": "refunds"},
                {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "ledger", "key": "token"}}},
            ],
        }
    ],
}


def a_hook(name: str = "reverse", namespace: str = WHERE, *, suspend: bool = True, **labels: str) -> Manifest:
    """A suspended CronJob with the label of hooks, or with these labels."""
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": labels or {"agentrollouts.dev/hook": "true"},
        },
        "spec": {
            "schedule": "0 0 31 2 *",
            "suspend": suspend,
            "jobTemplate": {
                "spec": {
                    "backoffLimit": 2,
                    "template": {"metadata": {"labels": {"team": "crm"}}, "spec": copy.deepcopy(POD)},
                }
            },
        },
    }


def a_job(hook: str | None = "reverse", namespace: str = WHERE) -> Manifest:
    """The honest Job of a hook: its template and the variables of the operator."""
    pod = copy.deepcopy(POD)
    pod["containers"][0]["env"].append({"name": "AGENTROLLOUTS_KEY", "value": "a/b/1"})
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": "support-1",
            "namespace": namespace,
            "annotations": {"agentrollouts.dev/hook-of": hook} if hook else {},
        },
        "spec": {
            "backoffLimit": 2,
            "activeDeadlineSeconds": 600,
            "template": {"metadata": {"labels": {"team": "crm"}}, "spec": pod},
        },
    }


def a_binding(namespace: str, role: str = ROLE, kind: str = "ClusterRole") -> Manifest:
    """What lets the operator run hooks in a namespace."""
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "agentrollouts-hooks", "namespace": namespace},
        "roleRef": {"apiGroup": RBAC, "kind": kind, "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": FULL_NAME, "namespace": NAMESPACE}],
    }


STRICT_ROLE: Final[Manifest] = {
    "apiVersion": f"{RBAC}/v1",
    "kind": "Role",
    "metadata": {"name": "agentrollouts-hooks", "namespace": STRICT},
    "rules": [
        {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create", "get"]},
        {
            "apiGroups": ["batch"],
            "resources": ["cronjobs"],
            "verbs": ["get"],
            "resourceNames": ["reverse"],
        },
    ],
}
"""The strict form of the docs."""


def roles_of(people: Mapping[str, str], namespace: str) -> list[Manifest]:
    """Bindings of people to the built-in roles."""
    return [
        {
            **a_binding(namespace, role),
            "metadata": {"name": f"{user}-{role}", "namespace": namespace},
            "subjects": [{"kind": "User", "name": user, "apiGroup": RBAC}],
        }
        for user, role in people.items()
    ]


@pytest.fixture(scope="module")
def world(stack: Stack, api_server: object) -> Iterator[Stack]:  # noqa: ARG001 the kinds must be there
    """The policy in force, three namespaces of which two opted in, and their hooks."""
    namespaces = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        for name in (NAMESPACE, WHERE, STRICT, CLOSED)
    ]
    ours = of_kind(
        policies(ONLY_THESE), "ServiceAccount", "ClusterRole", "ClusterRoleBinding", POLICY, BINDING
    )
    stored = [
        *(a_hook(namespace=namespace) for namespace in (WHERE, STRICT, CLOSED)),
        *(a_hook("report", namespace, team="crm") for namespace in (WHERE, STRICT)),
        a_hook("nightly", suspend=False),
        *roles_of(PEOPLE, CLOSED),
        STRICT_ROLE,
        a_binding(STRICT, "agentrollouts-hooks", "Role"),
        a_binding(WHERE),
    ]
    stack.apply([*namespaces, *ours, *stored])
    operator = Someone(stack, ACCOUNT)
    for namespace in (WHERE, STRICT):
        until(
            f"the operator runs hooks in {namespace}",
            lambda namespace=namespace: operator.create(a_job(namespace=namespace)).code == CREATED,  # type: ignore[misc]
        )
    until("the policy holds", lambda: operator.create(a_job(None)).code == FORBIDDEN)
    yield stack
    for item in reversed(ours):
        stack.kubectl("delete", item["kind"], item["metadata"]["name"], f"--namespace={NAMESPACE}")
    for item in reversed(stored):
        Someone(stack).delete(item, dry_run=False)


def changed(change: Callable[[Manifest], object], namespace: str = WHERE) -> Manifest:
    """An honest Job with a change to its spec."""
    job = a_job(namespace=namespace)
    change(job["spec"])
    return job


def in_pod(**fields: object) -> Callable[[Manifest], object]:
    """A change of the pod."""
    return lambda spec: spec["template"]["spec"].update(fields)


def in_container(**fields: object) -> Callable[[Manifest], object]:
    """A change of the container."""
    return lambda spec: spec["template"]["spec"]["containers"][0].update(fields)


def with_env(*variables: Manifest) -> Callable[[Manifest], object]:
    """A change of its variables."""
    return lambda spec: spec["template"]["spec"]["containers"][0]["env"].extend(variables)


HOST: Final[Manifest] = {"name": "host", "hostPath": {"path": "/"}}
SECRET: Final[Manifest] = {"secretKeyRef": {"name": "payroll", "key": "all"}}
CONTAINERS: Final = "must run the containers of the CronJob reverse"
ITS_POD: Final = "the pod of a Job of the operator must be that of the CronJob reverse"
FORGED: Final[dict[str, tuple[Callable[[Manifest], object], str]]] = {
    "another image": (in_container(image="evil:1"), CONTAINERS),
    "another command": (in_container(command=["sh"]), CONTAINERS),
    "other arguments": (in_container(args=["--none"]), CONTAINERS),
    "no command": (lambda spec: spec["template"]["spec"]["containers"][0].pop("command"), CONTAINERS),
    "privileged": (in_container(securityContext={"privileged": True}), CONTAINERS),
    "variables of a Secret": (in_container(envFrom=[{"secretRef": {"name": "payroll"}}]), CONTAINERS),
    "a variable of its own": (with_env({"name": "LD_PRELOAD", "value": "x.so"}), CONTAINERS),
    "another value": (with_env({"name": "LEDGER", "value": "payroll"}), CONTAINERS),
    "our variable from a Secret": (with_env({"name": "AGENTROLLOUTS_X", "valueFrom": SECRET}), CONTAINERS),
    "another container": (
        lambda spec: spec["template"]["spec"]["containers"].append({"name": "b", "image": "reverser:1"}),
        CONTAINERS,
    ),
    "another account": (in_pod(serviceAccountName="admin"), ITS_POD),
    "another init container": (in_pod(initContainers=[{"name": "wait", "image": "evil:1"}]), ITS_POD),
    "no init container": (lambda spec: spec["template"]["spec"].pop("initContainers"), ITS_POD),
    "a folder of the node": (in_pod(volumes=[HOST]), ITS_POD),
    "the network of the node": (in_pod(hostNetwork=True), ITS_POD),
    "a label of others": (lambda spec: spec["template"]["metadata"]["labels"].update(app="bank"), ITS_POD),
    "many pods": (
        lambda spec: spec.update(parallelism=1000),
        "may run no more pods at once than the CronJob reverse",
    ),
}
"""What someone with the operator's token makes of a Job, and why it is refused."""


def test_the_api_server_finds_no_type_error(world: Stack) -> None:
    """The policy is checked against the schemas of its kinds, without a warning."""
    assert type_errors(world, policies(ONLY_THESE)) == {f"{FULL_NAME}-hooks": {}}


@pytest.mark.parametrize("namespace", [WHERE, STRICT])
def test_an_honest_job_is_created(world: Stack, namespace: str) -> None:
    """The template of a hook with the operator's variables, also under the strict Role."""
    check(Someone(world, ACCOUNT).create(a_job(namespace=namespace)), None)


@pytest.mark.parametrize("namespace", [WHERE, STRICT])
@pytest.mark.parametrize("what", FORGED)
def test_a_job_runs_what_its_hook_runs(world: Stack, what: str, namespace: str) -> None:
    """Every other Job is refused, with the reason."""
    change, why = FORGED[what]

    check(Someone(world, ACCOUNT).create(changed(change, namespace)), why)


def test_a_job_names_a_suspended_hook(world: Stack) -> None:
    """A Job without a name is refused, and one that names a CronJob that runs by itself."""
    operator = Someone(world, ACCOUNT)

    check(operator.create(a_job(None)), "must name its CronJob in the annotation agentrollouts.dev/hook-of")
    check(operator.create(a_job("nightly")), "the CronJob nightly is not suspended")


@pytest.mark.parametrize("hook", ["report", "no-such"])
def test_the_strict_role_closes_the_gap_of_the_wide_one(world: Stack, hook: str) -> None:
    """A Job that names an unlabeled or missing CronJob passes with the ClusterRole, and not with the Role."""
    operator = Someone(world, ACCOUNT)

    check(operator.create(a_job(hook)), None)
    check(operator.create(a_job(hook, STRICT)), f"the operator may not read the CronJob {hook}")


def test_a_namespace_without_hooks_has_no_jobs_of_the_operator(world: Stack) -> None:
    """Without a labeled CronJob, the policy has nothing to compare with and refuses."""
    hook = a_hook()
    admin, operator = Someone(world), Someone(world, ACCOUNT)
    unlabeled = {"metadata": {"labels": {"agentrollouts.dev/hook": None}}}
    others = (a_hook("nightly"), hook)
    for each in others:
        check(admin.patch(each, unlabeled, dry_run=False), None)
    try:
        until("no hook is left", lambda: operator.create(a_job()).code != CREATED)
        assert "no params found for policy binding with `Deny`" in operator.create(a_job()).message
    finally:
        for each in others:
            admin.patch(each, {"metadata": {"labels": hook["metadata"]["labels"]}}, dry_run=False)
        until("it is back", lambda: operator.create(a_job()).code == CREATED)


def test_the_operator_has_no_right_before_the_binding(world: Stack) -> None:
    """Where no one bound the ClusterRole, it neither creates Jobs nor reads hooks."""
    operator = Someone(world, ACCOUNT)

    refused = operator.create(a_job(namespace=CLOSED))

    assert (refused.code, "cannot create resource" in refused.message) == (FORBIDDEN, True), refused.message
    assert operator.get(a_hook(namespace=CLOSED))["code"] == FORBIDDEN
    assert operator.get(a_hook())["kind"] == "CronJob"


def test_the_binding_gives_nothing_else(world: Stack) -> None:
    """Where it is bound, the operator deletes and changes no Job, and reads no Secret."""
    operator, job = Someone(world, ACCOUNT), a_job()
    secret = {"kind": "Secret", "metadata": {"name": "ledger", "namespace": WHERE}}

    assert operator.delete(job).code == FORBIDDEN
    assert operator.patch(job, {"spec": {"suspend": True}}).code == FORBIDDEN
    assert operator.patch(a_hook(), {"spec": {"suspend": False}}).code == FORBIDDEN
    assert operator.get(secret)["code"] == FORBIDDEN


def test_only_the_admin_of_a_namespace_opts_in(world: Stack) -> None:
    """The role `edit` may not create the binding, since it would hand on a right; `admin` may."""
    binding = a_binding(CLOSED)

    assert Someone(world, "dana").create(binding).code == FORBIDDEN
    assert Someone(world, "ada").create(binding).code == CREATED


def test_people_are_not_confined_like_the_operator(world: Stack) -> None:
    """The policy is for the operator's account: a person with the role `edit` creates any Job."""
    job = changed(in_container(image="tool:1"), CLOSED)

    check(Someone(world, "dana").create(job), None)
