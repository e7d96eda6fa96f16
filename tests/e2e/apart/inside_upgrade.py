"""This version and the one before it take turns. Run by `test_upgrade.py` inside a sandbox of its own.

The version before is the one in `tests/previous.tar.xz`: its own chart, its own CRDs and its own code.

By hand: `python -m sandbox run -- python -m pytest tests/e2e/apart/inside_upgrade.py`.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.operator import CURRENT, OperatorProcess
from sandbox.stack import Stack
from tests.command import run
from tests.docs.pages import blocks, page, section
from tests.e2e import hook
from tests.e2e.manifests import FIRST, routed
from tests.e2e.scene import BACK, Scene, Shop, now
from tests.e2e.witness import eventually
from tests.previous import unpacked

LATER = {"type": "string", "maxLength": 10}
"""A field of a version after this one."""


@pytest.fixture(scope="session")
def operator(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatorProcess]:
    """The version before this one, which is the first to run."""
    version = unpacked(tmp_path_factory.mktemp("previous"))
    process = OperatorProcess(stack, version=version, replica=1)
    process.start()
    yield process
    process.stop()
    assert "Failed to reconcile" not in process.log_text()


@pytest.fixture(scope="session")
def current(stack: Stack, operator: OperatorProcess) -> Iterator[OperatorProcess]:
    """This version, neither installed nor started yet."""
    assert operator.process.running
    process = OperatorProcess(stack)
    yield process
    process.stop()
    assert "Failed to reconcile" not in process.log_text()


def hand_over(former: OperatorProcess, latter: OperatorProcess) -> None:
    """As `helm upgrade` to the other chart does with one replica: end, install, start. Nothing if it runs."""
    if latter.settings_file.exists() and latter.process.running:
        return
    former.stop()
    latter.install()
    latter.start()


def answers(shop: Shop) -> None:
    """See that the running operator decides on a rollout: it follows a change of the spec, there and back."""
    shop.ships(shop.asked.removeprefix(f"{shop.agent}-"), paused=True)
    shop.comes_to("Held")
    shop.ships(shop.asked.removeprefix(f"{shop.agent}-"), paused=False)
    shop.is_counting()


def test_they_hand_over_in_mid_canary_and_back(
    given: Scene, operator: OperatorProcess, current: OperatorProcess
) -> None:
    """Each resumes the attempt of the other, with its number and clocks; no weight moves until a breach."""
    canary, probe = given.in_canary("canary", "probe")
    before, since = canary.progress(), now()

    for former, latter in ((operator, current), (current, operator)):
        hand_over(former, latter)
        answers(probe)
        assert canary.progress() == before
    canary.keeps_its_weights(since)
    lease = "Waiting for the Lease"
    assert (lease in operator.log_text(), lease in current.log_text()) == (False, True)  # two versions

    breaks(canary)


def breaks(shop: Shop) -> None:
    """Let the canary fail, and see that it is rolled back and that nothing is written after that."""
    shop.scene.agents.fail(shop.scene.namespace, shop.asked, 0.9)
    shop.is_back()
    shop.until("the status tells why", lambda: shop.attempt.get("trigger") == "Breach")
    shop.scene.says("AgentRollout", shop.agent, "Stalled", "Quarantined")
    shop.scene.witness.wait_for_rest(3)


def test_crds_may_be_upgraded_first(
    given: Scene, operator: OperatorProcess, current: OperatorProcess, stack: Stack
) -> None:
    """The version before continues under the new CRDs, and this one resumes what it began."""
    hand_over(current, operator)
    (shop,) = given.in_canary("first")
    apply_crds(stack, CURRENT.chart)
    answers(shop)
    before = shop.progress()
    hand_over(operator, current)
    shop.until("it is evaluated", lambda: shop.status["gates"][0]["canary"]["total"] != "0")

    assert shop.progress() == before
    breaks(shop)


def test_crds_may_be_upgraded_last(
    given: Scene, operator: OperatorProcess, current: OperatorProcess, stack: Stack
) -> None:
    """This version works under the CRDs of the one before: it continues an attempt, and rolls it back."""
    hand_over(operator, current)
    (shop,) = given.in_canary("last")
    apply_crds(stack, operator.version.chart)
    try:
        answers(shop)
        breaks(shop)
    finally:
        apply_crds(stack, CURRENT.chart)


def apply_crds(stack: Stack, chart: Path) -> None:
    """Apply the CRDs of a chart by hand, as people do who keep them apart from Helm."""
    folder = chart / "files" / "crds"
    stack.kubectl(
        "apply", "--server-side", "--force-conflicts", "--field-manager=helm", f"--filename={folder}"
    )


@pytest.fixture
def later(stack: Stack, operator: OperatorProcess, current: OperatorProcess) -> Iterator[None]:
    """The CRDs of a later version, whose status has fields that this operator does not know."""
    hand_over(operator, current)
    names = ("agentreleases.agentrollouts.dev", "agentrollouts.agentrollouts.dev")
    for name in names:
        status = "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties"
        paths = [f"{status}/later"] + (
            [f"{status}/attempt/properties/later"] if name.startswith("agentrollouts.") else []
        )
        change = [{"op": "add", "path": path, "value": LATER} for path in paths]
        stack.kubectl("patch", "crd", name, "--type=json", f"--patch={json.dumps(change)}")
    yield
    apply_crds(stack, CURRENT.chart)


def note(scene: Scene, kind: str, name: str, status: dict[str, Any]) -> None:
    """Write into a status what a later version would; the server knows its new schema only after a moment."""

    def is_kept() -> bool:
        ref = scene.ref(kind, name)
        scene.api.replace_status({**scene.api.get(ref), "status": status})
        return "later" in scene.api.get(ref)["status"]

    eventually("the field is kept", is_kept)


@pytest.mark.usefixtures("later")
def test_fields_of_a_later_version_survive(given: Scene) -> None:
    """The status keeps them through writes of this operator; those of an attempt end with it."""
    (shop,) = given.in_canary("later")
    release = f"later-{FIRST}"
    note(given, "AgentRelease", release, {"later": "kept"})
    note(given, "AgentRollout", "later", {"later": "kept", "attempt": {"later": "kept"}})
    number = shop.attempt["number"]

    answers(shop)
    assert (shop.attempt["number"], shop.attempt["later"], shop.status["later"]) == (number, "kept", "kept")

    shop.ships("3.0.0")
    shop.is_counting()
    assert (shop.attempt["number"], shop.attempt.get("later")) == (number + 1, None)
    assert shop.status["later"] == "kept"
    released = given.manifest("AgentRelease", release)
    assert released is not None
    assert released["status"]["later"] == "kept"


def uninstall(stack: Stack, operator: OperatorProcess, commands: str) -> None:
    """Run commands that end with `helm uninstall`; the operator's pods end with it."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{stack.environment['PATH']}"
    environment = stack.environment | {"PATH": path}
    subprocess.run(["/bin/sh", "-ec", commands], env=environment, check=True, timeout=240)  # noqa: S603 ours
    operator.stop()


def test_an_uninstall_rolls_back_unless_it_is_skipped(
    given: Scene, operator: OperatorProcess, current: OperatorProcess, stack: Stack
) -> None:
    """Without hooks a canary stays as it is, to be resumed; with the hook's command stable has everything.

    No node is there to run the pod of the hook's Job, so its command runs as a process, with its account.
    `tests/node` plays `helm uninstall` with the hook.
    """
    hand_over(operator, current)
    (calm,) = given.serving("calm")
    (split,) = given.in_canary("split")
    (route,) = given.in_canary("route", traffic=routed(given.namespace, gateway="nobody", statusless=True))
    shops, before, since = (calm, split, route), split.progress(), now()

    uninstall(stack, current, f"helm uninstall {current.name} --namespace {current.namespace} --no-hooks")
    assert [shop.weights() for shop in shops] == [BACK, (50, 50), (50, 50)]
    again = OperatorProcess(stack, replica=2)  # its account is another one
    again.start()
    answers(route)
    assert split.progress() == before
    split.keeps_its_weights(since)

    done = run(hook.account(stack, again), hook.arguments(stack, again))
    assert (done.returncode, done.stderr) == (0, "")
    [commands] = blocks(section(page("operating.md"), "Uninstall"), "sh")
    uninstall(stack, again, commands)  # with nothing left to roll back
    assert [shop.weights() for shop in shops] == [BACK] * 3
    assert [shop.status["stable"]["release"] for shop in shops] == [f"{shop.agent}-{FIRST}" for shop in shops]
    assert calm.attempt["state"] == "Healthy"
    left = stack.kubectl("get", "deployments,agentrollouts", "--all-namespaces", "--output=name")
    assert f"deployment.apps/{again.name}" not in left
    assert "agentrollout.agentrollouts.dev/split" in left
