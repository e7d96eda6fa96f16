"""Inputs: someone who writes our traffic objects again and again. Outputs: what we write, and what we say.

The whole shell in virtual time. Each way to fight is one function that the other side repeats.
"""

import asyncio
import copy
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest

from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.names import FIELD_MANAGER, LABEL_ROLLOUT
from agentrollouts.shell.effects.contests import CALM
from testkit.builders.names import AGENT, NAMESPACE, NEW, OLD
from testkit.builders.routes import CONFIG
from tests.shell.test_reconcile import IN_CANARY, ROUTE, Shell, a_shell
from tests.shell.virtual import pass_time, run

Foul = Callable[[Shell, Manifest], None]
"""What the other side does: with the shell, and the object as it was before the fight."""

SPLIT: Final = Ref(CONFIG[0], NAMESPACE, CONFIG[1])
MINUTE: Final = 60
MOST: Final = 45
"""Writes of one object in a minute: some at once, and then one in two seconds."""
LONGEST_PAUSE: Final = 2.1


def by(manager: str, manifest: Manifest, **fields: Any) -> Manifest:  # noqa: ANN401 any JSON
    """A manifest with other fields, written by that client."""
    owned: dict[str, Any] = {f"f:{key}": {f"f:{name}": {} for name in value} for key, value in fields.items()}
    entry = {"manager": manager, "operation": "Update", "time": "2026-11-21T10:00:00Z", "fieldsV1": owned}
    changed = copy.deepcopy(manifest)
    for key, value in fields.items():
        changed[key] = {**changed.get(key, {}), **value}
    changed["metadata"]["managedFields"] = [entry]
    return changed


def sets_weights(shell: Shell, before: Manifest, manager: str = "argocd-controller") -> None:
    """Half of the requests to the canary, whatever is there."""
    rules = copy.deepcopy(before["spec"]["rules"])
    for ref in rules[0]["backendRefs"]:
        ref["weight"] = 50
    if shell.api.objects.get(ROUTE, {}).get("spec", {}).get("rules") != rules:
        shell.api.put(by(manager, shell.api.objects.get(ROUTE, before), spec={"rules": rules}))


def sets_weights_in_our_name(shell: Shell, before: Manifest) -> None:
    """The same as a client with our name."""
    sets_weights(shell, before, FIELD_MANAGER)


def applies_an_older_copy(shell: Shell, before: Manifest) -> None:
    """The whole route as it was before the fight, with other weights."""
    older = copy.deepcopy(before)
    older["spec"]["rules"][0]["backendRefs"][0]["weight"] = 99
    older["spec"]["rules"][0]["backendRefs"][1]["weight"] = 1
    if shell.api.objects.get(ROUTE, {}).get("spec") != older["spec"]:
        shell.api.put(by("kubectl-replace", older, spec=older["spec"]))


def moves_it_elsewhere(shell: Shell, before: Manifest) -> None:
    """The route belongs to another Gateway."""
    parents = [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "elsewhere"}]
    if shell.api.objects.get(ROUTE, {}).get("spec", {}).get("parentRefs") != parents:
        shell.api.put(by("mesh", shell.api.objects.get(ROUTE, before), spec={"parentRefs": parents}))


def deletes_it(shell: Shell, _before: Manifest) -> None:
    """Whenever it is there."""
    if ROUTE in shell.api.objects:
        shell.api.delete(ROUTE)


def takes_turns(shell: Shell, before: Manifest) -> None:
    """The route, and then the ConfigMap beside it."""
    split = shell.api.objects[SPLIT]
    if shell.api.objects[ROUTE]["spec"] == before["spec"]:
        sets_weights(shell, before)
    elif split["data"].get("split.json") != "{}":
        shell.api.put(by("argocd-controller", split, data={"split.json": "{}"}))


FOULS: Final[dict[Foul, str]] = {
    sets_weights: "argocd-controller",
    sets_weights_in_our_name: "managedFields names no other writer",
    applies_an_older_copy: "kubectl-replace",
    moves_it_elsewhere: "mesh",
    deletes_it: "is deleted as often as the operator creates it",
    takes_turns: "argocd-controller",
}
"""Each way to fight, and what `Ready` says of it."""


@asynccontextmanager
async def a_fight(shell: Shell, foul: Foul, every: float = 0.01, over: Ref = ROUTE) -> AsyncIterator[None]:
    """Someone does it again as soon as it is undone."""
    before = copy.deepcopy(shell.api.objects[over])

    async def fight() -> None:
        while True:
            foul(shell, before)
            await pass_time(every)

    task = asyncio.create_task(fight())
    yield
    task.cancel()


def conditions(shell: Shell) -> dict[str, Any]:
    """The persisted conditions, by type."""
    return {condition["type"]: condition for condition in shell.status()["conditions"]}


def ours(shell: Shell, since: int) -> dict[str, int]:
    """How often we have written each object since then."""
    found: dict[str, int] = {}
    for effect in shell.api.effects[since:]:
        if effect.verb != "create":
            found[effect.target] = found.get(effect.target, 0) + 1
    return found


@pytest.mark.parametrize("foul", FOULS, ids=[foul.__name__ for foul in FOULS])
def test_a_fight_is_named_and_costs_no_more_than_a_write_in_two_seconds(foul: Foul) -> None:
    """The route, the ConfigMap and the status; and seconds after the last foul everything is as before."""

    async def scenario() -> None:
        async with a_shell() as shell:
            shell.make(IN_CANARY)
            await pass_time(1)
            since, read, right = len(shell.api.effects), len(shell.api.reads), shell.weights()
            async with a_fight(shell, foul):
                await pass_time(MINUTE)
                said = conditions(shell)
                written = ours(shell, since)
            assert FOULS[foul] in said["Ready"]["message"]
            assert (said["Ready"]["status"], said["Ready"]["reason"]) == ("False", "Canary")
            assert (said["TrafficApplied"]["status"], said["Stalled"]["status"]) == ("False", "True")
            assert said["TrafficApplied"]["reason"] == said["Stalled"]["reason"] == "RouteContested"
            assert max(written.values()) <= MOST, written
            assert len(shell.api.reads) - read <= 4 * MOST
            reasons = [event["reason"] for event in shell.api.events]
            assert reasons.count("RouteContested") == 1
            assert 1 <= reasons.count("RouteRestored") <= 4

            await pass_time(LONGEST_PAUSE)
            assert (shell.weights(), shell.api.objects[ROUTE]["spec"]["parentRefs"][0]["name"]) == (
                right,
                "public",
            )
            await pass_time(CALM.total_seconds() + 1)
            assert conditions(shell)["TrafficApplied"]["reason"] == "Applied"
            assert conditions(shell)["Stalled"]["status"] == "False"

    run(scenario())


@pytest.mark.parametrize("foul", FOULS, ids=[foul.__name__ for foul in FOULS])
def test_a_rollback_in_a_fight_is_written_at_once_and_called_undone(foul: Foul) -> None:
    """It does not wait for the pace of the fight, is not done before the fight is over, and then is."""

    async def scenario() -> None:
        async with a_shell() as shell:
            shell.make(IN_CANARY)
            await pass_time(1)
            written: list[int] = []
            async with a_fight(shell, foul):
                await pass_time(MINUTE)
                shell.ask_for(OLD)
                await pass_time(0.005)
                written = shell.weights() if ROUTE in shell.api.objects else [100, 0]
                await pass_time(MINUTE)
                ready = conditions(shell)["Ready"]
                assert (ready["status"], ready["reason"]) == ("False", "NotRolledBack")
                assert FOULS[foul] in ready["message"]
                assert shell.status()["attempt"]["state"] == "RollingBack"
            assert written == [100, 0]
            await pass_time(LONGEST_PAUSE)
            assert shell.weights() == [100, 0]
            await pass_time(CALM.total_seconds() + 1)
            assert shell.status()["attempt"]["state"] in {"Verifying", "RolledBack"}
            assert conditions(shell)["Ready"]["reason"] != "NotRolledBack"

    run(scenario())


def test_a_fight_over_a_label_is_no_news_and_holds_nothing() -> None:
    """A policy that takes our label off the route: it is put back at a bounded pace, and the split holds."""

    def strips(shell: Shell, _before: Manifest) -> None:
        route = shell.api.objects[ROUTE]
        if LABEL_ROLLOUT in route["metadata"]["labels"]:
            changed = copy.deepcopy(route)
            del changed["metadata"]["labels"][LABEL_ROLLOUT]
            shell.api.put(changed)

    async def scenario() -> None:
        async with a_shell() as shell:
            shell.make(IN_CANARY)
            await pass_time(1)
            since = len(shell.api.effects)
            async with a_fight(shell, strips):
                await pass_time(MINUTE)
                written = ours(shell, since)
                assert conditions(shell)["Ready"]["reason"] == "Canary"
                assert "RouteContested" not in [event["reason"] for event in shell.api.events]
            assert written[f"HTTPRoute {AGENT}"] <= MOST
            assert shell.weights() == [95, 5]

    run(scenario())


def test_a_tool_that_writes_rarely_is_answered_at_once_and_is_no_fight() -> None:
    """The weights are wrong for a moment in five seconds: Events and the metric are enough."""

    async def scenario() -> None:
        async with a_shell() as shell:
            shell.make(IN_CANARY)
            await pass_time(1)
            async with a_fight(shell, sets_weights, every=5):
                for _ in range(20):
                    await pass_time(4.9)
                    assert shell.weights() == [95, 5]
                    await pass_time(0.1)
            reasons = {event["reason"] for event in shell.api.events}
            assert ("RouteRestored" in reasons, "RouteContested" in reasons) == (True, False)

    run(scenario())


def test_a_webhook_that_keeps_the_old_weights_is_a_fight_too() -> None:
    """The API server takes the write and stores something else: there is no foreign write to be seen."""

    async def scenario() -> None:
        async with a_shell() as shell:
            shell.make(IN_CANARY)
            await pass_time(1)
            old = copy.deepcopy(shell.api.objects[ROUTE]["spec"])
            shell.api.mutate = lambda each: {**each, "spec": old} if each["kind"] == "HTTPRoute" else each
            shell.ask_for(OLD)
            await pass_time(MINUTE)
            ready = conditions(shell)["Ready"]
            assert (ready["reason"], "admission webhook" in ready["message"]) == ("NotRolledBack", True)
            assert NEW in ready["message"]
            shell.api.mutate = lambda each: each
            await pass_time(LONGEST_PAUSE)
            assert shell.weights() == [100, 0]

    run(scenario())
