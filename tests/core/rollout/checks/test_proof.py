"""Quarantine is for what was proved or requested: rollbacks without proof, in virtual time."""

import pytest

from agentrollouts.api.attempt import State, Trigger
from agentrollouts.api.people.action import ActionType
from agentrollouts.api.reasons import Reason
from agentrollouts.api.rollback import VerifyOutcome
from agentrollouts.core.rollout.decide import decide
from testkit.builders.names import NEW, NEXT, OLD, OLDEST
from testkit.builders.rollouts import a_rollout
from testkit.world import Behavior, World, a_world, a_world_at_rest

BAD = Behavior(failed=0.4)
WATCH = {"intervalSeconds": 60}


def at_rest(*releases: str, **spec: object) -> World:
    """The last of these serves, those before it did; stable is watched."""
    world = a_world_at_rest(*releases, **({"watch": WATCH} | spec))
    world.run(600)
    return world


def timed_out(**spec: object) -> World:
    """`NEW` was held while Prometheus was down, for as long as the plan allows, and rolled back."""
    world = a_world(a_rollout(**({"rollback": {"afterHoldSeconds": 900}} | spec)).serving(OLD), OLD)
    world.ship(NEW)
    world.run(60)
    world.metrics = "down"
    world.run_until(State.ROLLED_BACK)
    world.settle()
    return world


def test_waiting_blindly_ends_without_quarantine_and_without_a_loop() -> None:
    """It is rolled back once, the sentence says why it is not in quarantine, and then nothing is written."""
    world = timed_out()
    back = world.status.last_rollback
    assert back is not None
    assert (back.trigger, back.reason, world.status.quarantined) == (Trigger.TIMEOUT, "TimedOut", ())
    assert "not quarantined, since nothing was proved against the release" in back.message
    world.metrics = "up"
    writes, weights = world.status_writes, list(world.route_weights)
    for _ in range(5):
        world.run(3600)
        world.restart()
    assert (world.status_writes, world.route_weights, world.shares()[OLD]) == (writes, weights, 100)
    assert decide(world.observe()).wake_at is None
    ready, _, stalled, *_ = world.status.conditions
    assert (ready.reason, stalled.status) == ("TimedOut", "True")
    assert f"--attempt=2 --release={NEW} --reason=..." in ready.message


@pytest.mark.parametrize("how", ["retry", "plan", "another"])
def test_what_was_given_up_is_tried_again_where_somebody_wants_it(how: str) -> None:
    """By an action, under another plan, or after another release; each time from the first phase."""
    world = timed_out()
    world.metrics = "up"
    match how:
        case "retry":
            world.act(ActionType.RETRY, release=NEW)
        case "plan":
            world.edit(lambda builder: builder.planning(bake={"durationSeconds": 60}))
        case _:
            world.ship(NEXT)
            world.run(60)
            world.ask_for(NEW)
    world.run(10)
    assert (world.state, world.shares()) == (State.CANARY, {OLD: 95, NEW: 5})
    world.run_until(State.HEALTHY)


def test_an_undecided_phase_that_rolls_back_is_not_proof_either() -> None:
    """`onTimeout: RollBack` with too few runs: the sentence says that it is not in quarantine."""
    gates = [{"name": "errors", "template": "error-rate", "minSamples": 100_000}]
    world = a_world(a_rollout(gates=gates, analysis={"onTimeout": "RollBack"}).serving(OLD), OLD)
    world.ship(NEW)
    world.run_until(State.ROLLED_BACK)
    world.run(3600)
    back = world.status.last_rollback
    assert back is not None
    assert (world.status.quarantined, world.ready_reason(), back.trigger) == ((), "TimedOut", "Timeout")
    assert "not quarantined" in back.message


def test_an_outage_that_hits_everyone_condemns_nobody() -> None:
    """Rolled back, found to be the same there, cleared, and back once it is over: never in quarantine."""
    world = at_rest(OLDEST, OLD, NEXT)
    good = dict(world.agents)
    world.agents.update(dict.fromkeys((OLDEST, OLD, NEXT), BAD))
    world.run(3600)

    assert (world.shares()[OLD], world.status.quarantined) == (100, ())
    assert world.ready_reason() == "SharedCause"
    assert world.status.last_rollback is not None
    assert world.status.last_rollback.outcome is VerifyOutcome.NOT_RECOVERED
    assert "exceeds the limits as well" in world.status.last_rollback.verification
    writes = world.status_writes
    world.run(3600)
    assert world.status_writes == writes
    world.agents.update(good)
    world.run(3600)
    assert world.status.stable is not None
    assert (world.status.stable.release, world.ready_reason()) == (NEXT, "Healthy")
    assert world.status.quarantined == ()
    assert len(world.told(Reason.ROLLBACK_STARTED)) == 1


def test_a_release_that_is_the_cause_is_in_quarantine_once_that_is_known() -> None:
    """What serves instead keeps the limit for a whole window: before that it waits, after that it is out."""
    world = at_rest(OLDEST, OLD)
    world.agents[OLD] = BAD
    world.run_until(State.ROLLED_BACK)
    world.settle()
    assert (world.status.quarantined, world.ready_reason()) == ((), "Unproved")
    world.run(1200)
    assert [entry.release for entry in world.status.quarantined] == [OLD]
    assert world.ready_reason() == "Quarantined"
    assert world.status.last_rollback is not None
    assert world.status.last_rollback.outcome is VerifyOutcome.RECOVERED
    assert f"{OLDEST} stays within the limits that {OLD} exceeded" in world.status.last_rollback.verification
    world.run(3600)
    assert world.shares()[OLDEST] == 100


@pytest.mark.parametrize("metrics", ["down", "silent"])
def test_what_is_not_known_proves_nothing(metrics: str) -> None:
    """Prometheus is away after the rollback: not in quarantine, and not tried again either."""
    world = at_rest(OLDEST, OLD)
    world.agents[OLD] = BAD
    world.run_until(State.ROLLED_BACK)
    world.metrics = metrics  # type: ignore[assignment] # one of its words
    world.run(2 * 3600)
    assert (world.status.quarantined, world.ready_reason(), world.shares()[OLDEST]) == ((), "Unproved", 100)


@pytest.mark.parametrize("shared", [False, True])
def test_a_cap_at_rest_is_proved_in_the_same_way(*, shared: bool) -> None:
    """A provider that doubles its price makes every release exceed it."""
    caps = [{"name": "spend", "metric": "agent_run_cost_usd_sum", "max": "500", "perSeconds": 600}]
    world = at_rest(OLDEST, OLD, gates=[], caps=caps)
    world.agents[OLD] = Behavior(cost=1.0)
    if shared:
        world.agents[OLDEST] = Behavior(cost=1.0)
    world.run(3600)
    assert world.shares()[OLDEST] == 100
    assert [entry.release for entry in world.status.quarantined] == ([] if shared else [OLD])
    assert world.ready_reason() == ("SharedCause" if shared else "Quarantined")


def test_a_person_who_rolls_back_needs_no_proof() -> None:
    """An order is enough for quarantine, at rest as well."""
    world = at_rest(OLDEST, OLD)
    world.act(ActionType.ROLL_BACK, release=OLD)
    world.settle()
    assert [entry.release for entry in world.status.quarantined] == [OLD]


def test_a_fix_ships_while_a_shared_cause_lasts() -> None:
    """It does not wait for the provider."""
    world = at_rest(OLDEST, OLD)
    world.agents[OLD] = world.agents[OLDEST] = BAD
    world.run(3600)
    assert world.ready_reason() == "SharedCause"
    world.ship(NEXT)
    world.settle()
    assert world.state is State.CANARY
