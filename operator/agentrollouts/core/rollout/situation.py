"""Where a rollout stands, worked out once for all checks.

The persisted status with what the traffic objects confirm now, the desired release, and the judgments on the
newest result of Prometheus.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from agentrollouts.api.attempt import Attempt, State
from agentrollouts.api.gates import OnFail
from agentrollouts.api.objects import ConditionStatus
from agentrollouts.api.reasons import Reason
from agentrollouts.api.rollout import AgentRolloutSpec
from agentrollouts.api.status import AgentRolloutStatus, WeightsStatus
from agentrollouts.api.verdict import Severity, Verdict
from agentrollouts.core.analysis import stable, stages
from agentrollouts.core.analysis.canary import judged, query_plan, with_verdicts
from agentrollouts.core.analysis.caps import CapReading, ResolvedCap, read_caps, resolve_caps, with_readings
from agentrollouts.core.analysis.outlook import with_outlook
from agentrollouts.core.analysis.recovery import Recovery, check, gates_after, noted, recoveries
from agentrollouts.core.analysis.stages import gates_at
from agentrollouts.core.attempt.clocks import confirmed, elapsed, phase_seconds, status_on_time
from agentrollouts.core.conditions import find_condition
from agentrollouts.core.effects import Problem
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.gates.resolve import resolve_all
from agentrollouts.core.judge.judge import Judgment
from agentrollouts.core.metrics.poll import PollResult
from agentrollouts.core.metrics.queries import QueryPlan
from agentrollouts.core.metrics.reader import NOTHING_YET, tabulate
from agentrollouts.core.metrics.table import Table
from agentrollouts.core.rollout.desired import Desired, desired_release, missing_service
from agentrollouts.core.rollout.observation import Observation
from agentrollouts.core.states import base_state
from agentrollouts.core.traffic import endpoints, gateways
from agentrollouts.core.traffic.state import Routing, TrafficState

ERROR_GRACE: Final = timedelta(seconds=600)
"""How long Prometheus may fail before the attempt is held (gates.md, situation table)."""
SILENCE_GRACE: Final = timedelta(seconds=300)
"""How long a metric may be missing or stale before the attempt is held (same table)."""

_ACTIONS, _SEVERITIES = (OnFail.ROLL_BACK, OnFail.HOLD, OnFail.WARN), tuple(Severity)

METRICS_CONDITION: Final = "MetricsAvailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Everything that the chain looks at."""

    obs: Observation
    status: AgentRolloutStatus
    """The persisted status, with weights and clocks as the traffic objects confirm them."""
    poll_result: PollResult | None
    """The newest answer of Prometheus, where it is one to the current query."""
    desired: Desired | Problem
    routing: Routing
    traffic: TrafficState
    """The traffic, compared with what the persisted status desires."""
    gateways: gateways.Report
    """What the gateways say about the route as it is."""
    unservable: Problem | None
    """What in the plan cannot be served as it is written."""
    gates: tuple[ResolvedGate, ...]
    plan: QueryPlan | None
    """What is queried at `status`; None while nothing is judged."""
    table: Table | None
    """The newest result of that query, if there is a readable one."""
    judgments: tuple[Judgment, ...]
    """One for each gate that is evaluated; empty while there is no result about this segment yet."""
    caps: tuple[ResolvedCap, ...] = ()
    cap_readings: tuple[CapReading, ...] = ()
    """One for each cap of which something is known."""
    recoveries: tuple[Recovery, ...] = ()
    """While verifying, one for each gate that judges the rollback; empty while nothing was answered."""

    @property
    def now(self) -> datetime:
        """The one instant of this decision."""
        return self.obs.now

    @property
    def spec(self) -> AgentRolloutSpec:
        """The plan."""
        return self.obs.rollout.spec

    @property
    def attempt(self) -> Attempt:
        """The attempt in progress; a bug in the chain if there is none."""
        if self.status.attempt is None:
            raise ValueError("There is no attempt")
        return self.status.attempt

    @property
    def applied(self) -> bool:
        """Whether the weights of the persisted status are in effect, as reported by every gateway."""
        return self.traffic.is_shown and self.gateways.problem is None

    @property
    def canary_answers(self) -> bool | None:
        """Whether the canary can answer requests; None if that is unknown."""
        return endpoints.canary_answers(self.obs, self.status, self.gateways)

    @property
    def stable_answers(self) -> bool | None:
        """Whether stable can answer its share of the requests; None if that is unknown."""
        return endpoints.stable_answers(self.obs, self.status, self.gateways)

    @property
    def base(self) -> State:
        """The attempt's state, or the one that it is held in."""
        return base_state(self.attempt)

    @property
    def clock(self) -> float:
        """Seconds that the phase, or the bake, has run."""
        return elapsed(self.attempt, self.now)

    @property
    def limit(self) -> float:
        """Seconds that the phase, or the bake, has to run."""
        return phase_seconds(self.spec, self.attempt)

    @property
    def is_gated(self) -> bool:
        """Whether any gate is evaluated at this stage of the attempt, or at rest."""
        return bool(
            gates_at(self.spec, self.status, self.gates)
            or stable.gates_at_rest(self.spec, self.status, self.gates)
        )

    @property
    def passed(self) -> bool:
        """Whether every gate that is evaluated passes; true if there is none."""
        answered = bool(self.judgments) or not self.is_gated
        return answered and all(judgment.lets_pass for judgment in self.judgments)

    @property
    def failing(self) -> tuple[Judgment, ...]:
        """The gates that fail, the worst first."""
        failing = (judgment for judgment in self.judgments if judgment.verdict is Verdict.FAIL)
        return tuple(sorted(failing, key=lambda j: (_ACTIONS.index(j.action), _SEVERITIES.index(j.severity))))

    def exceeded(self, action: OnFail) -> tuple[CapReading, ...]:
        """The caps that are exceeded, of those with this action."""
        return tuple(found for found in self.cap_readings if found.exceeded and found.cap.action is action)

    def having(self, verdict: Verdict) -> tuple[Judgment, ...]:
        """The gates with this verdict that do not let pass."""
        return tuple(j for j in self.judgments if j.verdict is verdict and not j.lets_pass)

    @property
    def silence(self) -> Problem | None:
        """What is wrong with the metrics at this moment."""
        silent = self.having(Verdict.ERROR) or self.having(Verdict.NO_DATA)
        return Problem(silent[0].reason, sentences(silent)) if silent else None

    @property
    def silent_for(self) -> timedelta:
        """How long something has been wrong with the metrics, as the persisted condition says."""
        known = find_condition(self.status.conditions, METRICS_CONDITION)
        if known is None or known.status is not ConditionStatus.FALSE:
            return timedelta()
        return self.now - known.last_transition_time


def assess(obs: Observation) -> Situation:
    """Work out where the rollout stands."""
    spec, routing, status = obs.rollout.spec, Routing(obs), status_on_time(obs.status, obs.now)
    traffic = routing.state(obs.status)
    report, follows = gateways.read(obs), gateways.follow(obs.rollout, obs.traffic)
    weights = traffic.weights
    if weights and traffic.is_shown:
        split = WeightsStatus(stable=weights.stable, canary=weights.canary)
        status = confirmed(status, split, obs.now, is_applied=report.problem is None)
    status = endpoints.noted(obs, status, report)
    gates, refusals = resolve_all(spec)
    caps, refused_caps = resolve_caps(spec)
    wrong = (*refusals, *refused_caps, *check(spec, gates), *stable.check(spec, gates))
    wrong = wrong or tuple(stages.check(spec, gates))
    plan = query_plan(obs, status, gates, caps)
    poll_result = obs.poll_result if obs.poll_result and obs.poll_result.plan == plan else None
    result = tabulate(poll_result.plan, poll_result.answer) if poll_result else NOTHING_YET
    table = result if isinstance(result, Table) else None
    judgments = judged(obs, status, gates, poll_result, result)
    at_rest = stable.judged_at_rest(obs, status, gates, poll_result, result)
    status = stable.with_watched(status, spec, at_rest)
    status = noted(status, table, obs.now, gateway_follows=follows)
    cap_readings = read_caps(caps, table) if table and table.plan.past_end is None else ()
    status = with_readings(status, cap_readings)
    return Situation(
        obs=obs,
        status=with_outlook(with_verdicts(status, gates, judgments, obs.now), spec, judgments, poll_result),
        poll_result=poll_result,
        desired=desired_release(obs),
        routing=routing,
        traffic=traffic,
        gateways=report,
        unservable=_unservable(obs, traffic, "; ".join(map(str, wrong))),
        gates=gates,
        plan=plan,
        table=table,
        judgments=judgments or at_rest,
        caps=caps,
        cap_readings=cap_readings,
        recoveries=recoveries(status, gates_after(spec, status, gates), table),
    )


def is_same_segment(before: AgentRolloutStatus, after: AgentRolloutStatus) -> bool:
    """Whether all is untouched on which queries and traffic depend, so that neither is worked out again."""
    return (
        before.attempt is after.attempt
        and before.stable is after.stable
        and before.canary is after.canary
        and before.last_rollback is after.last_rollback
    )


def sentences(found: Iterable[Judgment | CapReading | Recovery]) -> str:
    """What several gates, or caps, say, each by name."""
    return "; ".join(f"{each.name}: {each.message}" for each in found)


def _unservable(obs: Observation, traffic: TrafficState, refusals: str) -> Problem | None:
    if obs.refused:
        return obs.refused
    if refusals:
        return Problem(Reason.INVALID_GATE, refusals)
    spec, status = obs.rollout.spec, obs.status
    missing = missing_service(spec, status.stable) or missing_service(spec, status.canary)
    return missing or traffic.problem
