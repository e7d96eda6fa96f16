"""Input: quotas that are used up. Output: what is said, and that all continues once they are raised.

The API server and the Job controller are real. What a quota has used is set by the tests.
"""

import sys
from typing import Any, Final

from sandbox.operator import OperatorProcess
from testkit.hooks import a_cron_job, hook_rights
from tests.e2e.hooks.pods import Pods
from tests.e2e.known import use_up
from tests.e2e.manifests import FIRST
from tests.e2e.scene import HALF, SECOND, Scene, Shop

PREPARED: Final = [
    {"name": "prepare", "at": "BeforeTraffic", "job": {"cronJob": "prepare"}, "timeoutSeconds": 3600},
]
POD: Final[dict[str, Any]] = {
    "restartPolicy": "Never",
    "containers": [
        {"name": "main", "image": "registry.example/none:1", "command": [sys.executable, "-c", ""]}
    ],
}


def test_a_snapshot_that_a_quota_refuses_is_written_once_there_is_room(given: Scene) -> None:
    """The release names the quota, the rollout waits for the release, and nothing has to be done again."""
    use_up(given, "full", "count/configmaps")
    shop = given.shop("agent")
    message = given.says("AgentRelease", f"agent-{FIRST}", "Ready", "Forbidden")
    assert "exceeded quota: full" in message
    given.says("AgentRollout", "agent", "Ready", "ReleaseNotReady")
    given.api.delete(given.ref("ResourceQuota", "full"))
    shop.comes_to("Healthy")


def hook_says(shop: Shop) -> str:
    """The message of the newest hook."""
    hooks = shop.status.get("hooks", [])
    return str(hooks[-1].get("message", "")) if hooks else ""


def test_a_hook_says_what_a_quota_refuses_it(given: Scene) -> None:
    """First its Job, and then the pod of its Job; the next release waits, and a rollback does not."""
    rights = hook_rights(given.namespace, OperatorProcess.name, given.operator.namespace)
    given.api.apply(rights, a_cron_job(given.namespace, "prepare", POD))
    [shop] = given.in_canary("agent")
    with Pods(given.stack, given.namespace) as pods:
        use_up(given, "no-jobs", "count/jobs.batch")
        use_up(given, "no-pods", "pods")
        shop.ships("3.0.0", phases=HALF, hooks=PREPARED)
        shop.is_back()  # the canary before was superseded
        shop.until("the Job is refused", lambda: "exceeded quota: no-jobs" in hook_says(shop))
        given.api.delete(given.ref("ResourceQuota", "no-jobs"))
        shop.until("its pod is refused", lambda: "has no pod" in hook_says(shop))
        assert f"kubectl describe job/{shop.status['hooks'][-1]['job']}" in hook_says(shop)
        assert (shop.weights(), pods.started) == ((100, 0), [])
        given.api.delete(given.ref("ResourceQuota", "no-pods"))
        shop.comes_to("Canary")
        assert [hook["state"] for hook in shop.status["hooks"]] == ["Succeeded"]
    assert SECOND in str(shop.status["history"])
