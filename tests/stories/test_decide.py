"""Whole rollouts in virtual time: stories that people would tell, through the `decide` of a cluster."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from agentrollouts.api.attempt import State, Trigger
from agentrollouts.api.people.action import ActionType
from agentrollouts.api.reasons import Reason
from agentrollouts.api.rollback import VerifyOutcome
from agentrollouts.api.status import Outcome
from agentrollouts.core.rollout.decide import decide
from agentrollouts.core.rollout.decision import Decision
from agentrollouts.core.states import ENDS, TRANSITIONS
from agentrollouts.core.traffic.manifests import key_of
from agentrollouts.simulation.agents import Agent
from testkit.builders.names import AGENT, NEW, NEXT, OLD, OLDEST
from testkit.builders.observations import an_observation
from testkit.builders.releases import a_ready_release, not_ready
from testkit.builders.rollouts import PLAN, RolloutBuilder, a_rollout
from testkit.builders.routes import CONFIG, ROUTE
from testkit.world import Behavior, World, a_world

BAD = Behavior(failed=0.3)


def an_attempt(behavior: Agent | None = None, **spec: object) -> World:
    """`OLD` serves, `NEW` has just begun with 5%."""
    world = a_world(a_rollout(**spec).serving(OLD), OLD)
    world.ship(NEW, behavior)
    world.settle()
    return world


def history(world: World) -> list[tuple[int, str, Outcome]]:
    """Number, release and outcome of each past attempt of the story, the newest first."""
    return [(entry.number, entry.release, entry.outcome) for entry in world.status.history]


def test_the_first_release_gets_everything_and_bakes() -> None:
    """With no stable there is nothing to compare with and nowhere to go back to."""
    world = a_world(a_rollout(), NEW)
    world.run_until(State.BAKING)
    assert world.shares() == {NEW: 100}
    world.run_until(State.HEALTHY)

    assert history(world) == [(1, NEW, Outcome.HEALTHY)]
    assert (world.route_weights, world.ready_reason()) == ([100], "Healthy")
    assert world.current_poll is None


def test_a_good_release_walks_all_phases() -> None:
    """5, 25, the ramp in steps of seven, the bake at its end, then everything."""
    world = an_attempt()
    world.run_until(State.HEALTHY)
    world.run(60)

    assert world.route_weights == [5, 25, 32, 39, 46, 53, 60, 67, 74, 81, 88, 95, 0]
    assert world.shares() == {NEW: 100}
    assert history(world)[0] == (2, NEW, Outcome.HEALTHY)
    assert world.status.stable is not None
    assert world.status.stable.release == NEW
    assert (world.now - world.status.history[0].start_time).total_seconds() >= 3 * 600 + 300


def test_a_breach_is_taken_back_and_told_with_its_numbers() -> None:
    """One write gives stable everything; the digest is not tried again, whoever asks."""
    world = an_attempt(BAD)
    world.run_until(State.ROLLED_BACK)
    rollback = world.status.last_rollback

    assert rollback is not None
    assert (rollback.from_, rollback.to, rollback.trigger, rollback.reason) == (
        NEW,
        OLD,
        Trigger.BREACH,
        "GateFailed",
    )
    assert rollback.outcome is VerifyOutcome.RECOVERED
    assert "errors: canary served 5.8%" in rollback.message  # births and extrapolation overlap by a scrape
    assert world.status.affected_window is not None
    assert world.status.affected_window.release == NEW
    assert world.route_weights == [5, 0]
    world.edit(lambda builder: builder.planning(paused=True))
    world.edit(lambda builder: builder.planning(paused=False))
    writes = world.status_writes
    world.run(5000)
    assert (world.ready_reason(), world.shares()[OLD]) == ("Quarantined", 100)
    assert world.status_writes <= writes + 2
    assert history(world)[0] == (2, NEW, Outcome.ROLLED_BACK)


def test_the_fix_ships_after_a_rollback() -> None:
    """A new digest is a new attempt; the latch of the old one does not touch it."""
    world = an_attempt(BAD)
    world.run_until(State.ROLLED_BACK)
    world.ship(NEXT)
    world.run_until(State.HEALTHY)

    assert [entry[:2] for entry in history(world)] == [(3, NEXT), (2, NEW), (1, OLD)]


@pytest.mark.parametrize(
    "state", [state for state in TRANSITIONS if state not in ENDS and state is not State.INITIAL]
)
@pytest.mark.parametrize("metrics", ["up", "down"])
def test_going_back_on_request_from_every_state(state: State, metrics: Any) -> None:  # noqa: ANN401 any value of JSON, or any field
    """With everything missing and paused: the first write is the route with 100/0, and the attempt ends."""
    builder = a_rollout(paused=True).in_state(state).asking_for(OLD)
    world = a_world(builder, OLD)
    world.releases.clear()
    world.metrics, world.has_endpoints = metrics, False
    world.traffic = dict(an_observation(a_rollout().in_state(State.CANARY)).traffic)
    first, *_ = decide(world.observe()).writes
    refs = first.manifest["spec"]["rules"][0]["backendRefs"]

    assert key_of(first.manifest) == ROUTE
    assert [ref["weight"] for ref in refs if ref["name"].endswith("4-1-0")] == [100]
    assert sum(ref["weight"] for ref in refs) == 100
    world.run(2000)
    assert world.state in ENDS
    assert world.shares()[OLD] == 100
    assert (world.ready_reason(), world.status.quarantined) == ("Healthy", ())


def test_a_release_that_was_given_back_may_be_tried_again() -> None:
    """Who reverts in Git says nothing about the release."""
    world = an_attempt()
    world.run(100)
    world.ask_for(OLD)
    world.run(5)
    assert (world.state, history(world)[0]) == (State.ROLLED_BACK, (2, NEW, Outcome.ROLLED_BACK))
    world.ask_for(NEW)
    world.run(5)

    assert (world.state, world.shares()[NEW]) == (State.CANARY, 5)


def test_another_release_supersedes_the_attempt() -> None:
    """The canary that nobody asks for any more loses its traffic before the next one gets any."""
    world = an_attempt()
    world.run(700)
    world.ship(NEXT)
    world.run(5)

    assert history(world)[0] == (2, NEW, Outcome.SUPERSEDED)
    assert world.route_weights == [5, 25, 0, 5]
    assert world.shares() == {OLD: 95, NEXT: 5}


def test_a_healthy_older_release_is_switched_to_at_once() -> None:
    """One write, then the bake; its object may be gone."""
    world = a_world(a_rollout().remembering(OLDEST).serving(OLD).asking_for(OLDEST), OLD, OLDEST)
    world.releases.clear()
    world.settle()
    assert (world.state, world.shares()[OLDEST]) == (State.BAKING, 100)
    world.run_until(State.HEALTHY)

    assert world.status.stable is not None
    assert world.status.stable.release == OLDEST


def test_prometheus_away_holds_and_goes_on() -> None:
    """Ten minutes are waited out, with the reason on the object; then a hold; no weight rises meanwhile."""
    world = an_attempt()
    world.metrics = "down"
    world.run(500)
    available = world.status.conditions[4]
    assert (available.status, available.reason) == ("False", "MetricsUnavailable")
    assert world.state is State.CANARY
    world.run(200)
    assert (world.state, world.ready_reason()) == (State.HELD, "Held")
    world.run(5000)
    assert world.route_weights == [5]
    world.metrics = "up"
    world.run_until(State.HEALTHY)

    assert len(world.told(Reason.METRICS_UNAVAILABLE)) == 1
    assert len(world.told(Reason.HOLD_ENDED)) == 1


def test_a_hold_that_only_changes_its_reason_has_not_ended() -> None:
    """Undecided, then not to be asked, then undecided again: each is told, but nobody is let go meanwhile."""
    gates = [{"name": "errors", "template": "error-rate", "minSamples": 5000}]
    world = an_attempt(gates=gates)
    world.run_until(State.HELD)
    for metrics in ("refused", "up") * 2:
        world.metrics = metrics
        world.run(100)
        assert world.state is State.HELD

    assert world.told(Reason.HOLD_ENDED) == []
    assert (len(world.told(Reason.INVALID_GATE)), len(world.told(Reason.INCONCLUSIVE))) == (2, 3)


def test_a_route_that_cannot_be_made_again_is_told_once() -> None:
    """It was deleted with the Gateway API itself: the condition says so from then on, and no more Events."""
    world = an_attempt()
    world.run(100)
    world.has_gateway_api = False
    del world.traffic[ROUTE]
    first = decide(world.observe())
    world.settle()
    later = decide(world.observe())

    assert [[event.reason for event in decision.events] for decision in (first, later)] == [
        ["RouteRestored"],
        [],
    ]


def test_a_silent_metric_holds_sooner_and_a_refused_query_at_once() -> None:
    """Five minutes without data; a question that cannot be asked is not waited for."""
    silent, refused = an_attempt(), an_attempt()
    silent.metrics, refused.metrics = "silent", "refused"
    refused.run(35)
    silent.run(300)
    assert (refused.state, silent.state) == (State.HELD, State.CANARY)
    silent.run(240)

    holds = [world.status.attempt.hold for world in (silent, refused) if world.status.attempt]
    assert [hold.reason for hold in holds if hold] == ["MetricMissing", "InvalidGate"]
    assert silent.route_weights == refused.route_weights == [5]


def test_a_restart_does_not_end_a_hold_for_metrics() -> None:
    """A process that has not heard an answer knows nothing better."""
    world = an_attempt()
    world.metrics = "down"
    world.run(800)
    world.poll_result = None
    decision = decide(world.observe())

    assert (decision.status, decision.events) == (None, ())


def test_a_pause_stops_the_clock_and_not_the_way_back() -> None:
    """The phase takes as much longer as it was paused; a breach is still acted on."""
    good, bad = an_attempt(), an_attempt(BAD)
    for world in (good, bad):
        world.edit(lambda builder: builder.planning(paused=True))
        world.run(5000)
    assert (good.state, good.route_weights, bad.state) == (State.HELD, [5], State.ROLLED_BACK)
    good.edit(lambda builder: builder.planning(paused=False))
    good.run(590)
    assert good.route_weights == [5]
    good.run(60)

    assert good.route_weights == [5, 25]


def test_a_medium_gate_holds() -> None:
    """Worse, surely and by enough: a person decides, and the canary keeps its weight."""
    gates = [{"name": "errors", "template": "error-rate", "severity": "Medium"}]
    world = an_attempt(BAD, gates=gates)
    world.run_until(State.HELD)
    _, reconciling, stalled, *_ = world.status.conditions

    assert (reconciling.status, stalled.status, world.shares()[NEW]) == ("True", "False", 5)
    world.run(5000)
    assert world.state is State.HELD


def test_a_person_is_asked_and_answers() -> None:
    """The phase waits for the approval of this attempt and this phase; any other has no effect."""
    phases = [{"name": "asked", "weight": 20, "durationSeconds": 300, "approval": "Required"}]
    world = an_attempt(phases=phases)
    world.run_until(State.AWAITING_APPROVAL)
    for attempt, phase in ((1, "asked"), (3, "asked"), (2, "other")):
        world.act(ActionType.APPROVE, attempt=attempt, phase=phase)
        world.run(1000)
        assert world.state is State.AWAITING_APPROVAL
    world.act(ActionType.APPROVE, phase="asked")
    world.run(5)

    assert world.state is State.BAKING


@pytest.mark.parametrize(
    ("policy", "state"), [("Hold", State.HELD), ("RollBack", State.ROLLED_BACK), ("Promote", State.CANARY)]
)
def test_an_undecided_phase_is_extended_and_then_the_plan_says_what(policy: str, state: State) -> None:
    """Too few runs at 5%: both extensions pass, in all twice the time, and then `onTimeout`."""
    gates = [{"name": "errors", "template": "error-rate", "minSamples": 500}]
    phases = [{"name": f"p{weight}", "weight": weight, "durationSeconds": 600} for weight in (5, 25)]
    world = an_attempt(gates=gates, phases=phases, analysis={"warmupSeconds": 0, "onTimeout": policy})
    world.run(1190)
    assert len(world.told(Reason.PHASE_EXTENDED)) == 2
    assert world.route_weights == [5]
    world.run(60)
    world.run_until(state, within=150)

    assert world.route_weights == {"Hold": [5], "RollBack": [5, 0], "Promote": [5, 25]}[policy]
    assert world.status.quarantined == ()


def test_promoting_the_undecided_does_not_answer_for_a_person() -> None:
    """`onTimeout: Promote` is about gates; an approval that the plan wants is still asked for."""
    gates = [{"name": "errors", "template": "error-rate", "minSamples": 100_000}]
    phases = [{"name": "asked", "weight": 20, "durationSeconds": 300, "approval": "Required"}]
    world = an_attempt(gates=gates, phases=phases, analysis={"onTimeout": "Promote", "maxExtensions": 0})

    world.run_until(State.AWAITING_APPROVAL)


def test_promoting_the_undecided_does_not_jump_up_a_ramp() -> None:
    """The next step is a step of the ramp, also where time is over."""
    gates = [{"name": "errors", "template": "error-rate", "minSamples": 100_000}]
    phases = [{"name": "ramp", "weight": 40, "rampSeconds": 300, "durationSeconds": 300}]
    world = an_attempt(gates=gates, phases=phases, analysis={"onTimeout": "Promote", "maxExtensions": 0})
    world.run_until(State.BAKING)

    assert world.route_weights == [4, 8, 12, 16, 20, 24, 28, 32, 36, 40]


def test_an_extension_that_is_no_whole_second_ends() -> None:
    """A third of 100 s: the stopped clock of a person's phase has whole seconds and still reaches its end."""
    gates = [{"name": "errors", "template": "error-rate", "minSamples": 200}]
    phases = [{"name": "asked", "weight": 40, "durationSeconds": 100, "approval": "Required"}]
    world = an_attempt(gates=gates, phases=phases, analysis={"intervalSeconds": 5, "maxExtensions": 3})
    world.run_until(State.AWAITING_APPROVAL)
    world.run(1000)

    assert world.state is State.AWAITING_APPROVAL
    assert len(world.told(Reason.PHASE_EXTENDED)) == 1


@pytest.mark.parametrize(("seconds", "most", "interval"), [(1, 2, 1), (3, 10, 1), (300, 10, 30), (5, 1, 5)])
def test_extensions_of_a_bake_are_reported_twice_at_most(seconds: int, most: int, interval: int) -> None:
    """Not at each scrape, however short the extensions are; together they still double the bake."""
    analysis = {"intervalSeconds": interval, "warmupSeconds": 0, "maxExtensions": most}
    world = a_world(a_rollout(bake={"durationSeconds": seconds}, analysis=analysis), NEW)
    world.runs_per_second = 0.05
    world.run(3 * seconds + 120)
    assert 1 <= len(world.told(Reason.PHASE_EXTENDED)) <= min(2, most)


@pytest.mark.parametrize("state", [State.CANARY, State.AWAITING_APPROVAL, State.HELD, State.BAKING])
def test_a_changed_plan_carries_no_evidence_over(state: State) -> None:
    """The clock starts anew at the current weight, whatever the attempt was doing."""
    builder = a_rollout().in_state(state).planning(gates=[{"name": "cost", "template": "cost-per-run"}])
    status = decide(an_observation(builder)).status

    assert status is not None
    assert status.attempt is not None
    before = builder.status.attempt
    assert before is not None
    assert status.attempt.weight == before.weight
    assert status.attempt.state is (State.BAKING if state is State.BAKING else State.CANARY)
    assert (status.gates, status.attempt.hold, status.attempt.elapsed_seconds) == ((), None, 0)
    assert status.attempt.clock_start_time is None
    assert decide(an_observation(builder)).writes[:1] == ()


@pytest.mark.parametrize(
    "builder",
    [a_rollout().in_state(State.INITIAL), a_rollout().in_state(State.INITIAL).held_for(Reason.PAUSED)],
)
def test_a_changed_plan_does_not_disturb_a_first_release(builder: RolloutBuilder) -> None:
    """It has no phases to be put into."""
    world = a_world(builder.planning(bake={"durationSeconds": 60}), NEW)
    world.run_until(State.HEALTHY)

    assert world.shares() == {NEW: 100}


def test_a_shorter_plan_while_baking_bakes_on() -> None:
    """The phase that the bake was more of may not exist any more."""
    world = an_attempt()
    world.run_until(State.BAKING)
    world.edit(
        lambda builder: builder.planning(phases=[{"name": "only", "weight": 10, "durationSeconds": 60}])
    )
    world.run_until(State.HEALTHY)

    assert world.route_weights[-2:] == [95, 0]


def test_a_changed_plan_in_mid_ramp_lowers_nothing() -> None:
    """The canary goes on from where it is."""
    world = an_attempt()
    world.run(1560)
    at = world.shares()[NEW]
    assert 25 < at < 95
    world.edit(lambda builder: builder.planning(bake={"durationSeconds": 60}))
    world.run_until(State.HEALTHY)

    assert world.route_weights[:-1] == sorted(world.route_weights[:-1])


def test_an_answer_about_caps_alone_says_nothing_of_gates() -> None:
    """Caps are asked before a weight is seen: after an edit of the plan, and one that drops its phase."""
    world = an_attempt(caps=[{"name": "spend", "metric": "agent_run_cost_usd_sum", "max": "5000"}])
    world.run(700)
    world.has_gateway_api = False
    del world.traffic[ROUTE]
    world.edit(lambda builder: builder.planning(bake={"durationSeconds": 60}))
    world.run(100)
    assert world.poll_result is not None
    assert not world.poll_result.plan.totals
    world.edit(lambda builder: builder.planning(phases=PLAN["phases"][:1]))
    world.run(100)

    assert world.status.attempt is not None
    assert (world.state, world.status.attempt.phase_name) == (State.CANARY, "canary-5")


def test_an_attempt_that_stood_in_line_begins_under_the_present_plan() -> None:
    """A plan that was edited meanwhile is no change of plan."""
    world = a_world(a_rollout().serving(OLD), OLD, NEW)
    world.has_endpoints = False
    world.run(20)
    assert (world.state, world.ready_reason()) == (State.PENDING, "NoReadyEndpoints")
    world.edit(lambda builder: builder.planning(bake={"durationSeconds": 60}))
    world.has_endpoints = True
    world.run(20)

    assert (world.state, world.shares()[NEW]) == (State.CANARY, 5)
    assert world.told(Reason.PHASE_STARTED) == ["Phase canary-5: canary weight 5%"]


@pytest.mark.parametrize("effects", range(5))
@pytest.mark.parametrize("again", range(3))
def test_a_crash_between_any_two_writes_changes_no_end(effects: int, again: int) -> None:
    """Begin, breach, rollback, verify: cut off anywhere, twice, and started again, it ends the same."""
    world = an_attempt(BAD)
    while world.state is not State.ROLLED_BACK:
        world.run(15)
        world.step(effects)
        world.step(again)

    assert world.shares()[OLD] == 100
    assert [entry.release for entry in world.status.quarantined] == [NEW]
    assert [event.reason for event in world.events].count(Reason.ROLLBACK_STARTED) == 1


def test_a_rollback_that_only_the_route_remembers_is_finished() -> None:
    """The latch on the route is enough: metrics that look good again change nothing."""
    world = an_attempt()
    latched = a_rollout().serving(OLD).trying(NEW).rolling_back(trigger=Trigger.TIMEOUT)
    world.traffic[ROUTE] = an_observation(latched).traffic[ROUTE]
    world.run_until(State.ROLLED_BACK)

    back = world.status.last_rollback
    assert back is not None
    assert (back.trigger, back.reason, back.message) == (
        Trigger.TIMEOUT,
        "TimedOut",
        'The route says: "It failed."',
    )
    assert world.status.quarantined == ()


@pytest.mark.parametrize("key", [ROUTE, CONFIG])
def test_a_lost_object_is_written_again(key: tuple[str, str]) -> None:
    """Under way, at rest, and after a rollback."""
    at_rest = a_rollout().asking_for(OLD).serving(OLD)
    for builder in (at_rest, a_rollout().in_state(State.CANARY), a_rollout().in_state(State.VERIFYING)):
        obs = an_observation(builder)
        seen = {name: manifest for name, manifest in obs.traffic.items() if name != key}

        assert [key_of(write.manifest) for write in decide(an_observation(builder, traffic=seen)).writes] == [
            key
        ]


@pytest.mark.parametrize(("state", "version"), [(State.CANARY, "7"), (State.VERIFYING, None)])
def test_only_the_way_back_is_written_on_any_version(state: State, version: str | None) -> None:
    """A view of the past may not raise the canary; it may well take it back."""
    obs = an_observation(a_rollout().in_state(state))
    seen = {
        name: {**manifest, "metadata": {**manifest["metadata"], "resourceVersion": "7", "labels": {}}}
        for name, manifest in obs.traffic.items()
    }
    decision = decide(an_observation(a_rollout().in_state(state), traffic=seen))
    versions = [write.manifest["metadata"].get("resourceVersion") for write in decision.writes]
    assert (versions, decision.rests_on_status) == ([version] * len(seen), version is not None)


def released(*args: Any, **fields: Any) -> Callable[[World], None]:  # noqa: ANN401 any value of JSON, or any field
    """The release that is asked for is like this."""
    return lambda world: world.releases.update({NEW: a_ready_release(NEW, *args, **fields)})


def planned(**spec: object) -> Callable[[World], None]:
    """The spec is like this."""
    return lambda world: world.edit(lambda builder: builder.planning(**spec))


@pytest.mark.parametrize(
    ("change", "reason", "is_stalled"),
    [
        (lambda world: world.releases.pop(NEW), "ReleaseNotFound", False),
        (lambda world: world.releases.update({NEW: not_ready(a_ready_release())}), "ReleaseNotReady", False),
        (released(agent="billing"), "AgentMismatch", True),
        (released(service=None), "ServiceMissing", True),
        (released(service="support-agent-4-1-0"), "ServiceShared", True),
        (lambda world: setattr(world, "has_endpoints", False), "NoReadyEndpoints", False),
        (planned(paused=True), "Paused", False),
        (planned(traffic={"routePatch": {"name": "theirs", "rule": "agent"}}), "RouteNotFound", False),
        (planned(caps=[{"name": "x", "metric": "sum(m)", "max": "5"}]), "InvalidGate", True),
        (planned(gates=[{"name": "x", "template": "none"}]), "InvalidGate", True),
        (lambda world: world.edit(lambda builder: builder.quarantining(NEW)), "Quarantined", True),
    ],
)
def test_what_is_in_the_way_of_a_beginning(change: Any, reason: str, *, is_stalled: bool) -> None:  # noqa: ANN401 any value of JSON, or any field
    """Its word is the summary's reason; `Stalled` says whether a person must help; stable keeps all."""
    world = a_world(a_rollout().serving(OLD), OLD, NEW)
    change(world)
    world.run(600)

    assert world.ready_reason() == reason
    assert (world.status.conditions[2].status == "True") is is_stalled
    assert world.shares() == {OLD: 100}
    assert world.status_writes <= 2


def test_no_gateway_api_is_told_and_waited_for() -> None:
    """The condition says what is missing; when it appears, the rollout goes on without a restart."""
    world = a_world(a_rollout(), NEW)
    world.has_gateway_api = False
    world.run(100)
    applied = world.status.conditions[3]
    assert (applied.status, applied.reason) == ("False", "GatewayAPIMissing")
    world.has_gateway_api = True
    world.run_until(State.HEALTHY)

    assert world.shares() == {NEW: 100}


def test_agents_that_split_by_themselves_need_no_gateway() -> None:
    """Nobody reports back, so nobody is waited for after a rollback."""
    world = an_attempt(BAD, traffic={})
    world.run_until(State.ROLLED_BACK, within=200)

    assert (world.state, world.shares(), ROUTE in world.traffic) == (
        State.ROLLED_BACK,
        {OLD: 100, NEW: 0},
        False,
    ) or (world.state is State.ROLLED_BACK and world.shares() == {OLD: 100})


def test_the_gateway_is_waited_for_but_not_for_ever() -> None:
    """Without its word the rollback is over after `rollback.verify.withinSeconds`."""
    world = an_attempt(BAD, rollback={"verify": {"watchSeconds": 0}})
    world.gateway_follows = False
    world.traffic.pop(ROUTE)
    world.run_until(State.VERIFYING)
    world.run(110)
    states = [world.state]
    world.run(11)

    assert [*states, world.state] == [State.VERIFYING, State.ROLLED_BACK]
    assert world.status.last_rollback is not None
    assert world.status.last_rollback.observed_time is None


def test_the_history_keeps_as_much_as_the_plan_says() -> None:
    """The newest two, and what it takes to reach the three healthy releases before stable."""
    world = a_world(
        a_rollout(historyLimit=2, phases=[{"name": "only", "weight": 50, "durationSeconds": 60}]), NEW
    )
    world.run_until(State.HEALTHY)
    for minor in range(5, 8):
        world.ship(f"{AGENT}-4.{minor}.0")
        world.run_until(State.HEALTHY)

    assert [entry.number for entry in world.status.history] == [4, 3, 2, 1]
    world.ship(NEXT, BAD)
    world.run_until(State.ROLLED_BACK)
    world.ship(OLDEST)
    world.run_until(State.HEALTHY)
    assert [entry.number for entry in world.status.history] == [6, 5, 4, 3, 2]


def test_at_rest_there_is_nothing_to_do() -> None:
    """No write, no status, no Event, no question, no wake-up."""
    world = a_world(a_rollout().asking_for(OLD).serving(OLD), OLD)
    world.settle()

    assert decide(world.observe()) == Decision()


def test_numbers_alone_are_written_at_every_sixth_tick() -> None:
    """100 answers, each with other counts, are at most 18 writes; without a new sample there is none."""
    phases = [{"name": "long", "weight": 20, "durationSeconds": 100_000}]
    world = an_attempt(phases=phases)
    world.run(1000)
    before, news = world.status_writes, world.news
    world.run(3000)
    assert 15 <= world.status_writes - before <= 18
    assert world.news == news
    world.metrics = "silent"
    world.run(1000)
    before = world.status_writes
    world.run(3000)

    assert world.status_writes == before


@pytest.mark.parametrize("jump", [timedelta(days=1), timedelta(minutes=5), timedelta(seconds=1)])
def test_a_clock_that_was_put_back_blinds_nobody(jump: timedelta) -> None:
    """An attempt begun at a time that is still to come is judged at once, and not when that time comes."""
    world = a_world(a_rollout().serving(OLD), OLD)
    world.skew = jump
    world.ship(NEW, BAD)
    world.run(30)
    world.skew = timedelta()
    world.run(180)

    assert (world.state, world.shares()) == (State.ROLLED_BACK, {OLD: 100})
    assert all(condition.last_transition_time <= world.now for condition in world.status.conditions)
