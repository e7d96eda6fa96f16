"""After a rollback: whole rollouts in virtual time, until it is known whether it helped."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from agentrollouts.api.attempt import State
from agentrollouts.api.reasons import Reason
from agentrollouts.api.rollback import LastRollback, VerifyOutcome
from agentrollouts.api.status import Outcome
from agentrollouts.api.verdict import Baseline
from agentrollouts.core.metrics.poll import Poll
from agentrollouts.core.metrics.promql import render
from agentrollouts.core.metrics.queries import COUNTED, WATCHED, Term
from agentrollouts.core.rollout.decide import decide
from agentrollouts.core.traffic.manifests import key_of
from testkit.builders.names import NEW, NEXT, OLD, START
from testkit.builders.rollouts import a_rollout
from testkit.builders.routes import CONFIG, ROUTE
from testkit.properties import usually
from testkit.world import Behavior, World, a_world

BAD = Behavior(failed=0.3)
SOON = {"verify": {"withinSeconds": 60, "watchSeconds": 600}}


def a_rollback(**spec: object) -> World:
    """`NEW` failed beside `OLD`, and the route is written back."""
    world = a_world(a_rollout(**{"rollback": SOON, **spec}).serving(OLD), OLD)
    world.ship(NEW, BAD)
    world.run_until(State.VERIFYING)
    return world


def rollback_of(world: World) -> LastRollback:
    """What the status remembers of it."""
    assert world.status.last_rollback is not None
    return world.status.last_rollback


def seconds(world: World, later: str, earlier: str) -> float:
    """Between two times of the rollback."""
    times = [getattr(rollback_of(world), name) for name in (later, earlier)]
    return float((times[0] - times[1]).total_seconds())


def test_stable_that_is_as_before_has_recovered() -> None:
    """By its own numbers since the rollback and before the attempt; said in status, condition and Event."""
    world = a_rollback()
    world.run_until(State.ROLLED_BACK, within=100)
    rollback = rollback_of(world)

    assert rollback.outcome is VerifyOutcome.RECOVERED
    assert rollback.verified_time is not None
    assert rollback.verification.startswith(
        f"{OLD} is as it was before the attempt. errors: rate 2.0% vs 2.0% before the attempt, in "
    )
    assert "runs since the rollback = 1x, limit 1.1x; evidence" in rollback.verification
    assert world.told(Reason.RECOVERED) == [rollback.verification]
    assert world.current_poll is None


@pytest.mark.parametrize("gate", ["task-completion", "latency", "cost-per-run"])
def test_every_comparison_can_tell(gate: str) -> None:
    """Good rates, buckets and sums, by the same test."""
    world = a_rollback(gates=[{"name": "errors", "template": "error-rate"}, {"name": "g", "template": gate}])
    world.run_until(State.ROLLED_BACK, within=100)

    assert rollback_of(world).outcome is VerifyOutcome.RECOVERED
    assert "; g: " in rollback_of(world).verification


@pytest.mark.parametrize("behavior", [Behavior(failed=0.2), Behavior(seconds=25.0), Behavior(cost=0.5)])
def test_stable_that_is_still_worse_has_not_recovered(behavior: Behavior) -> None:
    """Not before the time that it has; then it is said where to look, and nothing further is taken back."""
    names = {"errors": "error-rate", "latency": "latency", "cost": "cost-per-run"}
    gates = [{"name": name, "template": template} for name, template in names.items()]
    world = a_rollback(gates=gates, rollback={"verify": {"withinSeconds": 200, "watchSeconds": 600}})
    world.agents[OLD] = behavior
    world.run(190)
    assert world.state is State.VERIFYING
    world.run(45)

    assert (world.state, rollback_of(world).outcome) == (State.ROLLED_BACK, VerifyOutcome.NOT_RECOVERED)
    (message,) = world.told(Reason.NOT_RECOVERED)
    assert message.startswith(
        f"{OLD} is still worse than before the attempt, so the cause is elsewhere: in a dependency, in "
        "data that the release wrote, or at the provider; no further rollback. "
    )
    assert [event.is_warning for event in world.events if event.reason is Reason.NOT_RECOVERED] == [True]
    world.run(1000)
    assert (world.shares()[OLD], [entry.release for entry in world.status.quarantined]) == (100, [NEW])


def test_runs_that_take_minutes_do_not_seem_worse_after_a_rollback() -> None:
    """Half of the traffic is back at stable: its failures show at once, the successes of that half later."""
    half = [{"name": "half", "weight": 50, "durationSeconds": 300}]
    world = a_world(a_rollout(rollback=SOON, phases=half).serving(OLD), OLD)
    world.agents[OLD], per_second = Behavior(failed=0.2), world.runs_per_second
    world.ask_for(OLD)
    world.run(900)
    world.ship(NEW, Behavior(failed=0.6))
    world.run_until(State.VERIFYING)

    world.agents[OLD], world.runs_per_second = Behavior(failed=0.2 / 0.6), per_second * 0.6
    world.run(200)
    assert (world.state, rollback_of(world).outcome) == (State.VERIFYING, None)
    assert "runs that have not ended yet might make up for it" in world.status.conditions[0].message

    world.agents[OLD], world.runs_per_second = Behavior(failed=0.2 / 1.4), per_second * 1.4
    world.run_until(State.ROLLED_BACK, within=300)
    assert rollback_of(world).outcome is VerifyOutcome.RECOVERED


def test_a_rollback_that_cannot_be_measured_ends_unverified() -> None:
    """Prometheus is away: nothing hangs, and the sentence says why nobody knows."""
    world = a_rollback()
    world.metrics = "down"
    world.run(590)
    assert world.state is State.VERIFYING
    world.run(20)

    rollback = rollback_of(world)
    assert (world.state, rollback.outcome, rollback.verified_time) == (
        State.ROLLED_BACK,
        VerifyOutcome.UNVERIFIED,
        None,
    )
    assert rollback.verification == "It is unknown whether that helped: Prometheus has not responded"
    assert [event.is_warning for event in world.events if event.reason is Reason.UNVERIFIED] == [False]


def test_a_stable_without_a_past_ends_unverified() -> None:
    """It served nobody before the attempt, so there is nothing that it could be like again."""
    world = a_rollback()
    for counter in world.prometheus.counters[OLD].values():
        before = counter.at(START.timestamp())
        counter.values = [max(0.0, value - before) for value in counter.values]
    world.run(700)

    assert rollback_of(world).outcome is VerifyOutcome.UNVERIFIED
    assert " runs since the rollback, 0 before the attempt; " in rollback_of(world).verification


def test_too_few_runs_are_waited_for() -> None:
    """The gate says how many it needs; until then nobody claims anything."""
    world = a_rollback(gates=[{"name": "errors", "template": "error-rate", "minSamples": 1000}])
    world.run(200)
    assert world.state is State.VERIFYING
    assert "; 1,000 runs needed" in world.status.conditions[0].message
    world.run_until(State.ROLLED_BACK, within=100)

    assert rollback_of(world).outcome is VerifyOutcome.RECOVERED


def test_the_last_runs_are_seen_where_no_gateway_reports() -> None:
    """Agents that split by themselves: the canary's counter stands still for two scrapes."""
    world = a_world(a_rollout(traffic={}, rollback=SOON).serving(OLD), OLD)
    world.ship(NEW, BAD)
    world.run_until(State.ROLLED_BACK, within=400)
    rollback, window = rollback_of(world), world.status.affected_window

    assert rollback.outcome is VerifyOutcome.RECOVERED
    assert rollback.last_runs is not None
    assert window is not None
    assert rollback.observed_time == window.end_time
    assert 0 <= seconds(world, "observed_time", "routed_time") <= 45


def test_traffic_that_does_not_move_is_named() -> None:
    """The route is written and requests still reach the canary: no claim, and a sentence that says so."""
    world = a_world(a_rollout(traffic={}, rollback=SOON).serving(OLD), OLD)
    world.ship(NEW, BAD)
    world.run_until(State.VERIFYING)
    for _ in range(65):
        world.run(10)
        world.serve({NEW: 5}, 10)

    rollback = rollback_of(world)
    assert (world.state, rollback.outcome) == (State.ROLLED_BACK, VerifyOutcome.UNVERIFIED)
    assert f": runs of {NEW} still ended at " in rollback.verification
    assert rollback.verification.endswith(" UTC; does the gateway follow the route?")
    window = world.status.affected_window
    assert window is not None
    assert window.end_time is not None
    assert (window.end_time - world.now) > timedelta(seconds=-120)


def test_agents_that_are_gone_have_no_more_runs() -> None:
    """A canary that is scaled down after its rollback counts nothing, and no counter has to stand still."""
    world = a_world(a_rollout(traffic={}, rollback=SOON).serving(OLD), OLD)
    world.ship(NEW, BAD)
    world.run_until(State.VERIFYING)
    world.run(31)
    del world.prometheus.counters[NEW]
    world.run(31)

    assert rollback_of(world).observed_time is not None


def test_a_fix_does_not_wait() -> None:
    """Another release that is asked for ends the verification and begins."""
    world = a_rollback()
    world.ship(NEXT)
    world.run(5)

    assert (world.state, world.shares()[NEXT]) == (State.CANARY, 5)
    assert rollback_of(world).outcome is VerifyOutcome.UNVERIFIED
    assert rollback_of(world).verification == f"Not verified, since {NEXT} was requested."
    assert world.status.history[0].outcome is Outcome.ROLLED_BACK


def test_who_gives_a_good_canary_back_waits_for_nothing() -> None:
    """Nothing was wrong, so there is nothing to recover from."""
    world = a_world(a_rollout().serving(OLD), OLD)
    world.ship(NEW)
    world.run(100)
    world.ask_for(OLD)
    world.run(2)

    assert (world.state, rollback_of(world).verification) == (State.ROLLED_BACK, "")


def test_who_gives_a_bad_canary_back_learns_whether_that_helped() -> None:
    """A gate held it, and a person reverted."""
    world = a_world(
        a_rollout(gates=[{"name": "errors", "template": "error-rate", "severity": "Medium"}]).serving(OLD),
        OLD,
    )
    world.ship(NEW, BAD)
    world.run_until(State.HELD)
    world.ask_for(OLD)
    world.run_until(State.ROLLED_BACK)

    assert rollback_of(world).outcome is VerifyOutcome.RECOVERED


@pytest.mark.parametrize(
    "spec",
    [
        {"gates": [{"name": "errors", "template": "error-rate", "during": ["Canary"]}]},
        {"rollback": {"verify": {"watchSeconds": 0}}},
        {"rollback": {"verify": {"gates": []}}},
    ],
)
def test_without_a_gate_the_gateway_s_word_is_enough(spec: dict[str, Any]) -> None:
    """Nobody measures, so nobody waits for a measurement."""
    world = a_world(a_rollout(**spec).serving(OLD), OLD)
    world.ship(NEW, BAD)
    world.run_until(State.ROLLED_BACK)

    assert seconds(world, "observed_time", "routed_time") == 0
    assert (rollback_of(world).outcome, rollback_of(world).verification) == (VerifyOutcome.UNVERIFIED, "")


def test_the_gates_can_be_named() -> None:
    """One that is not named is not asked, however bad it is."""
    gates = [{"name": "errors", "template": "error-rate"}, {"name": "cost", "template": "cost-per-run"}]
    verify = {"verify": {"withinSeconds": 60, "watchSeconds": 600, "gates": ["cost"]}}
    world = a_rollback(gates=gates, rollback=verify)
    world.agents[OLD] = Behavior(failed=0.5)
    world.run_until(State.ROLLED_BACK)

    assert rollback_of(world).outcome is VerifyOutcome.RECOVERED
    assert "errors: " not in rollback_of(world).verification


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("other", "spec.rollback.verify.gates[0]: there is no gate other in spec.gates"),
        (
            "violations",
            "spec.rollback.verify.gates[0]: violations is a Count, which does not compare rates; remove it",
        ),
    ],
)
def test_a_gate_that_cannot_verify_is_refused(name: str, message: str) -> None:
    """Before anything begins, and with the place in the spec."""
    gates = [{"name": "errors", "template": "error-rate"}, {"name": "violations", "template": "violations"}]
    world = a_world(a_rollout(gates=gates, rollback={"verify": {"gates": [name]}}).serving(OLD), OLD)
    world.ship(NEW)
    world.run(5)

    assert (world.ready_reason(), world.status.conditions[0].message) == ("InvalidGate", message)


def test_a_stable_in_trouble_is_told_with_the_rollback() -> None:
    """The canary is worse still, so it goes; a person reads at once that this may not be all."""
    world = a_world(a_rollout().serving(OLD), OLD)
    world.ship(NEW)
    world.run(400)
    (gate,) = world.status.gates
    measured = gate.replace(baseline=Baseline(bad=240, total=12000))
    world.edit(lambda builder: builder.having(gates=(measured,)))
    world.agents |= {OLD: Behavior(failed=0.12), NEW: Behavior(failed=0.9)}
    world.run_until(State.VERIFYING)

    assert "; stable itself has 4.8%" in rollback_of(world).message
    assert rollback_of(world).message.endswith(
        " and had 2.0% before the attempt, so a rollback might not be enough"
    )


def poll(world: World) -> Poll:
    """What Prometheus is asked now."""
    assert world.current_poll is not None
    return world.current_poll


def test_the_question_is_about_two_stretches_of_the_same_length() -> None:
    """One request: now, as long before the attempt, and the canary's counter itself."""
    world = a_rollback()
    plan, at = poll(world).plan, world.now + timedelta(seconds=40)
    begun = world.status.attempt
    assert begun is not None
    assert begun.clock_start_time is not None
    window = int((at - begun.clock_start_time).total_seconds())
    ago = int((at - begun.start_time).total_seconds())
    text = render(plan, at) or ""

    now, then = f'outcome="failed"}}[{window}s]))', f'outcome="failed"}}[{window}s] offset {ago}s))'
    assert [text.count(part) for part in (now, then)] == [1, 1]
    assert f"[{window}s] offset {ago}s) unless" in text
    assert text.count(f" offset {window + ago}s)") == 3  # births of both sources, and the coverage
    assert [term for term in Term if f".{term}" in text] == [*COUNTED, *WATCHED, Term.VALUE]
    assert text.count(".value") == 1


FAULTS = st.sampled_from(["up", "down", "silent", "garbled"])


@usually(40)
@given(st.lists(st.tuples(FAULTS, st.integers(1, 300)), max_size=6), st.floats(0, 0.5), st.booleans())
def test_every_verification_ends_in_time_and_says_nothing_false(
    faults: list[tuple[Any, int]],
    failed: float,
    is_crashing: bool,  # noqa: FBT001 hypothesis passes by position
) -> None:
    """Whatever Prometheus does: over by `watchSeconds`, and nothing said that is not so."""
    world = a_rollback()
    world.agents[OLD] = Behavior(failed=failed)
    begun = world.now
    for metrics, pause in faults:
        world.metrics = metrics
        world.run(pause)
        if is_crashing:
            world.poll_result = None
        assert world.shares()[OLD] == 100
    world.run(max(0.0, 600 - (world.now - begun).total_seconds()) + 1)
    outcome = rollback_of(world).outcome
    event(f"{outcome} at {failed > 0.022}")

    assert world.state is State.ROLLED_BACK
    assert outcome is not VerifyOutcome.RECOVERED or failed <= 0.025
    assert outcome is not VerifyOutcome.NOT_RECOVERED or failed >= 0.02


def test_what_is_known_survives_a_restart() -> None:
    """The same observation without an answer changes nothing that was seen."""
    world = a_rollback()
    world.run(40)
    before = rollback_of(world)
    restarted = replace(world.observe(), poll_result=None)
    decision = decide(restarted)

    after = (decision.status or world.status).last_rollback
    assert after is not None
    assert (after.last_runs, after.observed_time) == (before.last_runs, before.observed_time)
    assert {key_of(write.manifest) for write in decision.writes} <= {ROUTE, CONFIG}
