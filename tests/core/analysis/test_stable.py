"""What happens days after a release was found healthy: stories in virtual time."""

import pytest

from agentrollouts.api.attempt import State, Trigger
from agentrollouts.api.people.action import ActionType
from agentrollouts.api.reasons import Reason
from agentrollouts.api.status import Outcome
from agentrollouts.core.rollout.decide import decide
from testkit.builders.names import NEXT, OLD, OLDEST
from testkit.world import Behavior, World, a_world_at_rest

BAD = Behavior(failed=0.4)
WATCH = {"intervalSeconds": 60}


def at_rest(*releases: str, **spec: object) -> World:
    """The last of these serves, those before it did; stable is watched."""
    world = a_world_at_rest(*releases, **({"watch": WATCH} | spec))
    world.run(600)
    return world


def test_nothing_is_asked_at_rest_unless_somebody_wants_it() -> None:
    """A thousand idle rollouts ask nothing."""
    world = at_rest(OLDEST, OLD, watch=None)
    assert world.current_poll is None


def test_a_watched_release_that_is_well_writes_nothing() -> None:
    """It is asked about for hours, and the status stays as it was."""
    world = at_rest(OLDEST, OLD)
    assert world.current_poll is not None
    assert world.current_poll.plan.subject.releases == (OLD,)
    writes = world.status_writes
    world.run(3 * 3600)
    assert (world.status_writes - writes, world.ready_reason(), world.shares()) == (0, "Healthy", {OLD: 100})


def test_stable_beyond_its_critical_limit_is_taken_back() -> None:
    """For two minutes beyond 15%, for certain: the release before it serves, and this one is not retried."""
    world = at_rest(OLDEST, OLD)
    world.agents[OLD] = BAD
    world.run(900)

    assert world.shares()[OLDEST] == 100
    back = world.status.last_rollback
    assert back is not None
    assert (back.from_, back.to, back.trigger, back.reason) == (OLD, OLDEST, Trigger.BREACH, "GateFailed")
    assert "errors: " in back.message
    assert "limit of 15%" in back.message
    world.run(3600)
    assert world.status.history[0].outcome is Outcome.ROLLED_BACK
    assert world.ready_reason() == "Quarantined"


def test_an_incident_elsewhere_does_not_throw_away_one_release_after_the_other() -> None:
    """Where the release before it fails too, nothing goes further back, and people are told."""
    world = at_rest(OLDEST, OLD, NEXT)
    world.agents[NEXT] = world.agents[OLD] = world.agents[OLDEST] = BAD
    world.run(3 * 3600)

    assert world.shares() == {OLD: 100}
    assert world.status.quarantined == ()
    assert world.ready_reason() == "SharedCause"


@pytest.mark.parametrize(
    ("release", "more"),
    [
        (OLD, ""),
        ("absent-1.0.0", ". spec.releaseRef: no AgentRelease absent-1.0.0"),
    ],
)
def test_what_serves_is_told_of_before_what_is_asked_for(release: str, more: str) -> None:
    """Git may still name what was taken back, or nothing; that the release that serves fails comes first."""
    world = at_rest(OLDEST, OLD, NEXT)
    world.agents[NEXT] = world.agents[OLD] = BAD
    world.run(3600)
    world.ask_for(release)
    world.settle()

    (ready, *_) = world.status.conditions
    assert (ready.reason, world.shares()) == ("NoHealthyTarget", {OLD: 100})
    assert ready.message.startswith(f"{OLD}: errors: ")
    assert f"may not have helped; look for another cause, or ship a fix{more}" in ready.message


def test_stable_is_taken_back_while_git_names_what_is_in_quarantine() -> None:
    """A rollback that helped is no reason to keep what it led to when that fails another day."""
    world = at_rest(OLDEST, OLD)
    world.ship(NEXT, BAD)
    world.run_until(State.ROLLED_BACK)
    world.settle()
    assert (world.ready_reason(), world.shares()) == ("Quarantined", {OLD: 100})
    world.agents[OLD] = BAD
    world.run(3600)

    assert [entry.release for entry in world.status.quarantined] == [OLD, NEXT]
    assert (world.ready_reason(), world.shares()) == ("Quarantined", {OLDEST: 100})


def test_a_cap_holds_at_rest_too() -> None:
    """What is spent is spent, whatever the release was found to be."""
    caps = [{"name": "spend", "metric": "agent_run_cost_usd_sum", "max": "50", "perSeconds": 600}]
    world = at_rest(OLDEST, OLD, gates=[], caps=caps)
    world.agents[OLD] = Behavior(cost=1.0)
    world.run(900)

    back = world.status.last_rollback
    assert back is not None
    assert (back.trigger, world.shares()) == (Trigger.CAP, {OLDEST: 100})


def test_metrics_that_go_away_at_rest_do_no_harm() -> None:
    """A night without samples is told and nothing else; also where a missing metric would fail a canary."""
    world = at_rest(OLDEST, OLD, gates=[{"name": "errors", "template": "error-rate", "noData": "Fail"}])
    for metrics in ("down", "silent", "garbled", "up"):
        world.metrics = metrics
        world.run(1200)
        assert (world.shares(), world.ready_reason()) == ({OLD: 100}, "Healthy")


def test_a_fix_ships_while_stable_is_beyond_its_limit() -> None:
    """With nothing to go back to there is still a way forward."""
    world = at_rest(OLD)
    world.agents[OLD] = BAD
    world.run(900)
    assert world.ready_reason() == "NoHealthyTarget"
    world.ship(NEXT)
    world.settle()
    assert world.state is State.CANARY


def test_stable_is_taken_back_while_the_next_release_stands_in_line() -> None:
    """`paused` stops forward moves only; what waits begins once stable is back and the pause is over."""
    world = at_rest(OLDEST, OLD, paused=True)
    world.ship(NEXT)
    world.settle()
    assert (world.state, world.ready_reason()) == (State.PENDING, "Paused")
    writes = world.status_writes
    world.run(3600)
    assert world.status_writes == writes

    world.agents[OLD] = BAD
    world.run(900)
    assert world.shares()[OLDEST] == 100
    (started,) = world.told(Reason.ROLLBACK_STARTED)
    assert "limit of 15%" in started
    assert f"Rolling back to {OLDEST} first. " in world.told(Reason.SUPERSEDED)[0]
    world.run(3600)
    assert (world.state, world.ready_reason()) == (State.PENDING, "Paused")
    world.edit(lambda builder: builder.planning(paused=False))
    world.run_until(State.CANARY)


def test_a_person_takes_stable_back_while_the_next_release_stands_in_line() -> None:
    """The order names the attempt that waits, as that is the one in the status."""
    world = at_rest(OLDEST, OLD, paused=True, watch=None)
    world.ship(NEXT)
    world.settle()
    world.act(ActionType.ROLL_BACK, release=OLD)
    world.run(60)
    back = world.status.last_rollback
    assert back is not None
    assert (back.from_, back.to, back.trigger) == (OLD, OLDEST, Trigger.ACTION)
    assert (world.shares()[OLDEST], world.state) == (100, State.PENDING)


@pytest.mark.parametrize(
    ("release", "more"), [(NEXT, "spec.paused is true"), ("absent-1.0.0", "no AgentRelease")]
)
def test_while_a_release_waits_the_failure_of_stable_is_reported_first(release: str, more: str) -> None:
    """There is no release to roll back to, so the attempt keeps waiting, but the failure is reported."""
    world = at_rest(OLD, paused=True)
    world.ship(NEXT)
    world.settle()
    world.agents[OLD] = BAD
    world.run(900)
    world.ask_for(release)
    world.settle()

    (ready, *_) = world.status.conditions
    assert (world.state, ready.reason) == (State.PENDING, "NoHealthyTarget")
    assert ready.message.startswith(f"{OLD}: errors: ")
    assert more in ready.message


def test_what_is_asked_of_stable_is_there_to_be_pasted() -> None:
    """Who reads that stable fails can ask Prometheus the same."""
    world = at_rest(OLD)
    world.agents[OLD] = BAD
    world.run(900)
    assert world.ready_reason() == "NoHealthyTarget"
    query = world.status.query
    assert query is not None
    assert (query.gate, OLD in query.text) == ("errors", True)


def test_a_name_that_no_gate_answers_to_is_refused_by_its_field() -> None:
    """Nothing is watched in silence."""
    world = at_rest(OLDEST, OLD, watch={"gates": ["completion"]})
    world.ship(NEXT)
    world.settle()
    assert world.ready_reason() == Reason.INVALID_GATE
    assert "spec.watch.gates[0]" in world.status.conditions[0].message


def test_the_question_changes_once_an_hour_only() -> None:
    """So that its answers can be told from those to another question."""
    world = at_rest(OLDEST, OLD)
    plans = set()
    for _ in range(60):
        world.run(60)
        poll = decide(world.observe()).poll
        assert poll is not None
        plans.add(poll.plan.counting_start)
    assert len(plans) == 2
