"""Input: what someone with the role `edit` does to objects of the operator. Output: who has the traffic."""

import hashlib
import json
from functools import partial

import pytest

from agentrollouts.adapters.cluster.resources import Ref
from tests.e2e.api import Manifest
from tests.e2e.manifests import FIRST, a_release, phase, routed
from tests.e2e.neighbor import DANA, dana_in, metadata_of
from tests.e2e.scene import BACK, Scene, Shop, condition_of, now

HALF = [phase("half", 50, 600)]
LABEL = "app.kubernetes.io/managed-by"
HELM = {"metadata": {"labels": {LABEL: "Helm"}}}


def in_canary(given: Scene, agent: str, *, by_route: bool = False) -> Shop:
    """A rollout whose canary has half of the traffic."""
    traffic = {"traffic": routed(given.namespace)} if by_route else {}
    [shop] = given.serving(agent, phases=HALF, **traffic)
    shop.ships("2.0.0")
    shop.is_counting()
    return shop


def is_labeled(given: Scene, ref: Ref) -> bool:
    """Whether an object has our label."""
    labels = metadata_of(given, ref).get("labels") or {}
    return bool(labels.get(LABEL) == "agentrollouts")


@pytest.mark.parametrize("by_route", [False, True], ids=["ConfigMap", "HTTPRoute"])
def test_a_label_of_a_tool_is_put_back_and_stops_no_rollback(given: Scene, *, by_route: bool) -> None:
    """Helm's label takes the ConfigMap out of the operator's watch; it is found by its name."""
    shop = in_canary(given, "labels", by_route=by_route)
    dana = dana_in(given)
    for ref in {shop.config, shop.traffic}:
        dana.patch(ref, HELM)
    for ref in {shop.config, shop.traffic}:
        shop.until(f"the label of {ref} is back", partial(is_labeled, given, ref))
    writes = len(given.witness.versions(shop.config))

    for ref in {shop.config, shop.traffic}:
        dana.patch(ref, {"metadata": {"labels": None, "annotations": {"note": "hers"}}})
    shop.act("RollBack", release=shop.asked)
    shop.is_back()
    shop.comes_to("RolledBack")
    assert metadata_of(given, shop.config)["labels"][LABEL] == "agentrollouts"
    assert len(given.witness.versions(shop.config)) - writes < 20


@pytest.mark.parametrize("policy", ["Background", "Foreground"])
def test_a_rollout_that_a_finalizer_keeps_gives_stable_all_traffic(given: Scene, policy: str) -> None:
    """It says Terminating, still rolls back on request, and goes once nothing keeps it."""
    shop = in_canary(given, "terminating")
    dana = dana_in(given)
    dana.patch(shop.ref, {"metadata": {"finalizers": ["example.com/audit"]}})
    began = now()
    dana.delete(shop.ref, propagationPolicy=policy)
    try:
        message = given.says("AgentRollout", "terminating", "Ready", "Terminating")
        assert "waits for finalizer" in message
        if policy == "Background":
            shop.is_back()
            shop.comes_to("RolledBack")
        else:  # the garbage collector may have deleted the ConfigMap
            shop.until("the canary has nothing", lambda: shop.weights() in {BACK, None})
            given.witness.holds("it stays so", lambda: shop.weights() in {BACK, None}, 5)
        assert not shop.status.get("quarantined")
        weights = {version.weights for version in given.witness.versions(shop.config, began)[1:]}
        assert weights <= {BACK, (50, 50)}
    finally:
        dana.patch(shop.ref, {"metadata": {"finalizers": []}})
    given.witness.wait("it is gone", lambda: given.witness.get(shop.ref) is None)


def test_an_immutable_config_map_is_noticed_before_an_attempt_begins(given: Scene) -> None:
    """Stalled with the command; what the command does is enough."""
    [shop] = given.serving("frozen", phases=HALF)
    dana = dana_in(given)
    dana.patch(shop.config, {"immutable": True})
    shop.ships("2.0.0")

    message = given.says("AgentRollout", "frozen", "Ready", "TrafficImmutable")
    assert f"kubectl delete configmap frozen-traffic --namespace={given.namespace}" in message
    assert condition_of(shop.manifest, "Stalled")["status"] == "True"
    assert shop.weights() in {BACK, (100, 0)}

    dana.delete(shop.config)
    shop.is_counting()


@pytest.mark.parametrize("label", ["agentrollouts", "Helm"])
def test_an_immutable_config_map_is_replaced_by_a_rollback(given: Scene, label: str) -> None:
    """Also if it lost its label at the same time; the attempt is held until then."""
    shop = in_canary(given, "freezing")
    dana = dana_in(given)
    uid = metadata_of(given, shop.config)["uid"]
    dana.patch(shop.config, {"immutable": True, "metadata": {"labels": {LABEL: label}}})
    shop.until("it is held", lambda: shop.attempt.get("state") == "Held")
    assert shop.attempt["hold"]["reason"] == "TrafficImmutable"

    shop.act("RollBack", release=shop.asked)
    shop.is_back()
    shop.comes_to("RolledBack")
    assert metadata_of(given, shop.config)["uid"] != uid
    assert not (given.witness.now(shop.config) or {}).get("immutable")


def test_a_mark_on_a_traffic_object_is_not_the_request_of_a_person(given: Scene) -> None:
    """At 50/50 a mark changes nothing; nor does one at 100/0 that does not name the rollout."""
    shop = in_canary(given, "marked", by_route=True)
    dana = dana_in(given)
    marks = {
        "agentrollouts.dev/rolled-back": str(shop.attempt["number"]),
        "agentrollouts.dev/rollback-trigger": "Action",
        "agentrollouts.dev/rollback-message": f"{DANA} asked",
    }
    for ref in (shop.route, shop.config):
        dana.patch(ref, {"metadata": {"annotations": marks}})
    given.witness.holds("the attempt goes on", lambda: shop.attempt["state"] == "Canary", 3)

    rules = (given.witness.get(shop.route) or {})["spec"]["rules"]
    first, second = rules[0]["backendRefs"]
    dana.patch(
        shop.route,
        {"spec": {"rules": [rules[0] | {"backendRefs": [first | {"weight": 100}, second | {"weight": 0}]}]}},
    )
    shop.until("the weights are restored", lambda: shop.weights() == (50, 50))
    assert shop.attempt["state"] == "Canary"
    assert not shop.status.get("quarantined")

    dana.patch(
        shop.route,
        {
            "metadata": {
                "annotations": marks | {"agentrollouts.dev/rolled-back-uid": shop.manifest["metadata"]["uid"]}
            },
            "spec": {
                "rules": [rules[0] | {"backendRefs": [first | {"weight": 100}, second | {"weight": 0}]}]
            },
        },
    )
    shop.comes_to("RolledBack")
    back = shop.status["lastRollback"]
    assert (back["trigger"] != "Action", back["reason"]) == (True, "RouteMarked")
    assert back["message"] == f'The route says: "{DANA} asked"'


def snapshot_of(shop: Shop, version: str) -> Ref:
    """The snapshot of a release, as its status names it."""
    release = shop.scene.manifest("AgentRelease", f"{shop.agent}-{version}") or {}
    return shop.scene.ref("ConfigMap", release["status"]["snapshot"]["name"])


def test_an_altered_snapshot_is_not_rolled_back_to(given: Scene) -> None:
    """The one before it is, a Warning names the ConfigMap, and repairing it is enough."""
    [shop] = given.serving("altered")
    for version in ("2.0.0", "3.0.0"):
        shop.ships(version)
        shop.comes_to("Healthy")
    ref = snapshot_of(shop, "2.0.0")
    dana = dana_in(given)
    whole = given.witness.get(ref) or {}
    kept = {key: whole["metadata"][key] for key in ("name", "namespace", "labels", "ownerReferences")}
    forged = json.dumps({"prompt": {"version": "6.6.6", "inline": {"system": "obey"}}})
    release = given.ref("AgentRelease", "altered-2.0.0")
    given.api.delete(release)  # else it would write its snapshot again
    given.witness.wait("no release", lambda: given.witness.get(release) is None)
    dana.delete(ref)
    given.witness.wait("no snapshot", lambda: given.witness.get(ref) is None)
    dana.create(whole | {"metadata": kept, "data": whole["data"] | {"bundle.json": forged}})

    message = given.says("AgentRollout", "altered", "RollbackReady", "SnapshotAltered")
    assert f"ConfigMap {ref.name}" in message
    assert f"altered-{FIRST} is available" in message
    given.witness.wait("a Warning", lambda: "SnapshotAltered" in given.events("altered"))
    shop.act("RollBack", release=shop.asked)
    shop.until("the first one serves", lambda: shop.status["stable"]["release"] == f"altered-{FIRST}")


def test_a_config_map_cannot_make_a_release_ready(given: Scene) -> None:
    """It names the release as its owner, and has neither its guardrails nor its checks."""
    release = a_release(given.namespace, "forged")
    release["spec"]["components"]["guardrails"] = {"version": "1.0.0", "configMapRef": {"name": "rules"}}
    given.api.apply(release)
    given.says("AgentRelease", f"forged-{FIRST}", "Ready", "ReferenceMissing")
    dana = dana_in(given)
    bundle = json.dumps({"prompt": {"version": "1.0.0", "inline": {"system": "key"}}}, separators=(",", ":"))
    name = f"forged-{hashlib.sha256(bundle.encode()).hexdigest()[:16]}"
    stored: Manifest = given.manifest("AgentRelease", f"forged-{FIRST}") or {}
    owner = {key: stored[key] for key in ("apiVersion", "kind")}
    owner |= {key: stored["metadata"][key] for key in ("name", "uid")}
    labels = {
        LABEL: "agentrollouts",
        "agentrollouts.dev/agent": "forged",
        "agentrollouts.dev/release": f"forged-{FIRST}",
    }
    dana.create(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": name,
                "namespace": given.namespace,
                "labels": labels,
                "ownerReferences": [owner],
            },
            "immutable": True,
            "data": {"bundle.json": bundle},
        }
    )
    given.witness.holds(
        "it is not ready",
        lambda: condition_of(given.manifest("AgentRelease", f"forged-{FIRST}"), "Ready")["status"] == "False",
        5,
    )
