"""`traffic.featureFlag` on a real API server: a canary, a breach, a switch-off, and hands of someone else.

The CRD is a stand-in (docs/decisions/20261130-a-stand-in-for-the-kind-featureflag.md).
"""

from copy import deepcopy
from typing import Any, Final

from agentrollouts.api.names import FIELD_MANAGER
from tests.e2e.api import Api, Manifest
from tests.e2e.manifests import FIRST
from tests.e2e.objects.test_fights import TRIED, a_fight, is_calm, most_since, restored, says
from tests.e2e.scene import BACK, HALF, SECOND, Scene, Shop, is_ours, now

BY_FLAG: Final[dict[str, Any]] = {"featureFlag": {}}


def flags(shop: Shop) -> dict[str, Any]:
    """The flags as the API server has them."""
    found: dict[str, Any] = shop.scene.api.get(shop.route)["spec"]["flagSpec"]["flags"]
    return found


def is_restored(shop: Shop, before: dict[str, Any]) -> bool:
    """Whether the flags are as before, and no field of the object is someone else's."""
    manifest = shop.scene.witness.get(shop.route)
    return manifest is not None and is_ours(manifest) and manifest["spec"]["flagSpec"]["flags"] == before


def test_a_bad_canary_is_rolled_back_in_the_flag(given: Scene) -> None:
    """50/50, and with the first write after the breach 100/0 and the latch."""
    [shop] = given.serving("breached", traffic=BY_FLAG)
    shop.ships(SECOND, failing=0.9, phases=HALF)
    shop.is_rolled_back_for("GateFailed")
    shop.comes_to("RolledBack")
    versions = given.witness.versions(shop.route)
    marked = {version.weights for version in versions if version.latch}

    assert ((50, 50) in {version.weights for version in versions}, marked) == (True, {BACK})
    flag = flags(shop)["breached-release"]
    assert (flag["defaultVariant"], list(flag["variants"])) == ("breached-1.0.0", ["breached-1.0.0"])
    assert "targeting" not in flag


def test_switching_off_and_on_restores_the_flag_exactly(given: Scene) -> None:
    """While the agent is off, a second flag is off for everyone; afterward the object is as before."""
    [shop] = given.serving("switched", traffic=BY_FLAG)
    before = flags(shop)
    shop.answer(shop.act("SwitchOff"))
    detour = shop.status["detour"]["id"]

    assert flags(shop) == {
        **before,
        "switched-enabled": {
            "state": "ENABLED",
            "variants": {"on": True, "off": False},
            "defaultVariant": "off",
        },
    }

    shop.answer(shop.act("SwitchOn", detour=detour))
    shop.until("it is on", lambda: is_restored(shop, before))


def test_what_someone_puts_into_the_flags_is_removed(given: Scene) -> None:
    """A rule, a flag and a disabled state of theirs are gone, and no field is theirs afterward."""
    [shop] = given.in_canary("shared", traffic=BY_FLAG)
    before = flags(shop)
    name = "shared-release"
    theirs = deepcopy(before[name]["targeting"]) | {"if": [True, f"shared-{SECOND}"]}
    other = {"state": "ENABLED", "variants": {"on": True}, "defaultVariant": "on"}
    change = {name: {"targeting": theirs, "state": "DISABLED"}, "shared-enabled": other, "dark~mode/1": other}
    given.api.patch(shop.route, {"spec": {"flagSpec": {"flags": change}}})
    shop.until("it is ours again", lambda: is_restored(shop, before))

    shop.until("an Event names the write", lambda: "RouteRestored" in given.events("shared"))
    assert shop.weights() == (50, 50)


def test_what_a_client_adds_in_our_name_is_removed(given: Scene) -> None:
    """Its fields are noted under our manager, but were not applied; applying does not remove them."""
    [shop] = given.in_canary("borrowed", traffic=BY_FLAG)
    before = flags(shop)
    changed = given.api.get(shop.route)
    changed["spec"]["flagSpec"]["flags"]["borrowed-release"]["targeting"]["if"] = [True, f"borrowed-{SECOND}"]
    given.api.replace(changed, FIELD_MANAGER)
    shop.until("it is ours again", lambda: is_restored(shop, before))


def test_a_fight_over_the_flag_is_named_and_the_rollback_holds_once_it_is_over(given: Scene) -> None:
    """The rules are those of routes: at most a write in two seconds, and a rollback that is called undone."""
    [shop] = given.in_canary("fought", traffic=BY_FLAG)
    before, began = given.api.get(shop.route), now()

    def disables(api: Api, _before: Manifest) -> None:
        change = {"spec": {"flagSpec": {"flags": {"fought-release": {"state": "DISABLED"}}}}}
        api.patch(shop.route, change)

    with a_fight(given, disables, before):
        says(shop, "FeatureFlag fought is changed by somebody", *TRIED)
        assert restored(given, shop.route, began, before) <= most_since(began)
        shop.asks_for(FIRST)
        says(shop, "FeatureFlag fought is changed by somebody", "NotRolledBack")
    shop.is_back()
    shop.until("no fight", lambda: is_calm(shop))
    shop.comes_to("RolledBack")


def test_a_flag_of_someone_else_is_not_taken_over(given: Scene) -> None:
    """The rollout names the conflict, the ConfigMap has the weights, and the object stays as it is."""
    flag = {"state": "ENABLED", "variants": {"on": True}, "defaultVariant": "on"}
    theirs = {
        "apiVersion": "core.openfeature.dev/v1beta1",
        "kind": "FeatureFlag",
        "metadata": {"name": "taken", "namespace": given.namespace},
        "spec": {"flagSpec": {"flags": {"theirs": flag}}},
    }
    given.api.apply(theirs)
    shop = given.shop("taken", traffic=BY_FLAG)
    given.says("AgentRollout", "taken", "TrafficApplied", "NameTaken")

    assert flags(shop) == {"theirs": flag}
    given.api.delete(shop.route)
    shop.comes_to("Healthy")
    assert list(flags(shop)) == ["taken-release"]


def test_the_flag_goes_with_its_field(given: Scene) -> None:
    """Once the spec no longer has it, agents read the ConfigMap, and the FeatureFlag is deleted."""
    [shop] = given.serving("plain", traffic=BY_FLAG)
    route = shop.route
    shop.asks_for("1.0.0", traffic={})
    given.witness.wait("it is gone", lambda: given.witness.get(route) is None)
    given.says("AgentRollout", "plain", "TrafficApplied", "Applied")

    assert shop.weights() == BACK
