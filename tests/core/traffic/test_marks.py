"""Inputs: traffic objects with labels, owners and marks that someone changed. Outputs: what they prove."""

import json
from dataclasses import replace
from typing import Any

import pytest

from agentrollouts.api.attempt import State, Trigger
from agentrollouts.api.names import (
    ANNOTATION_ROLLBACK_MESSAGE,
    ANNOTATION_ROLLBACK_TRIGGER,
    ANNOTATION_ROLLED_BACK,
    ANNOTATION_ROLLED_BACK_UID,
)
from agentrollouts.api.people.action import ActionType
from agentrollouts.api.reasons import Reason
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.conditions import find_condition
from agentrollouts.core.effects import Deletion, Manifest, Patch, Write
from agentrollouts.core.rollout.decide import decide
from agentrollouts.core.rollout.observation import Observation
from agentrollouts.core.traffic.manifests import is_ours
from agentrollouts.core.traffic.plain_writes import bare_forms
from agentrollouts.core.traffic.state import Routing
from testkit.builders.actions import LEE, an_action
from testkit.builders.names import NEW, OLD, OLDEST, START, UID
from testkit.builders.observations import an_observation, shown
from testkit.builders.releases import a_record
from testkit.builders.rollouts import RolloutBuilder, a_rollout
from testkit.builders.routes import BY_PATCH, CONFIG, ROUTE, THEIRS

AT_REST = a_rollout().serving(OLD).asking_for(OLD)
TRYING = a_rollout().serving(OLD).trying(NEW).in_phase(1)
BY_CONFIG = a_rollout(traffic={}).serving(OLD).trying(NEW).in_phase(1)
DANA = "dana@example.com asked"


def with_metadata(manifest: Manifest, **metadata: object) -> Manifest:
    """The object with other metadata."""
    return {**manifest, "metadata": {**manifest["metadata"], **metadata}}


def next_status(obs: Observation) -> AgentRolloutStatus:
    """What is decided; the persisted status where nothing is."""
    return decide(obs).status or obs.status


def applied_by(manager: str, operation: str = "Apply", **more: object) -> list[dict[str, object]]:
    """Managed fields with one writer."""
    return [{"manager": manager, "operation": operation, **more}]


@pytest.mark.parametrize(
    ("metadata", "is_made"),
    [
        ({"labels": {"app.kubernetes.io/managed-by": "Helm"}}, True),
        ({"labels": {}}, True),
        ({"ownerReferences": [], "managedFields": applied_by("agentrollouts")}, True),
        ({"ownerReferences": []}, False),
        ({"ownerReferences": [], "managedFields": applied_by("agentrollouts", "Update")}, False),
        ({"ownerReferences": [], "managedFields": applied_by("helm")}, False),
        ({"ownerReferences": [{"uid": "uid-of-another", "controller": True}]}, False),
        ({"ownerReferences": [{"uid": UID}]}, False),
    ],
)
@pytest.mark.parametrize("key", [ROUTE, CONFIG])
def test_ownership_is_by_controller_or_field_manager(
    key: tuple[str, str], metadata: dict[str, Any], *, is_made: bool
) -> None:
    """No label makes an object ours, and none makes it foreign."""
    manifest = with_metadata(shown(TRYING.build())[key], **metadata)
    assert is_ours(manifest, TRYING.build()) is is_made


@pytest.mark.parametrize("key", [ROUTE, CONFIG])
def test_a_changed_label_is_put_back(key: tuple[str, str]) -> None:
    """The only write is that of the object, with our labels."""
    seen = shown(AT_REST.build())
    labels = {"app.kubernetes.io/managed-by": "Helm"}
    obs = an_observation(AT_REST, traffic={**seen, key: with_metadata(seen[key], labels=labels)})

    [write] = decide(obs).writes
    assert (write.manifest["kind"], write.manifest["metadata"]["name"]) == key
    assert write.manifest["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "agentrollouts"


def test_a_rollback_of_what_had_traffic_asks_nobody() -> None:
    """Its writes, and their plainer forms, are known to be ours; other writes, and those before, are not."""
    had_traffic = TRYING.changing(traffic_start_time=START).requesting(ActionType.ROLL_BACK, 2, release=NEW)
    writes = [w for w in decide(an_observation(had_traffic)).writes if isinstance(w, Write)]
    never_had = TRYING.requesting(ActionType.ROLL_BACK, 2, release=NEW)

    assert [w.is_known for w in writes] == [True, True]
    assert {form.is_known for w in writes for form in bare_forms(w) if isinstance(form, Write)} == {True}
    others = decide(an_observation(never_had, traffic=shown(AT_REST.build()))).writes
    assert not any(w.is_known for w in others if isinstance(w, Write))


def test_the_barest_form_has_neither_labels_nor_owners() -> None:
    """A label or an owner that the API server refuses does not keep the canary in traffic."""
    requested = TRYING.requesting(ActionType.ROLL_BACK, 2, release=NEW)
    route = next(w for w in decide(an_observation(requested)).writes if w.manifest["kind"] == "HTTPRoute")
    assert isinstance(route, Write)
    *_, barest = bare_forms(route)

    assert barest.manifest["metadata"] == {"name": "support-agent", "namespace": "support"}
    assert barest.manifest["spec"] == route.manifest["spec"]


def test_a_label_does_not_keep_the_way_back_from_a_rule() -> None:
    """Forward, a route that looks like one of ours is left alone; a rollback is written."""
    trying = a_rollout(traffic=BY_PATCH).serving(OLD).trying(NEW).in_phase(1)
    labels = {"app.kubernetes.io/managed-by": "agentrollouts"}
    seen = shown(trying.build())
    seen = {**seen, THEIRS: with_metadata(seen[THEIRS], labels=labels)}
    back = decide(an_observation(trying.requesting(ActionType.ROLL_BACK, 2, release=NEW), traffic=seen))

    assert next_status(an_observation(trying, traffic=seen)).attempt.state is State.HELD  # type: ignore[union-attr] # in progress
    assert [w.manifest["metadata"]["name"] for w in back.writes if isinstance(w, Patch)] == ["shop"]


# The latch.


def marked(builder: RolloutBuilder, canary: int, **marks: str) -> Observation:
    """The canary's route and ConfigMap with that weight, and with these annotations."""
    stable_100 = builder.rolling_back() if canary == 0 else builder
    seen = shown(stable_100.build())
    annotations = {
        ANNOTATION_ROLLED_BACK: "2",
        ANNOTATION_ROLLED_BACK_UID: UID,
        ANNOTATION_ROLLBACK_TRIGGER: "Breach",
        ANNOTATION_ROLLBACK_MESSAGE: DANA,
    }
    overrides = {f"agentrollouts.dev/{key.replace('_', '-')}": text for key, text in marks.items()}
    annotations = {key: text for key, text in (annotations | overrides).items() if text}
    traffic = {key: with_metadata(manifest, annotations=annotations) for key, manifest in seen.items()}
    return an_observation(builder, traffic=traffic)


@pytest.mark.parametrize("builder", [TRYING, BY_CONFIG])
@pytest.mark.parametrize(
    ("canary", "marks"),
    [
        (25, {}),
        (0, {"rolled_back_uid": ""}),
        (0, {"rolled_back_uid": "uid-of-another"}),
        (0, {"rolled_back": "3"}),
        (0, {"rolled_back": "x"}),
    ],
)
def test_a_mark_alone_proves_nothing(builder: RolloutBuilder, canary: int, marks: dict[str, str]) -> None:
    """Without the uid, or on a route that gives the canary a share, the attempt goes on."""
    status = next_status(marked(builder, canary, **marks))

    assert status.attempt is not None
    assert (status.attempt.state, status.quarantined, status.last_rollback) == (State.CANARY, (), None)


@pytest.mark.parametrize("builder", [TRYING, BY_CONFIG])
def test_a_mark_that_the_traffic_confirms_is_quoted(builder: RolloutBuilder) -> None:
    """A rollback that ended between the route and the status is finished; its sentence is the route's."""
    status = next_status(marked(builder, 0))

    assert status.attempt is not None
    assert status.last_rollback is not None
    assert (status.attempt.state, status.attempt.trigger) == (State.ROLLING_BACK, Trigger.BREACH)
    assert status.last_rollback.message == f'The route says: "{DANA}"'
    assert [entry.release for entry in status.quarantined] == [NEW]


def test_a_mark_on_the_config_map_does_not_speak_for_the_route() -> None:
    """Someone may edit ConfigMaps and not routes; the route still splits the requests."""
    forged = marked(TRYING, 0)
    traffic = {**forged.traffic, ROUTE: shown(TRYING.build())[ROUTE]}
    status = next_status(replace(forged, traffic=traffic))

    assert status.attempt is not None
    assert (status.attempt.state, status.last_rollback) == (State.CANARY, None)


@pytest.mark.parametrize("trigger", ["Action", "action", "Nobody"])
def test_a_mark_is_never_the_request_of_a_person(trigger: str) -> None:
    """The action is the request; a mark that claims one is called what it is."""
    status = next_status(marked(TRYING, 0, rollback_trigger=trigger))

    assert status.last_rollback is not None
    assert status.last_rollback.trigger is not Trigger.ACTION
    assert status.last_rollback.reason != Reason.ROLLBACK_REQUESTED
    if trigger == "Action":
        assert status.last_rollback.reason == Reason.ROUTE_MARKED
    assert [entry.message for entry in status.quarantined] == [f'The route says: "{DANA}"']


def test_a_request_is_finished_as_a_request() -> None:
    """The process ended after the route; the rollout still says who asked, in its own words."""
    status = next_status(
        marked(TRYING.requesting(ActionType.ROLL_BACK, 2, release=NEW), 0, rollback_trigger="Action")
    )

    assert status.last_rollback is not None
    assert (status.last_rollback.trigger, status.last_rollback.message) == (
        Trigger.ACTION,
        f"{LEE} requested a rollback of {NEW}: It is a test",
    )


def at_rest_marked(trigger: str, builder: RolloutBuilder, *, serving: str = OLDEST) -> Observation:
    """Stable is `OLD`; the route gives all to another release and says that attempt 3 was rolled back."""
    seen = shown(a_rollout().serving(serving).build())
    annotations = {
        ANNOTATION_ROLLED_BACK: "3",
        ANNOTATION_ROLLED_BACK_UID: UID,
        ANNOTATION_ROLLBACK_TRIGGER: trigger,
        ANNOTATION_ROLLBACK_MESSAGE: DANA,
    }
    traffic = {key: with_metadata(manifest, annotations=annotations) for key, manifest in seen.items()}
    return an_observation(builder, traffic=traffic)


RESTED = (
    a_rollout()
    .remembering(OLDEST)
    .serving(OLD)
    .trying(OLD)
    .changing(number=2, state=State.HEALTHY)
    .having(canary=None)
    .asking_for(OLD)
)


@pytest.mark.parametrize(
    ("trigger", "is_requested", "reason"),
    [
        ("Breach", False, Reason.GATE_FAILED),
        ("Action", False, Reason.ROUTE_MARKED),
        ("Action", True, Reason.ROLLBACK_REQUESTED),
    ],
)
def test_at_rest_too_only_the_request_proves_a_request(
    trigger: str, reason: Reason, *, is_requested: bool
) -> None:
    """Stable was being rolled back when the process ended; the target is the one that the route shows."""
    builder = RESTED.requesting(ActionType.ROLL_BACK, 2, release=OLD) if is_requested else RESTED
    status = next_status(at_rest_marked(trigger, builder))

    assert status.last_rollback is not None
    assert (status.last_rollback.to, status.last_rollback.reason) == (OLDEST, reason)
    assert [entry.reason for entry in status.quarantined] == ([] if trigger == "Breach" else [reason])


def test_at_rest_a_mark_on_a_route_that_stable_serves_is_ignored() -> None:
    """Stable has all traffic, so nothing was rolled back."""
    status = next_status(at_rest_marked("Breach", RESTED, serving=OLD))
    assert (status.attempt and status.attempt.state, status.last_rollback) == (State.HEALTHY, None)


# A ConfigMap that is immutable.


def frozen(builder: RolloutBuilder, **metadata: object) -> dict[tuple[str, str], Manifest]:
    """The traffic as the status wants it, with an immutable ConfigMap."""
    seen = shown(builder.build())
    return {
        **seen,
        CONFIG: {**with_metadata(seen[CONFIG], resourceVersion="7", **metadata), "immutable": True},
    }


COMMAND = "kubectl delete configmap support-agent-traffic --namespace=support"


def test_nothing_begins_with_an_immutable_config_map() -> None:
    """The condition shows the command, Stalled is True, and nothing is written."""
    rested = a_rollout(traffic={}).serving(OLD)
    obs = an_observation(rested, traffic=frozen(rested))
    decision = decide(obs)

    assert decision.status is not None
    conditions = {condition.type: condition for condition in decision.status.conditions}
    assert (conditions["Ready"].reason, conditions["Stalled"].status) == (Reason.TRAFFIC_IMMUTABLE, "True")
    assert COMMAND in conditions["Ready"].message
    assert decision.status.attempt is not None
    assert decision.status.attempt.state is State.PENDING
    assert decision.writes == ()


def test_a_new_generation_does_not_replace_it() -> None:
    """Only the split is worth a deletion; labels of an immutable object can be put back without one."""
    rested = a_rollout(traffic={}).serving(OLD).asking_for(OLD)
    later = rested.planning(historyLimit=7)
    same = decide(an_observation(later, traffic=frozen(rested)))
    unlabeled = decide(an_observation(later, traffic=frozen(rested, labels={})))

    assert same.writes == ()
    [write] = unlabeled.writes
    assert isinstance(write, Write)
    assert write.manifest["data"] == frozen(rested)[CONFIG]["data"]


def test_in_mid_attempt_it_holds_and_the_way_back_replaces_it() -> None:
    """The very version that was seen is deleted, and the ConfigMap is written again with the latch."""
    held = next_status(an_observation(BY_CONFIG, traffic=frozen(BY_CONFIG)))
    requested = BY_CONFIG.requesting(ActionType.ROLL_BACK, 2, release=NEW).having(**dict(held))
    deletion, write = decide(an_observation(requested, traffic=frozen(BY_CONFIG))).writes[:2]

    assert held.attempt is not None
    assert held.attempt.hold is not None
    assert (held.attempt.hold.reason, COMMAND in held.attempt.hold.message) == (
        Reason.TRAFFIC_IMMUTABLE,
        True,
    )
    assert isinstance(deletion, Deletion)
    assert deletion.manifest["metadata"]["resourceVersion"] == "7"
    assert isinstance(write, Write)
    assert write.manifest["metadata"]["annotations"][ANNOTATION_ROLLED_BACK] == "2"
    split = json.loads(write.manifest["data"]["split.json"])
    assert (split["stable"]["weight"], split["canary"]["weight"]) == (100, 0)


def test_text_that_is_no_split_is_replaced_too() -> None:
    """Someone froze a ConfigMap with other data."""
    seen = frozen(BY_CONFIG)
    seen[CONFIG] = {**seen[CONFIG], "data": {"split.json": "nothing"}}
    requested = BY_CONFIG.requesting(ActionType.ROLL_BACK, 2, release=NEW)
    assert [type(w) for w in decide(an_observation(requested, traffic=seen)).writes[:2]] == [Deletion, Write]


@pytest.mark.parametrize("builder", [TRYING, BY_CONFIG, a_rollout(traffic=BY_PATCH).serving(OLD).trying(NEW)])
def test_shares_are_read_from_the_objects(builder: RolloutBuilder) -> None:
    """What each release has now, whatever the status says."""
    weight = builder.status.attempt.weight if builder.status.attempt else 0
    routing = Routing(an_observation(builder))
    assert [routing.share(a_record(name)) for name in (OLD, NEW, OLDEST)] == [100 - weight, weight, 0]
    nothing = Routing(replace(an_observation(builder), traffic={}))
    assert nothing.share(a_record(NEW)) is None


def test_an_altered_snapshot_is_not_a_target() -> None:
    """Another healthy release is, the condition names the ConfigMap, and one Warning says so."""
    rested = a_rollout().remembering(OLDEST).serving(NEW).remembering(OLD).serving(NEW).asking_for(NEW)
    rested = rested.trying(NEW).changing(state=State.HEALTHY, number=7).having(canary=None)
    whole = an_observation(rested)
    name = a_record(OLD).snapshot
    kept = {key: metadata for key, metadata in whole.snapshots.items() if key != name}
    altered = replace(whole, snapshots=kept, altered=frozenset({name}))
    decision = decide(altered)
    assert decision.status is not None
    ready = find_condition(decision.status.conditions, "RollbackReady")

    assert ready is not None
    assert (ready.status, ready.reason) == ("True", Reason.SNAPSHOT_ALTERED)
    assert f"ConfigMap {name}" in ready.message
    assert f"{OLDEST} is available" in ready.message
    assert [event.reason for event in decision.events if event.is_warning] == [Reason.SNAPSHOT_ALTERED]
    requested = replace(altered, actions=(an_action(ActionType.ROLL_BACK, 7, release=NEW),))
    back = next_status(requested).last_rollback
    assert back is not None
    assert back.to == OLDEST


def test_nothing_begins_from_an_altered_snapshot() -> None:
    """Agents would read another bundle than the one that was checked."""
    obs = an_observation(a_rollout().serving(OLD))
    name = a_record(NEW).snapshot
    kept = {key: metadata for key, metadata in obs.snapshots.items() if key != name}
    status = next_status(replace(obs, snapshots=kept, altered=frozenset({name})))

    ready = find_condition(status.conditions, "Ready")
    assert ready is not None
    assert ready.reason == Reason.SNAPSHOT_ALTERED
