"""Which gates and caps are evaluated in one decision, and what the newest result says: worked out once.

There are three subjects: the canary beside stable, stable by itself, and stable after a rollback. Each has a
plan of what is queried, judges the result, and applies to the status what has to be remembered.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from agentrollouts.api.attempt import State
from agentrollouts.api.gates import OnFail
from agentrollouts.api.rollout import AgentRolloutSpec
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.api.verdict import CapStatus, Severity, Verdict
from agentrollouts.core.analysis import canary, recovery, stable, stages
from agentrollouts.core.analysis.caps import (
    CapReading,
    ResolvedCap,
    current_caps,
    read_caps,
    resolve_caps,
    with_readings,
)
from agentrollouts.core.analysis.gate_status import is_measured
from agentrollouts.core.analysis.observed import Observed
from agentrollouts.core.analysis.outlook import with_outlook
from agentrollouts.core.analysis.recovery import Recovery
from agentrollouts.core.attempt.segments import is_same_segment
from agentrollouts.core.effects import Problem
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.resolve import resolve_all
from agentrollouts.core.gates.selector import Refusal
from agentrollouts.core.judge.judge import Judgment
from agentrollouts.core.metrics.closer_look import closer_look
from agentrollouts.core.metrics.poll import Poll, PollResult
from agentrollouts.core.metrics.queries import QueryPlan
from agentrollouts.core.metrics.reader import NOTHING_YET, tabulate
from agentrollouts.core.metrics.table import Table
from agentrollouts.core.states import is_progressing

_ACTIONS = (OnFail.SWITCH_OFF, OnFail.ROLL_BACK, OnFail.STANDBY, OnFail.HOLD, OnFail.WARN)
_SEVERITIES = tuple(Severity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """All that gates and caps say in one decision."""

    obs: Observed
    status: AgentRolloutStatus
    """The status with what the newest result says."""
    refusals: tuple[Refusal, ...]
    """What in gates and caps cannot be served as it is written."""
    gates: tuple[ResolvedGate, ...]
    caps: tuple[ResolvedCap, ...]
    plan: QueryPlan | None
    """What is queried at this status; None while nothing is judged."""
    poll_result: PollResult | None
    """The newest result, if it is one of that plan."""
    table: Table | None
    """Its numbers, if it is readable."""
    judgments: tuple[Judgment, ...]
    """One for each gate that is due; empty while there is no result for this segment."""
    cap_readings: tuple[CapReading, ...]
    """One for each cap of which something is known."""
    recoveries: tuple[Recovery, ...]
    """While verifying, one for each gate that judges the rollback; empty while there is no result."""

    @property
    def spec(self) -> AgentRolloutSpec:
        """The spec that has the gates."""
        return self.obs.rollout.spec

    def gates_at(self, status: AgentRolloutStatus) -> tuple[ResolvedGate, ...]:
        """The gates that judge the canary at this stage of the attempt."""
        return stages.gates_at(self.spec, status, self.gates)

    def is_gated(self, status: AgentRolloutStatus) -> bool:
        """Whether some gate is due at this stage of the attempt, or at rest."""
        return bool(self.gates_at(status) or stable.gates_at_rest(self.spec, status, self.gates))

    @property
    def gates_at_rest(self) -> tuple[ResolvedGate, ...]:
        """The gates that judge stable by itself."""
        return stable.gates_at_rest(self.spec, self.status, self.gates)

    @property
    def gates_after(self) -> tuple[ResolvedGate, ...]:
        """The gates that judge the present rollback."""
        return recovery.gates_after(self.spec, self.status, self.gates)

    @property
    def watches_stable(self) -> bool:
        """Whether stable is judged by itself."""
        return stable.is_watched(self.spec, self.status)

    def failure_of_stable(self, actions: Collection[OnFail]) -> Problem | None:
        """What was found against stable whose consequence is one of `actions`, as persisted."""
        return stable.failed_at_rest(self.spec, self.status, self.gates, actions)

    @property
    def awaits_result(self) -> bool:
        """Whether some gate is due and Prometheus has not answered yet."""
        return self.is_gated(self.status) and not self.judgments

    @property
    def passed(self) -> bool:
        """Whether every gate that is due lets pass; where none is, there is nothing to pass."""
        return not self.awaits_result and all(judgment.lets_pass for judgment in self.judgments)

    @property
    def failing(self) -> tuple[Judgment, ...]:
        """The gates that fail, the worst first."""
        failing = (judgment for judgment in self.judgments if judgment.verdict is Verdict.FAIL)
        return tuple(sorted(failing, key=lambda j: (_ACTIONS.index(j.action), _SEVERITIES.index(j.severity))))

    def exceeded(self, *actions: OnFail) -> tuple[CapReading, ...]:
        """The caps that are exceeded, of those with one of these actions."""
        return tuple(each for each in self.cap_readings if each.exceeded and each.cap.action in actions)

    def having(self, verdict: Verdict) -> tuple[Judgment, ...]:
        """The gates with this verdict that do not let pass."""
        return tuple(j for j in self.judgments if j.verdict is verdict and not j.lets_pass)


def analyze(obs: Observed, status: AgentRolloutStatus, *, gateway_follows: bool) -> Analysis:
    """Judge the newest result.

    Args:
        obs: What was observed.
        status: As persisted, with weights and clocks as the traffic confirms them.
        gateway_follows: Whether the gateway says that it follows the route of a rollback.
    """
    spec = obs.rollout.spec
    gates, refused_gates = resolve_all(spec)
    caps, refused_caps = resolve_caps(spec)
    plan = _plan(obs, status, gates, caps)
    poll_result = obs.poll_result if obs.poll_result and obs.poll_result.plan == plan else None
    result = tabulate(poll_result.plan, poll_result.result) if poll_result else NOTHING_YET
    table = result if isinstance(result, Table) else None
    compared = canary.judge(obs, status, gates, poll_result, result)
    alone = stable.judge(obs, status, gates, poll_result, result)
    readings = read_caps(caps, table) if table and table.plan.past_end is None else ()
    next_status = stable.apply(status, spec, alone)
    next_status = recovery.apply(next_status, gates, table, obs, gateway_follows=gateway_follows)
    next_status = canary.apply(with_readings(next_status, readings), gates, compared, obs.now)
    return Analysis(
        obs=obs,
        status=with_outlook(next_status, spec, compared, poll_result),
        refusals=_refusals(spec, gates, (*refused_gates, *refused_caps)),
        gates=gates,
        caps=caps,
        plan=plan,
        poll_result=poll_result,
        table=table,
        judgments=compared or alone,
        cap_readings=readings,
        recoveries=recovery.judge(next_status, spec, gates, table),
    )


def _plan(
    obs: Observed,
    status: AgentRolloutStatus,
    gates: tuple[ResolvedGate, ...],
    caps: tuple[ResolvedCap, ...],
) -> QueryPlan | None:
    """What is queried of the subject of this state."""
    if status.attempt and status.attempt.state is State.VERIFYING:
        return recovery.plan(obs, status, gates)
    plan_of_subject = canary.plan if is_progressing(status) else stable.plan
    return plan_of_subject(obs, status, gates, caps)


def refusals_of(spec: AgentRolloutSpec) -> tuple[Refusal, ...]:
    """What in gates and caps cannot be served as it is written, before anything is observed."""
    gates, refused = resolve_all(spec)
    return _refusals(spec, gates, (*refused, *resolve_caps(spec).refusals))


def _refusals(
    spec: AgentRolloutSpec, gates: tuple[ResolvedGate, ...], refused: tuple[Refusal, ...]
) -> tuple[Refusal, ...]:
    """Everything that is wrong with gates and caps; that none judges the canary, only if all are right."""
    wrong = (*refused, *recovery.check(spec, gates), *stable.check(spec, gates))
    return wrong or tuple(stages.check(spec, gates))


def poll(analysis: Analysis, status: AgentRolloutStatus) -> Poll | None:
    """What to query from now on, at the next status; None while nothing is judged."""
    obs, spec, gates = analysis.obs, analysis.spec, analysis.gates
    is_same = is_same_segment(analysis.status, status)
    plan = analysis.plan if is_same else _plan(obs, status, gates, analysis.caps)
    if plan is None:
        return None
    if analysis.table and (closer := closer_look(analysis.table, gates)):
        plan = replace(plan, closer=closer)
    source, attempt, size = spec.metrics.source, status.attempt, len(gates) + len(analysis.caps)
    if spec.watch and not is_progressing(status):
        return Poll(plan=plan, source=source, interval_seconds=spec.watch.interval_seconds, gates=size)
    past = {gate.name: gate for gate in status.gates}
    is_known = all(gate.name in past and is_measured(gate, past[gate.name]) for gate in gates)
    is_over = plan.past_end is not None
    return Poll(
        plan=plan,
        source=source,
        interval_seconds=spec.analysis.interval_seconds,
        gates=size,
        history_before=None if is_known or is_over or attempt is None else attempt.start_time,
        census=None if is_over else canary.census(obs, status, gates, plan),
    )


def with_query(analysis: Analysis, status: AgentRolloutStatus) -> AgentRolloutStatus:
    """The status with the query of the gate that matters most; worked out only where it is written."""
    return canary.with_query(status, analysis.poll_result, analysis.judgments)


def exceeded_caps(status: AgentRolloutStatus) -> Iterator[CapStatus]:
    """The persisted caps that what serves or is tried now exceeds."""
    return (cap for cap in current_caps(status) if cap.exceeded)
