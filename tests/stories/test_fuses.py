"""The fuse of a gate that only holds, in virtual time: when it rolls back, and what people are told."""

from datetime import datetime, timedelta
from typing import Any, Final

import pytest

from agentrollouts.api.attempt import Fuse, State, Trigger
from agentrollouts.api.objects import Condition
from agentrollouts.api.people.action import ActionType
from agentrollouts.api.reasons import Reason
from agentrollouts.core.conditions import find_condition
from testkit.builders.freezes import a_freeze
from testkit.builders.names import NEW, OLD, OLDEST
from testkit.builders.rollouts import a_rollout
from testkit.world import Behavior, World, a_world

HOUR: Final = 3600
ERRORS: Final = {
    "name": "errors",
    "template": "error-rate",
    "severity": "Medium",
    "rollBackAfterSeconds": HOUR,
}
COST: Final = {"name": "cost", "template": "cost-per-run", "action": "Hold", "rollBackAfterSeconds": HOUR}
BAD: Final = Behavior(failed=0.5)
PHASES: Final = [
    {"name": "first", "weight": 20, "durationSeconds": 600},
    {"name": "asked", "weight": 50, "durationSeconds": 600, "approval": "Required"},
]


def failing(*gates: dict[str, Any], canary: Behavior = BAD, **spec: object) -> World:
    """The gate `errors` has begun to fail, and holds."""
    plan = a_rollout(gates=[*(gates or (ERRORS,))], phases=PHASES, **spec).serving(OLD)
    world = a_world(plan, OLD, NEW)
    world.agents[NEW] = canary
    world.run_until(State.HELD)
    return world


def fuse_of(world: World) -> Fuse:
    """What burns."""
    attempt = world.status.attempt
    assert attempt is not None
    assert attempt.fuse is not None
    return attempt.fuse


def burns(world: World) -> bool:
    """Whether anything does."""
    return world.status.attempt is not None and world.status.attempt.fuse is not None


def back(world: World, within: float = 2 * HOUR) -> tuple[str, datetime]:
    """Why and when the canary is rolled back."""
    world.run_until(State.ROLLED_BACK, within=within)
    rollback = world.status.last_rollback
    assert rollback is not None
    assert rollback.trigger is Trigger.TIMEOUT
    return rollback.message, rollback.decided_time


def said(world: World, kind: str) -> Condition:
    """A condition of the rollout."""
    condition = find_condition(world.status.conditions, kind)
    assert condition is not None
    return condition


def test_a_burnt_fuse_rolls_back_and_quarantines() -> None:
    """An hour after the gate began to fail, since a failing gate proves harm."""
    world = failing()
    fuse = fuse_of(world)
    assert (fuse.gate, fuse.until - fuse.since) == ("errors", timedelta(hours=1))
    message, decided = back(world)
    assert decided == fuse.until
    assert message.startswith(
        f"errors has failed since {fuse.since:%H:%M:%S} UTC, and no one has acknowledged"
    )
    assert [(entry.release, entry.reason) for entry in world.status.quarantined] == [(NEW, "GateFailed")]
    assert not burns(world)


def test_people_see_when_it_rolls_back() -> None:
    """`Ready` names the time and the command, `Stalled` is True, and the hold has the same end."""
    world = failing()
    fuse, attempt = fuse_of(world), world.status.attempt
    assert attempt is not None
    assert attempt.hold is not None
    assert (attempt.hold.reason, attempt.hold.until) == ("GateFailed", fuse.until)
    sentence = f"; it is rolled back at {fuse.until:%Y-%m-%d %H:%M:%S} UTC unless someone acknowledges: "
    assert f"{sentence}agentrollouts acknowledge support-agent" in said(world, "Ready").message
    assert said(world, "Stalled").status == "True"


def test_a_warning_is_sent_at_half_time_and_five_minutes_before_the_end() -> None:
    """Each once, also if the operator restarts between any two decisions; nothing else is news."""
    world = failing()
    fuse = fuse_of(world)
    world.run(60)
    news = world.news
    for seconds, count in ((1600, 0), (200, 1), (1400, 1), (200, 2)):
        world.run(seconds)
        world.restart()
        world.settle()
        world.run(1)
        assert len(world.told(Reason.FUSE_BURNING)) == count
        assert world.news == news + count
    assert all(f"{fuse.until:%H:%M:%S} UTC" in told for told in world.told(Reason.FUSE_BURNING))
    warned = [event for event in world.events if event.reason is Reason.FUSE_BURNING]
    assert all(event.is_warning for event in warned)


def test_an_operator_that_was_away_warns_once() -> None:
    """Of two warnings that were due meanwhile, only the last is sent."""
    world = failing()
    world.operator_runs = False
    world.run(3400)
    world.operator_runs = True
    world.run(30)
    assert len(world.told(Reason.FUSE_BURNING)) == 1
    assert fuse_of(world).warned == 2


def test_an_acknowledged_gate_fails_as_long_as_the_person_says() -> None:
    """Again and again, each time from then on, and at its end the canary is rolled back."""
    world = failing()
    begun = fuse_of(world).since
    world.run(3000)
    world.act(ActionType.ACKNOWLEDGE, forSeconds=7200)
    world.settle()
    assert world.status.actions[0].message.startswith("errors may fail until")
    world.run(7000)
    world.act(ActionType.ACKNOWLEDGE, by="ana@example.com", forSeconds=600)
    world.settle()
    fuse, attempt = fuse_of(world), world.status.attempt
    assert attempt is not None
    assert attempt.acknowledged is not None
    assert (attempt.acknowledged.gates, fuse.until) == (("errors",), attempt.acknowledged.until)
    message, decided = back(world)
    assert (decided, decided > begun + timedelta(seconds=10_000)) == (fuse.until, True)
    assert "the time that ana@example.com acknowledged is over" in message


def test_a_gate_that_fails_later_has_its_own_fuse() -> None:
    """Who acknowledged the first did not know of it."""
    world = failing(ERRORS, COST)
    world.act(ActionType.ACKNOWLEDGE, forSeconds=86_400)
    world.run(900)
    world.agents[NEW] = Behavior(failed=0.5, cost=5.0)
    world.run(1200)
    fuse = fuse_of(world)
    assert (fuse.gate, fuse.until - fuse.since) == ("cost", timedelta(hours=1))
    _, decided = back(world)
    assert decided == fuse.until


def test_the_first_limit_counts() -> None:
    """The smaller of the fuse and `afterHoldSeconds`; only a burnt fuse quarantines."""
    world = failing(rollback={"afterHoldSeconds": 900})
    attempt = world.status.attempt
    assert attempt is not None
    assert attempt.hold is not None
    assert attempt.hold.until == attempt.hold.since + timedelta(seconds=900)
    message, decided = back(world)
    assert (decided, message.startswith("Held for 900 s")) == (attempt.hold.until, True)
    assert world.status.quarantined == ()


def test_afterholdseconds_counts_anew_for_a_gate_that_nobody_acknowledged() -> None:
    """Without a fuse of its own as well."""
    gates = [{key: gate[key] for key in gate if key != "rollBackAfterSeconds"} for gate in (ERRORS, COST)]
    world = failing(*gates, rollback={"afterHoldSeconds": 1800})
    world.act(ActionType.ACKNOWLEDGE, forSeconds=86_400)
    world.run(900)
    world.agents[NEW] = Behavior(failed=0.5, cost=5.0)
    world.run(1200)
    later = next(gate for gate in world.status.gates if gate.name == "cost").holding_start_time
    assert later is not None
    _, decided = back(world)
    assert decided == later + timedelta(seconds=1800)


@pytest.mark.parametrize("how", ["hold", "paused", "freeze", "approval"])
def test_only_an_acknowledgment_stops_it(how: str) -> None:
    """Neither a person's hold nor a pause, a freeze or a promotion that waits for an approval."""
    calm, world = failing(), failing()
    for each in (calm, world):
        each.run(600)
    match how:
        case "hold":
            world.act(ActionType.HOLD)
        case "paused":
            world.edit(lambda builder: builder.planning(paused=True))
        case "freeze":
            world.freezes = (a_freeze(),)
        case _:
            asked = [PHASES[0] | {"approval": "Required"}, PHASES[1]]
            world.edit(lambda builder: builder.planning(phases=asked))
            world.run_until(State.HELD)
            calm.run(1)
            world.act(ActionType.PROMOTE, phase="first")
    world.run(300)
    fuse = fuse_of(world)
    assert back(world)[1] == fuse.until
    if how != "approval":  # which restarts the counts
        assert back(calm)[1] == fuse.until


def test_it_can_be_acknowledged_while_a_person_holds() -> None:
    """And the end of the hold does not end what was acknowledged."""
    world = failing()
    world.act(ActionType.HOLD)
    world.run(600)
    world.act(ActionType.ACKNOWLEDGE, forSeconds=4 * HOUR)
    world.run(2 * HOUR)
    world.act(ActionType.RESUME)
    world.run(600)
    assert world.state is State.HELD
    fuse = fuse_of(world)
    assert back(world, within=4 * HOUR)[1] == fuse.until


@pytest.mark.parametrize("metrics", ["down", "away", "silent"])
def test_it_burns_without_metrics(metrics: Any) -> None:  # noqa: ANN401 a literal of the world
    """A gate of which nothing is known anymore has not recovered."""
    world = failing()
    fuse = fuse_of(world)
    world.run(600)
    world.metrics = metrics
    assert back(world)[1] == fuse.until
    assert world.status.quarantined[0].reason == "GateFailed"


def test_a_gate_that_recovers_has_no_fuse() -> None:
    """And begins anew if it fails again, whoever acknowledged it before."""
    world = failing(ERRORS | {"type": "Limit", "template": None, **LIMIT})
    first = fuse_of(world)
    world.act(ActionType.ACKNOWLEDGE, forSeconds=86_400)
    world.run(600)
    world.agents[NEW] = Behavior(failed=0.0)
    world.run(1500)
    assert not burns(world)
    world.agents[NEW] = BAD
    world.run(900)
    fuse = fuse_of(world)
    assert fuse.since > first.since
    assert fuse.until == fuse.since + timedelta(hours=1)


LIMIT: Final = {
    "source": {"bad": 'agent_runs_total{outcome="failed"}', "total": "agent_runs_total"},
    "limit": {"value": "0.1", "forSeconds": 60, "severity": "Medium"},
}


def test_a_promotion_answers_what_failed() -> None:
    """In the next phase, the gate that fails again has all of its time."""
    phases = [PHASES[0], PHASES[1] | {"approval": "NotRequired"}]
    world = failing()
    world.edit(lambda builder: builder.planning(phases=phases))
    world.run_until(State.HELD)
    world.run(3000)
    world.act(ActionType.PROMOTE, phase="first")
    world.run_until(State.CANARY)
    world.run_until(State.HELD)
    fuse = fuse_of(world)
    assert (fuse.since > world.now - timedelta(seconds=900), fuse.until - fuse.since) == (
        True,
        timedelta(hours=1),
    )


def test_a_clock_that_is_set_back_adds_nothing() -> None:
    """A fuse from the future begins now, and an acknowledgment lasts as long as it says."""
    for acknowledged in (False, True):
        world = failing()
        world.run(60)
        if acknowledged:
            world.act(ActionType.ACKNOWLEDGE, forSeconds=HOUR)
            world.run(60)
        world.skew = timedelta(days=-1)
        true = world.now
        world.run(60)
        world.run_until(State.ROLLED_BACK, within=2 * HOUR)
        assert world.now - true < timedelta(seconds=HOUR + 400)


def test_a_return_and_a_first_release_have_none() -> None:
    """There is nothing to roll back to, or it was rolled back itself."""
    gate = {**ERRORS, "template": None, "type": "Limit", **LIMIT}
    first = a_world(a_rollout(gates=[gate], bake={"durationSeconds": 7200}), NEW)
    first.agents[NEW] = BAD
    first.run_until(State.HELD)
    returning = a_world(
        a_rollout(gates=[gate], bake={"durationSeconds": 7200}).serving(OLDEST).serving(OLD), OLDEST, OLD
    )
    returning.settle()
    returning.agents[OLDEST] = BAD
    returning.ask_for(OLDEST)
    returning.run_until(State.HELD)
    for world in (first, returning):
        world.run(3 * HOUR)
        assert (world.state, burns(world)) == (State.HELD, False)


def test_a_shorter_fuse_counts_from_when_the_gate_began_to_fail() -> None:
    """An edit of it restarts neither the phase nor the counts."""
    world = failing()
    fuse, counted = fuse_of(world), world.status.gates[0].canary.total
    world.run(600)
    world.edit(lambda builder: builder.planning(gates=[ERRORS | {"rollBackAfterSeconds": 1200}]))
    world.settle()
    assert world.status.gates[0].canary.total >= counted
    assert back(world)[1] == fuse.since + timedelta(seconds=1200)


def test_a_crash_between_the_route_and_the_status_loses_no_proof() -> None:
    """The next process knows from the status why the route was marked, and quarantines all the same."""
    world = failing()
    fuse = fuse_of(world)
    world.run((fuse.until - world.now).total_seconds() - 1)
    world.now = fuse.until + timedelta(seconds=1)
    world.step(1)
    world.settle()
    world.run_until(State.ROLLED_BACK)
    assert [entry.reason for entry in world.status.quarantined] == ["GateFailed"]
