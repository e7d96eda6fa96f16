"""The chart's admission policies, asked by the real API server in the name of people with the role `edit`.

Output: who may write what through us, and what the operator's own account may write.
"""

import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, get_args

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from agentrollouts.api.components import Components
from sandbox.errors import CommandError
from sandbox.stack import Stack
from tests.contract.chart.policies import (
    BINDING,
    CREATED,
    FORBIDDEN,
    MUTATING,
    POLICY,
    SERVED,
    STAMPED,
    check,
    policies,
    type_errors,
    until,
)
from tests.contract.chart.rendering import (
    CHART,
    FULL_NAME,
    NAME,
    NAMESPACE,
    helm,
    of_kind,
    rendered,
    with_values,
)
from tests.contract.people import Someone
from tests.contract.server import Answer
from tests.docs.blocks.shown import agrees, command_of

WHERE: Final = "policies"
ELSEWHERE: Final = "policies-elsewhere"
ACCOUNT: Final = f"system:serviceaccount:{NAMESPACE}:{FULL_NAME}"
RULES: Final = {
    "route-makers": {"resources": ["httproutes"], "verbs": ["create"]},
    "grpc-route-makers": {"resources": ["grpcroutes"], "verbs": ["create"]},
    "flag-makers": {"resources": ["featureflags"], "verbs": ["create"]},
    "shop-patchers": {"resources": ["httproutes"], "verbs": ["patch"], "resourceNames": ["shop"]},
    "writers": {"resources": ["agentreleases"], "verbs": ["create", "update", "patch"]},
    "tone-readers": {"resources": ["configmaps"], "verbs": ["get"], "resourceNames": ["tone"]},
    "status-writers": {"resources": ["agentrollouts/status"], "verbs": ["update"]},
}
ONLY_THESE: Final = {"policies": {"authority": False}}
"""Those about people's authority are in `authority/`."""
API_GROUPS: Final = ["", "agentrollouts.dev", "gateway.networking.k8s.io", "core.openfeature.dev"]
PEOPLE: Final = {
    "dana": ["edit"],
    "lee": ["edit", "route-makers"],
    "ali": ["edit", "shop-patchers"],
    "gia": ["edit", "grpc-route-makers"],
    "fay": ["edit", "flag-makers"],
    "nina": ["writers", "tone-readers"],
    "sam": ["status-writers"],
}
"""Who has which roles; `edit` is the built-in one, with what the chart adds to it."""


def a_rollout(name: str = "support", **traffic: object) -> dict[str, Any]:
    """A rollout with this traffic."""
    return {
        "apiVersion": "agentrollouts.dev/v1alpha1",
        "kind": "AgentRollout",
        "metadata": {"name": name, "namespace": WHERE},
        "spec": {"agent": name, "releaseRef": {"name": f"{name}-1.0.0"}, "traffic": traffic},
    }


def a_release(**components: object) -> dict[str, Any]:
    """A release with these components beside the two that are required."""
    required = {
        "prompt": {"version": "1.0.0", "inline": {"system": "Be kind."}},
        "model": {"version": "1.0.0", "provider": "openai", "name": "gpt-x-2026-08-01"},
    }
    return {
        "apiVersion": "agentrollouts.dev/v1alpha1",
        "kind": "AgentRelease",
        "metadata": {"name": "support-1.0.0", "namespace": WHERE},
        "spec": {"agent": "support", "version": "1.0.0", "components": required | components},
    }


def a_config_map(name: str, namespace: str = WHERE, **metadata: object) -> dict[str, Any]:
    """A ConfigMap."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace, **metadata},
        "data": {"split.json": "{}"},
    }


def a_route(name: str, rules: list[dict[str, Any]] | None = None, **metadata: object) -> dict[str, Any]:
    """An HTTPRoute with two Services."""
    backends = [{"name": "stable", "port": 80, "weight": 100}, {"name": "canary", "port": 80, "weight": 0}]
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": name, "namespace": WHERE, **metadata},
        "spec": {
            "parentRefs": [{"name": "public", "namespace": "default"}],
            "hostnames": ["shop.example.com"],
            "rules": rules or [{"name": "agent", "backendRefs": backends}],
        },
    }


def a_grpc_route(name: str, *filters: dict[str, Any], **metadata: object) -> dict[str, Any]:
    """A GRPCRoute with one Service and these filters."""
    rule = {"backendRefs": [{"name": "stable", "port": 80}], "filters": list(filters)}
    return a_route(name, [rule], **metadata) | {"kind": "GRPCRoute"}


def a_flag(name: str, **metadata: object) -> dict[str, Any]:
    """A FeatureFlag."""
    flag = {"state": "ENABLED", "variants": {"a": "a"}, "defaultVariant": "a"}
    return {
        "apiVersion": "core.openfeature.dev/v1beta1",
        "kind": "FeatureFlag",
        "metadata": {"name": name, "namespace": WHERE, **metadata},
        "spec": {"flagSpec": {"flags": {f"{name}-release": flag}}},
    }


def a_deployment(name: str, namespace: str = WHERE, **metadata: object) -> dict[str, Any]:
    """A Deployment without pods."""
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, **metadata},
        "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": a_pod(labels, "agent:1")},
    }


def a_pod(labels: Mapping[str, str], image: str) -> dict[str, Any]:
    """The template of a pod."""
    return {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "agent", "image": image}]}}


def an_image(image: str) -> dict[str, Any]:
    """A patch of a Deployment to another image."""
    return {"spec": {"template": {"spec": {"containers": [{"name": "agent", "image": image}]}}}}


def a_service(name: str, **metadata: object) -> dict[str, Any]:
    """A Service."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": WHERE, **metadata},
        "spec": {"selector": {"app": name}, "ports": [{"port": 80}]},
    }


def stamp() -> dict[str, Any]:
    """What the operator puts on the copies of a template."""
    metadata = marks()
    return {**metadata, "labels": {**metadata["labels"], "agentrollouts.dev/release": "support-1.0.0"}}


def marks(owner: str = "support", kind: str = "AgentRollout") -> dict[str, Any]:
    """What the operator puts on its objects."""
    reference = {"apiVersion": "agentrollouts.dev/v1alpha1", "kind": kind, "name": owner, "uid": "1-2-3"}
    return {
        "labels": {"app.kubernetes.io/managed-by": "agentrollouts"},
        "ownerReferences": [reference],
    }


CLAIM: Final = {"support.agentrollouts.dev/split": "{}"}
ROUTE: Final = {"parentRefs": [{"name": "public", "namespace": "default"}], "hostnames": ["shop.example.com"]}
PATCH: Final = {"name": "shop", "rule": "agent"}
ROLLOUTS: Final = (
    a_rollout("routed", httpRoute=ROUTE),
    a_rollout("patched", routePatch=PATCH),
    a_rollout("plain"),
)
STORED: Final = (
    a_config_map("tone"),
    a_config_map("someones-traffic"),
    a_config_map("aws-auth", "kube-system"),
    a_config_map("labelless-traffic", ownerReferences=marks()["ownerReferences"]),
    a_config_map("support-traffic", **marks()),
    a_config_map("support-0123456789abcdef", **marks()),
    a_route("someones"),
    a_route("claimed", annotations={**CLAIM, "team": "shop"}, labels={"team": "shop"}),
    a_route("support", **marks()),
    a_flag("shop"),
    a_flag("support", **marks()),
    a_deployment("shop"),
    a_service("shop"),
    a_deployment("support-1-0-0", **stamp()),
    a_service("support-1-0-0", **stamp()),
)
"""What is there before, made by the administrator."""


def owned(manifest: dict[str, Any], uid: str) -> dict[str, Any]:
    """With an owner that exists, since the garbage collector removes what has none."""
    copied: dict[str, Any] = json.loads(json.dumps(manifest))
    for reference in copied["metadata"].get("ownerReferences", ()):
        reference |= {"name": "plain", "uid": uid}
    return copied


@pytest.fixture(scope="module")
def world(stack: Stack, api_server: object) -> Iterator[Stack]:  # noqa: ARG001 the kinds must be there
    """The policies in force, the people with their roles, and the objects of `STORED`."""
    namespaces = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        for name in (NAMESPACE, WHERE, ELSEWHERE)
    ]
    roles = [
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": name},
            "rules": [{"apiGroups": API_GROUPS, **rule}],
        }
        for name, rule in RULES.items()
    ]
    bindings = [
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": f"{user}-{role}", "namespace": namespace},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}],
        }
        for user, names in PEOPLE.items()
        for role in names
        for namespace in (WHERE, ELSEWHERE)
    ]
    bindings += [
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "workloads", "namespace": namespace},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": f"{FULL_NAME}-workloads",
            },
            "subjects": [{"kind": "ServiceAccount", "name": FULL_NAME, "namespace": NAMESPACE}],
        }
        for namespace in (WHERE, "kube-system")
    ]
    ours = of_kind(
        policies(ONLY_THESE), "ServiceAccount", "ClusterRole", "ClusterRoleBinding", POLICY, BINDING
    )
    stack.apply([*namespaces, *roles, *bindings, *ROLLOUTS])
    uid = Someone(stack).get(a_rollout("plain"))["metadata"]["uid"]
    stack.apply([*(owned(manifest, uid) for manifest in STORED), *ours])
    dana, operator, lee = Someone(stack, "dana"), Someone(stack, ACCOUNT), Someone(stack, "lee")
    until("dana edits rollouts", lambda: dana.create(a_rollout("a")).code == CREATED)
    until("lee makes routes", lambda: lee.create(a_route("a")).code == CREATED)
    until("her rights are asked for", lambda: dana.create(a_rollout("a", httpRoute=ROUTE)).code == FORBIDDEN)
    until(
        "the operator has rights",
        lambda: operator.create(a_config_map("x-traffic", **marks())).code == CREATED,
    )
    until(
        "the operator stamps",
        lambda: operator.create(a_deployment("a-1-0-0", **stamp())).code == CREATED,
    )
    until("it is confined", lambda: operator.create(a_config_map("x")).code == FORBIDDEN)
    yield stack
    for item in reversed(ours):
        stack.kubectl("delete", item["kind"], item["metadata"]["name"], f"--namespace={NAMESPACE}")
    for item in (*STORED, *ROLLOUTS):
        Someone(stack).delete(item, dry_run=False)


def test_the_api_server_finds_no_type_error(world: Stack) -> None:
    """Each policy is checked against the schemas of its kinds, without a warning."""
    found = type_errors(world, policies(ONLY_THESE))

    assert (len(found), {name: errors for name, errors in found.items() if errors != {}}) == (8, {})


@pytest.mark.parametrize(
    ("user", "traffic", "why"),
    [
        ("dana", {}, None),
        ("dana", {"httpRoute": ROUTE}, "spec.traffic.httpRoute: dana may not create httproutes in namespace"),
        ("lee", {"httpRoute": ROUTE}, None),
        ("ali", {"httpRoute": ROUTE}, "spec.traffic.httpRoute: ali may not create httproutes in namespace"),
        ("gia", {"grpcRoute": ROUTE}, None),
        ("gia", {"httpRoute": ROUTE}, "spec.traffic.httpRoute: gia may not create httproutes in namespace"),
        ("lee", {"grpcRoute": ROUTE}, "spec.traffic.grpcRoute: lee may not create grpcroutes in namespace"),
        ("fay", {"featureFlag": {}}, None),
        (
            "lee",
            {"featureFlag": {}},
            "spec.traffic.featureFlag: lee may not create featureflags in namespace",
        ),
        ("dana", {"routePatch": PATCH}, "spec.traffic.routePatch: dana may not patch the httproute shop in"),
        ("lee", {"routePatch": PATCH}, "spec.traffic.routePatch: lee may not patch the httproute shop in"),
        ("ali", {"routePatch": PATCH}, None),
        ("ali", {"routePatch": {**PATCH, "name": "bank"}}, "ali may not patch the httproute bank in"),
    ],
)
def test_traffic_needs_the_right_on_the_route(
    world: Stack, user: str, traffic: Mapping[str, Any], why: str | None
) -> None:
    """A rollout with a route is created by those who may write that route, however it is sent."""
    manifest = a_rollout(**traffic)

    for answer in (
        Someone(world, user).create(manifest),
        Someone(world, user).patch(manifest, manifest, "apply"),
        Someone(world, user).patch(a_rollout("plain"), {"spec": {"traffic": traffic}}),
    ):
        check(answer, why)


@pytest.mark.parametrize(
    ("name", "change", "why"),
    [
        ("routed", {"spec": {"releaseRef": {"name": "routed-0.9.0"}}}, None),
        ("patched", {"spec": {"releaseRef": {"name": "patched-0.9.0"}}}, None),
        ("routed", {"metadata": {"annotations": {"agentrollouts.dev/roll-back": "1"}}}, None),
        ("routed", {"spec": {"paused": True, "traffic": {"httpRoute": ROUTE}}}, None),
        ("routed", {"spec": {"traffic": {"httpRoute": None}}}, None),
        ("patched", {"spec": {"traffic": {"routePatch": None}}}, None),
        (
            "routed",
            {"spec": {"traffic": {"httpRoute": {"hostnames": ["login.bank.example.com"]}}}},
            "httpRoute",
        ),
        ("routed", {"spec": {"traffic": {"httpRoute": {"hostnames": None}}}}, "spec.traffic.httpRoute"),
        ("routed", {"spec": {"traffic": {"httpRoute": {"parentRefs": [{"name": "inner"}]}}}}, "httpRoute"),
        (
            "patched",
            {"spec": {"traffic": {"routePatch": {"name": "bank"}}}},
            "may not patch the httproute bank",
        ),
        (
            "patched",
            {"spec": {"traffic": {"routePatch": {"rule": "login"}}}},
            "may not patch the httproute shop",
        ),
        (
            "routed",
            {"spec": {"traffic": {"httpRoute": None, "routePatch": PATCH}}},
            "spec.traffic.routePatch",
        ),
        (
            "patched",
            {"spec": {"traffic": {"routePatch": None, "httpRoute": ROUTE}}},
            "spec.traffic.httpRoute",
        ),
    ],
)
def test_only_a_change_of_the_route_is_asked_about(
    world: Stack, name: str, change: Mapping[str, Any], why: str | None
) -> None:
    """Someone without any right on routes can ship, pause, roll back and give a route up, and not move it."""
    check(Someone(world, "dana").patch(a_rollout(name), change), why)


def test_the_page_shows_this_refusal(world: Stack) -> None:
    """As kubectl prints it for someone without the right on routes; the names of the installation differ."""
    command = command_of("docs/security.md", "kubectl apply")
    words = [*shlex.split(command.text)[1:-1], "-"]
    manifest = a_rollout("support-agent", httpRoute=ROUTE)

    with pytest.raises(CommandError) as refused:
        world.kubectl(*words, stdin=json.dumps(manifest))

    printed = str(refused.value).replace(f"namespace {WHERE}", "namespace support")
    assert agrees(command.output, printed.replace(FULL_NAME, "agentrollouts"))


def test_a_status_is_not_asked_about(world: Stack) -> None:
    """The operator writes the status of a rollout whose author has lost the right on the route."""
    stored = Someone(world).get(a_rollout("routed"))

    check(Someone(world, "sam").replace_status(stored | {"status": {}}), None)


def model_of(field: FieldInfo) -> type[BaseModel]:
    """The model of a component, which may be optional."""
    kinds = (field.annotation, *get_args(field.annotation))
    return next(kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel))


REFERRING: Final = [
    name
    for name, field in Components.model_fields.items()
    if "config_map_ref" in model_of(field).model_fields
]
"""The components whose content can come from a ConfigMap."""


@pytest.mark.parametrize("component", REFERRING)
def test_content_from_a_config_map_needs_the_right_to_read_it(world: Stack, component: str) -> None:
    """Each component is asked about by name; a release without a reference needs no right on ConfigMaps."""
    nina, dana = Someone(world, "nina"), Someone(world, "dana")

    def naming(config_map: str) -> dict[str, Any]:
        return a_release(**{component: {"version": "1.0.0", "configMapRef": {"name": config_map}}})

    check(nina.create(a_release()), None)
    check(nina.create(naming("tone")), None)
    check(nina.create(naming("payroll")), f"{component}.configMapRef: nina may not get the configmap payroll")
    check(nina.patch(naming("payroll"), naming("payroll"), "apply"), "may not get the configmap payroll")
    check(dana.create(naming("payroll")), None)


def test_the_policies_of_some_namespaces_leave_the_others_alone(world: Stack) -> None:
    """With `namespaces` in the values, rollouts elsewhere are not asked about."""
    ours = of_kind(policies({"namespaces": [ELSEWHERE], **ONLY_THESE}, "scoped"), POLICY, BINDING)
    dana = Someone(world, "dana")
    elsewhere = a_rollout("a", httpRoute=ROUTE)
    elsewhere["metadata"]["namespace"] = ELSEWHERE
    wide = [
        {
            **item,
            "metadata": {"name": item["metadata"]["name"], "labels": item["metadata"].get("labels", {})},
        }
        for item in world.kubectl.get(BINDING)["items"]  # other tests may have installed the chart too
        if item["metadata"]["name"].endswith("-rights")
    ]
    for manifest in wide:
        world.kubectl("delete", BINDING, manifest["metadata"]["name"])
    try:
        until("no one is asked", lambda: dana.create(elsewhere).code == CREATED)
        world.apply(ours)
        until("dana is asked there", lambda: dana.create(elsewhere).code == FORBIDDEN)
        check(dana.create(a_rollout("a", httpRoute=ROUTE)), None)
    finally:
        for manifest in ours:
            world.kubectl("delete", manifest["kind"], manifest["metadata"]["name"], "--ignore-not-found")
        world.apply(wide)
        until("dana is asked again", lambda: dana.create(a_rollout("a", httpRoute=ROUTE)).code == FORBIDDEN)


WEIGHTS: Final = [
    {"op": "add", "path": "/spec/rules/0/backendRefs/0/weight", "value": 50},
    {"op": "add", "path": "/spec/rules/0/backendRefs/1/weight", "value": 50},
]
CLAIMING: Final = [{"op": "add", "path": "/metadata/annotations", "value": CLAIM}]
NOT_CREATED: Final = "which it did not create"
ONLY_WEIGHTS: Final = "may change only weights and its own annotation in the HTTPRoute"


WITHOUT_FLAGS: Final = [{"op": "replace", "path": "/spec/flagSpec/flags", "value": {}}]
MIRROR: Final = {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "spy", "port": 80}}}
"""Sends a copy of each request elsewhere."""


def of_headers(**change: object) -> dict[str, Any]:
    """A filter that changes headers of the request."""
    return {"type": "RequestHeaderModifier", "requestHeaderModifier": change}


def filtered(name: str, *filters: dict[str, Any]) -> dict[str, Any]:
    """A route with these filters; by default it mirrors."""
    rule = {"backendRefs": [{"name": "stable", "port": 80}], "filters": [*(filters or (MIRROR,))]}
    return a_route(name, [rule], **marks(name))


def to_parents(*parents: dict[str, Any]) -> dict[str, Any]:
    """A patch of a route that attaches it to these alone; a mesh has no hostnames."""
    return {"spec": {"hostnames": None, "parentRefs": list(parents)}}


ACTS: Final[dict[str, tuple[Callable[[Someone], Answer], str | None]]] = {
    # ConfigMaps.
    "writes aws-auth": (
        lambda us: us.patch(a_config_map("aws-auth", "kube-system"), {"data": {"mapRoles": "[]"}}),
        "namespaces that begin with kube-",
    ),
    "creates a marked one in kube-system": (
        lambda us: us.create(a_config_map("support-traffic", "kube-system", **marks())),
        "namespaces that begin with kube-",
    ),
    "writes someone's": (lambda us: us.patch(a_config_map("tone"), {"data": {"a": "b"}}), NOT_CREATED),
    "takes someone's over": (
        lambda us: us.patch(
            a_config_map("someones-traffic"), a_config_map("someones-traffic", **marks()), "apply"
        ),
        NOT_CREATED,
    ),
    "creates one without marks": (lambda us: us.create(a_config_map("a-traffic")), NOT_CREATED),
    "creates one without an owner": (
        lambda us: us.create(a_config_map("a-traffic", labels=marks()["labels"])),
        NOT_CREATED,
    ),
    "creates one by another name": (
        lambda us: us.create(a_config_map("coredns-custom", **marks())),
        "writes no ConfigMap with the name coredns-custom",
    ),
    "creates a split": (lambda us: us.create(a_config_map("a-traffic", **marks())), None),
    "creates a snapshot": (
        lambda us: us.create(a_config_map("support-fedcba9876543210", **marks("a", "AgentRelease"))),
        None,
    ),
    "writes a split": (lambda us: us.patch(a_config_map("support-traffic"), {"data": {"a": "b"}}), None),
    "replaces a split": (lambda us: us.delete(a_config_map("support-traffic")), None),
    "deletes a snapshot": (
        lambda us: us.delete(a_config_map("support-0123456789abcdef")),
        "the operator deletes no snapshot",
    ),
    "deletes someone's ConfigMap": (lambda us: us.delete(a_config_map("tone")), NOT_CREATED),
    "puts the label back": (
        lambda us: us.patch(a_config_map("labelless-traffic"), {"metadata": {"labels": marks()["labels"]}}),
        None,
    ),
    # Deployments and Services.
    "stamps a Deployment": (lambda us: us.create(a_deployment("a-1-0-0", **stamp())), None),
    "stamps a Service": (lambda us: us.create(a_service("a-1-0-0", **stamp())), None),
    "scales a stamped Deployment": (
        lambda us: us.patch(a_deployment("support-1-0-0"), {"spec": {"replicas": 0}}),
        None,
    ),
    "changes a stamped Deployment": (
        lambda us: us.patch(a_deployment("support-1-0-0"), an_image("evil.example/agent:1")),
        "may change only the replicas of the Deployment support-1-0-0",
    ),
    "points a stamped Service elsewhere": (
        lambda us: us.patch(a_service("support-1-0-0"), {"spec": {"selector": {"app": "bank"}}}),
        "may change only the replicas of the Service support-1-0-0",
    ),
    "deletes a stamped Deployment": (lambda us: us.delete(a_deployment("support-1-0-0")), None),
    "creates a Deployment without marks": (lambda us: us.create(a_deployment("a-1-0-0")), NOT_CREATED),
    "creates a Service without an owner": (
        lambda us: us.create(a_service("a-1-0-0", labels=stamp()["labels"])),
        NOT_CREATED,
    ),
    "scales someone's": (lambda us: us.patch(a_deployment("shop"), {"spec": {"replicas": 0}}), NOT_CREATED),
    "takes a Deployment of someone over": (
        lambda us: us.patch(a_deployment("shop"), {"metadata": stamp()}),
        NOT_CREATED,
    ),
    "deletes a Service of someone": (lambda us: us.delete(a_service("shop")), NOT_CREATED),
    "stamps in kube-system": (
        lambda us: us.create(a_deployment("a-1-0-0", "kube-system", **stamp())),
        "namespaces that begin with kube-",
    ),
    # HTTPRoutes of the operator.
    "creates a route": (lambda us: us.create(a_route("a", **marks("a"))), None),
    "creates a route without marks": (lambda us: us.create(a_route("a")), ONLY_WEIGHTS),
    "creates one that mirrors": (lambda us: us.create(filtered("a")), "no route with filters"),
    "names and removes a cohort": (
        lambda us: us.create(
            filtered("a", of_headers(set=[{"name": "agent-cohort", "value": "x"}], remove=["agent-cohort"]))
        ),
        None,
    ),
    "sets another header": (
        lambda us: us.create(filtered("a", of_headers(set=[{"name": "authorization", "value": "x"}]))),
        "no route with filters",
    ),
    "removes another header": (
        lambda us: us.create(filtered("a", of_headers(remove=["agent-cohort", "x-user"]))),
        "no route with filters",
    ),
    "adds a header": (
        lambda us: us.create(filtered("a", of_headers(add=[{"name": "agent-cohort", "value": "x"}]))),
        "no route with filters",
    ),
    "makes its own mirror": (
        lambda us: us.patch(a_route("support"), {"spec": {"rules": filtered("a")["spec"]["rules"]}}),
        "no route with filters",
    ),
    "sends its own elsewhere": (
        lambda us: us.patch(
            a_route("support"),
            [{"op": "add", "path": "/spec/rules/0/backendRefs/0/namespace", "value": ELSEWHERE}],
        ),
        "a backend in another namespace",
    ),
    "writes its route": (
        lambda us: us.patch(a_route("support"), {"spec": {"hostnames": ["a.example.com"]}}),
        None,
    ),
    "splits the requests to a Service": (
        lambda us: us.patch(a_route("support"), to_parents({"group": "", "kind": "Service", "name": "shop"})),
        None,
    ),
    "splits those to a Service elsewhere": (
        lambda us: us.patch(
            a_route("support"),
            to_parents({"group": "", "kind": "Service", "name": "shop", "namespace": ELSEWHERE}),
        ),
        "the operator attaches routes only to Gateways, and to Services of the same namespace",
    ),
    "deletes its route": (lambda us: us.delete(a_route("support")), None),
    # GRPCRoutes.
    "creates a GRPCRoute": (lambda us: us.create(a_grpc_route("a", **marks("a"))), None),
    "creates a GRPCRoute without marks": (
        lambda us: us.create(a_grpc_route("a")),
        "may change only weights and its own annotation in the GRPCRoute a",
    ),
    "creates a GRPCRoute that mirrors": (
        lambda us: us.create(a_grpc_route("a", MIRROR, **marks("a"))),
        "no route with filters",
    ),
    # FeatureFlags.
    "creates a FeatureFlag": (lambda us: us.create(a_flag("a", **marks("a"))), None),
    "creates a FeatureFlag without marks": (lambda us: us.create(a_flag("a")), NOT_CREATED),
    "writes its FeatureFlag": (lambda us: us.patch(a_flag("support"), WITHOUT_FLAGS), None),
    "deletes its FeatureFlag": (lambda us: us.delete(a_flag("support")), None),
    "writes someone's FeatureFlag": (lambda us: us.patch(a_flag("shop"), WITHOUT_FLAGS), NOT_CREATED),
    "deletes someone's FeatureFlag": (lambda us: us.delete(a_flag("shop")), NOT_CREATED),
    # HTTPRoutes of others.
    "deletes someone's": (lambda us: us.delete(a_route("someones")), ONLY_WEIGHTS),
    "deletes a claimed one": (lambda us: us.delete(a_route("claimed")), ONLY_WEIGHTS),
    "sets weights without a claim": (lambda us: us.patch(a_route("someones"), WEIGHTS), ONLY_WEIGHTS),
    "claims and sets weights": (lambda us: us.patch(a_route("someones"), CLAIMING + WEIGHTS), None),
    "sets weights again": (lambda us: us.patch(a_route("claimed"), WEIGHTS), None),
    "gives a claim up": (
        lambda us: us.patch(
            a_route("claimed"),
            [{"op": "remove", "path": "/metadata/annotations/support.agentrollouts.dev~1split"}, *WEIGHTS],
        ),
        None,
    ),
    "moves a hostname": (
        lambda us: us.patch(
            a_route("claimed"), [{"op": "add", "path": "/spec/hostnames/0", "value": "b.example.com"}]
        ),
        ONLY_WEIGHTS,
    ),
    "attaches it elsewhere": (
        lambda us: us.patch(
            a_route("claimed"), [{"op": "add", "path": "/spec/parentRefs/0/name", "value": "inner"}]
        ),
        ONLY_WEIGHTS,
    ),
    "names another backend": (
        lambda us: us.patch(
            a_route("claimed"), [{"op": "add", "path": "/spec/rules/0/backendRefs/0/name", "value": "spy"}]
        ),
        ONLY_WEIGHTS,
    ),
    "adds a backend": (
        lambda us: us.patch(
            a_route("claimed"),
            [{"op": "add", "path": "/spec/rules/0/backendRefs/-", "value": {"name": "spy", "port": 80}}],
        ),
        ONLY_WEIGHTS,
    ),
    "sends a backend elsewhere": (
        lambda us: us.patch(
            a_route("claimed"),
            [{"op": "add", "path": "/spec/rules/0/backendRefs/0/namespace", "value": ELSEWHERE}],
        ),
        ONLY_WEIGHTS,
    ),
    "adds a rule": (
        lambda us: us.patch(
            a_route("claimed"), [{"op": "add", "path": "/spec/rules/-", "value": {"name": "b"}}]
        ),
        ONLY_WEIGHTS,
    ),
    "adds a filter": (
        lambda us: us.patch(
            a_route("claimed"),
            [
                {
                    "op": "add",
                    "path": "/spec/rules/0/filters",
                    "value": filtered("a")["spec"]["rules"][0]["filters"],
                }
            ],
        ),
        ONLY_WEIGHTS,
    ),
    "changes a label": (
        lambda us: us.patch(a_route("claimed"), {"metadata": {"labels": marks()["labels"]}}),
        ONLY_WEIGHTS,
    ),
    "makes itself the owner": (
        lambda us: us.patch(
            a_route("claimed"), {"metadata": {"ownerReferences": marks()["ownerReferences"]}}
        ),
        ONLY_WEIGHTS,
    ),
    "changes another annotation": (
        lambda us: us.patch(a_route("claimed"), {"metadata": {"annotations": {"team": "us"}}}),
        ONLY_WEIGHTS,
    ),
    "adds a finalizer": (
        lambda us: us.patch(a_route("claimed"), {"metadata": {"finalizers": ["example.com/stay"]}}),
        ONLY_WEIGHTS,
    ),
    "applies it as a manager": (
        lambda us: us.patch(a_route("claimed"), _minimal("claimed"), "apply"),
        ONLY_WEIGHTS,
    ),
}
"""What the operator's account does, and why that is refused; None where it is allowed."""


def _minimal(name: str) -> dict[str, Any]:
    """What makes the account a manager of a route by server-side apply."""
    route = a_route(name)
    return {key: route[key] for key in ("apiVersion", "kind")} | {
        "metadata": {"name": name, "namespace": WHERE, "annotations": CLAIM}
    }


@pytest.mark.parametrize("act", ACTS)
def test_the_operators_account_writes_only_its_own(world: Stack, act: str) -> None:
    """What a stolen token can write: our ConfigMaps and routes, and the weights of a claimed route."""
    do, why = ACTS[act]

    check(do(Someone(world, ACCOUNT)), why)


def test_people_are_not_confined_like_the_operator(world: Stack) -> None:
    """The operator's limits are for its account: an administrator can set a route while it is down."""
    admin = Someone(world)

    check(admin.patch(a_route("support"), {"spec": {"hostnames": ["a.example.com"]}}), None)
    check(admin.patch(a_config_map("aws-auth", "kube-system"), {"data": {"a": "b"}}), None)


def test_policies_are_rendered_where_they_are_served() -> None:
    """Without the kind in the API there are none; each group can be turned off."""

    def names(values: Mapping[str, Any], *flags: str) -> set[str]:
        return {
            manifest["metadata"]["name"].removeprefix(f"{FULL_NAME}-")
            for manifest in of_kind(rendered(values, *flags), POLICY, BINDING, MUTATING, f"{MUTATING}Binding")
        }

    tenants = {"traffic-rights", "content-rights"}
    own = {"own-configmaps", "own-flags", "own-routes", "own-workloads", "own-actions", "uninstall"}
    authority = {"actions", "operator-only", "freezes"}
    assert names({}) == names({}, STAMPED) == set()
    everything = tenants | own | authority
    assert names({}, SERVED) == everything
    assert names({}, SERVED, STAMPED) == everything | {"requester"}
    separate = {"authority": {"separatePlan": True}}
    assert names(separate, SERVED) == everything | {"plan"}
    assert names(separate, SERVED, STAMPED) - names({}, SERVED, STAMPED) == {"plan", "released-by"}
    assert names({"policies": {"tenants": False}}, SERVED) == everything - tenants
    assert names({"policies": {"operator": False}}, SERVED) == everything - own
    assert names({"policies": {"authority": False}}, SERVED, STAMPED) == everything - authority
    assert names({"hooks": {"policy": True}}, SERVED) == everything | {"hooks"}


def test_a_separate_plan_is_not_promised_without_a_policy() -> None:
    """Where the API server serves no policies, the chart refuses the value instead of ignoring it."""
    done = helm("template", NAME, str(CHART), *with_values({"authority": {"separatePlan": True}}))

    assert done.returncode != 0
    assert "authority.separatePlan: the API server serves no ValidatingAdmissionPolicy" in done.stderr
