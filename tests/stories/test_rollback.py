"""Going back because a person says so, because waiting is given up, or days later: in virtual time."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.api.attempt import State, Trigger
from agentrollouts.api.objects import ConditionStatus
from agentrollouts.api.people.action import ActionType
from agentrollouts.api.reasons import Reason
from agentrollouts.api.status import Outcome
from agentrollouts.core.conditions import find_condition
from agentrollouts.core.rollout.decide import decide
from agentrollouts.core.traffic.manifests import key_of
from testkit.builders.names import NEW, NEXT, OLD, OLDEST, START, service_of
from testkit.builders.observations import an_observation
from testkit.builders.rollouts import RolloutBuilder, a_rollout
from testkit.builders.routes import BY_PATCH, BY_ROUTE, ROUTE, THEIRS, a_backend, their_route
from testkit.world import Behavior, World, a_world, a_world_at_rest

BAD = Behavior(failed=0.3)


def an_attempt(**spec: object) -> World:
    """`OLD` serves, `NEW` has just begun with 5%."""
    world = a_world(a_rollout(**spec).serving(OLD), OLD)
    world.ship(NEW)
    world.settle()
    return world


def at_rest(*releases: str, **spec: object) -> World:
    """The last of these serves, those before it did; the attempt that brought it there is over."""
    world = a_world_at_rest(*releases, **spec)
    world.settle()
    return world


def order(world: World, kind: ActionType, release: str) -> None:
    """A person requests something about the attempt that the rollout shows."""
    world.act(kind, release=release)
    world.settle()


def test_a_person_takes_the_canary_back_and_may_try_it_again() -> None:
    """By one action each way; each of them acts once."""
    world = an_attempt()
    world.run(100)
    order(world, ActionType.ROLL_BACK, NEW)
    world.run(2000)
    rollback = world.status.last_rollback
    assert rollback is not None
    assert (world.state, rollback.trigger, rollback.reason) == (
        State.ROLLED_BACK,
        Trigger.ACTION,
        "RollbackRequested",
    )
    assert (world.ready_reason(), world.shares()[OLD]) == ("Quarantined", 100)

    order(world, ActionType.RETRY, NEW)
    assert (world.state, world.shares(), world.status.quarantined) == (State.CANARY, {OLD: 95, NEW: 5}, ())
    world.run_until(State.HEALTHY)


def test_a_stable_release_that_turns_out_bad_is_taken_back() -> None:
    """An attempt of its own: the release before it gets everything, and Git's word does not bring it back."""
    world = at_rest(OLDEST, OLD)
    assert world.ready_reason() == "Healthy"
    order(world, ActionType.ROLL_BACK, OLD)
    world.run(2000)

    assert world.shares() == {OLDEST: 100}
    assert world.status.stable is not None
    assert world.status.stable.release == OLDEST
    assert [(entry.number, entry.release, entry.outcome) for entry in world.status.history] == [
        (3, OLD, Outcome.ROLLED_BACK),
        (2, OLD, Outcome.HEALTHY),
        (1, OLDEST, Outcome.HEALTHY),
    ]
    assert (world.state, world.ready_reason()) == (State.ROLLED_BACK, "Quarantined")
    window = world.status.affected_window
    assert window is not None
    assert (window.release, window.start_time < START) == (OLD, True)
    assert [change.canary for change in window.weights] == [100, 0]
    assert (window.weights[0].time, window.is_final) == (window.start_time, True)

    order(world, ActionType.RETRY, OLD)
    assert (world.state, world.shares()) == (State.CANARY, {OLDEST: 95, OLD: 5})


@pytest.mark.parametrize("effects", range(5))
def test_going_back_at_rest_survives_the_end_of_the_process(effects: int) -> None:
    """Killed after any write, and with the action deleted: what the route says was taken back stays so."""
    world = at_rest(OLDEST, OLD)
    world.act(ActionType.ROLL_BACK, release=OLD)
    world.step(effects)
    begun = world.shares().get(OLDEST) == 100
    world.actions.clear()
    world.run(2000)

    assert world.shares() == ({OLDEST: 100} if begun else {OLD: 100})
    assert world.ready_reason() == ("Quarantined" if begun else "Healthy")


@pytest.mark.parametrize(
    ("lost", "banned", "most", "target"),
    [
        ((), (), 3, NEW),
        ((NEW,), (), 3, OLD),
        ((), (NEW,), 3, OLD),
        ((NEW,), (OLD,), 3, OLDEST),
        ((NEW,), (OLD,), 2, None),
        ((NEW, OLD, OLDEST), (), 3, None),
    ],
)
def test_the_way_back_is_the_newest_healthy_release_that_can_be_served(
    lost: tuple[str, ...], banned: tuple[str, ...], most: int, target: str | None
) -> None:
    """Without its snapshot, or in quarantine, it cannot; and `maxWalkBack` is as far as it goes."""
    world = at_rest(OLDEST, OLD, NEW, NEXT, rollback={"maxWalkBack": most})
    world.edit(lambda builder: builder.quarantining(*banned))
    world.snapshots = {
        name: metadata for name, metadata in world.snapshots.items() if name not in _snapshots(world, lost)
    }
    order(world, ActionType.ROLL_BACK, NEXT)
    world.run(2000)

    assert world.shares() == {target or NEXT: 100}
    assert world.ready_reason() == ("Quarantined" if target else "Healthy")
    assert answers(world) == ["Done" if target else "Refused"]


def test_an_order_that_cannot_be_carried_out_is_refused_whatever_is_asked_for() -> None:
    """Also while Git names a release that was taken back."""
    world = at_rest(OLD)
    world.ship(NEXT, BAD)
    world.run_until(State.ROLLED_BACK)
    order(world, ActionType.ROLL_BACK, OLD)

    (entry,) = world.status.actions
    assert (entry.result, world.ready_reason()) == ("Refused", "Quarantined")
    assert entry.message.startswith(f"{OLD} cannot be rolled back: ")
    assert entry.message.endswith("; ship a fix")


def answers(world: World) -> list[str]:
    """What the ledger says of each action, the newest first."""
    return [entry.result for entry in world.status.actions]


def _snapshots(world: World, releases: tuple[str, ...]) -> set[str]:
    return {entry.snapshot for entry in world.status.history if entry.release in releases}


def test_what_was_taken_back_is_no_way_back_until_it_is_healthy_again() -> None:
    """A person let it out of quarantine to try it again, and another release came before that was over."""
    world = at_rest(OLDEST, OLD)
    order(world, ActionType.ROLL_BACK, OLD)
    world.run(2000)
    order(world, ActionType.RETRY, OLD)
    world.ship(NEXT)
    world.run_until(State.HEALTHY)
    assert (world.shares(), world.status.quarantined) == ({NEXT: 100}, ())
    order(world, ActionType.ROLL_BACK, NEXT)

    assert world.shares() == {OLDEST: 100}


def test_a_fix_ships_though_there_is_no_way_back() -> None:
    """An order that cannot be carried out keeps nothing else from happening."""
    world = at_rest(OLD)
    order(world, ActionType.ROLL_BACK, OLD)
    assert (world.ready_reason(), answers(world)) == ("Healthy", ["Refused"])
    world.ship(NEXT)
    world.run_until(State.HEALTHY)
    assert world.shares() == {NEXT: 100}


@given(st.integers(1, 9), st.sampled_from([OLDEST, OLD, NEW]))
def test_only_an_order_about_this_attempt_and_release_is_obeyed(attempt: int, release: str) -> None:
    """Any other is answered, and has no effect."""
    requested = (
        a_rollout().serving(OLD).trying(NEW).requesting(ActionType.ROLL_BACK, attempt, release=release)
    )
    status = decide(an_observation(requested)).status
    assert status is not None
    assert status.attempt is not None

    is_rolled_back = status.attempt.state is State.ROLLING_BACK
    assert is_rolled_back == ((attempt, release) == (2, NEW))
    assert (status.actions[0].result == "RollingBack") == is_rolled_back


HELD = (
    ({"gates": [{"name": "errors", "template": "error-rate", "severity": "Medium"}]}, Reason.GATE_FAILED),
    ({"gates": [{"name": "oops", "template": "there-is-none"}]}, Reason.INVALID_GATE),
)


@pytest.mark.parametrize(("spec", "reason"), HELD)
def test_a_hold_says_what_releases_it_and_when_it_is_given_up(
    spec: dict[str, object], reason: Reason
) -> None:
    """`afterHoldSeconds` after it began the release is taken back; without it a person decides."""
    world = a_world(a_rollout().serving(OLD), OLD)
    world.ship(NEW, BAD)
    world.settle()
    world.edit(lambda builder: builder.planning(**spec, rollback={"afterHoldSeconds": 900}))
    world.run_until(State.HELD)
    attempt = world.status.attempt
    assert attempt is not None
    assert attempt.hold is not None
    assert (attempt.hold.reason, attempt.hold.until) == (reason, attempt.hold.since + timedelta(seconds=900))
    world.run(890)
    assert world.state is State.HELD
    world.run(60)
    world.run_until(State.ROLLED_BACK, within=300)
    assert world.shares()[OLD] == 100
    assert world.status.last_rollback is not None
    assert world.status.last_rollback.trigger is Trigger.TIMEOUT


def test_a_person_who_pauses_may_take_all_the_time() -> None:
    """No pause is given up."""
    world = an_attempt(rollback={"afterHoldSeconds": 60})
    world.edit(lambda builder: builder.planning(paused=True))
    world.run(5000)
    assert world.state is State.HELD


def test_an_approval_of_another_phase_is_refused_by_name() -> None:
    """The answer names those that need one."""
    phases = [{"name": "asked", "weight": 20, "durationSeconds": 300, "approval": "Required"}]
    world = an_attempt(phases=phases)
    world.run_until(State.AWAITING_APPROVAL)
    world.act(ActionType.APPROVE, phase="other")
    world.run(60)
    assert [world.state] == [State.AWAITING_APPROVAL]
    assert world.status.actions[0].message == "phase other needs no approval; phases that do: asked"
    world.act(ActionType.APPROVE, phase="asked")
    world.settle()
    assert [world.state] == [State.BAKING]


def test_a_rollback_over_its_budget_is_told_once_and_goes_on() -> None:
    """The condition names the cause for as long as it lasts."""
    world = an_attempt(rollback={"budgetSeconds": 60})
    world.run(100)
    world.has_gateway_api = False
    order(world, ActionType.ROLL_BACK, NEW)
    world.run(50)
    assert _applied(world)[0] is ConditionStatus.FALSE
    assert _applied(world)[1] != "RollbackLate"
    world.run(100)
    assert _applied(world) == (ConditionStatus.FALSE, "RollbackLate")
    assert len(world.told(Reason.ROLLBACK_LATE)) == 1
    world.has_gateway_api = True
    world.run(2000)
    assert world.state is State.ROLLED_BACK
    assert key_of(world.traffic[ROUTE]) == ROUTE


def _applied(world: World) -> tuple[ConditionStatus, str]:
    condition = find_condition(world.status.conditions, "TrafficApplied")
    assert condition is not None
    return condition.status, condition.reason


def test_a_release_without_its_snapshot_is_not_switched_to() -> None:
    """Its agents could not read their bundle; it begins by itself once the ConfigMap is there."""
    builder: RolloutBuilder = a_rollout(traffic=BY_ROUTE).remembering(OLDEST).serving(OLD)
    world = a_world(builder.asking_for(OLDEST), OLD, OLDEST)
    kept, world.snapshots = world.snapshots, {}
    world.settle()
    assert (world.ready_reason(), world.shares()) == ("SnapshotMissing", {OLD: 100})
    world.snapshots = kept
    world.settle()
    assert world.shares()[OLDEST] == 100


def test_the_affected_window_begins_with_the_first_share_of_the_traffic() -> None:
    """An attempt that stood in line did no harm meanwhile."""
    world = a_world(a_rollout().serving(OLD), OLD)
    world.has_endpoints = False
    world.ship(NEW, BAD)
    world.run(500)
    began = world.now
    world.has_endpoints = True
    world.run_until(State.ROLLED_BACK)

    window = world.status.affected_window
    assert window is not None
    assert window.start_time >= began


@pytest.mark.parametrize(
    "obstacle",
    [
        {"paused": True},
        {"gates": [{"name": "oops", "template": "there-is-none"}]},
        {"gates": [], "caps": [{"name": "oops", "metric": "{", "max": "1"}]},
        {"watch": {"gates": ["there-is-none"]}, "paused": True},
    ],
    ids=["paused", "invalid gate", "invalid cap", "both"],
)
@pytest.mark.parametrize("waits", [False, True])
def test_git_goes_back_at_rest_whatever_stops_the_way_forward(
    obstacle: dict[str, object], *, waits: bool
) -> None:
    """At once all traffic is with the earlier release, also while a third one waits for its beginning."""
    world = at_rest(OLDEST, OLD)
    world.releases.clear()
    world.edit(lambda builder: builder.planning(**obstacle))
    if waits:
        world.ship(NEXT)
        world.settle()
        assert world.state is State.PENDING
    world.ask_for(OLDEST)
    world.settle()

    assert world.shares() == {OLD: 0, OLDEST: 100}
    world.run(7200)
    assert world.shares()[OLDEST] == 100


def test_no_waiting_undoes_a_return_to_an_earlier_release() -> None:
    """Neither `afterHoldSeconds` nor `onTimeout` serves again what Git took away."""
    world = at_rest(OLDEST, OLD, rollback={"afterHoldSeconds": 60}, analysis={"onTimeout": "RollBack"})
    world.metrics = "down"
    world.ask_for(OLDEST)
    world.run(3 * 3600)

    assert (world.state, world.shares()[OLDEST]) == (State.HELD, 100)
    world.metrics = "up"
    world.run_until(State.HEALTHY)


def test_a_stranger_in_the_rule_does_not_stop_a_return() -> None:
    """A backend of nobody we know has a share of somebody else's rule: our part still goes back."""
    world = at_rest(OLDEST, OLD, traffic=BY_PATCH)
    backends = [
        a_backend(service_of(OLDEST)),
        a_backend(service_of(OLD), 100),
        a_backend("canary-of-shop", 5),
    ]
    world.put(their_route(*backends))
    world.ask_for(OLDEST)
    world.settle()

    refs = world.traffic[THEIRS]["spec"]["rules"][1]["backendRefs"]
    assert [ref["weight"] for ref in refs] == [100, 0, 5]
