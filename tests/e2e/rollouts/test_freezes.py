"""Freezes on the real API server: what they hold, what they never stop, and `docs/freezes.md` as written."""

from pathlib import Path
from typing import Any

from agentrollouts.adapters.cluster.resources import Ref
from agentrollouts.api.names import API_VERSION
from sandbox.stack import Stack
from tests.docs.pages import blocks, page
from tests.docs.reader import Reader
from tests.e2e.manifests import phase
from tests.e2e.scene import SECOND, Scene, now

PAGE = page("freezes.md")


def freeze(scene: Scene, **spec: Any) -> Ref:  # noqa: ANN401 any value of JSON
    """Someone freezes the namespace of the test."""
    metadata = {"name": "incident", "namespace": scene.namespace}
    spec = {"reason": "Refunds are sent twice, INC-77", **spec}
    manifest = {"apiVersion": API_VERSION, "kind": "AgentFreeze", "metadata": metadata, "spec": spec}
    [made] = scene.api.apply(manifest)
    return Ref.of({"kind": "AgentFreeze", **made})


def test_a_canary_is_held_and_goes_on_when_the_freeze_is_deleted(given: Scene) -> None:
    """One second after its creation nothing goes forward; a release that comes then waits."""
    ramp = [phase("ramp", 90, 40) | {"rampSeconds": 40}]
    held, waiting = given.serving("held", "waiting", phases=[phase("half", 50, 5)])
    held.ships(SECOND, phases=ramp)
    held.is_counting(phase="ramp")

    incident = freeze(given)
    held.comes_to("Held")
    frozen = now()
    waiting.ships(SECOND)
    waiting.until("Frozen", lambda: waiting.ready.get("reason") == "Frozen")
    held.keeps_its_weights(frozen)

    assert held.attempt["hold"]["reason"] == "Frozen"
    assert f"AgentFreeze {given.namespace}/incident is active" in held.attempt["hold"]["message"]
    assert (waiting.attempt["state"], waiting.weights()) == ("Pending", (100, 0))

    given.api.delete(incident)

    held.comes_to("Healthy")
    waiting.comes_to("Healthy")


def test_a_breach_is_rolled_back_while_it_is_frozen(given: Scene) -> None:
    """The canary fails after the freeze began; stable gets everything, and the freeze is still there."""
    (shop,) = given.serving("failing")
    shop.ships(SECOND, failing=0.5, phases=[phase("half", 50, 600)])
    shop.is_counting(phase="half")
    incident = freeze(given)

    shop.is_rolled_back_for("GateFailed")

    shop.is_back()
    assert given.now("AgentFreeze", incident.name) is not None
    given.api.delete(incident)


def test_the_page_holds(stack: Stack, given: Scene, tmp_path: Path) -> None:
    """Each file of the page is accepted, and each command prints what the page shows."""
    for text in blocks(PAGE, "yaml"):
        (tmp_path / text.split()[1]).write_text(text)
    reader = Reader.of(stack, tmp_path, lambda: None)
    reader.run(f"kubectl config set-context --current --namespace={given.namespace}")

    reader.play(PAGE)

    reader.run("kubectl delete --filename=weekends.yaml --filename=holiday.yaml --filename=office-hours.yaml")
