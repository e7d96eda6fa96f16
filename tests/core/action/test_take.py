"""Inputs: a rollout, and what people request of it. Output: which requests take effect, and what follows."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.api.attempt import State, Trigger
from agentrollouts.api.people.action import (
    FORWARD,
    OF_NO_ATTEMPT,
    ActionStatus,
    ActionType,
    AgentRolloutAction,
)
from agentrollouts.api.reasons import Reason
from agentrollouts.core.action.people import Authority, Unproved
from agentrollouts.core.rollout.decide import decide
from agentrollouts.core.rollout.decision import Decision
from testkit.builders.actions import an_action
from testkit.builders.names import NEW, NEXT, OLD, OLDEST, START
from testkit.builders.observations import an_observation
from testkit.builders.rollouts import RolloutBuilder, a_rollout
from testkit.world import Behavior, World, a_world, a_world_at_rest

ANA, LEE, MAX = "ana@example.com", "lee@example.com", "max@example.com"
BAD = Behavior(failed=0.3)
PHASES: Final = [
    {"name": "first", "weight": 10, "durationSeconds": 300},
    {"name": "asked", "weight": 30, "durationSeconds": 300, "approval": "Required", "approvals": 2},
    {"name": "last", "weight": 60, "durationSeconds": 300},
]
SAMPLES: Final = {
    ActionType.APPROVE: {"phase": "asked"},
    ActionType.PROMOTE: {"phase": "asked"},
    ActionType.HOLD: {},
    ActionType.RESUME: {},
    ActionType.ROLL_BACK: {"release": NEW},
    ActionType.RETRY: {"release": NEXT},
    ActionType.ACKNOWLEDGE: {},
    ActionType.SWITCH_OFF: {},
    ActionType.SWITCH_ON: {"detour": "0" * 8},
    ActionType.REDO_HOOK: {"hook": "restore"},
    ActionType.WAIVE_HOOK: {"hook": "restore"},
    ActionType.DRILL: {"release": OLD},
}
"""What each type needs beside the attempt, for a canary in the phase `asked`."""
BACK: Final = {ActionType.ROLL_BACK, ActionType.SWITCH_OFF}
"""What takes traffic from a canary."""
STATES: Final = (State.CANARY, State.AWAITING_APPROVAL, State.BAKING, State.HELD, State.PENDING)


def a_canary(**spec: object) -> World:
    """`NEW` has just begun with 10%."""
    world = a_world(a_rollout(**({"phases": PHASES} | spec)).serving(OLD), OLD)
    world.ship(NEW)
    world.settle()
    return world


def requests_of(attempts: st.SearchStrategy[int]) -> st.SearchStrategy[list[AgentRolloutAction]]:
    """Up to five actions by three people, of any type and age, each with a name of its own."""
    one = st.tuples(
        st.sampled_from(list(ActionType)), attempts, st.sampled_from([ANA, LEE, MAX]), st.integers(0, 3)
    )
    return st.lists(one, max_size=5).map(
        lambda drawn: [
            an_action(
                kind,
                attempt,
                name=f"action-{number}",
                age=age,
                requestedBy=by,
                **SAMPLES[kind],
            )
            for number, (kind, attempt, by, age) in enumerate(drawn)
        ]
    )


def in_phase_asked(state: State = State.CANARY) -> RolloutBuilder:
    """The phase that needs two approvals."""
    builder = a_rollout(phases=PHASES).in_state(state)
    return builder if state is State.PENDING else builder.in_phase(1) if state is State.CANARY else builder


def effects(world: World) -> tuple[object, ...]:
    """What people see of what they requested."""
    attempt, status = world.status.attempt, world.status
    facts = attempt and (
        attempt.number,
        attempt.state,
        attempt.weight,
        attempt.phase_name,
        sorted((given.phase_name, given.by) for given in attempt.approved_by),
        attempt.promoted and attempt.promoted.action,
        attempt.held_by and attempt.held_by.action,
        attempt.hold and attempt.hold.reason,
    )
    results = sorted((entry.name, entry.result) for entry in status.actions)
    return facts, status.retried and status.retried.action, results, world.shares()


def played(actions: list[AgentRolloutAction], *, crash: int | None = None) -> World:
    """All of them are there at once; the process may end after so many effects of its first decision."""
    world = a_world(in_phase_asked(), OLD, NEW)
    world.settle()
    world.actions = {action.metadata.name: action for action in actions}
    if crash is not None:
        world.step(crash)
        world.restart()
    world.settle()
    return world


# At most once, in any order.


@given(requests_of(st.integers(1, 3)), st.integers(0, 8))
def test_a_crash_after_any_effect_makes_no_difference(actions: list[AgentRolloutAction], crash: int) -> None:
    """Each action is taken once, with the same effects and answers as without it."""
    assert effects(played(actions, crash=crash)) == effects(played(actions))


@given(requests_of(st.integers(1, 3)), st.data())
def test_permutations_give_one_result(actions: list[AgentRolloutAction], data: st.DataObject) -> None:
    """The order in which the API server lists them means nothing."""
    shuffled = data.draw(st.permutations(actions))
    assert effects(played(shuffled)) == effects(played(actions))


@given(requests_of(st.just(2)), st.integers(1, 3))
def test_an_action_that_is_seen_again_has_no_effect(actions: list[AgentRolloutAction], times: int) -> None:
    """Its answer was lost, and it is there as it was created: the ledger knows it."""
    world = played(actions)
    before = effects(world)
    for _ in range(times):
        world.actions = {action.metadata.name: action for action in actions}
        world.restart()
        world.settle()
        assert effects(world) == before


def test_rollbacks_come_first_whatever_else_is_requested() -> None:
    """And nothing goes forward beside one: the rest is over with the attempt."""
    others = [an_action(kind, 2, **SAMPLES[kind]) for kind in ActionType if kind not in BACK]
    youngest = an_action(ActionType.ROLL_BACK, 2, age=9, release=NEW)
    world = played([*others, youngest])
    world.run(3600)

    assert (world.state, world.shares()[OLD]) == (State.ROLLED_BACK, 100)
    results = {entry.type: entry.result for entry in world.status.actions}
    assert results.pop(ActionType.ROLL_BACK) == "Done"
    assert set(results.values()) == {"Stale", "Refused"}
    assert world.status.attempt is not None
    assert world.status.attempt.approved_by == ()


def test_of_two_that_exclude_each_other_the_first_is_taken() -> None:
    """A hold and its end, by age; a hold is looked at before anything else that people request."""
    hold = an_action(ActionType.HOLD, 2, age=5)
    resume = an_action(ActionType.RESUME, 2)
    for order in permutations([hold, resume]):
        world = played(list(order))
        assert world.status.attempt is not None
        assert world.status.attempt.held_by is None
        assert [entry.result for entry in world.status.actions] == ["Done", "Done"]


@pytest.mark.parametrize("attempt", [1, 3])
@pytest.mark.parametrize("kind", sorted(set(ActionType) - {ActionType.RETRY, *OF_NO_ATTEMPT}))
def test_an_action_of_another_attempt_has_no_effect(kind: ActionType, attempt: int) -> None:
    """An earlier one is over, by its outcome; a later one has not begun."""
    builder = in_phase_asked()
    status = decide(an_observation(builder.requesting(kind, attempt, **SAMPLES[kind]))).status
    assert status is not None
    (entry,) = status.actions
    expected = (
        ("Stale", "attempt 1 is over: Healthy") if attempt == 1 else ("Refused", "attempt 3 has not begun")
    )
    assert (entry.result, entry.message) == expected
    without = decide(an_observation(builder)).status
    assert without is not None
    assert status.attempt == without.attempt


def restored(world: World, name: str) -> None:
    """An action is there again as it was created, as a backup or Git would create it: with another uid."""
    action = world.actions[name]
    metadata = action.metadata.replace(uid=f"restored-{world.now}-{name}"[:64], creation_timestamp=world.now)
    world.actions[name] = action.replace(metadata=metadata, status=ActionStatus())


def test_an_action_that_is_restored_within_its_attempt_has_no_effect() -> None:
    """The last word of people was a hold; the Resume before it was taken once, and does not end that one."""
    world = a_canary()
    names = []
    for number, kind in enumerate((ActionType.HOLD, ActionType.RESUME, ActionType.HOLD)):
        names.append(world.act(kind, name=f"word-{number}"))
        world.settle()
    before = world.status.attempt
    for name in names:
        restored(world, name)
    world.settle()

    assert world.status.attempt == before
    assert before is not None
    assert before.held_by is not None
    assert before.held_by.action == "word-2"
    assert [entry.result for entry in world.status.actions[:3]] == [Reason.STALE] * 3
    assert "an action of this name was taken at " in world.status.actions[0].message


def test_a_name_can_be_used_again_for_another_attempt() -> None:
    """A pipeline calls its action the same each time; what was refused can be created again, too."""
    world = a_canary()
    world.act(ActionType.RESUME, name="ci")
    world.settle()
    world.act(ActionType.HOLD, name="hold")
    world.settle()
    restored(world, "ci")
    world.settle()
    assert [(entry.name, entry.result) for entry in world.status.actions] == [
        ("ci", Reason.DONE),
        ("hold", Reason.DONE),
        ("ci", Reason.REFUSED),
    ]
    world.ship(NEXT)
    world.run(60)
    world.act(ActionType.HOLD, name="hold")
    restored(world, "hold")
    world.settle()
    assert (world.status.actions[0].name, world.status.actions[0].result) == ("hold", Reason.DONE)


def test_an_action_from_before_the_rollout_has_no_effect() -> None:
    """The rollout was created again, and its attempts are counted from 1 again."""
    obs = an_observation(in_phase_asked().requesting(ActionType.ROLL_BACK, 2, release=NEW))
    metadata = obs.rollout.metadata.replace(creation_timestamp=START + timedelta(seconds=1))
    status = decide(replace(obs, rollout=obs.rollout.replace(metadata=metadata))).status
    assert status is not None
    assert (status.actions[0].result, status.attempt and status.attempt.state) == ("Stale", State.CANARY)


# A rollback never waits.


def rollbacks(decision: Decision) -> object:
    """What is rolled back, and how it is written; None if nothing is."""
    status = decision.status
    if status is None or status.last_rollback is None:
        return None
    back = status.last_rollback
    return back.from_, back.to, back.trigger, back.reason, back.message, decision.writes


CAUSES: Final = ("action", "releaseRef", "endpoints")


@given(
    requests_of(st.integers(1, 3)).map(lambda drawn: [a for a in drawn if a.spec.type not in BACK]),
    st.sampled_from(CAUSES),
    st.lists(st.sampled_from([True, False, None]), min_size=1, max_size=1),
    st.sampled_from(STATES),
)
def test_nothing_that_is_requested_changes_a_rollback(
    others: list[AgentRolloutAction], cause: str, proofs: list[bool | None], state: State
) -> None:
    """Hold, approvals and all else but SwitchOff, proved or not: the same rollback at the same time."""
    if state is State.PENDING:
        return  # it has no traffic to take back
    builder = in_phase_asked(state)
    obs = an_observation(builder, now=START + timedelta(seconds=60))
    rollback: tuple[AgentRolloutAction, ...] = ()
    match cause:
        case "action":
            rollback = (an_action(ActionType.ROLL_BACK, 2, release=NEW),)
        case "releaseRef":
            obs = replace(obs, rollout=builder.asking_for(OLD).build())
        case _:
            lost = builder.changing(endpoints_lost_time=START)
            endpoints = {**obs.endpoints, "support-agent-4-2-0": False}
            obs = replace(obs, rollout=lost.build(), endpoints=endpoints)
    alone = decide(replace(obs, actions=rollback))
    beside = decide(replace(obs, actions=(*others, *rollback), identity_proved=proofs[0]))

    assert rollbacks(alone) is not None
    assert rollbacks(beside) == rollbacks(alone)


@pytest.mark.parametrize("fact", ["held", "promoted", "approved", "paused"])
@pytest.mark.parametrize("cause", ["breach", "action", "releaseRef"])
def test_no_fact_of_an_attempt_delays_a_rollback(fact: str, cause: str) -> None:
    """Held by a person, promoted, approved or paused: it goes at the same second as without."""
    times = []
    for is_there in (False, True):
        world = a_canary()
        world.run(60)
        if is_there:
            act(world, fact)
        if cause == "breach":
            world.agents[NEW] = BAD
        elif cause == "action":
            world.act(ActionType.ROLL_BACK, release=NEW)
        else:
            world.ask_for(OLD)
        world.run_until(State.ROLLED_BACK)
        assert world.status.last_rollback is not None
        times.append(world.status.last_rollback.decided_time)
    if fact != "promoted" or cause != "breach":  # which has another weight, and so other counts
        assert times[0] == times[1]


def act(world: World, fact: str) -> None:
    """A person makes that fact."""
    match fact:
        case "held":
            world.act(ActionType.HOLD)
        case "promoted":
            world.act(ActionType.PROMOTE, phase="first")
        case "approved":
            world.act(ActionType.APPROVE, phase="asked")
        case _:
            world.edit(lambda builder: builder.planning(paused=True))
    world.settle()


# Proof of identity.


@pytest.mark.parametrize("kind", sorted(FORWARD))
@pytest.mark.parametrize("state", STATES)
def test_without_proof_nothing_goes_forward(kind: ActionType, state: State) -> None:
    """It is answered so, and nothing else is different from what would be without it."""
    builder = in_phase_asked(state)
    alone = decide(an_observation(builder))
    obs = an_observation(builder.requesting(kind, 2, **SAMPLES[kind]), identity_proved=False)
    beside = decide(obs)
    assert beside.status is not None
    (entry,) = beside.status.actions
    assert (entry.result, len(beside.answers)) == ("IdentityNotProved", 1)
    told = beside.status.record
    assert "ActionRefused" in {entry["event"] for entry in (told.unwritten if told else ())}
    before = alone.status or obs.status
    assert beside.status.replace(actions=(), record=None) == before.replace(actions=(), record=None)
    assert beside.writes == alone.writes


@pytest.mark.parametrize("kind", sorted(FORWARD))
@pytest.mark.parametrize("state", STATES)
def test_as_long_as_proof_is_not_known_it_is_awaited(kind: ActionType, state: State) -> None:
    """The decision says so, and is otherwise the one that would be without the action."""
    builder = in_phase_asked(state)
    alone = decide(an_observation(builder))
    beside = decide(an_observation(builder.requesting(kind, 2, **SAMPLES[kind]), identity_proved=None))
    assert not alone.awaits_proof
    assert beside == replace(alone, awaits_proof=True)


@pytest.mark.parametrize("kind", ActionType)
@pytest.mark.parametrize("state", STATES)
def test_what_is_refused_without_proof_is_a_setting(kind: ActionType, state: State) -> None:
    """Refuse leaves a rollback in progress alone, Accept takes all; with proof, all three are the same."""
    requested = in_phase_asked(state).requesting(kind, 2, **SAMPLES[kind])
    answers = {}
    for unproved in Unproved:
        for proof in (True, False, None):
            obs = an_observation(requested, identity_proved=proof, authority=Authority(unproved=unproved))
            decision = decide(obs)
            actions = decision.status.actions if decision.status else ()
            answers[unproved, proof] = actions[0].result if actions else "", decision.awaits_proof
    proved = answers[Unproved.BACK_ONLY, True]
    assert {answers[unproved, True] for unproved in Unproved} == {proved}
    assert answers[Unproved.ACCEPT, False] == answers[Unproved.ACCEPT, None] == proved
    is_back = kind is ActionType.SWITCH_OFF or (kind is ActionType.ROLL_BACK and state is not State.PENDING)
    if proved[0] != "Stale":
        expected = proved if is_back else ("IdentityNotProved", False)
        assert answers[Unproved.REFUSE, False] == expected
        assert answers[Unproved.REFUSE, None][1] is not is_back


@pytest.mark.parametrize("proved", [False, None])
@pytest.mark.parametrize("kind", [ActionType.HOLD, ActionType.ROLL_BACK])
def test_what_is_safe_needs_no_proof(kind: ActionType, *, proved: bool | None) -> None:
    """A hold and a rollback are taken as they are."""
    requested = in_phase_asked().requesting(kind, 2, **SAMPLES[kind])
    decision = decide(an_observation(requested, identity_proved=proved))
    assert decision.status is not None
    assert decision.status.actions[0].result == ("Done" if kind is ActionType.HOLD else "RollingBack")
    assert not decision.awaits_proof


# Hold and Resume.


def hold_reason(world: World) -> str:
    """Why the attempt waits."""
    assert world.status.attempt is not None
    return world.status.attempt.hold.reason if world.status.attempt.hold else ""


def test_a_hold_stops_the_clock_until_someone_resumes() -> None:
    """The weight stays, `afterHoldSeconds` does not end it, and the phase's time goes on where it stopped."""
    world = a_canary(rollback={"afterHoldSeconds": 600})
    world.run(100)
    world.act(ActionType.HOLD, by=ANA, reason="Support is not staffed")
    world.run(5000)
    assert (world.state, hold_reason(world), world.canary_weight) == (State.HELD, "HeldByPerson", 10)
    assert f"{ANA} holds the attempt: Support is not staffed" in world.status.conditions[0].message
    assert world.status.attempt is not None
    assert world.status.attempt.hold is not None
    assert world.status.attempt.hold.until is None

    world.act(ActionType.RESUME)
    world.run(150)
    assert (world.state, world.canary_weight) == (State.CANARY, 10)
    world.run(100)
    assert world.canary_weight == 30


def test_a_resume_does_not_end_a_pause_and_needs_a_hold() -> None:
    """Git's word stays; what no person holds cannot be resumed."""
    world = a_canary()
    world.edit(lambda builder: builder.planning(paused=True))
    world.settle()
    world.act(ActionType.RESUME)
    world.settle()
    assert (world.status.actions[0].result, hold_reason(world)) == ("Refused", "Paused")
    world.act(ActionType.HOLD)
    world.settle()
    assert hold_reason(world) == "HeldByPerson"
    world.act(ActionType.RESUME)
    world.settle()
    assert (world.status.actions[0].result, hold_reason(world)) == ("Done", "Paused")


def test_what_is_not_in_progress_cannot_be_held() -> None:
    """A pending release has no traffic, and an attempt that is over has none any more."""
    pending = decide(an_observation(in_phase_asked(State.PENDING).requesting(ActionType.HOLD, 2))).status
    assert pending is not None
    assert pending.actions[0].result == "Refused"
    world = a_world_at_rest(OLDEST, OLD)
    world.settle()
    world.act(ActionType.HOLD)
    world.settle()
    assert world.status.actions[0].result == "Stale"


# Promote.


def test_a_promotion_skips_time_missing_metrics_and_the_rest_of_a_ramp() -> None:
    """Each phase by a person, though Prometheus is down from the beginning."""
    world = a_canary(phases=[{"name": "ramp", "weight": 40, "rampSeconds": 400, "durationSeconds": 500}])
    world.metrics = "down"
    world.run(1000)
    assert (world.state, world.canary_weight) == (State.HELD, 4)
    world.act(ActionType.PROMOTE, phase="ramp")
    world.settle()
    assert world.status.attempt is not None
    assert world.status.attempt.hold is not None
    assert (world.status.attempt.hold.resumes, world.canary_weight) == (State.BAKING, 4)
    world.act(ActionType.PROMOTE, phase="bake")
    world.settle()
    assert (world.state, world.shares()[NEW]) == (State.HEALTHY, 100)


def test_a_promotion_overrides_a_gate_that_holds() -> None:
    """Not one that rolls back, whatever was promoted."""
    gates = [{"name": "errors", "template": "error-rate", "severity": "Medium"}]
    world = a_canary(gates=gates)
    world.agents[NEW] = BAD
    world.run_until(State.HELD)
    world.act(ActionType.PROMOTE, phase="first")
    world.settle()
    assert world.canary_weight == 30


def test_a_promotion_replaces_no_approval() -> None:
    """It skips the phase's time; two people still have to approve, and the promoter is none of them."""
    world = a_canary()
    world.act(ActionType.PROMOTE, by=MAX, phase="first")
    world.settle()
    world.act(ActionType.PROMOTE, by=MAX, phase="asked")
    world.settle()
    assert (world.state, world.canary_weight) == (State.AWAITING_APPROVAL, 30)
    for by in (MAX, ANA):
        world.act(ActionType.APPROVE, by=by, phase="asked")
    world.settle()
    assert (world.state, world.canary_weight) == (State.AWAITING_APPROVAL, 30)
    world.act(ActionType.APPROVE, by=LEE, phase="asked")
    world.settle()
    assert world.canary_weight == 60


def test_who_promoted_an_earlier_phase_approves_no_later_one() -> None:
    """The phase that was promoted is over; the person has decided about this attempt nevertheless."""
    world = a_canary()
    world.act(ActionType.PROMOTE, by=MAX, phase="first")
    world.run_until(State.AWAITING_APPROVAL)
    for by in (MAX, ANA):
        world.act(ActionType.APPROVE, by=by, phase="asked")
    world.run(600)
    assert (world.state, world.canary_weight) == (State.AWAITING_APPROVAL, 30)


def test_a_promotion_overrides_neither_a_hold_nor_a_pause() -> None:
    """It counts once they are over."""
    world = a_canary()
    world.act(ActionType.HOLD, by=ANA)
    world.act(ActionType.PROMOTE, by=MAX, phase="first")
    world.run(1000)
    assert world.canary_weight == 10
    world.act(ActionType.RESUME)
    world.settle()
    assert world.canary_weight == 30


def test_a_promotion_of_another_phase_is_refused() -> None:
    """By the name of the current one."""
    world = a_canary()
    world.act(ActionType.PROMOTE, phase="last")
    world.settle()
    (entry,) = world.status.actions
    assert (entry.result, entry.message) == ("Refused", "the attempt is in phase first, not in last")


@pytest.mark.parametrize("state", [State.INITIAL, State.BAKING])
def test_a_promotion_ends_the_bake(state: State) -> None:
    """Also that of a first release, whose bake has not begun."""
    world = a_world(a_rollout(), NEW)
    world.step()
    if state is State.BAKING:
        world.settle()
    assert world.state is state
    world.act(ActionType.PROMOTE, phase="bake")
    world.settle()
    assert world.state is State.HEALTHY


# Retry.


def test_a_retry_begins_at_the_first_phase_and_excludes_its_author() -> None:
    """Once; a breach puts it back into quarantine, and the same action does not take it out again."""
    world = a_canary()
    world.agents[NEW] = BAD
    world.run_until(State.ROLLED_BACK)
    world.settle()
    world.act(ActionType.RETRY, by=MAX, release=NEW)
    world.settle()
    assert (world.state, world.canary_weight, world.status.quarantined) == (State.CANARY, 10, ())
    world.act(ActionType.APPROVE, by=MAX, phase="asked")
    world.settle()
    assert world.status.actions[0].message.startswith(f"{MAX} had the release tried again")
    world.run_until(State.ROLLED_BACK)
    world.run(3600)
    assert world.ready_reason() == "Quarantined"
    assert world.status.attempt is not None
    assert world.status.attempt.number == 3


def test_a_retry_of_what_was_given_up_holds_for_one_attempt() -> None:
    """It is given up again for the same reason, and not begun once more by itself."""
    world = a_canary(rollback={"afterHoldSeconds": 300})
    world.metrics = "down"
    world.run_until(State.ROLLED_BACK)
    world.settle()
    assert world.ready_reason() == "TimedOut"
    world.act(ActionType.RETRY, release=NEW)
    world.settle()
    assert world.state is State.CANARY
    world.run_until(State.ROLLED_BACK)
    world.run(7200)
    assert (world.state, world.ready_reason()) == (State.ROLLED_BACK, "TimedOut")
    assert world.status.attempt is not None
    assert world.status.attempt.number == 3


@pytest.mark.parametrize("crash", range(6))
def test_a_retry_without_endpoints_is_pending(crash: int) -> None:
    """What it begins is asked for first, also where the process ends meanwhile."""
    world = a_canary()
    world.act(ActionType.ROLL_BACK, release=NEW)
    world.run_until(State.ROLLED_BACK)
    world.settle()
    world.has_endpoints = False
    world.act(ActionType.RETRY, release=NEW)
    world.step(crash)
    world.settle()
    assert (world.state, world.canary_weight, world.status.quarantined) == (State.PENDING, 0, ())


def test_a_retry_of_what_is_not_in_quarantine_is_refused() -> None:
    """With what is."""
    world = a_canary()
    world.act(ActionType.RETRY, release=NEXT)
    world.settle()
    assert world.status.actions[0].result == "Refused"
    assert world.status.actions[0].message == f"{NEXT} of attempt 2 is not in quarantine; nothing is"


# Acknowledge.


def test_an_acknowledged_hold_lasts_as_long_as_the_person_says() -> None:
    """Then it rolls back, and the sentence names the person; again and again, each time from then on."""
    world = a_canary(rollback={"afterHoldSeconds": 600})
    world.metrics = "down"
    world.run_until(State.HELD)
    world.act(ActionType.ACKNOWLEDGE, by=ANA, forSeconds=3600)
    world.run(3000)
    assert world.state is State.HELD
    world.act(ActionType.ACKNOWLEDGE, by=LEE, forSeconds=1800)
    world.run(1700)
    assert world.state is State.HELD
    world.run(200)
    assert world.canary_weight == 0
    back = world.status.last_rollback
    assert back is not None
    assert (back.trigger, back.reason) == (Trigger.TIMEOUT, Reason.TIMED_OUT)
    assert f"Held as long as {LEE} acknowledged" in back.message


def test_only_a_hold_that_ends_by_itself_can_be_acknowledged() -> None:
    """Neither a pause nor an attempt that goes on."""
    world = a_canary(rollback={"afterHoldSeconds": 600}, paused=False)
    world.act(ActionType.ACKNOWLEDGE)
    world.settle()
    world.edit(lambda builder: builder.planning(paused=True))
    world.settle()
    world.act(ActionType.ACKNOWLEDGE)
    world.settle()
    assert [entry.result for entry in world.status.actions] == ["Refused", "Refused"]


# What people write.


def texts() -> Iterator[tuple[str, str]]:
    """A name and a reason as long, or as odd, as the API server takes them."""
    yield "x" * 253, "y" * 1024
    yield 'a"b\n{{ }} <b>', "<script>\x1b[31m\n| a | b |\n```"
    yield "system:serviceaccount:support:bot", "ä" * 1024


@pytest.mark.parametrize(("by", "reason"), [*texts()], ids=["long", "odd", "bot"])
@pytest.mark.parametrize("kind", ActionType)
def test_no_name_and_no_reason_breaks_a_decision(kind: ActionType, by: str, reason: str) -> None:
    """Whatever is written there, the action is taken or refused, and the status has room for it."""
    builder = in_phase_asked(State.HELD if kind is ActionType.ACKNOWLEDGE else State.CANARY)
    requested = builder.requesting(kind, 2, requestedBy=by, reason=reason, name="odd", **SAMPLES[kind])
    status = decide(an_observation(requested)).status
    assert status is not None
    assert type(status).model_validate(status.to_json()) == status
    assert len(status.actions) == 1
