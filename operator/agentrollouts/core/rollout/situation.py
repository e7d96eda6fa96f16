"""Where a rollout stands, worked out once for all checks.

The persisted status with what the traffic objects confirm now, the desired release, and the judgments on the
newest result of Prometheus.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from agentrollouts.api.attempt import Attempt, State, Trigger
from agentrollouts.api.objects import ConditionStatus
from agentrollouts.api.reasons import Reason
from agentrollouts.api.rollout import AgentRolloutSpec
from agentrollouts.api.status import AgentRolloutStatus, WeightsStatus
from agentrollouts.api.verdict import Verdict
from agentrollouts.core.action.facts import Desk
from agentrollouts.core.action.people import Origin, releaser
from agentrollouts.core.action.take import Requests, take
from agentrollouts.core.analysis.analyze import Analysis, analyze
from agentrollouts.core.attempt.clocks import confirmed, elapsed, phase_seconds, status_on_time
from agentrollouts.core.attempt.status_draft import next_number
from agentrollouts.core.conditions import METRICS_CONDITION, find_condition
from agentrollouts.core.containment.detour import adopted
from agentrollouts.core.containment.fallback import with_fallback
from agentrollouts.core.effects import Problem
from agentrollouts.core.rollout.desired import Desired, credible, desired_release, missing_service
from agentrollouts.core.rollout.observation import Observation
from agentrollouts.core.rollout.switching_on import switched_on
from agentrollouts.core.states import base_state, is_progressing
from agentrollouts.core.traffic import endpoints, gateways
from agentrollouts.core.traffic.state import Routing, TrafficState


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Everything that the chain looks at."""

    obs: Observation
    desired: Desired | Problem
    routing: Routing
    traffic: TrafficState
    """The traffic, compared with what the persisted status desires."""
    gateways: gateways.Report
    """What the gateways say about the route as it is."""
    unservable: Problem | None
    """What in the plan cannot be served as it is written."""
    analysis: Analysis
    """What gates and caps say."""
    requests: Requests
    """What people request, and what of it is in the status now."""

    @property
    def status(self) -> AgentRolloutStatus:
        """The persisted status, with what traffic objects and the newest result of Prometheus say."""
        return self.analysis.status

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
    def is_terminating(self) -> bool:
        """Whether the rollout is being deleted, and only finalizers keep it."""
        return self.obs.rollout.metadata.deletion_timestamp is not None

    @property
    def applied(self) -> bool:
        """Whether the weights of the persisted status are in effect, as reported by every gateway."""
        return self.traffic.is_shown and self.gateways.problem is None and self.obs.contest is None

    @property
    def hindrance(self) -> Problem | None:
        """Why what is written is not there: the API server refuses it, or someone else overwrites it."""
        contest = self.obs.contest
        return self.obs.traffic_problem or (contest.problem if contest else None)

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
    def silence(self) -> Problem | None:
        """What is wrong with the metrics at this moment."""
        silent = self.analysis.having(Verdict.ERROR) or self.analysis.having(Verdict.NO_DATA)
        return Problem(silent[0].reason, sentences(silent)) if silent else None

    @property
    def silent_for(self) -> timedelta:
        """How long something has been wrong with the metrics, as the persisted condition says."""
        condition = find_condition(self.status.conditions, METRICS_CONDITION)
        if condition is None or condition.status is not ConditionStatus.FALSE:
            return timedelta()
        return self.now - condition.last_transition_time


class Named(Protocol):
    """A gate, or a cap, with what it says."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def message(self) -> str:
        """What it says."""


def _begun(routing: Routing, status: AgentRolloutStatus) -> str:
    """What the route says about a requested rollback whose process ended before the status said it."""
    number = status.attempt.number if status.attempt and is_progressing(status) else next_number(status)
    latch = routing.latch(number)
    return latch.message if latch and latch.trigger is Trigger.ACTION else ""


def assess(obs: Observation) -> Situation:
    """Work out where the rollout stands."""
    persisted = with_fallback(obs.status, obs.rollout.spec, obs.fallback)
    routing, status = Routing(obs), status_on_time(persisted, obs.now)
    traffic = routing.state(persisted)
    report, follows = gateways.read(obs), gateways.follow(obs.rollout, obs.traffic)
    weights = traffic.weights
    if weights and traffic.is_shown:
        split = WeightsStatus(stable=weights.stable, canary=weights.canary)
        status = confirmed(status, split, obs.now, is_applied=not (report.problem or obs.contest))
    status = adopted(status, credible(obs, routing.detour()))
    indivisible = routing.indivisible(status)
    begun = _begun(routing, status) if obs.actions else ""
    origin = origin_of(obs, obs.status.attempt.digest) if obs.status.attempt else Origin()
    desk = Desk(obs.rollout, obs.now, origin, obs.identity_proved, obs.authority, indivisible, begun)
    requests = switched_on(obs, take(obs.actions, status, desk))
    status = endpoints.noted(obs, requests.status, report)
    analysis = analyze(obs, status, gateway_follows=follows)
    return Situation(
        obs=obs,
        desired=desired_release(obs),
        routing=routing,
        traffic=traffic,
        gateways=report,
        unservable=_unservable(obs, traffic, "; ".join(map(str, analysis.refusals))),
        analysis=analysis,
        requests=requests,
    )


def origin_of(obs: Observation, digest: str) -> Origin:
    """Who wrote the desired release and who set `spec.releaseRef` to it, if that release has the digest."""
    release = obs.release
    if release is None or release.status.digest != digest:
        return Origin()
    by = releaser(obs.rollout.metadata, obs.authority, is_proved=obs.identity_proved)
    return Origin(release.spec.source.author if release.spec.source else None, by)


def sentences(named: Iterable[Named]) -> str:
    """What several gates, or caps, say, each by name."""
    return "; ".join(f"{each.name}: {each.message}" for each in named)


def _unservable(obs: Observation, traffic: TrafficState, refusals: str) -> Problem | None:
    if obs.refused:
        return obs.refused
    if refusals:
        return Problem(Reason.INVALID_GATE, refusals)
    spec, status = obs.rollout.spec, obs.status
    missing = missing_service(spec, status.stable) or missing_service(spec, status.canary)
    return missing or traffic.problem
