"""Inputs: rollouts with `traffic.featureFlag`. Outputs: the FeatureFlag, and rollouts that it carries."""

import json
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext

from agentrollouts.api.attempt import State
from agentrollouts.api.people.action import ActionType
from agentrollouts.api.reasons import Reason
from agentrollouts.core.effects import Event, Manifest, Patch, Write
from agentrollouts.core.rollout.decide import decide
from agentrollouts.core.traffic.manifests import latch
from agentrollouts.core.traffic.state import Routing
from agentrollouts.simulation.json_patch import patched
from testkit.builders.names import AGENT, NEW, OLD, UID, snapshot_of
from testkit.builders.observations import an_observation, shown
from testkit.builders.rollouts import a_rollout
from testkit.builders.routes import BY_FLAG, BY_ROUTE, CONFIG, FLAG, ROUTE
from testkit.world import Behavior, World, a_world, a_world_at_rest

SERVING: Final = a_rollout(traffic=BY_FLAG).serving(OLD)
TRYING: Final = SERVING.trying(NEW)
USERS: Final = [f"user-{number}" for number in range(20_000)]
FEW: Final = frozenset(USERS[:500])
RELEASE, SWITCH = f"{AGENT}-release", f"{AGENT}-enabled"
SOMEONE: Final = "kubectl-edit"


def flags_of(manifest: Manifest) -> dict[str, Any]:
    """The flags of a FeatureFlag."""
    flags: dict[str, Any] = manifest["spec"]["flagSpec"]["flags"]
    return flags


def evaluated(manifest: Manifest) -> FlagdCore:
    """Flagd's evaluator with the flags, as flagd gets them: as JSON."""
    core = FlagdCore()
    core.set_flags(json.loads(json.dumps(manifest["spec"]["flagSpec"])))
    return core


def users_of(manifest: Manifest, release: str, users: Iterable[str] = FEW) -> set[str]:
    """The users who get the snapshot of a release."""
    core, snapshot = evaluated(manifest), snapshot_of(release)
    return {
        user
        for user in users
        if core.resolve_string_value(RELEASE, "", EvaluationContext(targeting_key=user)).value == snapshot
    }


def users_on(manifest: Manifest) -> set[str]:
    """The users for whom the agent is not switched off."""
    core = evaluated(manifest)
    return {
        user
        for user in USERS
        if core.resolve_boolean_value(SWITCH, True, EvaluationContext(targeting_key=user)).value  # noqa: FBT003 the evaluator's order
    }


def test_the_object_has_the_flags_of_the_file() -> None:
    """It is named after the rollout and has what `flags.json` has, without the schema's address."""
    objects = shown(TRYING.build())
    file = json.loads(objects[CONFIG]["data"]["flags.json"])

    assert objects.keys() == {FLAG, CONFIG}
    assert objects[FLAG]["apiVersion"] == "core.openfeature.dev/v1beta1"
    assert objects[FLAG]["spec"] == {"flagSpec": {"flags": file["flags"]}}


def test_shares_of_users_are_right_and_nested() -> None:
    """At 5, 25 and 95%, within 1 point; who got the canary at a weight keeps it at a larger one."""
    cohorts = []
    for weight in (5, 25, 95):
        cohort = users_of(shown(TRYING.changing(weight=weight).build())[FLAG], NEW, USERS)
        assert abs(len(cohort) / len(USERS) - weight / 100) < 0.01
        cohorts.append(cohort)

    assert cohorts[0] < cohorts[1] < cohorts[2]


@given(st.integers(0, 100))
def test_shares_are_read_back(weight: int) -> None:
    """What the flags say is what the status desires, for any weight."""
    builder = TRYING.changing(weight=weight)
    status, routing = builder.build().status, Routing(an_observation(builder))
    assert status.stable is not None
    assert status.canary is not None

    assert (routing.share(status.stable), routing.share(status.canary)) == (100 - weight, weight)


def a_flagged_world(failed: float = 0.02) -> World:
    """A rollout whose new release fails that share of its runs."""
    world = a_world(SERVING, OLD, NEW)
    world.agents[NEW] = Behavior(failed=failed)
    return world


def test_a_good_release_is_promoted() -> None:
    """Nothing reports on the object, so each weight counts once it is written."""
    world = a_flagged_world()
    world.run_until(State.HEALTHY)
    world.settle()

    assert (world.shares(), world.ready_reason()) == ({NEW: 100}, "Healthy")
    assert users_of(world.traffic[FLAG], NEW) == FEW


def test_a_bad_release_is_rolled_back_with_one_write() -> None:
    """No user gets the canary, and the object carries the latch."""
    world = a_flagged_world(failed=0.5)
    world.run_until(State.VERIFYING)
    mark = latch(world.traffic[FLAG])

    assert world.shares() == {OLD: 100, NEW: 0}
    assert users_of(world.traffic[FLAG], OLD) == FEW
    assert (mark and (mark.number, mark.uid)) == (2, UID)


def switched(percent: int) -> World:
    """An agent at rest that is switched off for that share of its users."""
    world = a_world_at_rest(OLD, traffic=BY_FLAG)
    world.act(ActionType.SWITCH_OFF, percent=percent)
    world.run(5)
    return world


@pytest.mark.parametrize("percent", [100, 25])
def test_a_switch_off_reaches_its_share_of_the_users(percent: int) -> None:
    """The flag `<agent>-enabled` is off for them; the message names the object that says so."""
    world = switched(percent)
    share = len(users_on(world.traffic[FLAG])) / len(USERS)

    assert abs(share - (1 - percent / 100)) < 0.01
    assert (share == 0) == (percent == 100)
    assert world.shares() == {OLD: 100 - percent}
    assert any(f"FeatureFlag {AGENT} tells the agents" in each.message for each in world.status.conditions)


def test_switching_on_restores_the_object() -> None:
    """It has no trace of the detour."""
    world = a_world_at_rest(OLD, traffic=BY_FLAG)
    world.settle()
    before = world.traffic[FLAG]["spec"]
    world.act(ActionType.SWITCH_OFF)
    world.run(5)
    detour = world.status.detour
    assert detour is not None
    assert world.traffic[FLAG]["spec"] != before
    world.act(ActionType.SWITCH_ON, detour=detour.id)
    world.run(5)

    assert (world.traffic[FLAG]["spec"], world.traffic[FLAG]["metadata"]["annotations"]) == (before, {})


def written_by(someone: str, manifest: Manifest, change: Callable[[dict[str, Any]], None]) -> Manifest:
    """The object after someone else has changed its flags, as the API server has it."""
    ours, theirs = deepcopy(dict(manifest)), deepcopy(dict(manifest))
    change(flags_of(theirs))
    changed = {"f:spec": {"f:flagSpec": {"f:flags": _fields(flags_of(theirs), flags_of(ours))}}}
    entries = [
        {"manager": "agentrollouts", "operation": "Apply", "fieldsV1": {"f:spec": {"f:flagSpec": {}}}},
        {"manager": someone, "operation": "Update", "fieldsV1": changed},
    ]
    return {**theirs, "metadata": {**theirs["metadata"], "managedFields": entries}}


def _fields(theirs: Any, ours: Any) -> dict[str, Any]:  # noqa: ANN401 any JSON
    """The fields that differ, as `managedFields` notes them."""
    if not isinstance(theirs, dict):
        return {}
    known = ours if isinstance(ours, dict) else {}
    return {
        f"f:{key}": _fields(value, known.get(key))
        for key, value in theirs.items()
        if key not in known or known[key] != value
    }


def adds_a_flag(flags: dict[str, Any]) -> None:
    """Another flag, which could be one that agents read."""
    flags["dark/mode~"] = {"state": "ENABLED", "variants": {"on": True}, "defaultVariant": "on"}


def adds_a_rule(flags: dict[str, Any]) -> None:
    """A rule that decides instead of the weights."""
    flags[RELEASE].setdefault("targeting", {})["if"] = [True, OLD]


def adds_a_variant(flags: dict[str, Any]) -> None:
    """A variant that nothing draws."""
    flags[RELEASE]["variants"]["mine"] = "mine"


@pytest.mark.parametrize("change", [adds_a_flag, adds_a_rule, adds_a_variant])
@pytest.mark.parametrize("state", [State.HEALTHY, State.CANARY])
def test_what_someone_else_has_added_is_removed(
    change: Callable[[dict[str, Any]], None], state: State
) -> None:
    """Server-side apply would keep it; the patch tests what it removes, and one Event names the writer."""
    world = a_flagged_world()
    world.run_until(state)
    world.settle()
    before = world.traffic[FLAG]
    found = written_by(SOMEONE, before, change)
    decision = decide(an_observation(world.builder, traffic={**world.traffic, FLAG: found}))
    write, patch = decision.writes

    assert isinstance(write, Write)
    assert isinstance(patch, Patch)
    assert [operation["op"] for operation in patch.operations] == ["test", "remove"]
    assert patched(found, patch.operations)["spec"] == write.manifest["spec"] == before["spec"]
    said = f"FeatureFlag {AGENT} was changed by {SOMEONE}; the operator restored it"
    assert decision.events == (Event(Reason.ROUTE_RESTORED, said, is_warning=True),)


def test_what_is_ours_is_removed_by_the_write_alone() -> None:
    """A patch of a field that the write has removed would be refused."""
    trying = shown(TRYING.build())
    changes = Routing(an_observation(SERVING, traffic=trying)).state(SERVING.build().status).changes

    assert [type(change) for change in changes if change.manifest["kind"] == FLAG[0]] == [Write]


def test_metadata_of_a_flag_is_left_alone() -> None:
    """Later versions of the CRD have it, and it decides nothing."""
    objects = shown(TRYING.build())
    found = written_by(SOMEONE, objects[FLAG], lambda flags: flags[RELEASE].update(metadata={"team": "a"}))
    routing = Routing(an_observation(TRYING, traffic={**objects, FLAG: found}))

    assert routing.state(TRYING.build().status).is_shown


def test_a_mark_counts_only_if_users_get_stable() -> None:
    """Marks that say that an attempt was rolled back prove nothing while users still get the canary."""
    before, after = shown(TRYING.build()), shown(TRYING.rolling_back().build())
    forged = {**before[FLAG], "metadata": after[FLAG]["metadata"]}
    seen = ({**after, FLAG: before[FLAG]}, {**after, FLAG: forged}, after)
    marks = [Routing(an_observation(TRYING, traffic=objects)).latch(2) for objects in seen]

    assert [mark and mark.number for mark in marks] == [None, None, 2]


def test_a_detour_is_adopted_from_the_flag_and_not_from_the_config_map() -> None:
    """More people can edit a ConfigMap than a FeatureFlag."""
    world = switched(100)
    at_rest = shown(SERVING.build())
    of_config, of_flag = (
        Routing(an_observation(SERVING, traffic={**at_rest, key: world.traffic[key]})).detour()
        for key in (CONFIG, FLAG)
    )

    assert (of_config, of_flag and of_flag.percent) == (None, 100)


@pytest.mark.parametrize(
    "change",
    [
        lambda flags: flags.pop(RELEASE),
        lambda flags: flags[RELEASE].update(state="DISABLED"),
        lambda flags: flags[RELEASE]["targeting"].update({"if": [True, NEW]}),
        lambda flags: flags[RELEASE]["targeting"]["fractional"].insert(1, ["unknown", 5]),
        lambda flags: flags[RELEASE].update(targeting={"fractional": "text"}),
    ],
)
def test_flags_that_someone_rewrote_are_no_proof(change: Callable[[dict[str, Any]], None]) -> None:
    """What cannot be read is not a share; the object is written again."""
    objects = shown(TRYING.rolling_back().build())
    theirs = deepcopy(dict(objects[FLAG]))
    change(flags_of(theirs))
    routing = Routing(an_observation(TRYING, traffic={FLAG: theirs}))
    status = TRYING.rolling_back().build().status
    assert status.stable is not None

    assert routing.share(status.stable) is None
    assert not routing.state(status).is_shown


@pytest.mark.parametrize(("before", "after"), [(BY_ROUTE, BY_FLAG), (BY_FLAG, BY_ROUTE), (BY_FLAG, {})])
def test_a_change_of_the_field_leaves_nothing_behind(
    before: Mapping[str, Any], after: Mapping[str, Any]
) -> None:
    """At rest the new object is made, and then the old one is deleted."""
    world = a_world(a_rollout(traffic=before).asking_for(OLD).serving(OLD), OLD)
    world.settle()
    world.edit(lambda builder: builder.planning(traffic=after))
    world.run(120)
    expected = {"httpRoute": {ROUTE}, "featureFlag": {FLAG}}.get(next(iter(after), ""), set())

    assert world.traffic.keys() - {CONFIG} == expected
    assert world.shares() == {OLD: 100}
