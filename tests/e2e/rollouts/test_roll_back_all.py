"""`agentrollouts roll-back-all` with the account of the chart's hook, on the real API server."""

from pathlib import Path

import pytest

from sandbox.operator import OperatorProcess
from sandbox.stack import Stack
from tests.command import run
from tests.e2e import hook
from tests.e2e.manifests import FIRST, routed
from tests.e2e.scene import SECOND, Scene, now


@pytest.fixture(scope="module")
def account(stack: Stack, operator: OperatorProcess) -> Path:
    """The kubeconfig of the Job's account, with exactly the rights of the chart."""
    return hook.account(stack, operator)


def test_stable_has_all_traffic_when_the_job_ends(
    given: Scene, stack: Stack, operator: OperatorProcess, account: Path
) -> None:
    """The Job's command rolls back a canary on a ConfigMap and one on a route, and nothing else."""
    (calm,) = given.serving("calm")
    (split,) = given.in_canary("split")
    (route,) = given.in_canary("route", traffic=routed(given.namespace, gateway="nobody", statusless=True))
    began = now()

    done = run(account, hook.arguments(stack, operator))

    assert (done.returncode, done.stderr) == (0, "")
    for shop in (split, route):
        shop.is_back()
        name = f"{given.namespace}/{shop.agent}"
        both = f"{shop.agent}-{FIRST} has 50%, {shop.agent}-{SECOND} has 50%"
        assert f"{name}: the rollback of {shop.agent}-{SECOND} is requested: {both}\n" in done.stdout
        assert f"{name}: {shop.agent}-{FIRST} has 100%" in done.stdout
        given.says("AgentRollout", shop.agent, "Ready", "Quarantined")
    assert "AgentRollouts: stable has all traffic." in done.stdout
    assert "calm" not in done.stdout
    calm.keeps_its_weights(since=began)


def test_nothing_in_progress_writes_nothing(given: Scene, account: Path) -> None:
    """It ends at once, and no version of the rollout is new."""
    (shop,) = given.serving("quiet")
    shop.until("its record is written", lambda: not shop.status["record"]["unwritten"])
    before = given.api.get(shop.ref)["metadata"]["resourceVersion"]

    done = run(account, ["roll-back-all", f"--namespace={given.namespace}"])

    assert (done.returncode, done.stderr, done.stdout) == (
        0,
        "",
        "Checked 1 AgentRollout: no canary is in progress, so there is nothing to roll back.\n",
    )
    assert given.api.get(shop.ref)["metadata"]["resourceVersion"] == before


def test_without_an_operator_it_ends_in_time_and_says_what_to_do(
    given: Scene, operator: OperatorProcess, account: Path
) -> None:
    """It names each rollout that is not rolled back; with --best-effort, the exit code is 0 all the same."""
    (shop,) = given.in_canary("orphan")
    operator.stop()
    try:
        command = ["roll-back-all", f"--namespace={given.namespace}", "--timeout=2"]
        strict = run(account, command)
        lenient = run(account, [*command, "--best-effort"])
        assert shop.weights() == (50, 50)
    finally:
        operator.start()

    sentence = (
        f"{given.namespace}/orphan: NOT rolled back, orphan-{FIRST} has 50%, orphan-{SECOND} has 50%. "
        "The operator did not act on the request within 2 s. Check that it runs, and run this again; or set "
        f"orphan-{FIRST} 100 in ConfigMap orphan-traffic by hand\n"
    )
    assert (strict.returncode, strict.stderr) == (1, sentence)
    assert (lenient.returncode, lenient.stderr.startswith(sentence)) == (0, True)
    assert "because of --best-effort" in lenient.stderr
    shop.is_back()  # the request stays, and an operator that starts again obeys it


def test_without_rights_it_is_one_sentence(given: Scene, stack: Stack) -> None:
    """An account that may not list rollouts gets the words of the API server, and no traceback."""
    name = {"name": "nobody", "namespace": given.namespace}
    stack.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": name})
    kubeconfig = stack.account_kubeconfig(given.namespace, "nobody")

    done = run(kubeconfig, ["roll-back-all"])

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Failed to list AgentRollout in all namespaces: ")
    assert "cannot list resource" in done.stderr
    assert done.stderr.count("\n") == 1
