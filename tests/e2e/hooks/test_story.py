"""A bad release writes wrong refunds and poisons a memory; after the rollback, hooks repair both.

Input: an agent with a store, three CronJobs, a rollout with `spec.hooks`. Output: the files of the store. The
operator has the chart's rights and the RoleBinding of `docs/hooks.md`; the Job controller is the real one.
"""

import json
import shlex
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pytest

from sandbox.errors import CommandError
from testkit.hooks import a_cron_job
from tests.e2e.api import Manifest
from tests.e2e.hooks.clerks import AGENT, BAD, CUSTOMERS, GOOD, NEW, Clerks, Store
from tests.e2e.hooks.pods import Pods, run
from tests.e2e.manifests import phase
from tests.e2e.scene import Scene, Shop, condition_of
from tests.e2e.witness import eventually

PROGRAM: Final = Path(__file__).with_name("repair.py")
HOOKS: Final = {
    "keep-memory": ("keep", "BeforeTraffic"),
    "restore-memory": ("restore", "AfterRollback"),
    "reverse-refunds": ("reverse", "AfterRollback"),
}
PLAN: Final[dict[str, Any]] = {
    "phases": [phase("half", 50, 600)],
    "hooks": [
        {"name": name, "at": at, "job": {"cronJob": name}, "timeoutSeconds": 60}
        for name, (_, at) in HOOKS.items()
    ],
}
FAIL_AFTER: Final = 3
"""Runs that are reversed before the CRM is away."""


def a_hook(namespace: str, name: str, step: str, store: Path) -> Manifest:
    """A labeled, suspended CronJob that runs one step of the program."""
    container = {
        "name": "main",
        "image": "registry.example/repair:1",
        "command": [sys.executable, str(PROGRAM), step],
        "env": [{"name": "STORE", "value": str(store)}, {"name": "FAIL_AFTER", "value": str(FAIL_AFTER)}],
    }
    pod = {"serviceAccountName": "repairer", "restartPolicy": "Never", "containers": [container]}
    return a_cron_job(namespace, name, pod)


def states(shop: Shop, attempt: int) -> dict[str, str]:
    """The hooks of an attempt, and where each stands."""
    entries = shop.status.get("hooks", [])
    return {entry["name"]: entry["state"] for entry in entries if entry["attempt"] == attempt}


def recovered(shop: Shop) -> tuple[str | None, str | None]:
    """The condition DataRecovered."""
    condition = condition_of(shop.manifest, "DataRecovered")
    return condition.get("status"), condition.get("reason")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """The agent's data."""
    return Store(tmp_path / "store")


@pytest.fixture
def shop(given: Scene, store: Store) -> Shop:
    """The rollout, in a namespace with its hooks, which has not opted in yet."""
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "repairer", "namespace": given.namespace},
    }
    hooks = [a_hook(given.namespace, name, step, store.folder) for name, (step, _) in HOOKS.items()]
    given.api.apply(account, *hooks)
    given.agents.leave(given.namespace)
    made = Shop(given, AGENT, dict(PLAN))
    given.shops[AGENT] = made
    return made


def test_the_data_is_as_if_the_bad_release_had_never_run(given: Scene, shop: Shop, store: Store) -> None:
    """Also after a kill of the operator, a failure halfway, a redo, and the same Job once more."""
    with Pods(given.stack, given.namespace) as pods, Clerks(given, store) as clerks:
        shop.ships("4.1.0")
        opts_in(given)
        shop.comes_to("Healthy")
        eventually("every customer is known", lambda: len(store.runs()) > 2 * CUSTOMERS)
        (store.folder / "crm-is-down").touch()
        shop.ships("4.2.0")
        shop.until("4.2.0 is rolled back", lambda: shop.status.get("lastRollback"))
        attempt = shop.attempt["number"]
        given.operator.kill()
        given.operator.start()
        shop.until(
            "reverse-refunds has failed twice",
            lambda: states(shop, attempt).get("reverse-refunds") == "Failed",
        )
        assert states(shop, attempt) == {
            "keep-memory": "Succeeded",
            "restore-memory": "Succeeded",
            "reverse-refunds": "Failed",
        }
        assert recovered(shop) == ("False", "HookFailed")

        (store.folder / "crm-is-down").unlink()
        redone = shop.act("RedoHook", hook="reverse-refunds", attempt=attempt)
        shop.until("the data is recovered", lambda: recovered(shop)[0] == "True")
        assert shop.answer(redone)[0] == "Done"
        again = shop.act("RedoHook", hook="reverse-refunds", attempt=attempt)
        assert shop.answer(again)[0] == "Refused"
        assert shop.weights() == (100, 0)
        clerks.stop()

    assert store.bytes() == without_the_bad_release(store)
    assert reversed_runs(store) == {run["id"] for run in store.runs() if run["release"] == BAD} != set()
    before = store.bytes()
    assert run(command_of(pods.started[-1]), pods.environments[newest_job(shop)]).returncode == 0
    assert store.bytes() == before
    tries = [entry["tries"] for entry in shop.status["hooks"] if entry["attempt"] == attempt]
    assert tries == [1, 1, 3]
    assert Counter(command_of(pod)[-1] for pod in pods.started) == {"keep": 2, "restore": 1, "reverse": 3}


def command_of(pod: Manifest) -> list[str]:
    """What a pod runs."""
    [container] = pod["spec"]["containers"]
    command: list[str] = container["command"]
    return command


def opts_in(scene: Scene) -> None:
    """Run the command that the condition shows while the right is missing."""
    message = scene.says("AgentRollout", AGENT, "Ready", "Forbidden")
    command = shlex.split(message.partition("to permit it: ")[2])
    assert command[:3] == ["kubectl", "create", "rolebinding"], message
    try:
        scene.stack.kubectl(*command[1:])
    except CommandError as error:
        raise AssertionError(message) from error


def without_the_bad_release(store: Store) -> tuple[bytes, bytes]:
    """Ledger and memory of the same runs, all of them by 4.1.0."""
    reference = Store(store.folder.parent / "reference")
    for each in store.runs():
        began = datetime.fromisoformat(each["time"])
        reference.run(int(each["id"].removeprefix("run-")), GOOD, began)
    assert [run["id"] for run in reference.runs()] == [run["id"] for run in store.runs()]
    assert any(int(run["id"].removeprefix("run-")) % NEW == 0 for run in reference.runs())
    return reference.bytes()


def reversed_runs(store: Store) -> set[str]:
    """The runs that the hook reversed."""
    return set(json.loads((store.folder / "reversed.json").read_text()))


def newest_job(shop: Shop) -> str:
    """The last Job of the hook that was redone."""
    return next(
        str(entry["job"]) for entry in shop.status["hooks"][::-1] if entry["name"] == "reverse-refunds"
    )
