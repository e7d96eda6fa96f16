"""Checks of a rollout without an attempt in progress, or with a pending one: how an attempt starts."""

from datetime import timedelta
from typing import Final

from agentrollouts.api.attempt import Trigger
from agentrollouts.api.gates import OnFail
from agentrollouts.api.reasons import Reason
from agentrollouts.api.rollback import VerifyOutcome
from agentrollouts.api.status import AgentRolloutStatus, ReleaseRecord
from agentrollouts.core.action.ledger import rollback_order
from agentrollouts.core.attempt import moves
from agentrollouts.core.attempt.rollback import REASONS
from agentrollouts.core.attempt.status_draft import next_number
from agentrollouts.core.containment.detour import is_off, on_standby
from agentrollouts.core.effects import Problem
from agentrollouts.core.rollout import detours
from agentrollouts.core.rollout.checks.stops import unmet_at_rest
from agentrollouts.core.rollout.checks.workload import is_managed
from agentrollouts.core.rollout.commands import create_action
from agentrollouts.core.rollout.desired import Standing
from agentrollouts.core.rollout.neighbors.group import failed_at_rest, why_at_rest
from agentrollouts.core.rollout.neighbors.rivals import rival
from agentrollouts.core.rollout.rollback_target import (
    begun_target,
    candidates,
    find_target,
    unasked,
)
from agentrollouts.core.rollout.situation import Situation, sentences
from agentrollouts.core.rollout.standbys import choice as standbys
from agentrollouts.core.traffic.latch import quoted

TARGET_POLL: Final = timedelta(seconds=10)
"""How often endpoints are looked at while stable should be rolled back and no target has any."""


def rollback_latched(s: Situation) -> moves.Move | None:
    """A rollback was begun, and the process ended before the status recorded it."""
    latch, stable = s.routing.latch(next_number(s.status)), s.status.stable
    target = begun_target(s) if latch and stable else None
    if latch is None or stable is None or target is None:
        return None
    if latch.trigger is Trigger.GROUP and (why := why_at_rest(s)):
        return moves.RollBackStable(target, Trigger.GROUP, Reason.GROUP_ROLLBACK, why)
    if latch.trigger not in {Trigger.ACTION, Trigger.GROUP, Trigger.DRILL}:  # no drill rolls stable back
        return moves.RollBackStable(target, latch.trigger, REASONS[latch.trigger], quoted(latch))
    order = s.requests.rollback
    if order is None:  # the request itself would prove it, and nothing else does
        return moves.RollBackStable(target, Trigger.TIMEOUT, Reason.ROUTE_MARKED, quoted(latch))
    return moves.RollBackStable(target, Trigger.ACTION, Reason.ROLLBACK_REQUESTED, rollback_order(order))


def rollback_requested(s: Situation) -> moves.RollBackStable | None:
    """A person found the stable release bad."""
    order = s.requests.rollback
    target = find_target(s, forced=bool(order.spec.force)) if order else None
    if target is None or order is None:
        return None
    return moves.RollBackStable(target, Trigger.ACTION, Reason.ROLLBACK_REQUESTED, rollback_order(order))


def stable_failed(s: Situation) -> moves.RollBackStable | None:
    """Stable exceeds a limit or a cap by itself, long after it was healthy."""
    harm = _harm(s)
    target = find_target(s) if harm and not _led_here(s.status) else None
    return moves.RollBackStable(target, *harm) if harm and target else None


def last_resort(s: Situation) -> moves.Divert | None:
    """Stable fails, and there is no release that it could be rolled back to."""
    harm = _harm(s)
    return detours.last_resort(s, harm[2] if harm else "")


def _harm(s: Situation) -> tuple[Trigger, Reason, str] | None:
    """What stable does that would roll a canary back."""
    failing = tuple(judgment for judgment in s.analysis.failing if judgment.action is OnFail.ROLL_BACK)
    exceeded = s.analysis.exceeded(OnFail.ROLL_BACK)
    is_away = is_off(s.status) or on_standby(s.status) is not None  # then what is measured is not of stable
    if not s.analysis.watches_stable or is_away or not (failing or exceeded):
        return None
    if failing:
        return Trigger.BREACH, Reason.GATE_FAILED, sentences(failing)
    return Trigger.CAP, Reason.CAP_EXCEEDED, sentences(exceeded)


def _led_here(status: AgentRolloutStatus) -> bool:
    """Whether stable is where the last rollback went, and that is not known to have helped.

    The failure may be elsewhere then, and one healthy release after the other would be thrown away.
    """
    rollback, stable = status.last_rollback, status.stable
    is_target = rollback is not None and stable is not None and rollback.to == stable.release
    return is_target and rollback is not None and rollback.outcome is not VerifyOutcome.RECOVERED


def unsure_of(s: Situation) -> frozenset[str]:
    """The Services whose endpoints decide where stable is rolled back to; empty unless that is due."""
    return unasked(s) if s.requests.rollback or _cause(s) else frozenset()


def _cause(s: Situation) -> str:
    """Why stable should be rolled back without a request; empty if it should not."""
    harm = None if _led_here(s.status) else _harm(s)
    return harm[2] if harm else why_at_rest(s)


def agent_taken(s: Situation) -> moves.Rest | None:
    """Another rollout ships the agent: two would quarrel over what serves."""
    problem = rival(s.obs)
    return moves.Rest(*with_cause(s, problem.reason, problem.message)) if problem else None


def release_unknown(s: Situation) -> moves.Move | None:
    """The release is missing, not ready or not of this agent."""
    return rest(s, s.desired.reason, s.desired.message) if isinstance(s.desired, Problem) else None


def not_permitted(s: Situation) -> moves.Move | None:
    """What is requested serves, and the administrator does not permit this rollout to ship anything else."""
    problem = s.obs.refused
    if problem is None or (
        problem.reason is Reason.GATEWAY_UNREADABLE and s.obs.traffic_problem is not problem
    ):
        return None  # the route is attached as it was: at rest there is nothing to raise an alarm about
    if isinstance(s.desired, Problem) or s.desired.standing is not Standing.STABLE:
        return None
    return moves.Rest(*with_cause(s, problem.reason, problem.message))


def healthy(s: Situation) -> moves.Move | None:
    """The desired release is stable."""
    if isinstance(s.desired, Problem) or s.desired.standing is not Standing.STABLE:
        return None
    serves, lacks = f"{s.desired.record.release} serves all traffic", unmet_at_rest(s.obs)
    healthy = moves.Rest(Reason.HEALTHY, f"{serves}. {lacks}" if lacks else serves)
    return stuck_stable(s) or _worried(s) or healthy


def quarantined(s: Situation) -> moves.Move | None:
    """The desired release was tried and rolled back.

    A Retry that is taken now counts from the next decision on, which knows the endpoints of what it begins.
    """
    if isinstance(s.desired, Problem) or s.desired.standing is not Standing.QUARANTINED:
        return None
    digest = s.desired.record.digest
    entry = next(entry for entry in s.obs.status.quarantined if entry.digest == digest)
    message = (
        f"{entry.release} was rolled back and is not tried again; ship another release, or run "
        f"{create_action(s.obs.rollout, 'retry', entry.attempt, release=entry.release)}. {entry.message}"
    )
    return rest(s, Reason.QUARANTINED, message)


def rest(s: Situation, reason: Reason, message: str) -> moves.Rest:
    """Nothing begins, and why; what is wrong with what serves meanwhile comes first."""
    stuck = stuck_stable(s)
    return moves.Rest(*with_cause(s, reason, message), stuck.until if stuck else None)


def with_cause(s: Situation, reason: Reason, message: str) -> tuple[Reason, str]:
    """Why the desired release is not tried, preceded by what is wrong with the release that serves now."""
    stuck = stuck_stable(s)
    return (stuck.reason, f"{stuck.message}. {message}") if stuck else (reason, message)


def stuck_stable(s: Situation) -> moves.Rest | None:
    """Stable should be rolled back, by an action or by its metrics, but cannot be yet."""
    if s.status.stable is None:
        return None
    release, is_measured = s.status.stable.release, on_standby(s.status) is None
    if deserted := _deserted_targets(s):
        return deserted
    if is_measured and (harm := s.analysis.failure_of_stable({OnFail.ROLL_BACK})):
        led_here = "the last rollback led to this release and may not have helped"
        why = led_here if _led_here(s.status) else "there is no healthy release before it"
        return moves.Rest(
            Reason.NO_HEALTHY_TARGET,
            f"{release}: {harm.message}; not rolled back: {why}; look for another cause, or ship a fix",
        )
    if (why := why_at_rest(s)) and not candidates(s):
        sentence = f"{why}; not rolled back: there is no healthy release before it; ship a fix"
        return moves.Rest(Reason.NO_HEALTHY_TARGET, sentence)
    return None


def _worried(s: Situation) -> moves.Rest | None:
    """A gate or a cap has found stable degraded, and the only consequence is a report."""
    fault = s.analysis.failure_of_stable({OnFail.HOLD, OnFail.STANDBY})
    if fault is None or s.status.stable is None or on_standby(s.status):
        return None
    serves = "serves all traffic" if s.applied else "is stable"
    message = f"{s.status.stable.release} {serves}, but {fault.message}{standbys.without(s)}"
    return moves.Rest(fault.reason, message)


def _deserted_targets(s: Situation) -> moves.Rest | None:
    """Stable should be rolled back, but no target has a ready endpoint."""
    stable, attempt, targets, why = s.status.stable, s.status.attempt, candidates(s), _cause(s)
    is_due = s.requests.rollback or why
    if stable is None or attempt is None or not is_due or not targets or find_target(s):
        return None
    cause = f"though {why}" if why else "as requested"
    services = ", ".join(f"{r.service} of {r.release}" for r in targets if r.service)
    verb = "has" if len(targets) == 1 else "each have"
    cure = "its pods are being started; wait" if is_managed(s, targets[0]) else "start its agents"
    return moves.Rest(
        Reason.NO_HEALTHY_TARGET,
        f"{stable.release} is not rolled back, {cause}: {services} {verb} no ready endpoint; {cure}, "
        f"or run {create_action(s.obs.rollout, 'roll-back', attempt.number, release=stable.release)} --force",
        s.now + TARGET_POLL,
    )


def cold_target(s: Situation) -> ReleaseRecord | None:
    """The release whose pods have to start before stable can be rolled back to it."""
    targets = candidates(s) if _deserted_targets(s) else ()
    return targets[0] if targets and is_managed(s, targets[0]) else None


def stable_rolls_back_first(s: Situation) -> moves.Move | None:
    """Stable must be rolled back, so the pending attempt ends; its release is tried again after that."""
    rollback = rollback_requested(s) or failed_at_rest(s) or stable_failed(s)
    if rollback is None:
        return None
    return moves.Supersede(f"Rolling back to {rollback.target.release} first. {rollback.message}")


def superseded(s: Situation) -> moves.Move | None:
    """The desired digest is not that of the pending attempt."""
    if isinstance(s.desired, Problem) or s.desired.standing is Standing.CANARY:
        return None
    return moves.Supersede(f"spec.releaseRef names {s.desired.record.release} instead")
