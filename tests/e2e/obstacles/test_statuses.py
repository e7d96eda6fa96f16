"""Input: a policy that refuses the status of rollouts. Output: a rollback that is done, and is loud."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client.parser import text_string_to_metric_families

from sandbox.programs import web
from tests.e2e.known import is_refused
from tests.e2e.manifests import FIRST
from tests.e2e.objects.test_refused_rollback import ADMISSION, objects
from tests.e2e.scene import Scene
from tests.e2e.witness import eventually


def unwritten(given: Scene) -> float:
    """How many statuses are not written, by the operator's metric."""
    families = text_string_to_metric_families(web.get(given.operator.metrics_url))
    samples = (sample for family in families for sample in family.samples)
    return next(sample.value for sample in samples if sample.name == "agentrollouts_statuses_unwritten")


@contextmanager
def no_status(given: Scene) -> Iterator[None]:
    """A policy that refuses each status of a rollout in this namespace."""
    kind, name = {"apiVersion": ADMISSION}, f"no-status-{given.namespace}"
    rule = {
        "apiGroups": ["agentrollouts.dev"],
        "apiVersions": ["*"],
        "operations": ["UPDATE"],
        "resources": ["agentrollouts/status"],
    }
    policy = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [rule]},
        "validations": [
            {"expression": f"request.namespace != '{given.namespace}'", "message": "no status for now"}
        ],
    }
    binding = {"policyName": name, "validationActions": ["Deny"]}
    manifests = (
        kind | {"kind": "ValidatingAdmissionPolicy", "metadata": {"name": name}, "spec": policy},
        kind | {"kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": name}, "spec": binding},
    )
    with objects(given, *manifests):
        yield


def test_a_rollback_without_a_status_is_done_and_said(given: Scene) -> None:
    """One Event and the metric say why the status is old; later it is written."""
    [shop] = given.in_canary("agent")
    with no_status(given):
        probe = {**given.api.get(shop.ref), "status": {}}
        eventually(
            "the policy is known",
            lambda: is_refused(lambda: given.api.replace_status(probe), "no status for now"),
        )
        shop.asks_for(FIRST)
        shop.is_back()
        shop.until("an Event", lambda: "StatusNotWritten" in given.events("agent"))
        eventually("the metric counts it", lambda: unwritten(given) == 1)
        given.witness.holds("it stays so", lambda: shop.weights() == (100, 0), 6)
        assert given.events("agent").count("StatusNotWritten") == 1
        assert shop.attempt["state"] == "Canary"
    shop.comes_to("RolledBack")
    eventually("nothing is unwritten", lambda: unwritten(given) == 0)
