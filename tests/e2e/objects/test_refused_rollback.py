"""Input: a policy, a missing right, a quota or a webhook that refuses a rollback. Output: how loud that is.

Once nothing refuses it, the rollback goes through by itself.
"""

import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

import pytest
from prometheus_client.parser import text_string_to_metric_families

from agentrollouts.adapters.cluster.resources import Ref
from sandbox.programs import web
from tests.e2e.api import Manifest
from tests.e2e.known import refuses_the_operator, use_up
from tests.e2e.manifests import phase, routed
from tests.e2e.scene import Scene, Shop, condition_of
from tests.e2e.witness import eventually

ADMISSION = "admissionregistration.k8s.io/v1"
TRAFFIC_WRITES = {
    "apiGroups": ["", "gateway.networking.k8s.io"],
    "apiVersions": ["*"],
    "operations": ["CREATE", "UPDATE"],
    "resources": ["configmaps", "httproutes"],
}
"""The writes of traffic objects, as policies and webhooks select them."""


@contextmanager
def objects(given: Scene, *manifests: Manifest) -> Iterator[None]:
    """Objects of the whole cluster, for as long as the context lasts."""
    given.api.apply(*manifests)
    try:
        yield
    finally:
        for manifest in manifests:
            given.api.delete(Ref(manifest["kind"], "", manifest["metadata"]["name"]))


def by_policy(given: Scene) -> AbstractContextManager[None]:
    """A policy that refuses every write of the traffic objects in this namespace."""
    name = f"refuses-{given.namespace}"
    policy = {
        "apiVersion": ADMISSION,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [TRAFFIC_WRITES]},
            "validations": [
                {
                    "expression": f"request.namespace != '{given.namespace}' || !request.userInfo.username"
                    ".startsWith('system:serviceaccount:')",
                    "message": "frozen for the holidays",
                }
            ],
        },
    }
    binding = {
        "apiVersion": ADMISSION,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {"policyName": name, "validationActions": ["Deny"]},
    }
    return objects(given, policy, binding)


@contextmanager
def by_rights(given: Scene) -> Iterator[None]:
    """The operator's role without the right to patch what moves traffic."""
    ref = Ref("ClusterRole", "", "agentrollouts")
    rules = given.api.get(ref)["rules"]
    fewer = [
        rule | {"verbs": [verb for verb in rule["verbs"] if verb != "patch"]}
        if {"configmaps", "httproutes"} & {*rule["resources"]}
        else rule
        for rule in rules
    ]
    given.api.patch(ref, {"rules": fewer})
    try:
        yield
    finally:
        given.api.patch(ref, {"rules": rules})


@contextmanager
def by_webhook(given: Scene) -> Iterator[None]:
    """A webhook on HTTPRoutes and ConfigMaps of this namespace that never answers; calls wait for 10 s."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hook = {
            "name": "silent.example.com",
            "clientConfig": {"url": f"https://127.0.0.1:{silent.getsockname()[1]}/"},
            "rules": [TRAFFIC_WRITES],
            "failurePolicy": "Fail",
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            "timeoutSeconds": 10,
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": given.namespace}},
        }
        kind = {"apiVersion": ADMISSION, "kind": "ValidatingWebhookConfiguration"}
        with objects(given, {**kind, "metadata": {"name": f"hangs-{given.namespace}"}, "webhooks": [hook]}):
            yield


HALVES: Final = {
    "HTTPRoute": """[
        JSONPatch{op: "replace", path: "/spec/rules/0/backendRefs/0/weight", value: 50},
        JSONPatch{op: "replace", path: "/spec/rules/0/backendRefs/1/weight", value: 50},
        JSONPatch{op: "add", path: "/metadata/labels/halved", value: "yes"}]""",
    "ConfigMap": """[
        JSONPatch{op: "replace", path: "/data/split.json", value: object.data["split.json"]
            .replace('"weight":100', '"weight":50').replace('"weight":0', '"weight":50')},
        JSONPatch{op: "add", path: "/metadata/labels/halved", value: "yes"}]""",
}
"""What makes 50/50 of any weights, and leaves a mark, by the kind of the traffic object."""


@contextmanager
def changed_on_the_way(given: Scene, ref: Ref) -> Iterator[None]:
    """An admission policy that makes 50/50 of whatever is written into a traffic object."""
    name, kind = f"changes-{given.namespace}", {"apiVersion": ADMISSION, "kind": "MutatingAdmissionPolicy"}
    this = f"request.namespace == '{ref.namespace}' && request.name == '{ref.name}'"
    policy = {
        "matchConstraints": {"resourceRules": [TRAFFIC_WRITES | {"operations": ["UPDATE"]}]},
        "matchConditions": [{"name": "this", "expression": this}],
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": HALVES[ref.kind]}}],
        "failurePolicy": "Fail",
        "reinvocationPolicy": "Never",
    }
    binding = {**kind, "kind": "MutatingAdmissionPolicyBinding", "spec": {"policyName": name}}
    manifests = ({**kind, "spec": policy}, binding)

    def is_known() -> bool:
        change = {"metadata": {"annotations": {"tried": "yes"}}}
        return "halved" in given.api.patch(ref, change, dry_run="All")["metadata"]["labels"]

    with objects(given, *({**manifest, "metadata": {"name": name}} for manifest in manifests)):
        eventually(f"the API server changes {ref}", is_known)
        yield


def blocked_rollbacks(given: Scene) -> float:
    """What the operator's metric says."""
    families = text_string_to_metric_families(web.get(given.operator.metrics_url))
    return next(
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == "agentrollouts_rollbacks_blocked"
    )


def in_canary(given: Scene, agent: str, *, by_route: bool) -> Shop:
    """A rollout whose canary has half of the traffic."""
    traffic = {"traffic": routed(given.namespace)} if by_route else {}
    [shop] = given.serving(agent, phases=[phase("half", 50, 600)], **traffic)
    shop.ships("2.0.0")
    shop.is_counting()
    return shop


@pytest.mark.parametrize(
    ("obstacle", "refusal", "words"),
    [
        (by_policy, "frozen for the holidays", "frozen for the holidays"),
        (by_rights, "cannot patch resource", "cannot patch resource"),
        (by_webhook, "failed calling webhook", "does an admission webhook hang?"),
    ],
    ids=["policy", "rights", "webhook"],
)
@pytest.mark.parametrize("by_route", [True, False], ids=["HTTPRoute", "ConfigMap"])
def test_a_refused_rollback_is_loud_and_then_goes_through(
    given: Scene,
    obstacle: Callable[[Scene], AbstractContextManager[None]],
    refusal: str,
    words: str,
    *,
    by_route: bool,
) -> None:
    """Ready says who keeps which share and why, Stalled is True, one Warning; the metric counts it."""
    shop = in_canary(given, "refused", by_route=by_route)
    with obstacle(given):
        refuses_the_operator(given, shop.traffic, refusal)
        shop.act("RollBack", release=shop.asked)
        message = given.says("AgentRollout", "refused", "Ready", "NotRolledBack")
        assert message.startswith("NOT ROLLED BACK: 50% still on refused-2.0.0: ")
        assert words in message
        assert condition_of(shop.manifest, "Stalled")["status"] == "True"
        assert shop.weights() == (50, 50)
        shop.until("a Warning", lambda: "NotRolledBack" in given.events("refused"))
        eventually("the metric counts it", lambda: blocked_rollbacks(given) == 1)
        given.witness.holds("it stays so", lambda: shop.weights() == (50, 50), 6)
        assert given.events("refused").count("NotRolledBack") == 1
    shop.is_back()
    shop.comes_to("RolledBack")
    eventually("nothing is blocked", lambda: blocked_rollbacks(given) == 0)


@pytest.mark.parametrize("by_route", [True, False], ids=["HTTPRoute", "ConfigMap"])
def test_a_rollback_that_is_changed_on_its_way_is_loud_and_then_goes_through(
    given: Scene, *, by_route: bool
) -> None:
    """The API server calls it a success, and stores the weights of before."""
    shop = in_canary(given, "changed", by_route=by_route)
    with changed_on_the_way(given, shop.traffic):
        shop.act("RollBack", release=shop.asked)
        message = given.says("AgentRollout", "changed", "Ready", "NotRolledBack")
        assert message.endswith("was written; does an admission webhook change it?")
        assert condition_of(shop.manifest, "Stalled")["status"] == "True"
        eventually("the metric counts it", lambda: blocked_rollbacks(given) == 1)
        shop.until("a Warning", lambda: "NotRolledBack" in given.events("changed"))
        assert shop.weights() == (50, 50)
    shop.is_back()
    shop.comes_to("RolledBack")
    eventually("nothing is blocked", lambda: blocked_rollbacks(given) == 0)
    given.shops.clear()  # versions of its traffic object have the mark of a rollback, and the old weights


def test_a_quota_that_refuses_the_object_again_is_loud(given: Scene) -> None:
    """Someone deletes the traffic ConfigMap of a canary, and the quota is used up."""
    shop = in_canary(given, "quota", by_route=False)
    use_up(given, "full", "count/configmaps")
    given.api.delete(shop.config)
    shop.act("RollBack", release=shop.asked)
    message = given.says("AgentRollout", "quota", "Ready", "NotRolledBack")
    assert "exceeded quota: full" in message
    given.api.delete(given.ref("ResourceQuota", "full"))
    shop.is_back()
