"""What other processes of the cluster know by now: they learn by watching, and not from the one who writes.

The API server itself learns of rights, policies, webhooks and quotas that way, and the gateway of routes.
"""

from collections.abc import Callable
from typing import Any, Final

from agentrollouts.adapters.cluster.resources import Ref
from tests.e2e.api import Api, Manifest
from tests.e2e.scene import Scene
from tests.e2e.witness import PATIENCE, eventually

OPERATOR: Final = "system:serviceaccount:agentrollouts:agentrollouts"
"""The operator as a user, with its rights alone."""


def may(scene: Scene, user: str, verb: str, resource: str) -> None:
    """Wait until someone has a right in the namespace of the test."""
    who = (f"--as={user}", f"--namespace={scene.namespace}")
    scene.stack.kubectl.insist("auth", "can-i", verb, resource, *who, seconds=PATIENCE)


def is_refused(attempt: Callable[[], object], words: str) -> bool:
    """Whether the API server refuses a request with these words."""
    try:
        attempt()
    except AssertionError as error:
        return words in str(error)
    return False


def refuses_the_operator(scene: Scene, ref: Ref, words: str) -> None:
    """Wait until the API server refuses what the operator writes into an object; nothing is stored."""
    hands, change = Api(scene.stack, OPERATOR), {"metadata": {"annotations": {"tried": "yes"}}}
    eventually(
        f"the operator may not patch {ref}: {words}",
        lambda: is_refused(lambda: hands.patch(ref, change, dry_run="All"), words),
    )


def use_up(scene: Scene, name: str, resource: str) -> None:
    """A quota for one resource, which is used up, and which the API server knows."""
    used = {resource: "1", "count/serviceaccounts": "1"}
    metadata = {"name": name, "namespace": scene.namespace}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": {"hard": used}}
    scene.api.apply(quota)
    scene.api.replace_status(quota | {"status": {"hard": used, "used": used}})
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}
    eventually(
        f"the API server knows the quota {name}",
        lambda: is_refused(lambda: scene.api.create(account, dry_run="All"), f"exceeded quota: {name}"),
    )


def reported(scene: Scene, ref: Ref) -> dict[str, bool]:
    """What the gateway reports on the newest generation of a route; wait until it does."""

    def report() -> dict[str, bool]:
        route: Manifest = scene.api.get(ref)
        parents: list[dict[str, Any]] = route.get("status", {}).get("parents", [])
        return {
            said["type"]: said["status"] == "True"
            for parent in parents
            for said in parent["conditions"]
            if said["observedGeneration"] == route["metadata"]["generation"]
        }

    return eventually(f"the gateway reports on {ref}", report)
