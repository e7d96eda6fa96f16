"""The decision: one observation in, one `Decision` out; pure and total.

The chains below are the product. Their checks are evaluated in order and the first that applies decides; the
comment at each line says why it is there. Rollback comes before everything that could be missing or wrong.
"""

from collections.abc import Callable
from typing import Final

from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.attempt import moves
from agentrollouts.core.history import is_drill
from agentrollouts.core.rollout import beginning, detours
from agentrollouts.core.rollout.checks import (
    approval,
    endpoints,
    fuses,
    idle,
    progressing,
    proof,
    requested,
    stops,
    terminating,
)
from agentrollouts.core.rollout.checks.holds import hold
from agentrollouts.core.rollout.checks.recall import predecessor_known
from agentrollouts.core.rollout.conclude import conclude
from agentrollouts.core.rollout.decision import Decision
from agentrollouts.core.rollout.drilling import begin, course
from agentrollouts.core.rollout.neighbors.group import failed_at_rest, failed_on_trial
from agentrollouts.core.rollout.observation import Observation
from agentrollouts.core.rollout.situation import Situation, assess
from agentrollouts.core.rollout.standbys import course as standbys
from agentrollouts.core.rollout.upshot import Upshot, upshot_of
from agentrollouts.core.states import is_pending, is_progressing

Check = Callable[[Situation], moves.Move | None]

ONWARD: Final[tuple[Check, ...]] = (
    progressing.agent_taken,  # nothing goes forward for two rollouts at once
    progressing.plan_invalid,  # a gate that cannot be evaluated will not pass by waiting
    endpoints.stable_unreachable,  # without stable no rollback and no comparison is possible; a person can
    requested.promoted,  # a person vouches for what is measured, but not for what cannot be served
    progressing.gate_or_cap_holds,  # a reason to hold, though not to roll back
    progressing.metrics_missing,  # without metrics nothing advances, and no clock runs indefinitely
    progressing.hold_cleared,  # every cause of a hold was just checked and is gone
    progressing.weights_not_applied,  # nothing is timed or judged at a weight that does not exist yet
    endpoints.endpoints_missing,  # a share of the requests gets no answer; it may recover within the grace
    progressing.metrics_returned,  # the weights are in effect and metrics are there: time counts again
    progressing.first_release,  # with no stable there are no phases
    progressing.ramp_step_due,  # a ramp step comes due within the phase
    progressing.phase_running,  # only now does the clock matter
    progressing.inconclusive,  # time is over; only Pass advances
    approval.awaiting_approval,  # a person decides last, so that everything they see has passed
    approval.next_step,
)
"""What goes forward, and what is waited for before. A freeze and a record that is behind stop it, unless it
leads to a rollback."""


def stopped(s: Situation) -> moves.Move | None:
    """A freeze, a record that is behind, or a release that does not fit other agents holds the attempt.

    A rollback, now or at the end of another hold, is as without it.
    """
    stop = stops.stopped_attempt(s)
    if stop is None:
        return None
    move = first(ONWARD, s)
    return move if stops.leads_back(move) else hold(s, stop.reason, stop.message)


PROGRESSING: Final[tuple[Check, ...]] = (
    progressing.rollback_in_progress,  # never reconsidered: not by new metrics, a new spec or a restart
    detours.switched_off,  # the traffic goes elsewhere already, so the attempt is over
    progressing.rollback_requested,  # needs no metric, no release object, no working Prometheus
    failed_on_trial,  # a sibling rolled back what it shipped at the same time; that is proof of harm too
    progressing.gate_failed,  # proof of harm comes before every reason to continue or wait
    progressing.cap_exceeded,  # so does a cap, which needs no comparison
    fuses.fuse_burnt,  # and a gate that held as long as it may, and no one answers
    endpoints.canary_unreachable,  # a canary without a ready endpoint is proof of harm too
    terminating.canary_returns,  # its rollout is being deleted, so its plan no longer matters
    progressing.superseded,  # this canary is no longer desired; its plan, pauses and gates do not matter
    progressing.plan_changed,  # before any hold, which would be about the old plan
    standbys.ends,  # a standby has served its time, or no longer answers
    detours.waits_for_switch_on,  # what is left is a return, which has no traffic to be judged by
    requested.held_by_person,  # a person's hold is named before any other
    progressing.paused,  # so is a pause in Git
    stopped,  # and a freeze, a record behind, other agents; what follows is not delayed if it rolls back
    *ONWARD,
)

DRILLING: Final[tuple[Check, ...]] = (
    course.rollback_in_progress,  # the same as in any attempt
    detours.switched_off,  # so is this: the traffic goes elsewhere already
    course.stable_rolls_back_first,  # a person found stable bad, or the release that is drilled
    progressing.gate_failed,  # harm ends the drill, and disqualifies the release
    progressing.cap_exceeded,  # so does a cap
    endpoints.canary_unreachable,  # and a release that does not answer
    course.interrupted,  # a drill only rehearses, so everything else ends it at once
    course.harmed,  # what would hold a canary is enough
    course.without_traffic,  # no time passes at a weight that does not exist yet
    course.over,
)
"""An attempt of kind Drill: it never goes forward, so no check of what goes forward applies."""

PENDING: Final[tuple[Check, ...]] = (
    detours.shipped_instead,  # a person ends a detour with the release that is pending
    predecessor_known,  # what a predecessor knew comes before any decision made without it
    detours.harmful,  # what serves alone must not serve
    idle.stable_rolls_back_first,  # stable is being rolled back: the pending release can wait
    standbys.ends,  # a standby has served its time, or no longer answers
    standbys.stands_by,  # a release that can do less serves for a while
    idle.last_resort,  # and without a release to roll back to, the fallback is left
    terminating.begins_nothing,  # the rollout is being deleted
    idle.release_unknown,  # a name may be known again in a moment
    idle.superseded,  # it is no longer desired
    beginning.start_attempt,
)

IDLE: Final[tuple[Check, ...]] = (
    detours.shipped_instead,  # a person ends a detour with another release than stable
    predecessor_known,  # the same
    idle.rollback_latched,  # a release that the route marks as rolled back does not serve again
    idle.rollback_requested,  # the same; before the desired release, which may be missing
    failed_at_rest,  # so is what was shipped together with a sibling that failed
    detours.harmful,  # what serves alone must not serve
    proof.proved,  # the cause of the last rollback while idle is known now
    idle.stable_failed,  # then the metrics of stable itself, where `spec.watch` enables them
    standbys.ends,  # a standby has served its time, or no longer answers
    standbys.stands_by,  # a release that can do less serves for a while
    idle.last_resort,  # without a release to roll back to, the fallback is left
    terminating.rests,  # the rollout is being deleted, and stable serves until it is gone
    idle.agent_taken,  # of two rollouts of one agent only the older one ships
    idle.release_unknown,  # nothing can be compared with a digest that is not known
    idle.not_permitted,  # stable continues to serve, and the conditions report the refusal
    begin.begins,  # a drill rehearses a rollback while everything is at rest
    idle.healthy,  # the common case: nothing to do
    proof.given_up,  # nothing was proved, but another attempt would end the same
    proof.shared_cause,  # a shared cause is waited out
    idle.quarantined,  # a resync, relabel or restart does not retry what failed
    beginning.start_attempt,
)


def decide(obs: Observation) -> Decision:
    """What to do about one rollout. Never raises for what a user wrote; an exception from here is a bug."""
    return conclude(moved(obs))


def moved(obs: Observation) -> Upshot:
    """The first half of a decision, with all that a rollback writes; the second half is `conclude`."""
    situation = assess(obs.in_force())
    move = first(_chain(situation.status), situation)
    return upshot_of(situation, standbys.gone_with_stable(situation, move))


def first(chain: tuple[Check, ...], s: Situation) -> moves.Move:
    """What the first check decides that applies; the last one always does."""
    return next(move for check in chain if (move := check(s)) is not None)


def _chain(status: AgentRolloutStatus) -> tuple[Check, ...]:
    if is_progressing(status):
        return DRILLING if is_drill(status) else PROGRESSING
    return PENDING if is_pending(status) else IDLE
