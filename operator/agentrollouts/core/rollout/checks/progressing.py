"""Checks of an attempt with traffic: whether it rolls back, holds, or may advance.

A check returns None if it does not apply, and then the next one is evaluated.
"""

from datetime import timedelta
from typing import Final

from agentrollouts.api.analysis import OnTimeout
from agentrollouts.api.attempt import State, Trigger
from agentrollouts.api.gates import OnFail
from agentrollouts.api.reasons import Reason
from agentrollouts.api.verdict import Verdict
from agentrollouts.core.action.ledger import rollback_order
from agentrollouts.core.attempt import moves
from agentrollouts.core.attempt.clocks import ERROR_GRACE, SILENCE_GRACE, due_time
from agentrollouts.core.attempt.rollback import REASONS
from agentrollouts.core.attempt.schedule import phase_at_weight, plan_hash, rises_left
from agentrollouts.core.effects import Problem
from agentrollouts.core.history import is_drill, is_returning, rollback_of
from agentrollouts.core.rollout import detours
from agentrollouts.core.rollout.checks.approval import awaiting_approval
from agentrollouts.core.rollout.checks.fuses import burning
from agentrollouts.core.rollout.checks.holds import hold
from agentrollouts.core.rollout.checks.verifying import verifying
from agentrollouts.core.rollout.desired import Desired, Standing
from agentrollouts.core.rollout.neighbors.group import failed_on_trial
from agentrollouts.core.rollout.neighbors.rivals import rival
from agentrollouts.core.rollout.situation import Situation, sentences
from agentrollouts.core.traffic.latch import quoted

BACK: Final = (OnFail.SWITCH_OFF, OnFail.ROLL_BACK, OnFail.STANDBY)
"""What takes the traffic of a canary away."""
UNANSWERED: Final = "The gates have not been evaluated yet"


def rollback_in_progress(s: Situation) -> moves.Move | None:
    """A rollback that was begun is finished, whatever else is true."""
    match s.attempt.state:
        case State.ROLLING_BACK:
            return moves.Verify() if s.traffic.is_shown and not s.obs.contest else _writing(s)
        case State.VERIFYING:
            return verifying(s)
        case _:
            return _latch_on_traffic(s)


def _writing(s: Situation) -> moves.Move:
    """The route does not show the rollback yet; once the budget is spent, that is reported."""
    rollback = rollback_of(s.status)
    decided = rollback.decided_time if rollback else s.now
    late = decided + timedelta(seconds=s.spec.rollback.budget_seconds)
    return moves.Wait("Stable 100, canary 0 is being written", late if late > s.now else None)


def _latch_on_traffic(s: Situation) -> moves.Move | None:
    """The traffic was rolled back, and the process ended before the status recorded it."""
    latch = s.routing.latch(s.attempt.number)
    if latch is None or s.status.stable is None or s.status.canary is None:
        return None
    unproved = moves.RollBack(Trigger.TIMEOUT, Reason.ROUTE_MARKED, quoted(latch))
    if latch.trigger in {Trigger.ACTION, Trigger.GROUP}:  # the request itself proves it, or a sibling
        return requested_by_action(s) or failed_on_trial(s) or unproved
    if latch.trigger is Trigger.DRILL and not is_drill(s.status):
        return unproved
    return moves.RollBack(latch.trigger, _reason_of(latch.trigger, s), quoted(latch))


def _reason_of(trigger: Trigger, s: Situation) -> Reason:
    """The mark has no reason; some can be determined from the status before it, or from the rollout."""
    if trigger is Trigger.SPEC_REVERTED and s.is_terminating:
        return Reason.TERMINATING
    before, fuse = s.obs.status.attempt, burning(s, s.obs.status)
    if trigger is Trigger.TIMEOUT and fuse and fuse.until <= s.now:
        return Reason.GATE_FAILED
    is_lost = trigger is Trigger.BREACH and before is not None and before.endpoints_lost_time is not None
    return Reason.NO_READY_ENDPOINTS if is_lost else REASONS[trigger]


def rollback_requested(s: Situation) -> moves.Move | None:
    """`releaseRef` names the stable release again, or a person says so by an action."""
    if requested := requested_by_action(s):
        return requested
    if isinstance(s.desired, Problem) or s.desired.standing is not Standing.STABLE:
        return None
    message = f"spec.releaseRef names {s.desired.record.release} again"
    return moves.RollBack(Trigger.SPEC_REVERTED, Reason.SPEC_REVERTED, message)


def requested_by_action(s: Situation) -> moves.Move | None:
    """A person found the canary bad."""
    order = s.requests.rollback
    if order is None or (
        is_drill(s.status) and s.status.stable and order.spec.release == s.status.stable.release
    ):
        return None
    return _roll_back(s, Trigger.ACTION, Reason.ROLLBACK_REQUESTED, rollback_order(order))


def gate_failed(s: Situation) -> moves.Move | None:
    """A gate whose failure rolls back has failed; the worst acts, all that fail are listed."""
    failing = s.analysis.failing
    if not failing or failing[0].action not in BACK:
        return None
    if s.status.stable is None and (off := detours.harmful(s)):
        return off
    notes = dict.fromkeys(judgment.note for judgment in failing if judgment.note)
    return _roll_back(s, Trigger.BREACH, Reason.GATE_FAILED, "; ".join((sentences(failing), *notes)))


def cap_exceeded(s: Situation) -> moves.Move | None:
    """The canary did more than it may, whatever its gates say."""
    exceeded = s.analysis.exceeded(*BACK)
    if not exceeded:
        return None
    if s.status.stable is None and (off := detours.harmful(s)):
        return off
    return _roll_back(s, Trigger.CAP, Reason.CAP_EXCEEDED, sentences(exceeded))


def _roll_back(s: Situation, trigger: Trigger, reason: Reason, message: str) -> moves.Move:
    """Back to stable; where there is none, a person has to decide what serves."""
    if s.status.stable is None:
        return hold(s, Reason.NO_HEALTHY_TARGET, f"{message}; there is no release to roll back to")
    return moves.RollBack(trigger, reason, message)


def superseded(s: Situation) -> moves.Move | None:
    """The desired digest is another one, or unknown."""
    match s.desired:
        case Problem(Reason.PENDING, message):
            return moves.Wait(message)  # the release was made a moment ago; it is read at once
        case Problem(reason, message):
            return hold(s, reason, message)
        case Desired(Standing.CANARY):
            return None
        case Desired(_, record):
            return moves.Supersede(f"spec.releaseRef names {record.release} instead")


def plan_changed(s: Situation) -> moves.Move | None:
    """The plan was edited: evidence for old gates says nothing about new ones."""
    if s.attempt.plan_hash == plan_hash(s.spec):
        return None
    if s.base in {State.INITIAL, State.BAKING}:
        return moves.Rewatch()
    return moves.Replan(phase_at_weight(s.spec, s.attempt.weight))


def paused(s: Situation) -> moves.Move | None:
    """A person stopped forward moves."""
    if not s.spec.paused:
        return None
    return hold(s, Reason.PAUSED, "spec.paused is true; set it to false to continue")


def agent_taken(s: Situation) -> moves.Move | None:
    """Another rollout ships the agent: this one keeps what it has, and can still roll back."""
    problem = rival(s.obs)
    return hold(s, problem.reason, problem.message) if problem else None


def plan_invalid(s: Situation) -> moves.Move | None:
    """The plan holds something that cannot be served as it is written."""
    return hold(s, s.unservable.reason, s.unservable.message) if s.unservable else None


def gate_or_cap_holds(s: Situation) -> moves.Move | None:
    """A verdict, or a cap, that neither advances nor rolls back."""
    failing = s.analysis.failing
    if failing and failing[0].action is OnFail.HOLD:
        return hold(s, Reason.GATE_FAILED, sentences(failing))
    if exceeded := s.analysis.exceeded(OnFail.HOLD):
        return hold(s, Reason.CAP_EXCEEDED, sentences(exceeded))
    for reason, gates in (
        (Reason.SHARED_CAUSE, s.analysis.having(Verdict.SHARED_CAUSE)),
        (Reason.TRAFFIC_MISMATCH, s.analysis.having(Verdict.TRAFFIC_MISMATCH)),
    ):
        if gates:
            return hold(s, reason, sentences(gates))
    return None


def metrics_missing(s: Situation) -> moves.Move | None:
    """Prometheus has failed, or been silent, for longer than can be waited out."""
    silence = s.silence
    if silence is None:
        return None
    grace = ERROR_GRACE if silence.reason is Reason.METRICS_UNAVAILABLE else SILENCE_GRACE
    if s.silent_for < grace and silence.reason not in {Reason.INVALID_GATE, Reason.SOURCE_UNKNOWN}:
        until = s.now + grace - s.silent_for
        is_missing = bool(s.analysis.having(Verdict.NO_DATA))
        return moves.StopClock(silence.message, until) if is_missing else moves.Wait(silence.message, until)
    return hold(s, silence.reason, silence.message)


def hold_cleared(s: Situation) -> moves.Move | None:
    """The reason of the hold has ended; an attempt that would be held as undecided at once needs a Pass."""
    hold = s.attempt.hold
    if hold is None:
        return None
    if s.analysis.awaits_result:  # after a restart, say: the cause may still be there
        return moves.Wait(UNANSWERED)
    lacks_readings = len(s.analysis.cap_readings) < len(s.analysis.caps)
    if hold.reason in {Reason.CAP_EXCEEDED, Reason.NO_HEALTHY_TARGET} and lacks_readings:
        return moves.Wait("The caps have not been evaluated yet")
    is_undecided = not s.analysis.passed and (hold.reason == Reason.INCONCLUSIVE or _is_spent(s))
    return (_inconclusive(s) if is_undecided else None) or moves.Resume()


def _is_spent(s: Situation) -> bool:
    """The time is over, with all extensions."""
    return s.clock >= s.limit and s.attempt.extensions >= s.spec.analysis.max_extensions


def weights_not_applied(s: Situation) -> moves.Move | None:
    """The desired weight is not in effect yet; no clock starts before it is, and none runs on without it."""
    if s.applied:
        return None
    if s.obs.contest:
        return moves.StopClock(s.obs.contest.problem.message)
    if s.traffic.is_shown and s.gateways.problem:
        message = s.gateways.problem.message
        return moves.StopClock(message) if s.gateways.is_lasting else moves.Wait(message)
    problem = s.traffic.blocked or s.obs.traffic_problem
    return moves.Wait(problem.message if problem else "The weights are being written")


def metrics_returned(s: Situation) -> moves.Move | None:
    """The clock stopped while a metric was missing; without a result it is unknown whether it still is."""
    attempt = s.attempt
    is_standing = attempt.clock_start_time is None and attempt.phase_start_time is not None
    if s.base not in {State.CANARY, State.BAKING} or not is_standing:
        return None
    return moves.Wait(UNANSWERED) if s.analysis.awaits_result else moves.StartClock()


def first_release(s: Situation) -> moves.Move | None:
    """No stable release exists: the first one has all traffic and only has to bake."""
    return moves.Bake() if s.base is State.INITIAL else None


def ramp_step_due(s: Situation) -> moves.Move | None:
    """On a ramp, the next small step; it is an advance, so every gate must pass."""
    if s.base is not State.CANARY:
        return None
    left = rises_left(s.spec, s.attempt)
    if not left:
        return None
    if s.clock < left[0].due_seconds:
        return moves.Wait("On the ramp", due_time(s.attempt, left[0].due_seconds, s.now))
    if s.analysis.passed:
        return awaiting_approval(s) or moves.Rise(left[0].weight)
    if s.clock < s.limit:
        return moves.Wait("The ramp waits for its gates to pass", due_time(s.attempt, s.limit, s.now))
    return _inconclusive(s) or awaiting_approval(s) or moves.Rise(left[0].weight)


def phase_running(s: Situation) -> moves.Move | None:
    """The phase's time, or the bake's, is not over."""
    if s.base is State.AWAITING_APPROVAL or s.clock >= s.limit:
        return None
    return moves.Wait("The phase's time is not over", due_time(s.attempt, s.limit, s.now))


def inconclusive(s: Situation) -> moves.Move | None:
    """Time is over and some gate does not say Pass."""
    return None if s.analysis.passed else _inconclusive(s)


def _inconclusive(s: Situation) -> moves.Move | None:
    """The consequence of a phase that is over without a Pass; None if the plan promotes then."""
    waiting = [j for j in s.analysis.judgments if not j.lets_pass]
    if not waiting:
        return moves.Wait(UNANSWERED)
    message = sentences(waiting)
    may_last = s.base in {State.CANARY, State.BAKING} and s.limit > 0 and s.attempt.hold is None
    if may_last and s.attempt.extensions < s.spec.analysis.max_extensions:
        return moves.Extend(message)
    match s.spec.analysis.on_timeout:
        case OnTimeout.ROLL_BACK if not is_returning(s.status.canary, s.status):
            sentence = f"Undecided when the phase was over, so not quarantined: {message}"
            return moves.RollBack(Trigger.TIMEOUT, Reason.TIMED_OUT, sentence)
        case OnTimeout.PROMOTE:
            return None
        case _:
            return hold(s, Reason.INCONCLUSIVE, message)
