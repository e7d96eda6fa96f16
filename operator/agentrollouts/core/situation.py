"""Where a rollout stands, worked out once: what the chain in `decide` asks its questions of.

First half of a decision: the persisted status with what the traffic objects now confirm, the release that is asked
for, and the gates' verdicts on the newest answer of Prometheus.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from agentrollouts.api.meta import ConditionStatus
from agentrollouts.api.reasons import Reason
from agentrollouts.api.rollout import Action, AgentRolloutSpec
from agentrollouts.api.status import AgentRolloutStatus, Attempt, GateStatus, State, Verdict, WeightsStatus
from agentrollouts.core import traffic
from agentrollouts.core.asked import Asked, identify
from agentrollouts.core.burst import baselines, factors
from agentrollouts.core.catalogue import ResolvedGate, labels_of, resolve_all
from agentrollouts.core.conditions import find_condition
from agentrollouts.core.counts import Answer, Unreadable, read_all
from agentrollouts.core.gates import NOTHING, Course, Judgement, judge
from agentrollouts.core.memory import finished, is_measured, known, measured, memory_of, to_status
from agentrollouts.core.observation import Heard, Observation, Problem
from agentrollouts.core.plan import elapsed, phase_seconds, plan_hash, rises_left, steps_of, warmup_left
from agentrollouts.core.queries import QueryPlan, Source, Subject, plan_queries, total_source
from agentrollouts.core.shifts import looks_until
from agentrollouts.core.states import JUDGED, base_state

FULL: Final = 100
ERROR_GRACE: Final = timedelta(seconds=600)
"""How long Prometheus may fail before the attempt is held (gates.md, situation table)."""
SILENCE_GRACE: Final = timedelta(seconds=300)
"""How long a metric may be missing or stale before the attempt is held (same table)."""

METRICS_CONDITION: Final = "MetricsAvailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """All that the chain looks at."""

    obs: Observation
    status: AgentRolloutStatus
    """The persisted status, with weights and clocks as the traffic objects confirm them."""
    asked: Asked | Problem
    shown: bool
    """Whether the traffic objects show what the persisted status asks for."""
    unservable: Problem | None
    """What in the plan cannot be served as it is written."""
    gates: tuple[ResolvedGate, ...]
    judgements: tuple[Judgement, ...]
    """One for each gate; empty while nothing is compared, or nothing was answered about this segment yet."""

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
        """The attempt under way; a bug in the chain where there is none."""
        if self.status.attempt is None:
            raise ValueError("There is no attempt")
        return self.status.attempt

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
        return time_limit(self.spec, self.attempt)

    @property
    def passed(self) -> bool:
        """Whether every gate lets pass; where there is nothing to compare with, there is nothing to pass."""
        if not self.spec.gates or not is_compared(self.status):
            return True
        return bool(self.judgements) and all(judgement.lets_pass for judgement in self.judgements)

    def failing(self, action: Action) -> tuple[Judgement, ...]:
        """The gates that fail, of those with this action."""
        return tuple(j for j in self.judgements if j.verdict is Verdict.FAIL and j.action is action)

    def having(self, verdict: Verdict) -> tuple[Judgement, ...]:
        """The gates with this verdict that do not let pass."""
        return tuple(j for j in self.judgements if j.verdict is verdict and not j.lets_pass)

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
    shown = all(
        traffic.shows(obs.traffic.get(traffic.key_of(wanted)), wanted)
        for wanted in traffic.render(obs.rollout, obs.status)
    )
    status = _confirmed(obs.status, obs.now) if shown else obs.status
    gates, refusals = resolve_all(obs.rollout.spec)
    judgements = _judged(obs, status, gates)
    return Situation(
        obs=obs,
        status=_with_verdicts(status, judgements, obs.now),
        asked=identify(obs),
        shown=shown,
        unservable=_unservable(obs.rollout.spec, [str(refusal) for refusal in refusals]),
        gates=gates,
        judgements=judgements,
    )


def sentences(judgements: Iterable[Judgement]) -> str:
    """What several gates say, each by name."""
    return "; ".join(f"{judgement.name}: {judgement.message}" for judgement in judgements)


def time_limit(spec: AgentRolloutSpec, attempt: Attempt) -> float:
    """Seconds that the phase, or the bake, has to run."""
    is_baking = base_state(attempt) is State.BAKING
    return spec.bake.duration_seconds if is_baking else phase_seconds(spec, attempt)


def is_compared(status: AgentRolloutStatus) -> bool:
    """Whether canary and stable both have traffic, so that one can be judged against the other."""
    attempt = status.attempt
    return (
        attempt is not None
        and attempt.state in JUDGED
        and status.stable is not None
        and status.canary is not None
        and 0 < attempt.weight < FULL
    )


def query_plan(
    obs: Observation, status: AgentRolloutStatus, gates: tuple[ResolvedGate, ...]
) -> QueryPlan | None:
    """What is asked about the present segment; None while nothing is compared or its weight is not in effect."""
    attempt, spec = status.attempt, obs.rollout.spec
    if not gates or not is_compared(status) or attempt is None or attempt.plan_hash != plan_hash(spec):
        return None
    if attempt.counting_start_time is None or status.canary is None or status.stable is None:
        return None
    subject = Subject(
        obs.rollout.metadata.namespace,
        spec.agent,
        status.canary.release,
        status.stable.release,
        labels_of(spec),
    )
    return plan_queries(
        gates,
        subject,
        counting_start=attempt.counting_start_time,
        warmup_seconds=warmup_left(spec, attempt, attempt.counting_start_time),
        counted=_counted(status, gates),
    )


def _counted(status: AgentRolloutStatus, gates: tuple[ResolvedGate, ...]) -> frozenset[Source]:
    """Totals in which the canary had runs in finished segments."""
    had_runs = {gate.name for gate in status.gates if any(segment.canary.total for segment in gate.segments)}
    return frozenset(total_source(gate) for gate in gates if gate.name in had_runs)


def _confirmed(status: AgentRolloutStatus, now: datetime) -> AgentRolloutStatus:
    """The weights are in effect: they are confirmed, and the clocks that waited for them start."""
    weights = traffic.asked_weights(status)
    if weights is None:
        return status
    confirmed = status.model_copy(
        update={"weights": WeightsStatus(stable=weights.stable, canary=weights.canary)}
    )
    attempt = status.attempt
    if attempt is None or attempt.counting_start_time or attempt.state not in JUDGED or status.canary is None:
        return confirmed
    starts = {"counting_start_time": now}
    if attempt.phase_start_time is None:
        starts |= {"phase_start_time": now} | ({} if attempt.hold else {"clock_start_time": now})
    return confirmed.model_copy(update={"attempt": attempt.model_copy(update=starts)})


def _unservable(spec: AgentRolloutSpec, refusals: list[str]) -> Problem | None:
    if refusals:
        return Problem(Reason.INVALID_GATE, "; ".join(refusals))
    if spec.traffic.route_patch:
        return Problem(
            Reason.UNSUPPORTED, "spec.traffic.routePatch is not served by this version; use httpRoute"
        )
    if spec.caps:
        return Problem(Reason.UNSUPPORTED, "spec.caps is not served by this version; leave it out")
    return None


def _judged(
    obs: Observation, status: AgentRolloutStatus, gates: tuple[ResolvedGate, ...]
) -> tuple[Judgement, ...]:
    """The verdicts on the newest answer; none where it answers another question than the present one."""
    plan, heard, attempt = query_plan(obs, status, gates), obs.heard, status.attempt
    if plan is None or heard is None or heard.plan != plan or attempt is None:
        return ()
    spec = obs.rollout.spec
    present = read_all(
        plan, heard.answer, gates, now=obs.now, stale_after_seconds=spec.analysis.stale_after_seconds
    )
    course = _course(spec, attempt, heard.answer, obs.now)
    past = _past(status, gates, heard)
    return tuple(
        judge(
            gate,
            present[gate.name],
            course,
            finished=finished(past[gate.name]) if gate.name in past else (),
            burst=past[gate.name].burst_factor if gate.name in past else None,
            memory=memory_of(past[gate.name]) if gate.name in past else NOTHING,
        )
        for gate in gates
    )


def _course(spec: AgentRolloutSpec, attempt: Attempt, answer: Answer | Unreadable, now: datetime) -> Course:
    start = attempt.counting_start_time or now
    counted = (answer.at - start).total_seconds() if isinstance(answer, Answer) else 0.0
    steps = steps_of(spec, attempt.phase_index)
    seconds = time_limit(spec, attempt) / len(steps)
    return Course(
        phase=attempt.phase_index,
        planned_phases=len(spec.phases),
        time_over=_is_due(spec, attempt, now),
        weight=attempt.weight,
        counted_seconds=counted,
        planned_looks=len(steps) * max(1, looks_until(seconds)),
    )


def _is_due(spec: AgentRolloutSpec, attempt: Attempt, now: datetime) -> bool:
    """Whether it is time for the next advance, of the phase or of its ramp, so that a gate may say Pass."""
    left = rises_left(spec, attempt)
    on_ramp = base_state(attempt) is State.CANARY and left
    return elapsed(attempt, now) >= (left[0].due_seconds if on_ramp else time_limit(spec, attempt))


def _past(status: AgentRolloutStatus, gates: tuple[ResolvedGate, ...], heard: Heard) -> dict[str, GateStatus]:
    """What the status knows of the gates; what is measured on stable is measured now if it was not yet."""
    by_name = {gate.name: gate for gate in status.gates}
    past = {gate.name: found for gate in gates if (found := known(by_name.get(gate.name), gate))}
    if not heard.history or all(gate.name in past and is_measured(gate, past[gate.name]) for gate in gates):
        return past
    history = tuple(heard.history)
    bursts, before = factors(heard.plan, gates, history), baselines(heard.plan, gates, history)
    return {
        gate.name: measured(gate, past.get(gate.name), bursts.get(gate.name), before.get(gate.name))
        for gate in gates
    }


def _with_verdicts(
    status: AgentRolloutStatus, judgements: tuple[Judgement, ...], now: datetime
) -> AgentRolloutStatus:
    """The status with the newest verdicts; where Prometheus has a hole, counting starts anew."""
    if not judgements:
        return status
    told = status.model_copy(update={"gates": tuple(to_status(judgement) for judgement in judgements)})
    if status.attempt and any(judgement.recount for judgement in judgements):
        told = told.model_copy(
            update={"attempt": status.attempt.model_copy(update={"counting_start_time": now})}
        )
    return told
