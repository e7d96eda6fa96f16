"""A drill in progress: the release gets its share for a while and is rolled back, or fails before that.

Harm is checked first, as in any attempt. Whatever else comes up ends the drill at once: it only rehearses.
"""

from collections.abc import Iterator
from datetime import timedelta

from agentrollouts.api.attempt import State, Trigger
from agentrollouts.api.gates import OnFail
from agentrollouts.api.reasons import Reason
from agentrollouts.api.recovery.drill import DrillOutcome
from agentrollouts.core.action.freeze import frozen_by
from agentrollouts.core.attempt import moves
from agentrollouts.core.attempt.clocks import due_time
from agentrollouts.core.effects import Problem
from agentrollouts.core.history import rollback_of
from agentrollouts.core.recovery.drill.plan import plan_of
from agentrollouts.core.rollout.checks import progressing
from agentrollouts.core.rollout.desired import Standing
from agentrollouts.core.rollout.detours import in_the_way
from agentrollouts.core.rollout.neighbors.group import failed_at_rest
from agentrollouts.core.rollout.neighbors.rivals import rival
from agentrollouts.core.rollout.situation import Situation, sentences
from agentrollouts.core.traffic import endpoints


def rollback_in_progress(s: Situation) -> moves.Move | None:
    """The rollback of the drill is finished before anything else."""
    if s.attempt.state is State.VERIFYING:
        return _verifying(s)
    return progressing.rollback_in_progress(s)


def _verifying(s: Situation) -> moves.Move:
    """The drill has shown everything once the traffic is gone; nothing is waited for without end."""
    drill, rollback = s.status.last_drill, rollback_of(s.status)
    within = s.spec.rollback.verify.within_seconds
    is_late = s.clock >= within
    is_moved = rollback is not None and rollback.observed_time is not None
    is_last_seen = drill is not None and drill.decided_to_last_run_seconds is not None
    is_waited_for = not is_late and not _yields(s)
    if is_waited_for and not (is_moved and (is_last_seen or not s.analysis.gates_after)):
        until = due_time(s.attempt, within, s.now)
        return moves.Wait("The last runs of the drill have not been seen yet", until)
    return moves.EndDrill(*_result(s, is_moved=is_moved))


def _yields(s: Situation) -> bool:
    """Whether something else can begin once the drill is over."""
    return s.requests.rollback is not None or _interruption(s) is not None


def _result(s: Situation, *, is_moved: bool) -> tuple[DrillOutcome, str]:
    drill = s.status.last_drill
    if drill and drill.outcome:
        return drill.outcome, drill.message
    within = s.spec.rollback.verify.within_seconds
    if not is_moved and _yields(s):
        return DrillOutcome.SKIPPED, "it ended before the traffic was seen to leave the release"
    if not is_moved and s.spec.traffic.by_route:
        return DrillOutcome.FAILED, f"the gateway has not reported the route of the rollback for {within} s"
    counting = [gate for gate in s.analysis.gates if gate.counts_runs]
    runs, weight = (drill.runs or 0, drill.weight) if drill else (0, 0)
    seconds = plan_of(s.spec).duration_seconds
    if counting and not runs:
        cure = "raise `drill.weight` or `drill.durationSeconds`"
        message = f"no run of the release was counted in {seconds} s at {weight}%; {cure}"
        return DrillOutcome.SKIPPED, message
    share = f"{runs:,} runs at {weight}%" if counting else f"{seconds} s at {weight}%"
    return DrillOutcome.PASSED, f"{share}, and all traffic returned to stable"


def stable_rolls_back_first(s: Situation) -> moves.Move | None:
    """A person found stable bad, so the drill is in the way; or wants this release to have no traffic."""
    order = s.requests.rollback
    if order is None:
        return None
    if s.status.stable and order.spec.release == s.status.stable.release:
        return _skip(f"{order.spec.requested_by} requested a rollback of {order.spec.release}")
    return progressing.requested_by_action(s)


def interrupted(s: Situation) -> moves.Move | None:
    """Something that matters more than a drill, or that a drill must not run beside."""
    message = _interruption(s)
    return _skip(message) if message else None


def _interruption(s: Situation) -> str | None:
    return next(_interruptions(s), None)


def _interruptions(s: Situation) -> Iterator[str]:
    if s.is_terminating:
        yield "the rollout is being deleted"
    if isinstance(s.desired, Problem):
        yield s.desired.message
    elif s.desired.standing is not Standing.STABLE:
        yield f"spec.releaseRef names {s.desired.record.release}"
    if s.status.detour:
        yield in_the_way(s.status.detour)
    if back := failed_at_rest(s):
        yield back.message
    if s.spec.paused:
        yield "spec.paused is true"
    freezes, rollout = s.obs.freezes, s.obs.rollout.metadata
    if frozen := frozen_by(freezes, rollout, s.spec.release_ref.name, s.now, is_in_flight=True):
        yield frozen
    if problem := rival(s.obs) or s.unservable:
        yield problem.message
    if endpoints.splits(s.spec, s.status) and s.stable_answers is False:
        yield "the Service of stable has no ready endpoint"


def harmed(s: Situation) -> moves.Move | None:
    """A gate or a cap that would hold a canary: a release that does not pass is not a rollback target."""
    if failing := s.analysis.failing:
        held = [judgment for judgment in failing if judgment.action is OnFail.HOLD]
        if held:
            return moves.RollBack(Trigger.BREACH, Reason.GATE_FAILED, sentences(held))
    if exceeded := s.analysis.exceeded(OnFail.HOLD):
        return moves.RollBack(Trigger.CAP, Reason.CAP_EXCEEDED, sentences(exceeded))
    return None


def without_traffic(s: Situation) -> moves.Move | None:
    """No time of the drill passes before the gateway has its weight; that is not waited for indefinitely."""
    if s.applied:
        return None
    within = timedelta(seconds=s.spec.rollback.verify.within_seconds + plan_of(s.spec).duration_seconds)
    problem = s.gateways.problem or s.traffic.blocked or s.hindrance
    why = problem.message if problem else "the weights are being written"
    if s.now >= s.attempt.start_time + within:
        seconds = within.total_seconds()
        return moves.RollBack(
            Trigger.TIMEOUT,
            Reason.TIMED_OUT,
            f"the gateway has not had the weight for {seconds:.0f} s: {why}",
        )
    return moves.Wait(why, s.attempt.start_time + within)


def over(s: Situation) -> moves.Move:
    """The time of the drill: then the release is rolled back."""
    seconds = plan_of(s.spec).duration_seconds
    if s.clock < seconds:
        return moves.Wait("The drill is in progress", due_time(s.attempt, seconds, s.now))
    message = f"drilled for {seconds} s at {s.attempt.weight}%"
    return moves.RollBack(Trigger.DRILL, Reason.DRILL, message)


def _skip(message: str) -> moves.EndDrill:
    return moves.EndDrill(DrillOutcome.SKIPPED, message)
