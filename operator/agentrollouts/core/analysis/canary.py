"""The canary beside stable: which gates and caps are evaluated now, and what the newest result says.

Only a result of the current query counts: one about an earlier segment, or about other gates, is ignored.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from typing import Final

from agentrollouts.api.analysis import MetricConvention
from agentrollouts.api.attempt import Attempt, State
from agentrollouts.api.gates import OnFail
from agentrollouts.api.rollout import AgentRolloutSpec
from agentrollouts.api.status import AgentRolloutStatus, ReleaseRecord
from agentrollouts.api.verdict import GateStatus, QueryStatus, Verdict
from agentrollouts.core.analysis.baseline import baselines, factors
from agentrollouts.core.analysis.caps import ResolvedCap
from agentrollouts.core.analysis.gate_status import comparable, is_measured, judged_with, measured, to_status
from agentrollouts.core.analysis.observed import Observed
from agentrollouts.core.analysis.stages import FULL, gates_at
from agentrollouts.core.attempt.clocks import elapsed, phase_seconds, warmup_left
from agentrollouts.core.attempt.schedule import plan_hash, rises_left, steps_of
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.reading import Present, Reading, Sight
from agentrollouts.core.gates.resolve import labels_of
from agentrollouts.core.gates.sources import Source
from agentrollouts.core.gates.templates import STARTED
from agentrollouts.core.judge.facts import PlanPosition
from agentrollouts.core.judge.judge import Judgment
from agentrollouts.core.judge.stats.shifts import looks_until
from agentrollouts.core.metrics.absences import run_seconds, started, with_started
from agentrollouts.core.metrics.births import Explains
from agentrollouts.core.metrics.census import Census, census_of, sight_of
from agentrollouts.core.metrics.poll import PollResult
from agentrollouts.core.metrics.promql import for_namespace, render_gate
from agentrollouts.core.metrics.queries import QueryPlan, Subject, plan_queries
from agentrollouts.core.metrics.reader import Result, read_table
from agentrollouts.core.metrics.table import QueryResult, Table
from agentrollouts.core.states import JUDGED, base_state

WATCHED: Final = JUDGED | {State.INITIAL}
"""States in which the canary has traffic."""

NOT_FAILING: Final = frozenset({Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.SHARED_CAUSE})
"""Verdicts on counts that do not show the canary worse than stable."""

QUERY_LENGTH: Final = 8192
"""Longest query that a status shows; the bound of the field in the CRD."""


def plan(
    obs: Observed,
    status: AgentRolloutStatus,
    gates: tuple[ResolvedGate, ...],
    caps: tuple[ResolvedCap, ...],
) -> QueryPlan | None:
    """The query of the current segment; None while no gate is evaluated.

    Gates are evaluated by the stage of the attempt, caps for as long as the canary has traffic.
    """
    attempt, spec, canary = status.attempt, obs.rollout.spec, status.canary
    if attempt is None or canary is None or not attempt.weight or attempt.state not in WATCHED:
        return None
    gates = _gates_due(spec, status, gates)
    if not gates and not caps:
        return None
    subject = _subject(obs, status, canary, alone=attempt.weight == FULL)
    start = attempt.counting_start_time or attempt.start_time
    queries = plan_queries(
        gates,
        subject,
        counting_start=start,
        warmup_seconds=warmup_left(spec, attempt, start),
        counted=_counted(status, gates),
        caps=[source for cap in caps for source in cap.sources],
    )
    selector = STARTED.get(spec.metrics.convention)
    counts_begun = selector and gates and subject.control
    return with_started(queries, Source(selector)) if selector and counts_begun else queries


def _subject(obs: Observed, status: AgentRolloutStatus, canary: ReleaseRecord, *, alone: bool) -> Subject:
    """Whose metrics are queried: those of the canary, beside stable where it has traffic."""
    spec = obs.rollout.spec
    return Subject(
        obs.rollout.metadata.namespace,
        spec.agent,
        canary.release,
        status.stable.release if status.stable else None,
        labels_of(spec),
        alone=alone,
        known_releases=obs.known_releases,
        by_request=spec.metrics.convention is MetricConvention.LITE_LLM,
    )


def _gates_due(
    spec: AgentRolloutSpec, status: AgentRolloutStatus, gates: tuple[ResolvedGate, ...]
) -> tuple[ResolvedGate, ...]:
    """The gates of this stage; none until its weight is seen, also after an edit of the plan.

    Caps are always queried, so there can be a result without any gate.
    """
    attempt = status.attempt
    if attempt is None or attempt.counting_start_time is None or attempt.plan_hash != plan_hash(spec):
        return ()
    return gates_at(spec, status, gates)


def _counted(status: AgentRolloutStatus, gates: tuple[ResolvedGate, ...]) -> frozenset[Source]:
    """Totals in which the canary had runs in finished segments."""
    had_runs = {gate.name for gate in status.gates if any(segment.canary.total for segment in gate.segments)}
    return frozenset(gate.sources.total for gate in gates if gate.name in had_runs)


def judge(
    obs: Observed,
    status: AgentRolloutStatus,
    gates: tuple[ResolvedGate, ...],
    poll_result: PollResult | None,
    table: Result,
) -> tuple[Judgment, ...]:
    """The verdicts on the newest result, which `table` holds; none without one to the current query."""
    spec, attempt = obs.rollout.spec, status.attempt
    gates = _gates_due(spec, status, gates)
    if poll_result is None or attempt is None or not gates:
        return ()
    past = _past(status, gates, poll_result)
    present = read_table(
        table,
        gates,
        now=obs.now,
        stale_after_seconds=spec.analysis.stale_after_seconds,
        explains=Explains(
            attempt.weight / FULL,
            {name: frozenset(gate.first_values_ignored) for name, gate in past.items()},
        ),
    )
    sights = _sights(gates, past, present, poll_result)
    course = _with_traffic(_course(spec, attempt, poll_result, obs.now), gates, table)
    return judged_with(past, gates, present, course, obs.now, sights)


def _with_traffic(course: PlanPosition, gates: tuple[ResolvedGate, ...], table: Result) -> PlanPosition:
    """The course with the unfinished runs that all gates together show."""
    counts_runs = any(gate.counts_runs for gate in gates)
    if not isinstance(table, Table):
        return replace(course, counts_runs=counts_runs)
    began, seconds = started(table), run_seconds(table, gates)
    return replace(course, counts_runs=counts_runs, started=began, run_seconds=seconds)


def _sights(
    gates: tuple[ResolvedGate, ...],
    past: Mapping[str, GateStatus],
    present: Mapping[str, Present],
    poll_result: PollResult,
) -> dict[str, Sight]:
    """Which gates could have seen a bad outcome, of those that have counts."""
    return {
        gate.name: sight_of(gate, past.get(gate.name), reading, poll_result.sighted)
        for gate in gates
        if isinstance(reading := present[gate.name], Reading)
    }


def census(
    obs: Observed, status: AgentRolloutStatus, gates: tuple[ResolvedGate, ...], plan: QueryPlan
) -> Census | None:
    """What must be measured about the gates of this stage, besides their counts."""
    due = gates_at(obs.rollout.spec, status, gates)
    return census_of(due, status.gates, plan.subject)


def _course(spec: AgentRolloutSpec, attempt: Attempt, poll_result: PollResult, now: datetime) -> PlanPosition:
    start, result = attempt.counting_start_time or now, poll_result.result
    counted = (result.at - start).total_seconds() if isinstance(result, QueryResult) else 0.0
    return PlanPosition(
        phase=attempt.phase_index,
        planned_phases=len(spec.phases),
        time_over=_is_due(spec, attempt, now),
        weight=attempt.weight,
        counted_seconds=counted,
        alone=poll_result.plan.subject.alone,
        warmup_seconds=spec.analysis.warmup_seconds,
        planned_looks=planned_looks(spec, attempt),
    )


def _is_due(spec: AgentRolloutSpec, attempt: Attempt, now: datetime) -> bool:
    """Whether it is time for the next advance, of the phase or of its ramp, so that a gate may say Pass."""
    left = rises_left(spec, attempt)
    on_ramp = base_state(attempt) is State.CANARY and left
    return elapsed(attempt, now) >= (left[0].due_seconds if on_ramp else phase_seconds(spec, attempt))


def _past(
    status: AgentRolloutStatus, gates: tuple[ResolvedGate, ...], poll_result: PollResult
) -> dict[str, GateStatus]:
    """What the status knows of the gates; what is measured on stable is measured now if it was not yet."""
    by_name = {gate.name: gate for gate in status.gates}
    past = {gate.name: persisted for gate in gates if (persisted := comparable(by_name.get(gate.name), gate))}
    if not poll_result.history or all(
        gate.name in past and is_measured(gate, past[gate.name]) for gate in gates
    ):
        return past
    history = tuple(poll_result.history)
    bursts, before = factors(poll_result.plan, gates, history), baselines(poll_result.plan, gates, history)
    return {
        gate.name: measured(gate, past.get(gate.name), bursts.get(gate.name), before.get(gate.name))
        for gate in gates
    }


def apply(
    status: AgentRolloutStatus,
    gates: tuple[ResolvedGate, ...],
    judgments: tuple[Judgment, ...],
    now: datetime,
) -> AgentRolloutStatus:
    """The status with the newest verdicts; if Prometheus has a gap, counting restarts.

    Gates that are not evaluated at this stage keep their last verdict.
    """
    if not judgments:
        return status
    before = {gate.name: gate for gate in status.gates}
    statuses = before | {
        j.name: to_status(j, len(gates)).copy_with(holding_start_time=_holding(j, before.get(j.name), now))
        for j in judgments
    }
    names = (gate.name for gate in gates)
    updated = status.copy_with(gates=tuple(statuses[name] for name in names if name in statuses))
    if status.attempt and any(judgment.recount for judgment in judgments):
        updated = updated.copy_with(attempt=status.attempt.copy_with(counting_start_time=now))
    return updated


def _holding(judgment: Judgment, before: GateStatus | None, now: datetime) -> datetime | None:
    """Since when the gate has held the attempt. Without counts, it is not known to have recovered."""
    since = before.holding_start_time if before else None
    if judgment.verdict is Verdict.FAIL:
        return (since or now) if judgment.action is OnFail.HOLD else None
    has_recovered = judgment.verdict in NOT_FAILING and judgment.present is not None
    return None if has_recovered else since


def with_query(
    status: AgentRolloutStatus, poll_result: PollResult | None, judgments: tuple[Judgment, ...]
) -> AgentRolloutStatus:
    """The status with the query of the gate that matters most, for people; computed only if it is written."""
    if poll_result is None or not judgments or not isinstance(poll_result.result, QueryResult):
        return status
    gate = next((j.gate for j in judgments if j.verdict is not Verdict.PASS), judgments[0].gate)
    text = render_gate(
        for_namespace(poll_result.plan, poll_result.namespace_label, births=not poll_result.counts_births),
        gate,
        poll_result.result.at,
    )
    fits = text is not None and len(text) <= QUERY_LENGTH
    shown = QueryStatus(gate=gate.name, time=poll_result.result.at, text=text) if text and fits else None
    return status.copy_with(query=shown)


def planned_looks(spec: AgentRolloutSpec, attempt: Attempt) -> int:
    """Looks in all segments of the phase; the last one continues through the bake."""
    begins = [step.due_seconds for step in steps_of(spec, attempt.phase_index)]
    is_last, end = attempt.phase_index + 1 == len(spec.phases), phase_seconds(spec, attempt)
    if base_state(attempt) is State.BAKING:
        end += spec.phases[attempt.phase_index].duration_seconds
    elif is_last:
        end += spec.bake.duration_seconds
    return sum(max(1, looks_until(after - before)) for before, after in pairwise([*begins, end]))
