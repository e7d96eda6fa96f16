"""`helm uninstall` in mid-canary, with its hook in a pod; it runs last, since no operator runs afterward."""

from tests.e2e.hook import NAME
from tests.e2e.manifests import FIRST
from tests.e2e.scene import SECOND, Scene, now
from tests.node.pods import OperatorPods


def test_an_uninstall_in_mid_canary_leaves_all_traffic_with_stable(
    given: Scene, operator: OperatorPods, figures: dict[str, float]
) -> None:
    """It prints what it rolls back, stable has 100% when it returns, and nothing of the chart is left."""
    (shop,) = given.in_canary("withdrawn")
    began = now()

    printed = operator.uninstall()

    figures["until helm uninstall in mid-canary returns, rollback included"] = now() - began
    shop.is_back()
    name, stable = f"{given.namespace}/{shop.agent}", f"{shop.agent}-{FIRST}"
    both = f"{stable} has 50%, {shop.agent}-{SECOND} has 50%"
    assert (
        f"{name}: the rollback of {shop.agent}-{SECOND} is requested: {both}" in printed
    )  # the log is one line
    assert f"{name}: {stable} has 100%" in printed
    kinds = "deployments,jobs,serviceaccounts,roles,rolebindings,clusterroles,clusterrolebindings"
    kept = operator.kubectl("get", kinds, f"--namespace={operator.namespace}", "--output=name").split()
    assert [resource for resource in kept if resource.endswith((operator.name, NAME))] == []
