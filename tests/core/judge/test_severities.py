"""Severities: a cold cache holds a canary; what is really out of hand is rolled back at once."""

import pytest

from agentrollouts.api.attempt import State
from agentrollouts.api.gates import OnFail
from agentrollouts.api.reasons import Reason
from agentrollouts.api.verdict import Severity, Verdict
from agentrollouts.core.gates.counts import Bound, Recent, Segment
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.reading import Reading
from agentrollouts.core.judge.facts import GateMemory, PlanPosition, Streaks
from agentrollouts.core.judge.judge import judge
from testkit.builders.names import NEW, OLD, START
from testkit.builders.rollouts import a_rollout
from testkit.gates import a_gate
from testkit.world import Behavior, a_world

ERRORS, COST, LATENCY, COMPLETION = (
    a_gate(template=name) for name in ("error-rate", "cost-per-run", "latency", "task-completion")
)
CRITICAL_COST = a_gate(template="cost-per-run", severity="Critical")
COLD = PlanPosition(0, 3, time_over=False, counted_seconds=119, warmup_seconds=120)
WARM = PlanPosition(0, 3, time_over=False, counted_seconds=120, warmup_seconds=120)


def cost(share: float, times: float) -> Reading:
    """10,000 runs of which the canary has that share, at so many times the cost."""
    canary, stable = 10_000 * share, 10_000 * (1 - share)
    return Reading(Segment(0.05 * times * canary, canary, 0.05 * stable, stable), (), START)


BAD = Reading(Segment(450, 500, 95, 9500), (), START)
SLOW = Reading(Segment(0, 500, 0, 9500), (Bound(20.0, 400, 50),), START)


@pytest.mark.parametrize(
    ("share", "times", "severity"),
    [
        (0.05, 4.0, Severity.MEDIUM),
        (0.01, 12.0, Severity.MEDIUM),
        (0.1, 4.0, Severity.MEDIUM),
        (0.05, 12.0, Severity.CRITICAL),
        (0.25, 2.9, Severity.MEDIUM),
        (0.25, 4.0, Severity.CRITICAL),
        (0.95, 4.0, Severity.CRITICAL),
    ],
)
def test_a_cost_is_critical_where_it_matters_to_the_whole(
    share: float, times: float, severity: Severity
) -> None:
    """Four times as much at 5% raises the bill by 15%, as a cold cache does; at 25% by 75%."""
    judgment = judge(COST, cost(share, times), WARM)

    assert (judgment.verdict, judgment.severity) == (Verdict.FAIL, severity)
    assert judgment.action is (OnFail.HOLD if severity is Severity.MEDIUM else OnFail.ROLL_BACK)


@pytest.mark.parametrize(
    ("gate", "reading", "severity"),
    [
        (COST, cost(0.25, 4.0), Severity.CRITICAL),
        (CRITICAL_COST, cost(0.25, 4.0), Severity.CRITICAL),
        (LATENCY, SLOW, Severity.HIGH),
        (ERRORS, BAD, Severity.HIGH),
        (COMPLETION, BAD, Severity.CRITICAL),
    ],
    ids=["cost", "critical cost", "latency", "errors", "completion"],
)
def test_within_the_warm_up_of_a_weight_an_amount_only_holds(
    gate: ResolvedGate, reading: Reading, severity: Severity
) -> None:
    """Cost and latency are at most Medium until caches and pods are warm; failures act at once."""
    cold, warm = judge(gate, reading, COLD), judge(gate, reading, WARM)

    is_amount = gate in {COST, CRITICAL_COST, LATENCY}
    assert (cold.verdict, warm.verdict) == (Verdict.FAIL, Verdict.FAIL)
    assert (cold.severity, warm.severity) == (Severity.MEDIUM if is_amount else severity, severity)


def test_a_limit_of_latency_only_holds_within_the_warm_up() -> None:
    """Runs above the absolute limit are slow pods as well, for as long."""
    recent = Recent(Segment(400, 500, 5, 9500), 10.0)
    reading = Reading(Segment(0, 500, 0, 9500), (Bound(10.0, 20, 400),), START, recent)
    memory = GateMemory(since=Streaks(beyond=START.replace(year=2000)))

    cold, warm = (judge(LATENCY, reading, course, memory=memory) for course in (COLD, WARM))

    assert (cold.verdict, cold.severity) == (Verdict.FAIL, Severity.MEDIUM)
    assert (warm.verdict, warm.severity) == (Verdict.FAIL, Severity.HIGH)


GATES = [{"name": "cost", "template": "cost-per-run"}]
PHASES = [
    {"name": "few", "weight": 5, "durationSeconds": 3600},
    {"name": "more", "weight": 25, "durationSeconds": 3600},
]


def test_a_cold_prompt_cache_is_held_and_not_rolled_back() -> None:
    """A canary that costs four times as much at 5% is held, and keeps its traffic for a person to decide."""
    world = a_world(a_rollout(gates=GATES, phases=PHASES).serving(OLD), OLD)
    world.ship(NEW, Behavior(cost=0.2))
    world.run_until(State.HELD)
    world.run(3600)
    world.agents[NEW] = Behavior(cost=0.055)
    world.run(3600)

    assert world.state is State.HELD
    assert world.canary_weight == 5
    assert world.status.attempt is not None
    assert world.status.attempt.hold is not None
    assert world.status.attempt.hold.reason == Reason.GATE_FAILED


def test_a_canary_that_is_expensive_at_25_percent_is_rolled_back() -> None:
    """What a cold cache does not explain, as it costs four times as much only with more traffic."""
    world = a_world(a_rollout(gates=GATES, phases=PHASES).serving(OLD), OLD)
    world.ship(NEW)
    world.run(3700)
    world.agents[NEW] = Behavior(cost=0.6)
    world.run_until(State.ROLLED_BACK)

    assert world.status.last_rollback is not None
    assert world.status.last_rollback.message.startswith("cost: canary had $")
