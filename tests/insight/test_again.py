"""A gate that failed fails again by the line of its report: whole attempts, then `agentrollouts judge`."""

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.api.attempt import State
from agentrollouts.api.record.entry import GateRecord
from agentrollouts.api.verdict import Counts, GateStatus, SegmentStatus, StartedRuns, Verdict
from agentrollouts.cli.judge import answer_lines
from agentrollouts.core.gates.counts import Expected, Segment, Started, Tally
from agentrollouts.core.judge.comparison import compare_counts
from agentrollouts.core.record.gates import gate_record
from agentrollouts.insight.again import judge_line
from agentrollouts.insight.plan import Plan, read_plan
from agentrollouts.simulation.agents import Agent
from testkit.builders.names import NEW, OLD
from testkit.builders.rollouts import a_rollout
from testkit.world import World, a_world

RUNS = 'agent_runs_total{outcome="failed"}'
OWN = {"bad": RUNS, "total": "agent_runs_total"}
BUCKETS = {"buckets": "agent_run_duration_seconds_bucket"}
GOOD = Agent({"failed": 0.02})
GATES: dict[str, tuple[dict[str, Any], Agent]] = {
    "ratio": ({"template": "error-rate"}, Agent({"failed": 0.2})),
    "higher is better": ({"template": "task-completion"}, Agent({"failed": 0.3})),
    "mean": ({"template": "cost-per-run", "severity": "High"}, Agent({"failed": 0.02}, cost=0.5)),
    "histogram": ({"template": "latency"}, Agent({"failed": 0.02}, seconds=14.0)),
    "count": ({"type": "Count", "source": OWN, "maxCount": 5}, Agent({"failed": 0.3})),
    "limit": (
        {"type": "Limit", "source": OWN, "limit": {"value": "0.1", "forSeconds": 60, "severity": "High"}},
        Agent({"failed": 0.4}),
    ),
    "shift of a label": (
        {
            "type": "Shift",
            "source": {"total": "agent_runs_total", "label": "outcome"},
            "action": "RollBack",
        },
        Agent({"failed": 0.02, "escalated": 0.5}),
    ),
    "shift of a histogram": (
        {"type": "Shift", "source": BUCKETS, "action": "RollBack"},
        Agent({"failed": 0.02}, seconds=14.0),
    ),
    "runs that take minutes": (
        {"template": "error-rate", "forSeconds": 30},
        Agent({"failed": 0.3}, seconds=90.0),
    ),
}


def again(record: GateRecord, plan: Plan) -> dict[str, Any]:
    """The answer of the command to the line of the report."""
    line = judge_line(record, plan)
    assert line is not None
    assert line.isascii()
    assert "\n" not in line
    out = io.StringIO()
    assert answer_lines([line], out) == 0, out.getvalue()
    answer: dict[str, Any] = json.loads(out.getvalue())
    return answer


def failed_gates(world: World) -> list[GateStatus]:
    """The gates that failed, as the status had them when the rollback was decided."""
    while world.status.last_rollback is None:
        assert world.state is not State.HEALTHY
        world.run(5)
    return [gate for gate in world.status.gates if gate.verdict is Verdict.FAIL]


def plan_in(world: World) -> Plan:
    """The plan, as an entry has it."""
    return read_plan(world.base.build().spec.to_json())


def a_bad_release(gate: dict[str, Any], agent: Agent, **spec: object) -> World:
    """A world in which a canary with that behavior is judged by that gate alone."""
    world = a_world(a_rollout(gates=[{"name": "g", **gate}], **spec).serving(OLD), OLD, NEW)
    world.agents[OLD], world.agents[NEW], world.runs_per_second = GOOD, agent, 4.0
    return world


@pytest.mark.parametrize("kind", GATES)
def test_a_gate_that_failed_fails_again(kind: str) -> None:
    """A gate of each type that rolled back gives Fail by its line, with the same evidence if it compares."""
    gate, agent = GATES[kind]
    world = a_bad_release(gate, agent)

    [status] = failed_gates(world)
    answer = again(gate_record(status, in_full=True), plan_in(world))

    assert answer["verdict"] == "Fail"
    if status.evidence is not None:
        assert answer["evidence"] == pytest.approx(status.evidence, rel=1e-9)
        assert answer["message"] == status.message


@pytest.mark.parametrize("kind", ["ratio", "mean", "histogram"])
def test_a_gate_that_failed_on_a_ramp_fails_again(kind: str) -> None:
    """Segments of several weights in one phase give the same evidence again, not that of several phases."""
    gate, agent = GATES[kind]
    world = a_bad_release(gate, GOOD)
    world.run(1500)
    assert world.status.attempt is not None
    assert world.status.attempt.step > 1
    world.agents[NEW] = agent

    [status] = failed_gates(world)
    record = gate_record(status, in_full=True)
    answer = again(record, plan_in(world))

    assert len(record.segments or ()) > 3
    assert answer["verdict"] == "Fail"
    assert answer["evidence"] == pytest.approx(status.evidence, rel=1e-9)


def test_a_gate_without_counts_has_no_line() -> None:
    """A Fail for a metric that does not exist rests on no counts, so nothing can be judged again."""
    gate = {"template": "accuracy", "noData": "Fail", "action": "RollBack"}
    world = a_bad_release(gate, GOOD)

    [status] = failed_gates(world)

    assert judge_line(gate_record(status, in_full=True), plan_in(world)) is None


def test_only_a_decision_on_a_failed_gate_is_recorded_in_full() -> None:
    """Counts by weight, which grow with every phase, are recorded for the rollback that they decided."""
    world = a_bad_release({"template": "error-rate"}, GOOD)
    world.run(900)
    [passing] = world.status.gates
    world.agents[NEW] = Agent({"failed": 0.4})
    [failing] = failed_gates(world)

    assert gate_record(failing, in_full=True).segments
    for record in (gate_record(passing, in_full=True), gate_record(failing)):
        assert record.canary.total > 0
        assert (record.segments, record.recent, record.mix, record.burst_factor) == (None, None, None, None)


def counts(bad: float, total: float) -> Counts:
    """Outcomes of a release, of which no more are bad than there are."""
    return Counts(bad=bad * total, total=total)


SIDES = st.builds(counts, st.floats(0, 1), st.floats(1, 1e4))
SEGMENTS = st.builds(
    SegmentStatus,
    phase_index=st.integers(0, 2),
    weight=st.integers(1, 99),
    underway=st.floats(0.01, 1),
    started=st.none() | st.builds(StartedRuns, canary=st.floats(1, 1e4), stable=st.floats(1, 1e4)),
    canary=SIDES,
    stable=SIDES,
)


def began_in(segment: SegmentStatus) -> Started | None:
    """The runs that began, if they were counted."""
    began = segment.started
    return Started(began.canary, began.stable) if began else None


@given(segments=st.lists(SEGMENTS, min_size=1, max_size=5), burst=st.floats(1, 10))
def test_a_line_has_all_that_the_evidence_rests_on(segments: list[SegmentStatus], burst: float) -> None:
    """Whatever was counted, at whatever weights, the line gives the same evidence to the last digit."""
    segments.sort(key=lambda each: each.phase_index)
    record = GateRecord(name="g", verdict=Verdict.FAIL, segments=tuple(segments), burst_factor=burst)
    plan = read_plan({"gates": [{"name": "g", "template": "error-rate"}], "phases": [{}, {}, {}]})
    tallies = [
        Tally(
            each.phase_index,
            Segment(each.canary.bad, each.canary.total, each.stable.bad, each.stable.total),
            expected=Expected(each.weight, began_in(each), each.underway),
        )
        for each in segments
    ]

    finding = compare_counts(plan.resolved["g"], tallies, 3, burst)

    assert again(record, plan)["evidence"] == pytest.approx(finding.evidence, rel=1e-9)
