"""Inputs: which Services have a ready endpoint, and time. Outputs: where traffic goes, and what is asked."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.api.attempt import State, Trigger
from agentrollouts.api.people.action import ActionType, Promotion
from agentrollouts.api.reasons import Reason
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.attempt.schedule import plan_hash
from agentrollouts.core.rollout.decide import decide
from agentrollouts.core.rollout.decision import Decision
from agentrollouts.core.rollout.observation import Observation
from agentrollouts.core.traffic.endpoints import has_ready_endpoint
from testkit.builders.names import NEW, NEXT, OLD, OLDEST, START, service_of
from testkit.builders.observations import an_observation, shown
from testkit.builders.rollouts import RolloutBuilder, a_rollout
from testkit.builders.routes import BY_PATCH, CONFIG, ROUTE, THEIRS
from testkit.world import a_world

GRACE: Final = 10
TRYING: Final = a_rollout(gates=[], bake={"durationSeconds": 0}).serving(OLD).trying(NEW)
"""A canary that nothing but time and endpoints hold back."""
LOST: Final = {service_of(NEW): False, service_of(OLD): True}
BOTH_LOST: Final = {service_of(NEW): False, service_of(OLD): False}
STABLE_LOST: Final = {service_of(NEW): True, service_of(OLD): False}
UNKNOWN: Final[dict[str, bool | None]] = {service_of(NEW): None, service_of(OLD): None}


def at(seconds: float, endpoints: dict[str, Any], builder: RolloutBuilder = TRYING) -> Observation:
    """The world so many seconds after the phase began."""
    return an_observation(builder, now=START + timedelta(seconds=seconds), endpoints=endpoints)


def after(decision: Decision, obs: Observation) -> AgentRolloutStatus:
    """The status that is then persisted."""
    return decision.status or obs.status


def attempt_after(obs: Observation) -> Any:  # noqa: ANN401 an Attempt
    """The attempt that is then persisted."""
    return after(decide(obs), obs).attempt


def lost_since(seconds: float, builder: RolloutBuilder = TRYING) -> RolloutBuilder:
    """The canary was seen without an endpoint so long after the phase began."""
    return builder.changing(endpoints_lost_time=START + timedelta(seconds=seconds))


def test_the_loss_is_remembered_and_looked_at_again_when_the_grace_is_over() -> None:
    """The clock of the phase stands meanwhile, and the state says why."""
    decision = decide(at(100, LOST))
    assert decision.status is not None
    attempt = decision.status.attempt

    assert attempt is not None
    assert attempt.endpoints_lost_time == START + timedelta(seconds=100)
    assert (attempt.clock_start_time, attempt.elapsed_seconds) == (None, 100)
    assert decision.wake_at == START + timedelta(seconds=100 + GRACE)
    assert "no ready endpoint since 2026-11-21 10:01:40 UTC" in decision.status.conditions[0].message


def test_after_the_grace_the_canary_is_rolled_back_and_quarantined() -> None:
    """Trigger Breach, reason NoReadyEndpoints, and a sentence that names the Service."""
    early, late = (at(100 + seconds, LOST, lost_since(100)) for seconds in (GRACE - 0.1, GRACE))
    decision = decide(late)
    status = after(decision, late)

    assert attempt_after(early).state is State.CANARY
    assert status.attempt is not None
    assert status.last_rollback is not None
    assert (status.attempt.state, status.last_rollback.trigger, status.last_rollback.reason) == (
        State.ROLLING_BACK,
        Trigger.BREACH,
        Reason.NO_READY_ENDPOINTS,
    )
    assert status.last_rollback.message == (
        "Service support-agent-4-2-0 of support-agent-4.2.0 has had no ready endpoint for 10 s "
        "(spec.analysis.endpointGraceSeconds)"
    )
    assert [entry.release for entry in status.quarantined] == [NEW]
    assert decision.writes[0].manifest["spec"]["rules"][0]["backendRefs"][1]["weight"] == 0


@pytest.mark.parametrize("state", [State.CANARY, State.AWAITING_APPROVAL, State.HELD, State.BAKING])
def test_in_every_state_with_traffic_a_lost_canary_is_rolled_back(state: State) -> None:
    """Also while a person is asked, while it is held, and in the bake."""
    builder = lost_since(0, a_rollout(gates=[]).in_state(state))

    assert attempt_after(at(GRACE, LOST, builder)).state is State.ROLLING_BACK


APPROVED: Final = (
    a_rollout(
        phases=[
            {"name": "canary-5", "weight": 5, "durationSeconds": 600, "approval": "Required"},
            {"name": "canary-25", "weight": 25, "durationSeconds": 600},
        ],
        gates=[],
    )
    .serving(OLD)
    .trying(NEW)
    .awaiting_approval()
    .requesting(ActionType.APPROVE, 2, phase="canary-5")
)
FORWARD: Final = {
    "next phase": TRYING,
    "approval": APPROVED,
    "ramp": TRYING.in_phase(2),
    "bake": TRYING.in_phase(2, 9),
    "promotion": TRYING.baking(),
}


@pytest.mark.parametrize("step", FORWARD)
@pytest.mark.parametrize("endpoints", [LOST, UNKNOWN, {}], ids=["lost", "unknown", "unasked"])
def test_nothing_advances_while_the_loss_is_not_disproved(
    step: str, endpoints: dict[str, bool | None]
) -> None:
    """Not by time, by approval, on a ramp or out of the bake; ignorance neither clears nor proves it."""
    builder = FORWARD[step]
    before = builder.status.attempt
    assert before is not None
    free = attempt_after(at(3600, {service_of(NEW): True}, builder))
    assert (free.state, free.weight) != (before.state, before.weight), "it would advance"

    grace = a_rollout(**{**builder.spec, "analysis": {"warmupSeconds": 0, "endpointGraceSeconds": 3600}})
    held = lost_since(3000, replace(builder, spec=grace.spec))
    kept = attempt_after(at(3600, endpoints, held))
    assert (kept.state, kept.weight) == (before.state, before.weight)
    assert kept.endpoints_lost_time == START + timedelta(seconds=3000)


def test_ignorance_never_rolls_back() -> None:
    """An API server that is away for an hour proves nothing."""
    for endpoints in (UNKNOWN, {}):
        assert attempt_after(at(3600, endpoints, lost_since(0))).state is State.CANARY
        assert attempt_after(at(3600, endpoints)).endpoints_lost_time is None


def test_a_canary_that_answers_again_goes_on() -> None:
    """The loss is forgotten and the clock runs again."""
    attempt = attempt_after(
        at(105, {service_of(NEW): True}, lost_since(100).changing(clock_start_time=None, elapsed_seconds=100))
    )

    assert attempt.endpoints_lost_time is None
    assert attempt.clock_start_time == START + timedelta(seconds=105)


def test_a_clock_that_is_put_back_only_begins_the_grace_anew() -> None:
    """A loss of the future would otherwise never be over."""
    attempt = attempt_after(at(0, LOST, lost_since(3600)))

    assert attempt.endpoints_lost_time == START


def test_where_neither_answers_the_attempt_is_held_and_no_grace_runs() -> None:
    """What hits both is not the canary's fault: nothing is quarantined, nor moved by afterHoldSeconds."""
    builder = TRYING.planning(rollback={"afterHoldSeconds": 60})
    builder = builder.changing(plan_hash=plan_hash(builder.plan))
    held = attempt_after(at(30, BOTH_LOST, lost_since(25, builder)))

    assert (held.state, held.hold.reason, held.hold.until) == (State.HELD, Reason.NO_READY_ENDPOINTS, None)
    assert held.endpoints_lost_time is None
    assert "neither Service support-agent-4-1-0" in held.hold.message
    later = attempt_after(at(3600, BOTH_LOST, builder.having(attempt=held)))
    assert later.state is State.HELD
    back = attempt_after(at(3600, LOST, builder.having(attempt=later)))
    assert (back.state, back.endpoints_lost_time) == (State.CANARY, START + timedelta(seconds=3600))


def test_without_stable_nothing_goes_forward_and_that_is_said() -> None:
    """The canary that answers keeps its share; a person may still roll it back."""
    held = attempt_after(at(3600, STABLE_LOST))
    ordered = at(3600, STABLE_LOST, TRYING.asking_for(OLD))

    assert (held.state, held.weight, held.hold.reason) == (State.HELD, 5, Reason.NO_READY_ENDPOINTS)
    assert "support-agent-4-1-0" in held.hold.message
    assert attempt_after(ordered).state is State.ROLLING_BACK


def promoted_at_half() -> RolloutBuilder:
    """A person has promoted the only phase, of 50%, of a canary."""
    promoted = Promotion(
        by="ana@example.com", reason="INC-77", action="promote", time=START, phase_name="only"
    )
    builder = TRYING.planning(phases=[{"name": "only", "weight": 50, "durationSeconds": 3600}]).in_phase(0)
    return builder.changing(promoted=promoted, plan_hash=plan_hash(builder.plan))


@pytest.mark.parametrize(
    ("canary", "expected"), [(True, State.BAKING), (None, State.HELD), (False, State.HELD)]
)
def test_a_promotion_leaves_stable_only_for_a_canary_that_answers(
    *, canary: bool | None, expected: State
) -> None:
    """What is not known is no reason to send more requests there."""
    endpoints = {service_of(NEW): canary, service_of(OLD): False}

    assert attempt_after(at(30, endpoints, promoted_at_half())).state is expected


@pytest.mark.parametrize(("name", "expected"), [(OLD, State.BAKING), (NEW, State.CANARY)])
def test_a_promotion_leaves_a_service_of_stable_that_was_deleted(name: str, expected: State) -> None:
    """The gateway then confirms no weight at all, so that would be waited for in vain."""
    obs = at(30, {service_of(OLD): name != OLD, service_of(NEW): True}, promoted_at_half())

    assert attempt_after(_unresolved(obs, service_of(name))).state is expected


def test_stable_may_be_gone_once_it_has_no_share() -> None:
    """A fast switch back to a healthy release ends though what it replaced does not run any more."""
    switch = a_rollout(gates=[], bake={"durationSeconds": 60}).serving(OLD).remembering(NEW).trying(NEW)
    baking = switch.baking().changing(weight=100).having(weights={"stable": 0, "canary": 100})

    assert attempt_after(at(3600, STABLE_LOST, baking)).state is State.HEALTHY


def test_a_first_release_without_endpoints_is_held_and_not_healthy() -> None:
    """There is no release to roll back to; it resumes once it answers."""
    first = a_rollout(gates=[]).trying(NEW).changing(state=State.INITIAL, weight=100)
    endpoints = {service_of(NEW): False}

    assert attempt_after(at(5, endpoints, first)).state is State.INITIAL
    held = attempt_after(at(GRACE, endpoints, lost_since(0, first)))
    assert (held.state, held.hold.reason) == (State.HELD, Reason.NO_READY_ENDPOINTS)
    again = first.having(attempt=held)
    assert attempt_after(at(60, {service_of(NEW): True}, again)).state is State.INITIAL


def test_a_rollback_follows_and_asks_nothing() -> None:
    """Stable may be without endpoints: during an attempt the way back is unconditional."""
    ordered = decide(at(0, {}, TRYING.asking_for(OLD)))
    verifying = decide(at(0, {}, TRYING.rolling_back()))

    assert (ordered.unsure_of, verifying.unsure_of) == (frozenset(), frozenset())
    assert (ordered.services, verifying.services) == (frozenset(), frozenset())


@pytest.mark.parametrize(
    ("builder", "expected"),
    [
        (TRYING, {service_of(OLD), service_of(NEW)}),
        (a_rollout(traffic=BY_PATCH).serving(OLD).trying(NEW), {service_of(OLD), service_of(NEW)}),
        (a_rollout(traffic={}).serving(OLD).trying(NEW), set()),
        (a_rollout().asking_for(OLD).serving(OLD), set()),
        (a_rollout().in_state(State.PENDING), set()),
    ],
    ids=["canary", "route of somebody else", "no route", "at rest", "pending"],
)
def test_endpoints_are_followed_only_while_an_attempt_has_traffic(
    builder: RolloutBuilder, expected: set[str]
) -> None:
    """Of stable and canary, and of no other Service."""
    assert decide(an_observation(builder, endpoints_ready=False)).services == expected


def test_a_step_forward_asks_about_what_nobody_has_seen_yet() -> None:
    """After a restart the watch has not listed yet: the decision names the Services and is made again."""
    assert decide(at(3600, {})).unsure_of == {service_of(OLD), service_of(NEW)}
    assert decide(at(3600, UNKNOWN)).unsure_of == frozenset()
    assert decide(at(1, {})).unsure_of == frozenset()


@pytest.mark.parametrize(
    ("names", "is_lost"),
    [(NEW, True), (OLD, False), (None, True), ("support-agent-4.2.0-b", True)],
    ids=["canary", "stable", "nobody", "another"],
)
def test_a_backend_that_a_gateway_cannot_resolve_is_a_canary_that_does_not_answer(
    names: str | None, *, is_lost: bool
) -> None:
    """In a route of ours it is the canary's, unless it is said to be stable's."""
    obs = at(100, {service_of(NEW): True, service_of(OLD): True})
    attempt = attempt_after(_unresolved(obs, service_of(names) if names else "it"))

    assert (attempt.endpoints_lost_time is not None) is is_lost
    assert attempt.weight == 5


def test_in_a_shared_route_only_a_sentence_that_names_the_canary_counts_against_it() -> None:
    """What names no Service holds the attempt and rolls nothing back."""
    obs = an_observation(a_rollout(traffic=BY_PATCH, gates=[]).serving(OLD).trying(NEW))
    vague, named = (_unresolved(obs, name, THEIRS) for name in ("it", service_of(NEW)))

    assert attempt_after(vague).endpoints_lost_time is None
    assert attempt_after(named).endpoints_lost_time == START


def _unresolved(obs: Observation, name: str, key: tuple[str, str] = ROUTE) -> Observation:
    route = obs.traffic[key]
    said = {
        "type": "ResolvedRefs",
        "status": "False",
        "observedGeneration": route["metadata"]["generation"],
        "reason": "BackendNotFound",
        "message": f"Service {name} not found",
    }
    [parent] = route["status"]["parents"]
    conditions = [
        *(condition for condition in parent["conditions"] if condition["type"] != "ResolvedRefs"),
        said,
    ]
    status = {"parents": [{**parent, "conditions": conditions}]}
    return replace(obs, traffic={**obs.traffic, key: {**route, "status": status}})


def test_a_weight_that_was_decided_is_not_written_once_the_canary_is_lost() -> None:
    """The process ended between the intent and the route, and the endpoints went meanwhile."""
    before = shown(TRYING.build())
    decided = TRYING.in_phase(1).having(weights=TRYING.status.weights)
    obs = at(100, LOST, lost_since(99, decided))

    held, free = (
        {(w.manifest["kind"], w.manifest["metadata"]["name"]) for w in decide(observation).writes}
        for observation in (
            replace(obs, traffic=before),
            replace(at(100, {}, decided), traffic=before),
        )
    )

    assert (held, free) == (set(), {ROUTE, CONFIG})


def test_the_whole_course_of_a_canary_whose_agents_end() -> None:
    """From 5% to 100/0 in the grace, whatever the gates say."""
    world = a_world(a_rollout().asking_for(OLD).serving(OLD))
    world.ship(NEW)
    world.run(60)
    assert world.canary_weight == 5
    world.deserted.add(NEW)
    begun = world.now
    world.settle()
    while world.canary_weight:
        world.run(0.5)
    assert world.now - begun <= timedelta(seconds=GRACE + 1)
    assert world.status.last_rollback is not None
    assert world.status.last_rollback.reason == Reason.NO_READY_ENDPOINTS


RESTING: Final = (
    a_rollout()
    .asking_for(NEXT)
    .serving(OLDEST)
    .remembering(OLD)
    .remembering(NEW)
    .trying(NEXT)
    .changing(state=State.HEALTHY, number=4, weight=0)
    .having(canary=None)
    .serving(NEXT)
)
"""`NEXT` serves, after three releases that were healthy."""
ORDERED: Final = RESTING.requesting(ActionType.ROLL_BACK, 4, release=NEXT)
FORCED: Final = RESTING.requesting(ActionType.ROLL_BACK, 4, release=NEXT, force=True)


def target_of(builder: RolloutBuilder, **ready: bool | None) -> str | None:
    """Where stable is rolled back to."""
    names = {"new": NEW, "old": OLD, "oldest": OLDEST}
    endpoints = {service_of(names[key]): value for key, value in ready.items()}
    obs = an_observation(builder, endpoints=endpoints)
    rollback = after(decide(obs), obs).last_rollback
    return rollback.to if rollback else None


def test_at_rest_the_target_is_the_newest_healthy_release_with_a_ready_endpoint() -> None:
    """Where nobody knows, the newest that may have one; a bad answer is never replaced by none."""
    assert target_of(ORDERED, new=True, old=True, oldest=True) == NEW
    assert target_of(ORDERED, new=False, old=True, oldest=True) == OLD
    assert target_of(ORDERED, new=None, old=True, oldest=False) == OLD
    assert target_of(ORDERED, new=None, old=None, oldest=None) == NEW
    assert target_of(ORDERED, new=False, old=None, oldest=False) == OLD
    assert target_of(ORDERED, new=False, old=False, oldest=False) is None


def test_by_force_the_newest_healthy_release_is_taken_rather_than_none() -> None:
    """A person may know better; one that answers is still preferred."""
    assert target_of(FORCED, new=False, old=False, oldest=False) == NEW
    assert target_of(FORCED, new=False, old=True, oldest=False) == OLD


def test_force_is_understood_during_an_attempt_as_well() -> None:
    """There it is a rollback like any other."""
    ordered = TRYING.requesting(ActionType.ROLL_BACK, 2, release=NEW, force=True)

    assert attempt_after(at(0, LOST, ordered)).state is State.ROLLING_BACK


def test_where_no_target_answers_stable_stays_and_the_services_are_named() -> None:
    """It is looked at again, and nothing is written to the traffic."""
    endpoints = dict.fromkeys(map(service_of, (NEW, OLD, OLDEST)), False)
    decision = decide(an_observation(ORDERED, endpoints=endpoints))
    assert decision.status is not None
    ready, _, stalled, *_ = decision.status.conditions

    assert (ready.reason, stalled.status) == (Reason.NO_HEALTHY_TARGET, "True")
    for name in (NEW, OLD, OLDEST):
        assert f"Service {service_of(name)} of {name}" in ready.message
    assert f"--attempt=4 --release={NEXT} --reason=... --force" in ready.message
    assert decision.writes == ()
    assert decision.wake_at == START + timedelta(seconds=10)


def test_the_api_server_is_asked_about_targets_only_when_a_rollback_is_due() -> None:
    """At rest nothing is asked or followed."""
    unsure = decide(an_observation(ORDERED, endpoints={})).unsure_of
    resting = decide(an_observation(RESTING, endpoints={}))

    assert unsure == {service_of(NEW), service_of(OLD), service_of(OLDEST)}
    assert (resting.unsure_of, resting.services) == (frozenset(), frozenset())
    assert decide(an_observation(ORDERED.planning(traffic={}), endpoints={})).unsure_of == frozenset()


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({"ready": True}, True),
        ({"ready": None}, True),
        ({}, True),
        (None, True),
        ({"ready": False}, False),
        ({"ready": False, "serving": True, "terminating": True}, False),
        ({"serving": True, "terminating": True}, False),
        ({"ready": True, "terminating": True}, True),
    ],
)
def test_an_endpoint_is_ready_as_its_api_says(conditions: dict[str, Any] | None, *, expected: bool) -> None:
    """Unknown is ready, serving while terminating is not, unless the Service publishes it as ready."""
    endpoint = {"addresses": ["fd00::1"], "conditions": conditions}

    assert has_ready_endpoint({"endpoints": [{"conditions": {"ready": False}}, endpoint]}) is expected


def test_a_slice_may_be_empty() -> None:
    """The controller leaves one without endpoints for a Service that selects nothing."""
    assert not has_ready_endpoint({"endpoints": []})
    assert not has_ready_endpoint({"endpoints": None})
    assert not has_ready_endpoint({})


@given(st.dictionaries(st.sampled_from([service_of(OLD), service_of(NEW)]), st.none() | st.booleans()))
def test_a_canary_is_rolled_back_only_on_proof_against_it_alone(endpoints: dict[str, bool | None]) -> None:
    """Whatever is known: 100/0 if, and only if, the canary was proved lost and stable was not."""
    attempt = attempt_after(at(3600, endpoints, lost_since(0)))

    is_proved = endpoints.get(service_of(NEW)) is False and endpoints.get(service_of(OLD)) is not False
    assert (attempt.state is State.ROLLING_BACK) is is_proved


def test_after_a_crash_between_route_and_status_the_reason_is_still_known() -> None:
    """The mark on the route says Breach; the status says since when the canary was lost."""
    begun = at(GRACE, LOST, lost_since(0))
    traffic = {
        (write.manifest["kind"], write.manifest["metadata"]["name"]): write.manifest
        for write in decide(begun).writes
    }
    again = replace(begun, traffic=traffic, endpoints={})
    rollback = after(decide(again), again).last_rollback

    assert rollback is not None
    assert (rollback.trigger, rollback.reason) == (Trigger.BREACH, Reason.NO_READY_ENDPOINTS)
    assert rollback.message.startswith('The route says: "Service support-agent-4-2-0')
