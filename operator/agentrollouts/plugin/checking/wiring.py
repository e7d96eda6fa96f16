"""From the cluster to what `check` is about: each kind is read by one kubectl, several at once."""

from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Final

from agentrollouts.api.names import API_VERSION, GROUP
from agentrollouts.api.people.action import ActionType
from agentrollouts.api.recovery.hooks import cron_jobs_of
from agentrollouts.core.containment.fallback import named_by
from agentrollouts.insight.check.installation import CREATE, OPERATOR
from agentrollouts.insight.check.lines import Found, Seen
from agentrollouts.insight.check.release import SERVICE_OF, route_of, services, snapshots
from agentrollouts.insight.view.reading import read
from agentrollouts.plugin.checking.reviews import Right, review, reviewed
from agentrollouts.plugin.context import namespace_of, without_namespace
from agentrollouts.plugin.kubectl import Kubectl, KubectlError, Manifest, Started, parsed
from agentrollouts.plugin.reading import now

_ROUTES: Final = {
    "HTTPRoute": "httproutes.gateway.networking.k8s.io",
    "GRPCRoute": "grpcroutes.gateway.networking.k8s.io",
}
_SELECTOR: Final = f"--selector=app.kubernetes.io/name={OPERATOR}"


def wiring(kubectl: Kubectl, name: str | None, home: str) -> Seen:
    """What is known of the installation, and of one rollout.

    Args:
        kubectl: Reads it.
        name: Of the rollout; None for the installation alone.
        home: Namespace of the operator.

    Raises:
        KubectlError: the rollout cannot be read, or nothing can.
    """
    elsewhere, where = without_namespace(kubectl), f"--namespace={home}"
    served = kubectl.start("get", "--raw", f"/apis/{API_VERSION}")
    lease = elsewhere.start("get", "leases", OPERATOR, where, "--ignore-not-found", "--output=json")
    operator = elsewhere.start("get", "deployments", _SELECTOR, where, "--output=json")
    rights = _rights(kubectl, name)
    kinds = {}
    try:
        rollout = kubectl.json("get", "agentrollout", name) if name else None
        kinds = _around(kubectl, rollout) if rollout else {}
    finally:
        kinds |= {"Lease": _found(lease), "Operator": _found(operator)}
        reviewed, known = _reviewed(rights), _served(served)
    return Seen(now(), rollout, reviewed, known, version("agentrollouts"), kinds)


def _rights(kubectl: Kubectl, name: str | None) -> Started:
    """One review for each right that a person can have on the rollout."""
    namespace = namespace_of(kubectl)
    verbs = (Right(namespace, each.lower(), "agentrollouts", name or "", GROUP) for each in ActionType)
    return review(kubectl, [Right(namespace, CREATE, "agentrolloutactions", group=GROUP), *verbs])


def _reviewed(started: Started) -> dict[str, bool] | None:
    found = reviewed(started)
    return None if found is None else {verb: is_allowed for (verb, _), is_allowed in found.items()}


def _served(started: Started) -> frozenset[str] | None:
    """Our kinds; none if the API server does not know the group, which it answers with NotFound.

    Raises:
        KubectlError: it does not answer, or does not know the caller. Then nothing at all is checked.
    """
    try:
        return frozenset(each["name"] for each in started.json()["resources"])
    except KubectlError as error:
        if "(NotFound)" in str(error):
            return frozenset()
        if "(Forbidden)" in str(error):
            return None
        raise


def _around(kubectl: Kubectl, rollout: Manifest) -> dict[str, Found]:
    """What the rollout names, and then what its desired release names."""
    parsed = read(rollout, now()).rollout
    spec, route = parsed.spec, route_of(parsed)
    answering = named_by(spec)
    first = {
        "AgentRollout": ("agentrollouts", [answering] if answering else []),
        "AgentRelease": ("agentreleases", [spec.release_ref.name]),
        "CronJob": ("cronjobs", list(cron_jobs_of(spec.hooks))),
        "Deployment": ("deployments", [spec.workload.deployment_ref.name] if spec.workload else []),
    }
    if route:
        first[route[0]] = (_ROUTES[route[0]], [route[1]])
    found = _read(kubectl, first)
    partly = Seen(now(), rollout, kinds=found)
    fronts = list(services(partly, parsed))
    fallback = [spec.fallback.service.name] if spec.fallback and spec.fallback.service else []
    of_fronts = f"--selector={SERVICE_OF} in ({','.join(fronts)})"
    slices = kubectl.start("get", "endpointslices", of_fronts, "--output=json") if fronts else None
    second = {
        "ConfigMap": ("configmaps", list(snapshots(partly, parsed))),
        "Service": ("services", [*fronts, *fallback]),
    }
    found |= _read(kubectl, second)
    return found | ({"EndpointSlice": _found(slices)} if slices else {})


def _read(kubectl: Kubectl, kinds: Mapping[str, tuple[str, Iterable[str]]]) -> dict[str, Found]:
    """The objects of each kind with these names."""
    started = {
        kind: kubectl.start("get", plural, *dict.fromkeys(names), "--ignore-not-found", "--output=json")
        for kind, (plural, names) in kinds.items()
        if names
    }
    return {kind: _found(each) for kind, each in started.items()}


def _found(started: Started) -> Found:
    """What a kubectl printed: nothing, an object or a list; or why it could not read."""
    try:
        text = started.text()
        printed = parsed(text) if text.strip() else {"items": []}
    except KubectlError as error:
        return Found(problem=str(error))
    items = printed.get("items", [printed])
    return Found({each["metadata"]["name"]: each for each in items})
