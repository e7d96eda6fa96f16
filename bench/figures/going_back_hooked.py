"""Figure: the same as `going_back` where every rollout has eight hooks that do not work, beside plain ones.

One Job never ends, one hook calls an endpoint that never responds, and the API server answers the others with
403, with 500, or with 500 after some seconds: by a policy, by a webhook that nothing serves, and by one that
never answers. Hooks of a rollout run one at a time, so each rollout has them in another order. The plain
rollouts come first, as hooks never rest again.
"""

import base64
import os
import socket
from collections.abc import Mapping
from typing import Any, Final

from bench.figures import going_back
from bench.rig.crowd import NAMESPACE, Crowd, is_known
from bench.rig.report import Result
from sandbox.operator import OperatorProcess
from sandbox.people.apiserver import ApiServer, Manifest
from sandbox.stack import Stack
from testkit.hooks import a_cron_job, hook_rights

HANGS, REFUSED, FAILS, SLOW, CALLS = "hangs", "refused", "fails", "slow", "calls"
HOOKS: Final = (
    HANGS,
    *(f"{how}-1" for how in (REFUSED, FAILS, SLOW)),
    f"{REFUSED}-2",
    f"{FAILS}-2",
    CALLS,
    "waits",
)
"""Names of hooks, and of their CronJobs or the endpoint; the first word says what becomes of it."""
SLOW_SECONDS: Final = 5
BACKLOG: Final = 1024
"""Connections that the kernel accepts for a server that never looks at them."""
PRIMED: Final = 16
"""Rollouts whose hooks run before anything is measured."""
_POD: Final = {
    "restartPolicy": "Never",
    "containers": [{"name": "main", "image": "registry.example/repair:1"}],
}
_ADMISSION: Final = "/apis/admissionregistration.k8s.io/v1"


async def measure(
    stack: Stack, server: ApiServer, plain: Crowd, hooked: Crowd, operator: OperatorProcess
) -> Result:
    """First the plain rollouts, then those with hooks; needs the operator to run, and both to be settled."""
    usual = await going_back.measure(stack, server, plain, operator)
    with socket.create_server(("127.0.0.1", 0), backlog=BACKLOG) as silent:
        port = silent.getsockname()[1]
        await server.apply_all(_objects(operator, port))
        secret = stack.logs / "webhook-secret"
        secret.write_text(f"whsec_{base64.b64encode(os.urandom(32)).decode()}")
        endpoint = {"name": CALLS, "url": f"http://127.0.0.1:{port}/", "secretFile": str(secret)}
        operator.change_settings(hooks={"endpoints": [endpoint]})
        for index, name in enumerate(hooked.names):
            await hooked.change(name, {"hooks": _hooks(index)})
        await hooked.all(hooked.names, is_known, seconds=600)
        await _prime(hooked)
        burdened = await going_back.measure(stack, server, hooked, operator)
    size = len(plain.names)
    title = f"Asking to go back with {len(HOOKS)} hooks that do not work, {size} rollouts with and without"
    return going_back.beside(title, usual, burdened, "hooks")


async def _prime(crowd: Crowd) -> None:
    """Roll back some, the last ones, and wait until each has a hook that was begun."""
    names = crowd.names[-PRIMED:]
    await crowd.begin_canaries(names)
    for name in names:
        await crowd.act_back(name)
    await crowd.all(names, _has_begun, seconds=120)


def _has_begun(rollout: Manifest) -> bool:
    """Whether a hook of it runs, or waits because the API server refused its Job."""
    hooks = rollout["status"].get("hooks", ())
    return any(hook["state"] == "Running" or hook.get("message") for hook in hooks)


def _hooks(index: int) -> list[Manifest]:
    """All of them, each rollout with another one first."""
    first = index % len(HOOKS)
    return [
        {"name": name, "at": "AfterRollback", "onFailure": "Continue"}
        | ({"webhook": {"endpoint": CALLS}} if name == CALLS else {"job": {"cronJob": name}})
        for name in (*HOOKS[first:], *HOOKS[:first])
    ]


def _objects(operator: OperatorProcess, port: int) -> dict[str, Mapping[str, Any]]:
    """CronJobs, the right to copy them, and what refuses their Jobs, by path."""
    rights = hook_rights(NAMESPACE, operator.name, operator.namespace)
    bound = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{NAMESPACE}/rolebindings"
    jobs = f"/apis/batch/v1/namespaces/{NAMESPACE}/cronjobs"
    policies, bindings = (f"{_ADMISSION}/validatingadmissionpolic{end}" for end in ("ies", "ybindings"))
    webhooks = f"{_ADMISSION}/validatingwebhookconfigurations"
    return {
        f"{bound}/{rights['metadata']['name']}": rights,
        **{f"{jobs}/{name}": a_cron_job(NAMESPACE, name, _POD) for name in HOOKS if name != CALLS},
        f"{policies}/{REFUSED}": _policy(),
        f"{bindings}/{REFUSED}": _manifest(
            "ValidatingAdmissionPolicyBinding",
            REFUSED,
            spec={"policyName": REFUSED, "validationActions": ["Deny"]},
        ),
        f"{webhooks}/{FAILS}": _manifest(
            "ValidatingWebhookConfiguration", FAILS, webhooks=[_webhook(FAILS, 1), _webhook(SLOW, port)]
        ),
    }


def _policy() -> Manifest:
    """Refuses some Jobs with 403."""
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [_creation_of_jobs()]},
        "validations": [
            {
                "expression": f"!object.metadata.name.startsWith('{REFUSED}-')",
                "message": "this Job is not permitted",
                "reason": "Forbidden",
            }
        ],
    }
    return _manifest("ValidatingAdmissionPolicy", REFUSED, spec=spec)


def _webhook(name: str, port: int) -> Manifest:
    """Is asked about some Jobs, and answers none; then the API server answers 500."""
    return {
        "name": f"{name}.bench.example.com",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": "Fail",
        "timeoutSeconds": SLOW_SECONDS,
        "clientConfig": {"url": f"https://127.0.0.1:{port}/"},
        "rules": [_creation_of_jobs()],
        "matchConditions": [{"name": name, "expression": f"object.metadata.name.startsWith('{name}-')"}],
    }


def _creation_of_jobs() -> Manifest:
    return {"apiGroups": ["batch"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["jobs"]}


def _manifest(kind: str, name: str, **content: object) -> Manifest:
    version = "admissionregistration.k8s.io/v1"
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **content}
