"""Gates at 100%, where nothing runs beside the canary: a first release, a switch back, a last phase of 100.

Whole rollouts in virtual time, and the one answer that a stable release may not disturb.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from agentrollouts.api.attempt import State
from agentrollouts.api.reasons import Reason
from agentrollouts.api.verdict import Baseline, Verdict
from agentrollouts.core.attempt.clocks import elapsed
from agentrollouts.core.gates.counts import Recent, Segment
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.reading import Reading
from agentrollouts.core.judge.facts import GateMemory, PlanPosition, Streaks
from agentrollouts.core.judge.judge import Judgment, judge
from agentrollouts.core.judge.limits import speaks_alone
from agentrollouts.core.metrics.queries import Subject, Term, plan_queries, tag
from agentrollouts.core.metrics.table import QueryResult, Row
from agentrollouts.core.rollout.decide import decide
from testkit.builders.names import NEW, OLD, OLDEST, START
from testkit.builders.rollouts import a_rollout
from testkit.gates import a_gate, read_all
from testkit.properties import usually
from testkit.world import Behavior, World, a_world

BAD = Behavior(failed=0.3)
SLOW = Behavior(seconds=25.0)
TO_FULL = [{"name": f"to-{weight}", "weight": weight, "durationSeconds": 600} for weight in (50, 100)]


def a_first_release(behavior: Behavior | None = None, **spec: object) -> World:
    """`NEW` is the first release, and has just got everything."""
    world = a_world(a_rollout(**spec), NEW)
    world.agents[NEW] = behavior or Behavior()
    world.run_until(State.BAKING)
    return world


def held_by(world: World) -> tuple[str, str]:
    """Reason and sentence of the hold."""
    assert world.status.attempt is not None
    hold = world.status.attempt.hold
    assert hold is not None, world.status.attempt
    return hold.reason, hold.message


def test_a_first_release_that_fails_waits_for_a_person() -> None:
    """There is nowhere to go back to, so it keeps its traffic; when it recovers it goes on by itself."""
    world = a_first_release(BAD)
    world.run_until(State.HELD)
    reason, message = held_by(world)
    assert reason == Reason.NO_HEALTHY_TARGET
    assert message.startswith("errors: canary had ")
    assert "above the limit of 15% for 120 s" in message
    assert message.endswith("; there is no release to roll back to; ship a fix")
    assert (world.status.conditions[2].status, world.shares()) == ("True", {NEW: 100})

    world.agents[NEW] = Behavior()
    world.run_until(State.HEALTHY)
    assert world.route_weights == [100]


def test_a_first_release_without_metrics_is_not_called_healthy() -> None:
    """Held with a sentence that says what to look at; on by itself once the metrics are there."""
    world = a_first_release()
    world.metrics = "silent"
    world.run(1000)
    reason, message = held_by(world)
    assert (reason, world.state) == (Reason.METRIC_MISSING, State.HELD)
    assert message == (
        f"errors: no series agent_runs_total of release {NEW}; does the agent export it, with its labels?; "
        "resumes once the metric exists"
    )

    world.metrics = "up"
    world.run_until(State.HEALTHY)


def test_a_template_s_seconds_say_nothing_about_an_agent_that_nobody_knows() -> None:
    """A first release may be as slow as it likes, unless a limit of the user's own says otherwise."""
    gate = {"name": "latency", "template": "latency"}
    slow = a_first_release(SLOW, gates=[gate])
    slow.run_until(State.HEALTHY)
    limited = a_first_release(SLOW, gates=[gate | {"limit": {"value": "10", "severity": "High"}}])
    limited.run_until(State.HELD)

    assert slow.status.gates == ()
    reason, message = held_by(limited)
    assert reason == Reason.NO_HEALTHY_TARGET
    assert "above the limit of 99% within 10" in message


def test_too_few_runs_extend_the_bake_and_then_hold_it() -> None:
    """Only Pass advances, also where nothing can be compared."""
    gates = [{"name": "errors", "template": "error-rate", "minSamples": 5000}]
    world = a_first_release(gates=gates)
    world.run(610)

    reason, message = held_by(world)
    assert reason == Reason.INCONCLUSIVE
    assert "of 5,000 canary runs needed to pass" in message
    assert len(world.told(Reason.PHASE_EXTENDED)) == 2
    assert world.told(Reason.PHASE_EXTENDED)[0].startswith("The bake continues: errors: canary had ")
    world.run_until(State.HEALTHY)


def test_a_bake_of_no_seconds_asks_nothing() -> None:
    """Who wants no watch gets none."""
    world = a_world(a_rollout(bake={"durationSeconds": 0}), NEW)
    world.metrics = "down"
    world.run(10)

    assert (world.state, world.current_poll) == (State.HEALTHY, None)


def test_a_phase_at_100_asks_only_what_needs_no_comparison() -> None:
    """The comparison keeps its last answer; what it found beside stable still stands in the status."""
    gates = [
        {"name": "errors", "template": "error-rate"},
        {"name": "completion", "template": "task-completion"},
    ]
    world = a_world(a_rollout(gates=gates, phases=TO_FULL).serving(OLD), OLD)
    world.ship(NEW)
    world.run(700)
    assert world.current_poll is not None
    assert (world.shares()[NEW], len(world.current_poll.plan.totals)) == (100, 1)
    messages = {gate.name: gate.message for gate in world.status.gates}
    assert messages["completion"].startswith("canary served 51%")
    assert messages["errors"].startswith("canary had ")
    world.run_until(State.HEALTHY)

    assert world.route_weights == [50, 100, 0]


@pytest.mark.parametrize("is_known", [False, True])
def test_a_breach_at_100_goes_back_while_stable_is_known(*, is_known: bool) -> None:
    """In a phase of 100, and after a switch to a release that was healthy before."""
    builder = a_rollout(phases=TO_FULL).remembering(OLDEST).serving(OLD)
    world = a_world(builder, OLD, OLDEST)
    release = OLDEST if is_known else NEW
    world.ship(release)
    world.run(10 if is_known else 700)
    assert world.shares()[release] == 100
    world.agents[release] = BAD
    world.run_until(State.ROLLED_BACK)

    assert world.shares()[OLD] == 100
    assert world.status.last_rollback is not None
    assert "above the limit of 15% for 1" in world.status.last_rollback.message


def test_a_gate_for_later_is_not_asked_beside_stable() -> None:
    """`during: [Full]`: what fails it at 5% is not looked at yet."""
    gates = [
        {"name": "errors", "template": "error-rate", "during": ["Full"]},
        {"name": "violations", "template": "violations", "noData": "Ignore"},
    ]
    phases = [{"name": "few", "weight": 5, "durationSeconds": 600}]
    world = a_world(a_rollout(gates=gates, phases=phases, bake={"durationSeconds": 60}).serving(OLD), OLD)
    world.ship(NEW, BAD)
    world.run_until(State.HEALTHY)

    assert world.route_weights == [5, 0]


def test_a_plan_that_nothing_judges_ships_nothing() -> None:
    """`during: [Verify]` on the only gate: a bad release gets no traffic, and the status says why."""
    gates = [{"name": "errors", "template": "error-rate", "during": ["Verify"]}]
    world = a_world(a_rollout(gates=gates).serving(OLD), OLD)
    world.ship(NEW, BAD)
    world.run(3600)

    assert world.shares()[OLD] == 100
    assert world.ready_reason() == "InvalidGate"


ALONE = PlanPosition(0, 1, time_over=True, alone=True)


ERRORS, LATENCY, VIOLATIONS = (a_gate(template=name) for name in ("error-rate", "latency", "violations"))


def judged(gate: ResolvedGate, bad: float, runs: float, memory: GateMemory | None = None) -> Judgment:
    """The verdict on these counts, with nothing beside them, after two minutes beyond any limit."""
    segment = Segment(bad, runs, 0.0, 0.0)
    recent = Recent(segment, 10.0 if gate is LATENCY else None) if gate is not VIOLATIONS else None
    remembered = memory or GateMemory(since=Streaks(beyond=START - timedelta(seconds=120)))
    return judge(gate, Reading(segment, (), START, recent), ALONE, memory=remembered)


@pytest.mark.parametrize(
    ("gate", "bad", "runs", "expected"),
    [
        (ERRORS, 60, 100, Verdict.FAIL),
        (ERRORS, 5, 100, Verdict.PASS),
        (ERRORS, 5, 99, Verdict.INCONCLUSIVE),
        (LATENCY, 60, 100, Verdict.PASS),
        (VIOLATIONS, 1, 100, Verdict.FAIL),
        (VIOLATIONS, 0, 100, Verdict.PASS),
        (VIOLATIONS, 0, 99, Verdict.INCONCLUSIVE),
    ],
)
def test_verdicts_without_a_control_group(
    gate: ResolvedGate, bad: float, runs: float, expected: Verdict
) -> None:
    """Only what is beyond a limit fails, and nothing passes with fewer runs than it needs."""
    assert judged(gate, bad, runs).verdict is expected


@pytest.mark.parametrize(
    ("gate", "baseline", "speaks"),
    [
        (ERRORS, None, True),
        (LATENCY, None, False),
        (LATENCY, Baseline(bad=0, total=0), False),
        (LATENCY, Baseline(bad=1, total=1000), True),
        (LATENCY, Baseline(bad=100, total=1000), False),
        (ERRORS, Baseline(bad=300, total=1000), False),
        (a_gate(template="error-rate", limit={"value": "0.15"}), Baseline(bad=300, total=1000), True),
        (a_gate(template="latency", limit={"value": "10"}), None, True),
        (VIOLATIONS, None, True),
    ],
)
def test_which_limits_speak_alone(gate: ResolvedGate, baseline: Baseline | None, *, speaks: bool) -> None:
    """The user's own always; a template's if stable kept it, or if only a share is known."""
    assert speaks_alone(gate, baseline) is speaks
    judgment = judged(gate, 60, 100, GateMemory(baseline, Streaks(beyond=START - timedelta(seconds=120))))
    assert (judgment.verdict is Verdict.FAIL) is speaks


def test_a_stable_that_is_gone_does_not_disturb() -> None:
    """Its agents may be scaled down: at 100% it is no canary's fault that there is nothing of it."""
    subject = Subject("shop", "support", NEW, OLD, alone=True)
    plan = plan_queries([ERRORS, LATENCY], subject, counting_start=START, warmup_seconds=0)
    at = START + timedelta(seconds=400)
    values = {Term.INCREASE: 200.0, Term.NEWEST: at.timestamp(), Term.SCRAPES: 26.0}
    rows = []
    for source in plan.sources:
        for bound in ("10", "+Inf") if source.by else (None,):
            for term in plan.terms(source):
                group = bound if term is Term.INCREASE else None
                row = Row(tag(plan, source, term), NEW, group, values.get(term, 0.0))
                if term in values and row not in rows:
                    rows.append(row)

    gates = [replace(ERRORS, name="errors"), replace(LATENCY, name="latency")]
    readings = read_all(plan, QueryResult(at, tuple(rows)), gates, now=at, stale_after_seconds=120)

    errors, latency = readings["errors"], readings["latency"]
    assert isinstance(errors, Reading)
    assert isinstance(latency, Reading)
    assert [bound.le for bound in latency.bounds] == [10.0]


STRETCHES = st.lists(
    st.tuples(st.sampled_from(["up", "silent"]), st.integers(1, 25)), min_size=1, max_size=12
)


@usually(60)
@given(STRETCHES, st.booleans())
def test_no_time_passes_while_nothing_is_seen(stretches: list[tuple[Any, int]], is_first: bool) -> None:  # noqa: FBT001 hypothesis passes by position
    """The phase's clock shows at most the time in which the last answer was one, also through restarts."""
    gates = [{"name": "errors", "template": "error-rate"}]
    phases = [{"name": "long", "weight": 20, "durationSeconds": 100_000}]
    spec: dict[str, Any] = {"gates": gates, "phases": phases, "bake": {"durationSeconds": 100_000}}
    world = a_first_release(**spec) if is_first else a_world(a_rollout(**spec).serving(OLD), OLD)
    if not is_first:
        world.ship(NEW)
    world.run(300)
    assert world.status.attempt is not None
    allowed = elapsed(world.status.attempt, world.now)
    for metrics, ticks in stretches:
        world.metrics = metrics
        for _ in range(ticks):
            was_running = world.status.attempt.clock_start_time is not None
            world.run(30)
            allowed += 30 * (was_running or world.status.attempt.clock_start_time is not None)
            if metrics == "silent":
                assert world.status.attempt.clock_start_time is None
            assert elapsed(world.status.attempt, world.now) <= allowed
        world.poll_result = None
        restarted = decide(replace(world.observe(), now=world.now + timedelta(seconds=1)))
        is_running = world.status.attempt.clock_start_time is not None
        after = (restarted.status or world.status).attempt
        assert after is not None
        assert (after.clock_start_time is not None) is is_running
        event(f"{metrics} in {world.state}")
