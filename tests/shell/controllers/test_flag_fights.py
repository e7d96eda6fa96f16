"""Inputs: someone who writes our FeatureFlag again and again. Outputs: what we write, and what we say.

The rules are those of routes. The whole shell in virtual time.
"""

import copy
from collections.abc import Callable
from typing import Any, Final

import pytest

from agentrollouts.adapters.cluster.resources import Manifest, Ref
from agentrollouts.api.names import FIELD_MANAGER
from agentrollouts.shell.effects.contests import CALM
from testkit.builders.names import AGENT, NAMESPACE, NEW, OLD
from testkit.builders.rollouts import a_rollout
from testkit.builders.routes import BY_FLAG
from tests.shell.controllers.test_fights import (
    LONGEST_PAUSE,
    MINUTE,
    MOST,
    SPLIT,
    Foul,
    a_fight,
    by,
    conditions,
    ours,
)
from tests.shell.test_reconcile import Shell, a_shell
from tests.shell.virtual import pass_time, run

FLAG: Final = Ref("FeatureFlag", NAMESPACE, AGENT)
RELEASE: Final = f"{AGENT}-release"
TRYING: Final = a_rollout(traffic=BY_FLAG, bake={"durationSeconds": 0}).serving(OLD).trying(NEW)


def changed(shell: Shell, before: Manifest, manager: str, change: Callable[[dict[str, Any]], object]) -> None:
    """Someone changes our flags as they were, unless they are so already."""
    spec = copy.deepcopy(before["spec"])
    change(spec["flagSpec"]["flags"])
    if shell.api.objects.get(FLAG, {}).get("spec") != spec:
        theirs = by(manager, shell.api.objects.get(FLAG, before), spec=spec)
        theirs["metadata"]["managedFields"][0]["fieldsV1"] = fields_of({"spec": spec})
        shell.api.put(theirs)


def fields_of(value: object) -> dict[str, Any]:
    """All fields, as `managedFields` has them."""
    return {f"f:{key}": fields_of(item) for key, item in value.items()} if isinstance(value, dict) else {}


def sends_all_to_the_canary(shell: Shell, before: Manifest) -> None:
    """Without a rule, everyone gets the default."""

    def change(flags: dict[str, Any]) -> None:
        flags[RELEASE].pop("targeting")
        flags[RELEASE]["defaultVariant"] = NEW

    changed(shell, before, "flux", change)


def adds_a_rule(shell: Shell, before: Manifest) -> None:
    """A rule of theirs decides before ours."""
    changed(
        shell, before, "open-feature", lambda flags: flags[RELEASE]["targeting"].update({"if": [True, NEW]})
    )


def adds_a_rule_in_our_name(shell: Shell, before: Manifest) -> None:
    """The same as a client that uses the operator's name."""
    changed(
        shell, before, FIELD_MANAGER, lambda flags: flags[RELEASE]["targeting"].update({"if": [True, NEW]})
    )


def disables_it(shell: Shell, before: Manifest) -> None:
    """Agents get their own default."""
    changed(shell, before, "console", lambda flags: flags[RELEASE].update({"state": "DISABLED"}))


def adds_a_switch(shell: Shell, before: Manifest) -> None:
    """A second flag switches the agent off."""
    off = {"state": "ENABLED", "variants": {"off": False}, "defaultVariant": "off"}
    changed(shell, before, "console", lambda flags: flags.update({f"{AGENT}-enabled": off}))


def deletes_it(shell: Shell, _before: Manifest) -> None:
    """Whenever it is there."""
    if FLAG in shell.api.objects:
        shell.api.delete(FLAG)


def takes_turns(shell: Shell, before: Manifest) -> None:
    """The flag, and then the ConfigMap beside it."""
    split = shell.api.objects[SPLIT]
    if shell.api.objects[FLAG]["spec"] == before["spec"]:
        sends_all_to_the_canary(shell, before)
    elif split["data"].get("split.json") != "{}":
        shell.api.put(by("flux", split, data={"split.json": "{}"}))


FOULS: Final[dict[Foul, str]] = {
    sends_all_to_the_canary: "FeatureFlag support-agent is changed by flux",
    adds_a_rule: "is changed by open-feature",
    adds_a_rule_in_our_name: "managedFields names no other writer",
    disables_it: "is changed by console",
    adds_a_switch: "is changed by console",
    deletes_it: "is deleted as often as the operator creates it",
    takes_turns: "is changed by flux",
}
"""Each way to fight, and what `Ready` says of it."""


@pytest.mark.parametrize("foul", FOULS, ids=[foul.__name__ for foul in FOULS])
def test_a_fight_over_the_flag_is_named_and_a_rollback_in_it_is_called_undone(foul: Foul) -> None:
    """At most a write in two seconds; the rollback is written at once, and holds once the fight is over."""

    async def scenario() -> None:
        async with a_shell() as shell:
            shell.make(TRYING)
            await pass_time(1)
            since = len(shell.api.effects)
            async with a_fight(shell, foul, over=FLAG):
                await pass_time(MINUTE)
                said, written = conditions(shell), ours(shell, since)
                assert FOULS[foul] in said["Ready"]["message"]
                assert said["TrafficApplied"]["reason"] == said["Stalled"]["reason"] == "RouteContested"
                assert max(written.values()) <= 2 * MOST, written  # what is removed is a second write
                reasons = [event["reason"] for event in shell.api.events]
                assert reasons.count("RouteContested") == 1
                assert 1 <= reasons.count("RouteRestored") <= 4
                shell.ask_for(OLD)
                await pass_time(MINUTE)
                ready = conditions(shell)["Ready"]
                assert (ready["status"], ready["reason"]) == ("False", "NotRolledBack")
                assert FOULS[foul] in ready["message"]
            await pass_time(LONGEST_PAUSE)
            flags = shell.api.objects[FLAG]["spec"]["flagSpec"]["flags"]
            assert (list(flags), flags[RELEASE]["defaultVariant"]) == ([RELEASE], OLD)
            assert list(flags[RELEASE]["targeting"]) == ["fractional"]
            assert flags[RELEASE]["targeting"]["fractional"][1:] == [[NEW, 0], [OLD, 100]]
            assert flags[RELEASE]["state"] == "ENABLED"
            await pass_time(CALM.total_seconds() + 1)
            assert shell.status()["attempt"]["state"] in {"Verifying", "RolledBack"}
            assert conditions(shell)["Ready"]["reason"] != "NotRolledBack"

    run(scenario())
