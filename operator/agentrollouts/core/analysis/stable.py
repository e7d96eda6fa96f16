"""Stable by itself, where `spec.watch` enables it: what is evaluated while no attempt is in progress.

With nothing to compare with, only limits, counts and caps apply. Everything that is remembered is in
`status.watched`.
"""

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from agentrollouts.api.gates import During, NoDataPolicy, OnFail
from agentrollouts.api.reasons import Reason
from agentrollouts.api.rollout import AgentRolloutSpec
from agentrollouts.api.status import AgentRolloutStatus, ReleaseRecord
from agentrollouts.api.verdict import Severity, Verdict
from agentrollouts.core.analysis.caps import ResolvedCap, current_caps
from agentrollouts.core.analysis.gate_status import comparable, judged_with, to_status
from agentrollouts.core.analysis.observed import Observed
from agentrollouts.core.attempt.segments import fresh
from agentrollouts.core.containment.detour import on_standby
from agentrollouts.core.effects import Problem
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.resolve import labels_of
from agentrollouts.core.gates.selector import Refusal
from agentrollouts.core.judge.facts import PlanPosition
from agentrollouts.core.judge.judge import Judgment
from agentrollouts.core.metrics.poll import PollResult
from agentrollouts.core.metrics.queries import QueryPlan, Subject, plan_queries
from agentrollouts.core.metrics.reader import Result, read_table
from agentrollouts.core.states import is_progressing

LONGEST: Final = timedelta(hours=1)
"""Counts reach back to the last full hour and one more, so that the question changes once an hour only."""

ALONE: Final = PlanPosition(0, 1, time_over=True, alone=True)
"""No plan and no end: an answer may come at any time."""


def can_be_watched(gate: ResolvedGate) -> bool:
    """Whether a gate says something about a release that has nothing beside it."""
    return During.FULL in gate.traits.stages(has_limit=gate.limit is not None)


def check(spec: AgentRolloutSpec, gates: Iterable[ResolvedGate]) -> Iterable[Refusal]:
    """The names in `watch.gates` that no gate can answer to, and standbys that no gate can request."""
    resolved = tuple(gates)
    able = {gate.name for gate in resolved if can_be_watched(gate)}
    for index, gate in enumerate(spec.gates):
        if gate.action is OnFail.STANDBY and gate.name in {each.name for each in resolved} - able:
            why = "`Standby` is for a gate that is evaluated at rest; add `limit` or `maxCount`"
            yield Refusal(f"spec.gates[{index}].action", why)
    for index, name in enumerate((spec.watch and spec.watch.gates) or ()):
        if name not in able:
            yield Refusal(
                f"spec.watch.gates[{index}]", f"no gate {name} in spec.gates has a limit or a maxCount"
            )


def gates_at_rest(
    spec: AgentRolloutSpec, status: AgentRolloutStatus, gates: Iterable[ResolvedGate]
) -> tuple[ResolvedGate, ...]:
    """The gates that are evaluated while no attempt is in progress; a missing metric is not harm."""
    if not is_watched(spec, status) or spec.watch is None:
        return ()
    named = spec.watch.gates
    return tuple(
        replace(gate, no_data=NoDataPolicy.HOLD)
        for gate in gates
        if can_be_watched(gate)
        and (
            gate.own_action is OnFail.STANDBY
            or (gate.name in named if named else _severity(gate) is Severity.CRITICAL)
        )
    )


def is_watched(spec: AgentRolloutSpec, status: AgentRolloutStatus) -> bool:
    """Whether `spec.watch` requests that stable is judged by itself."""
    return spec.watch is not None and status.stable is not None and not is_progressing(status)


def _severity(gate: ResolvedGate) -> Severity:
    return gate.limit.severity if gate.limit else gate.severity


def plan(
    obs: Observed,
    status: AgentRolloutStatus,
    gates: tuple[ResolvedGate, ...],
    caps: tuple[ResolvedCap, ...],
) -> QueryPlan | None:
    """What is queried at rest; None if nothing is."""
    spec, due = obs.rollout.spec, gates_at_rest(obs.rollout.spec, status, gates)
    if status.stable is None or not is_watched(spec, status) or not (due or caps):
        return None
    serving = on_standby(status) or status.stable
    namespace, release = obs.rollout.metadata.namespace, serving.release
    return plan_queries(
        due,
        Subject(namespace, spec.agent, release, None, labels_of(spec), alone=True),
        counting_start=_start(status, serving, obs.now),
        warmup_seconds=0,
        caps=[source for cap in caps for source in cap.sources],
    )


def _start(status: AgentRolloutStatus, serving: ReleaseRecord, now: datetime) -> datetime:
    """Nor does anything count from before a detour, which would start it again as soon as it ends."""
    hour = now.replace(minute=0, second=0, microsecond=0) - LONGEST
    switched_on = status.last_detour.end_time if status.last_detour else hour
    began = status.detour.since if status.detour and status.detour.standby else hour
    return max(serving.healthy_time or hour, switched_on, began, hour)


def judge(
    obs: Observed,
    status: AgentRolloutStatus,
    gates: Iterable[ResolvedGate],
    poll_result: PollResult | None,
    table: Result,
) -> tuple[Judgment, ...]:
    """The verdicts on stable by the newest result, which `table` holds; none without one."""
    spec, due = obs.rollout.spec, gates_at_rest(obs.rollout.spec, status, gates)
    if poll_result is None or not due:
        return ()
    stale = spec.analysis.stale_after_seconds
    present = read_table(table, due, now=obs.now, stale_after_seconds=stale)
    seen = {gate.name: fresh(gate) for gate in status.gates} | {gate.name: gate for gate in status.watched}
    past = {gate.name: persisted for gate in due if (persisted := comparable(seen.get(gate.name), gate))}
    return judged_with(past, due, present, ALONE, obs.now)


def failed_at_rest(
    spec: AgentRolloutSpec,
    status: AgentRolloutStatus,
    gates: Iterable[ResolvedGate],
    actions: Collection[OnFail],
) -> Problem | None:
    """What was found against stable whose consequence is one of `actions`; gates first.

    From the status, so that a restart forgets nothing.
    """
    if not is_watched(spec, status):
        return None
    by_name, caps = {gate.name: gate for gate in gates}, {cap.name: cap for cap in spec.caps}
    failing = [
        f"{gate.name}: {gate.message}"
        for gate in status.watched
        if gate.verdict is Verdict.FAIL
        and gate.name in by_name
        and by_name[gate.name].action_at(gate.severity) in actions
    ]
    exceeded = [
        f"{cap.name}: {cap.message}"
        for cap in current_caps(status)
        if cap.exceeded and cap.name in caps and caps[cap.name].action in actions
    ]
    if not (failing or exceeded):
        return None
    reason = Reason.GATE_FAILED if failing else Reason.CAP_EXCEEDED
    return Problem(reason, "; ".join((*failing, *exceeded)))


def apply(
    status: AgentRolloutStatus, spec: AgentRolloutSpec, judgments: Iterable[Judgment]
) -> AgentRolloutStatus:
    """The status with the newest verdicts on stable; without any, those that are known."""
    if not is_watched(spec, status):
        return status.copy_with(watched=()) if status.watched else status
    watched = tuple(to_status(judgment) for judgment in judgments)
    return status.copy_with(watched=watched) if watched else status
