"""Gates and caps in a decision: what follows from which verdict, how often it is told, and what is asked.

Input: a rollout in its first phase with rows as Prometheus would give them. Output: the decision.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agentrollouts.api.attempt import Attempt, State, Trigger
from agentrollouts.api.objects import ObjectMeta
from agentrollouts.api.reasons import Reason
from agentrollouts.api.rollout import AgentRollout, AgentRolloutSpec, Bake
from agentrollouts.api.status import AgentRolloutStatus, ReleaseRecord, WeightsStatus
from agentrollouts.api.verdict import Baseline, GateStatus, Severity, Verdict
from agentrollouts.core.analysis.caps import CapReading, read_caps, resolve_caps
from agentrollouts.core.attempt.schedule import plan_hash
from agentrollouts.core.gates.reading import Unreadable
from agentrollouts.core.gates.selector import Matcher, Refusal, Selector
from agentrollouts.core.gates.sources import Source, Start
from agentrollouts.core.metrics.poll import PollResult
from agentrollouts.core.metrics.queries import QueryPlan, Term, plan_queries, tag
from agentrollouts.core.metrics.table import QueryResult, Row, Table
from agentrollouts.core.rollout.decide import decide
from agentrollouts.core.rollout.decision import Decision
from agentrollouts.core.rollout.observation import Observation
from testkit.builders.observations import shown
from testkit.gates import CANARY, SHOP, STABLE

START = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
AT = START + timedelta(seconds=400)
RUNS = "agent_runs_total"
SPEND: dict[str, Any] = {"name": "spend", "metric": "agent_run_cost_usd_sum", "max": "50"}
ERRORS = {"name": "errors", "template": "error-rate", "burstFactor": "1"}
PLAN: dict[str, Any] = {
    "agent": "support",
    "releaseRef": {"name": CANARY},
    "phases": [{"name": "five", "weight": 5, "durationSeconds": 3600}],
    "gates": [ERRORS],
}

Counted = Mapping[str, tuple[float, float]]
"""What the canary and stable counted since the start, by metric; bad outcomes by their selector."""

HEALTHY: Counted = {
    RUNS: (50, 950),
    f'{RUNS}{{outcome="failed"}}': (1, 11),
    "agent_run_cost_usd_sum": (4, 80),
}
BROKEN: Counted = {**HEALTHY, f'{RUNS}{{outcome="failed"}}': (30, 11)}


def record(name: str) -> ReleaseRecord:
    """A release as the status remembers it."""
    digest = "sha256:" + f"{len(name)}{name[-3]}".ljust(64, "0").replace(".", "a")
    return ReleaseRecord(release=name, version=name[-5:], digest=digest, snapshot=f"{name}-snapshot")


def rollout(state: State = State.CANARY, *, stable: str | None = STABLE, **spec: object) -> AgentRollout:
    """A rollout in its only phase since `START`, or at 100% in the states that have it."""
    plan = AgentRolloutSpec.model_validate(PLAN | spec)
    weight = 100 if state is State.INITIAL else 5
    attempt = Attempt(
        number=1,
        state=state,
        digest=record(CANARY).digest,
        plan_hash=plan_hash(plan),
        phase_name="five",
        weight=weight,
        start_time=START,
        phase_start_time=START,
        clock_start_time=START,
        counting_start_time=None if state is State.INITIAL else START,
    )
    status = AgentRolloutStatus(
        stable=record(stable) if stable else None,
        canary=record(CANARY),
        weights=WeightsStatus(stable=100 - weight, canary=weight),
        attempt=attempt,
    )
    metadata = ObjectMeta(name="support", namespace="shop", uid="u", generation=1)
    return AgentRollout(metadata=metadata, spec=plan, status=status)


def observed(world: AgentRollout, poll_result: PollResult | None = None) -> Observation:
    """The world with the traffic as the status asks for it."""
    snapshots = {name: ObjectMeta(name=name) for name in map("{}-snapshot".format, (CANARY, STABLE))}
    return Observation(
        now=AT, rollout=world, traffic=shown(world), snapshots=snapshots, poll_result=poll_result
    )


def counting(world: AgentRollout, counted: Counted) -> PollResult:
    """The answer of Prometheus to what the rollout asks: the same counts in every window."""
    poll = decide(observed(world)).poll
    assert poll is not None
    plan, rows = poll.plan, []
    for source in plan.sources:
        for release, value in zip((CANARY, STABLE), counted.get(str(source.selector), ()), strict=False):
            terms = {
                Term.INCREASE: value,
                Term.COVERED: 1.0,
                Term.NEWEST: AT.timestamp() - 1,
                Term.SCRAPES: 40.0,
            }
            rows += [
                Row(tag(plan, source, t), release, None, v)
                for t, v in terms.items()
                if t in plan.terms(source)
            ]
    return PollResult(
        plan=plan, result=QueryResult(AT, tuple(row for row in rows if row.release in plan.subject.releases))
    )


def decided(world: AgentRollout, counted: Counted = HEALTHY) -> Decision:
    """What follows from these counts."""
    return decide(observed(world, counting(world, counted)))


def after(world: AgentRollout, decision: Decision) -> AgentRollout:
    """The rollout with the status that was decided."""
    return world.replace(status=decision.status or world.status)


def state_of(decision: Decision) -> tuple[State, str | None]:
    """The state of the attempt, and the reason of its hold."""
    assert decision.status is not None
    assert decision.status.attempt is not None
    attempt = decision.status.attempt
    return attempt.state, attempt.hold.reason if attempt.hold else None


@pytest.mark.parametrize(
    ("severity", "expected"),
    [
        ("Critical", (State.ROLLING_BACK, None)),
        ("High", (State.ROLLING_BACK, None)),
        ("Medium", (State.HELD, Reason.GATE_FAILED)),
        ("Low", (State.CANARY, None)),
    ],
)
def test_severity_decides_what_follows(severity: str, expected: tuple[State, str | None]) -> None:
    """Critical and High go back, Medium holds, Low goes on."""
    assert state_of(decided(rollout(gates=[ERRORS | {"severity": severity}]), BROKEN)) == expected


def test_the_worst_acts_and_all_are_listed() -> None:
    """A person sees everything that fails, the one that acted first."""
    gates = [ERRORS | {"name": name, "severity": name.title()} for name in ("low", "medium", "high")]

    decision = decided(rollout(gates=gates), BROKEN)

    assert state_of(decision) == (State.ROLLING_BACK, None)
    assert decision.status is not None
    assert decision.status.last_rollback is not None
    message = decision.status.last_rollback.message
    assert [message.index(f"{name}: canary served") for name in ("high", "medium", "low")] == sorted(
        message.index(f"{name}: canary served") for name in ("high", "medium", "low")
    )
    assert message.startswith("high: ")


def test_a_warning_is_told_once() -> None:
    """One Event, then it stands in the status; a gate that recovers and fails again is told again."""
    first = rollout(gates=[ERRORS | {"severity": "Low"}])
    second = after(first, decided(first, BROKEN))
    healthy = after(second, decided(second))

    reasons = [
        [event.reason for event in decided(world, BROKEN).events] for world in (first, second, healthy)
    ]

    assert reasons == [[Reason.GATE_WARNED], [], [Reason.GATE_WARNED]]
    assert second.status.gates[0].verdict is Verdict.FAIL


def test_a_shared_cause_holds_and_is_released_when_it_is_gone() -> None:
    """Stable itself is in trouble: neither forward nor back, and on by itself afterwards."""
    bad = {**HEALTHY, f'{RUNS}{{outcome="failed"}}': (10, 190)}
    before = after(rollout(), decided(rollout()))
    gate = before.status.gates[0].replace(baseline=Baseline(bad=48, total=4000))
    world = before.replace(status=before.status.replace(gates=(gate,)))

    held = decided(world, bad)
    resumed = decided(after(world, held))

    assert state_of(held) == (State.HELD, Reason.SHARED_CAUSE)
    assert state_of(resumed) == (State.CANARY, None)


def test_another_plan_keeps_the_burst_factor() -> None:
    """What was measured on stable before the attempt is still so; counts and evidence start anew."""
    gates = [{"name": "errors", "template": "error-rate"}]
    world = after(rollout(gates=gates), decided(rollout(gates=gates)))
    measured = world.status.gates[0].replace(burst_factor=2.5, baseline=Baseline(bad=48, total=4000))
    edited = world.replace(
        status=world.status.replace(gates=(measured,)),
        spec=world.spec.replace(gates=(world.spec.gates[0].replace(min_samples=20),)),
    )

    decision = decide(observed(edited))

    assert decision.status is not None
    (kept,) = decision.status.gates
    assert (kept.burst_factor, kept.baseline, kept.segments) == (2.5, measured.baseline, ())


def test_the_query_behind_a_gate_can_be_pasted() -> None:
    """The status shows what was asked about the gate that matters most, as of which time."""
    status = decided(rollout()).status

    assert status is not None
    assert status.query is not None
    assert (status.query.gate, status.query.time) == ("errors", AT)
    selector = rf'{RUNS}{{namespace="shop",agent="support",release=~"support-4\\.2\\.0|support-4\\.1\\.0"'
    increase = f'sum by (release) (increase({selector},outcome="failed"}}[400s]))'
    assert status.query.text.startswith(f'label_replace({increase}, "src", "bad.increase", "", "") or ')
    assert [
        f'"{name}"' in status.query.text for name in ("bad.births", "total.increase", "total.births")
    ] == [True] * 3


def test_the_query_shown_is_the_one_that_was_asked() -> None:
    """A Prometheus that knows namespaces by another label is pasted that one."""
    world = rollout()
    poll_result = replace(counting(world, HEALTHY), namespace_label="tenant_namespace")

    status = decide(observed(world, poll_result)).status

    assert status is not None
    assert status.query is not None
    assert 'agent_runs_total{tenant_namespace="shop",agent=' in status.query.text


def test_a_query_that_is_too_long_is_not_shown() -> None:
    """A part of a query would be another query; ten characters stand for one that does not print."""
    long = 'jobs_total{state!="' + "\u200b" * 900 + '"}'

    status = decided(rollout(gates=[{"name": "g", "source": {"bad": long, "total": long}}])).status

    assert status is not None
    assert status.query is None


DEAR: Counted = {**HEALTHY, "agent_run_cost_usd_sum": (50.5, 80)}


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("RollBack", (State.ROLLING_BACK, None)),
        ("Hold", (State.HELD, Reason.CAP_EXCEEDED)),
        ("Warn", (State.CANARY, None)),
    ],
)
def test_an_exceeded_cap_does_what_it_says(action: str, expected: tuple[State, str | None]) -> None:
    """Whatever the gates say."""
    decision = decided(rollout(caps=[SPEND | {"action": action}]), DEAR)

    assert state_of(decision) == expected
    assert decision.status is not None
    (cap,) = decision.status.caps
    assert (cap.name, cap.value, cap.exceeded) == ("spend", 50.5, True)
    assert cap.message == (
        "canary added 50.5 to agent_run_cost_usd_sum in the last 3600 s, at most 50 allowed"
    )


def test_a_rollback_by_a_cap_says_so() -> None:
    """The trigger is the cap, and its digest is not tried again."""
    status = decided(rollout(caps=[SPEND]), DEAR).status

    assert status is not None
    assert status.last_rollback is not None
    assert (status.last_rollback.trigger, status.last_rollback.reason) == (Trigger.CAP, Reason.CAP_EXCEEDED)
    assert [entry.release for entry in status.quarantined] == [CANARY]


def test_a_cap_that_warns_is_told_once() -> None:
    """One Event, not one at each tick."""
    first = rollout(caps=[SPEND | {"action": "Warn"}])
    second = after(first, decided(first, DEAR))

    assert [event.reason for event in decided(first, DEAR).events] == [Reason.CAP_EXCEEDED]
    assert decided(second, DEAR).events == ()


def test_a_cap_within_its_ceiling_does_nothing() -> None:
    """What was used of it stands in the status."""
    decision = decided(rollout(caps=[SPEND]))

    assert state_of(decision) == (State.CANARY, None)
    assert decision.status is not None
    assert [(cap.value, cap.exceeded) for cap in decision.status.caps] == [(4, False)]


def test_a_cap_is_asked_without_gates_and_at_all_of_the_traffic() -> None:
    """The first release has nothing beside it, and nothing to go back to: a person has to act."""
    first = rollout(State.INITIAL, stable=None, caps=[SPEND])
    poll = decide(observed(first)).poll
    decision = decided(first, {"agent_run_cost_usd_sum": (60, 0)})

    assert poll is not None
    assert poll.plan.sources == (Source(Selector("agent_run_cost_usd_sum"), start=Start.ANY, seconds=3600),)
    assert poll.plan.totals == frozenset()
    assert state_of(decision) == (State.HELD, Reason.NO_HEALTHY_TARGET)


def test_a_reset_is_examined_by_the_next_query() -> None:
    """The next poll counts the same and yet differs from the last one; with its result the gate is judged."""
    world = rollout(gates=[ERRORS])
    usual, first = decide(observed(world)).poll, counting(world, BROKEN)
    assert usual is not None
    assert isinstance(first.result, QueryResult)
    (total,) = usual.plan.totals
    reset = Row(tag(usual.plan, total, Term.RESETS), STABLE, None, 1.0)
    with_reset = replace(first, result=replace(first.result, rows=(*first.result.rows, reset)))

    waiting = decide(observed(world, with_reset))
    examined = waiting.poll
    assert examined is not None
    assert (examined.plan.closer, examined.plan == usual.plan) == (frozenset({total}), True)
    assert examined != usual
    assert waiting.status is not None
    assert waiting.status.gates[0].verdict is Verdict.INCONCLUSIVE
    judged = decide(observed(world, replace(with_reset, plan=examined.plan)))
    assert state_of(judged) == (State.ROLLING_BACK, None)


def test_a_hold_by_a_cap_waits_for_an_answer() -> None:
    """After a restart nothing is known yet, and the cause may still be there."""
    held = after(capped := rollout(caps=[SPEND | {"action": "Hold"}]), decided(capped, DEAR))
    silent = decide(observed(held, PollResult(plan=counting(held, DEAR).plan, result=Unreadable("down"))))
    cheap = decided(held)

    assert silent.status is None or state_of(silent)[0] is State.HELD
    assert state_of(cheap) == (State.CANARY, None)


def test_a_cap_per_run_divides_by_the_runs() -> None:
    """Five messages a run; a run that has not ended counts as one."""
    spec = AgentRolloutSpec.model_validate(
        PLAN
        | {
            "caps": [
                {"name": "out", "metric": "agent_external_actions_total", "maxPerRun": "5", "perSeconds": 60}
            ]
        }
    )
    (cap,) = resolve_caps(spec).caps
    plan = plan_queries((), SHOP, counting_start=START, warmup_seconds=0, caps=cap.sources)

    def read(actions: float, runs: float) -> CapReading:
        values = zip(plan.sources, (actions, runs), strict=True)
        rows = tuple(Row(tag(plan, source, Term.INCREASE), CANARY, None, value) for source, value in values)
        return read_caps([cap], table_of(plan, QueryResult(AT, rows)))[0]

    assert (read(50, 10).value, read(50, 10).exceeded) == (5, False)
    assert (read(51, 10).value, read(51, 10).exceeded) == (5.1, True)
    assert (read(6, 0).value, read(6, 0).exceeded) == (6, True)
    assert read(51, 10).message == (
        "canary added 51 to agent_external_actions_total in 10 runs in the last 60 s, 5.1 per run, "
        "at most 5 allowed"
    )


@pytest.mark.parametrize(
    ("stable", "expected"),
    [
        ({}, 47.0),  # stable has no such series: nothing is known against the births
        ({Term.INCREASE: 5.0, Term.COVERED: 2.0}, 47.0),
        ({Term.INCREASE: 5.0}, 7.0),  # a hole in Prometheus: births are whole lives
    ],
)
def test_births_count_against_a_cap_where_prometheus_looked(
    stable: dict[Term, float], expected: float
) -> None:
    """The first spend of a new pod counts; after an outage its whole life does not."""
    cap = resolve_caps(AgentRolloutSpec.model_validate(PLAN | {"caps": [SPEND]})).caps[0]
    plan = plan_queries((), SHOP, counting_start=START, warmup_seconds=0, caps=cap.sources)
    canary = {Term.INCREASE: 7.0, Term.BIRTHS: 40.0}
    rows = [
        Row(tag(plan, cap.source, term), release, None, value)
        for release, values in ((CANARY, canary), (STABLE, stable))
        for term, value in values.items()
    ]

    (reading,) = read_caps([cap], table_of(plan, QueryResult(AT, tuple(rows))))

    assert reading.value == expected


@pytest.mark.parametrize(
    ("more", "value", "message"),
    [
        ({}, 60.0, "canary added 60"),
        ({Term.VANISHED: 52.0}, 7.0, "canary added 7"),
        ({Term.RESETS: 30.0, Term.STILL_RESETS: 9.0}, 60.0, "unknown: "),
    ],
)
def test_a_cap_is_not_exceeded_by_counts_that_cannot_be_believed(
    more: dict[Term, float], value: float, message: str
) -> None:
    """Dollars that continue series under another name were counted before; those that fall are no count."""
    cap = resolve_caps(AgentRolloutSpec.model_validate(PLAN | {"caps": [SPEND]})).caps[0]
    plan = plan_queries((), SHOP, counting_start=START, warmup_seconds=0, caps=cap.sources)
    terms = {Term.INCREASE: 7.0, Term.BIRTHS: 53.0, **more}
    rows = tuple(Row(tag(plan, cap.source, term), CANARY, None, each) for term, each in terms.items())

    (reading,) = read_caps([cap], table_of(replace(plan, closer=plan.steady), QueryResult(AT, rows)))

    assert (reading.value, reading.exceeded) == (value, not more)
    assert reading.message.startswith(message)


def test_a_cap_waits_until_it_is_known_why_a_counter_fell() -> None:
    """A first reset may be a restart, through which is counted, or none, after which no count is right."""
    cap = resolve_caps(AgentRolloutSpec.model_validate(PLAN | {"caps": [SPEND]})).caps[0]
    plan = plan_queries((), SHOP, counting_start=START, warmup_seconds=0, caps=cap.sources)
    terms = {Term.INCREASE: 60.0, Term.RESETS: 1.0}
    rows = tuple(Row(tag(plan, cap.source, term), CANARY, None, each) for term, each in terms.items())

    (first,) = read_caps([cap], table_of(plan, QueryResult(AT, rows)))
    (then,) = read_caps([cap], table_of(replace(plan, closer=plan.steady), QueryResult(AT, rows)))

    assert (first.exceeded, first.message[:13]) == (False, "not yet known")
    assert then.exceeded


def table_of(plan: QueryPlan, answer: QueryResult) -> Table:
    """The rows by source."""
    table = Table.of(plan, answer)
    assert isinstance(table, Table)
    return table


def test_a_cap_whose_numbers_are_none_says_nothing() -> None:
    """NaN is no reason to roll back, and none to be calm; the others are read."""
    specs = [SPEND, {"name": "jobs", "metric": "jobs_total", "max": "1"}]
    caps = resolve_caps(AgentRolloutSpec.model_validate(PLAN | {"caps": specs})).caps
    sources = [source for cap in caps for source in cap.sources]
    plan = plan_queries((), SHOP, counting_start=START, warmup_seconds=0, caps=sources)
    rows = (Row("0.increase", CANARY, None, float("nan")), Row("1.increase", CANARY, None, 2.0))

    readings = read_caps(caps, table_of(plan, QueryResult(AT, rows)))

    assert [(reading.cap.name, reading.exceeded) for reading in readings] == [("jobs", True)]


def test_a_cap_that_cannot_be_asked_is_refused_by_field() -> None:
    """A query instead of a counter holds the rollout, with the path of the field."""
    caps = [SPEND, SPEND | {"name": "sum", "metric": "sum(jobs_total)"}]
    refused = resolve_caps(AgentRolloutSpec.model_validate(PLAN | {"caps": caps}))

    decision = decide(observed(rollout(caps=caps)))

    assert [(cap.metric, cap.cap.name) for cap in refused.caps] == [
        (Selector("agent_run_cost_usd_sum"), "spend")
    ]
    assert [type(refusal) for refusal in refused.refusals] == [Refusal]
    assert state_of(decision) == (State.HELD, Reason.INVALID_GATE)
    assert decision.status is not None
    assert decision.status.attempt is not None
    assert decision.status.attempt.hold is not None
    assert decision.status.attempt.hold.message.startswith("spec.caps[1].metric: must be one metric")


@pytest.mark.parametrize("reason", [Reason.INVALID_GATE, Reason.SOURCE_UNKNOWN])
def test_what_waiting_does_not_cure_is_held_at_once(reason: Reason) -> None:
    """A source that the settings do not have is a matter for a person, by its own name, like a bad query."""
    world = rollout()
    plan = decide(observed(world)).poll
    assert plan is not None

    decision = decide(
        observed(world, PollResult(plan=plan.plan, result=Unreadable("no such source", reason)))
    )

    assert state_of(decision) == (State.HELD, reason)
    assert decision.status is not None
    stalled = next(condition for condition in decision.status.conditions if condition.type == "Stalled")
    assert (stalled.status, stalled.reason) == ("True", "Held")


def test_a_cap_on_a_metric_that_nobody_exports_says_so() -> None:
    """It stops nothing, as zero would not either, but it does not look like a cap that is kept."""
    world = rollout(caps=[SPEND | {"metric": "agent_run_cost_total"}])
    status = after(world, decided(world)).status

    assert [(cap.value, cap.exceeded) for cap in status.caps] == [(0.0, False)]
    assert status.caps[0].message == (
        f"no series agent_run_cost_total of release {CANARY} or {STABLE} has been seen in the last 3600 s; "
        "does the agent export it, with its labels?"
    )
    metrics = next(each for each in status.conditions if each.type == "MetricsAvailable")
    assert (metrics.status, metrics.message) == ("True", f"spend: {status.caps[0].message}")


def test_a_canary_that_has_spent_nothing_yet_is_within_its_cap() -> None:
    """The metric exists, since stable has it."""
    world = rollout(caps=[SPEND])
    plan = decide(observed(world)).poll
    assert plan is not None
    caps = resolve_caps(world.spec).caps
    row = Row(tag(plan.plan, caps[0].source, Term.INCREASE), STABLE, None, 80.0)

    (reading,) = read_caps(caps, table_of(plan.plan, QueryResult(AT, (row,))))

    assert (reading.value, reading.is_seen) == (0.0, True)
    assert reading.message.startswith("canary added 0 to agent_run_cost_usd_sum")


def outlook_of(world: AgentRollout) -> str | None:
    """What the status says that the phase can catch."""
    return world.status.attempt.outlook if world.status.attempt else None


def test_a_phase_says_what_it_can_catch_once_its_traffic_is_known() -> None:
    """950 runs of stable and 50 of the canary in 400 s are 450 canary runs in the hour of the phase."""
    world = after(rollout(), decided(rollout()))

    assert outlook_of(world) == "about 450 canary runs: can catch errors 1.2% to 3.5%"
    ready = next(each for each in world.status.conditions if each.type == "Ready")
    ends = "phase five ends at 2026-11-21 11:00:00 UTC if its gates pass"
    assert ready.message == f"{CANARY} has 5% in phase five; {outlook_of(world)}; {ends}"


def test_the_outlook_speaks_of_this_agent() -> None:
    """Stable's own rate and clusters, where they were measured, say what shows in so many runs."""
    gate = GateStatus(
        name="errors",
        verdict=Verdict.INCONCLUSIVE,
        reason=Reason.COLLECTING,
        severity=Severity.HIGH,
        burst_factor=3.0,
        baseline=Baseline(bad=100, total=1000),
    )
    plain = rollout(gates=[ERRORS | {"burstFactor": "Auto"}])
    measured = plain.replace(status=plain.status.replace(gates=(gate,)))

    assert outlook_of(after(measured, decided(measured))) == (
        "about 450 canary runs: can catch errors 10% to 21%"
    )


def test_the_outlook_waits_for_runs_and_time() -> None:
    """99 runs, or less than a tenth of the phase, are not yet its traffic."""
    few = {RUNS: (5, 94), f'{RUNS}{{outcome="failed"}}': (0, 1)}
    long = rollout(phases=[{"name": "five", "weight": 5, "durationSeconds": 4100}])

    assert outlook_of(after(rollout(), decided(rollout(), few))) is None
    assert outlook_of(after(long, decided(long))) is None


def test_the_outlook_is_said_once_a_phase() -> None:
    """More runs do not change the sentence; the next phase, or another plan, has one of its own."""
    world = after(rollout(), decided(rollout()))
    double = {metric: (2 * canary, 2 * stable) for metric, (canary, stable) in HEALTHY.items()}
    other = world.replace(spec=world.spec.replace(bake=Bake(duration_seconds=60)))

    assert outlook_of(after(world, decided(world, double))) == outlook_of(world)
    assert outlook_of(after(other, decide(observed(other)))) is None


def test_the_runs_of_a_cap_follow_the_convention() -> None:
    """Messages per run, where OpenTelemetry counts the runs."""
    spec = PLAN | {
        "caps": [{"name": "out", "metric": 'sent_total{kind="mail"}', "maxPerRun": "5"}],
        "gates": [],
        "metrics": {"convention": "OpenTelemetry"},
    }
    (cap,) = resolve_caps(AgentRolloutSpec.model_validate(spec)).caps

    assert cap.runs_source is not None
    assert cap.runs_source.selector == Selector("gen_ai_invoke_agent_duration_seconds_count")
    assert cap.metric == Selector("sent_total", (Matcher("kind", "=", "mail"),))


def test_a_weight_without_traffic_is_not_asked_about() -> None:
    """An attempt in line, or taken back, uses nothing."""
    world = rollout(caps=[SPEND])
    assert world.status.attempt is not None
    back = world.status.attempt.replace(state=State.ROLLING_BACK, weight=0)
    gone = world.replace(status=world.status.replace(attempt=back))

    assert decide(replace(observed(gone), traffic={})).poll is None
