"""The page in the cluster while the API server restarts. Run by `test_page.py`.

No operator runs. By hand: `python -m sandbox run -- python -m pytest tests/e2e/apart/inside_page.py`.
"""

import asyncio
import json
from pathlib import Path
from typing import Final

import pytest

from sandbox.stack import Stack
from tests.browser.chromium import page
from tests.e2e.manifests import a_release, a_rollout
from tests.e2e.people.opened import in_cluster, signed_in, text, until

WHERE: Final = "shown"
CRDS: Final = Path(__file__).parents[3] / "crds"
RESTART_SECONDS: Final = 60.0
"""Longer than an API server takes until it answers everyone again."""
KINDS: Final = ["agentrollouts", "agentreleases", "agentrolloutactions"]
ACCOUNT: Final = {"kind": "ServiceAccount", "name": "reader", "namespace": WHERE}


def sets(stack: Stack, reason: str) -> None:
    """Give the rollout a condition, as the operator would."""
    times = {"lastTransitionTime": "2026-08-01T00:00:00Z", "observedGeneration": 1}
    ready = {"type": "Ready", "status": "True", "reason": reason, "message": "it serves", **times}
    status = {"status": {"weights": {"stable": 100, "canary": 0}, "conditions": [ready]}}
    patch = ("patch", "agentrollout", "x", f"--namespace={WHERE}", "--subresource=status", "--type=merge")
    stack.kubectl(*patch, f"--patch={json.dumps(status)}")


@pytest.fixture
def token(stack: Stack) -> str:
    """The token of someone who may look, in a namespace with a rollout."""
    stack.apply(CRDS)
    stack.kubectl.wait_kinds()
    within = {"name": "reader", "namespace": WHERE}
    rbac = "rbac.authorization.k8s.io"
    rule = {"apiGroups": ["agentrollouts.dev"], "resources": KINDS, "verbs": ["get", "list", "watch"]}
    role_ref = {"apiGroup": rbac, "kind": "Role", "name": "reader"}
    stack.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": WHERE}})
    stack.apply(
        [
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": within},
            {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": within, "rules": [rule]},
            {
                "apiVersion": f"{rbac}/v1",
                "kind": "RoleBinding",
                "metadata": within,
                "roleRef": role_ref,
                "subjects": [ACCOUNT],
            },
            a_release(WHERE, "x", "1.0.0"),
            a_rollout(WHERE, "x", "x-1.0.0"),
        ]
    )
    sets(stack, "Healthy")
    return stack.kubectl("create", "token", "reader", f"--namespace={WHERE}").strip()


def test_the_last_view_stays_and_the_page_recovers(stack: Stack, token: str, tmp_path: Path) -> None:
    """While there is no answer the page says for how long; then it follows again without being loaded."""

    async def story() -> None:
        async with in_cluster(stack) as (address, _), page(tmp_path / "profile") as tab:
            await signed_in(tab, f"{address}/{WHERE}/x", token)
            loaded = await tab.value("performance.timeOrigin")
            before = await text(tab, "headline")
            assert "Healthy" in before
            server = stack.processes["apiserver"]
            server.stop()
            problem = "document.getElementById('problem').innerText"
            said = await until(tab, f"/no answer since .* \\(for [2-9] s\\)/.test({problem}) && {problem}")
            assert "The API server" in said
            assert await text(tab, "headline") == before
            server.start()
            await until(tab, f"{problem} === ''", RESTART_SECONDS)
            sets(stack, "Stalled")
            await until(tab, "document.getElementById('headline').innerText.includes('Stalled')")
            assert await tab.value("performance.timeOrigin") == loaded

    asyncio.run(story())
