"""The decision: one observation in, one `Decision` out; pure and total.

The three chains below are the product. Their checks are evaluated in order and the first that applies
decides; the comment at each line says why it is there. Rollback comes before everything that could be missing
or wrong.
"""

from collections.abc import Callable
from typing import Final

from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.attempt import moves
from agentrollouts.core.rollout.checks import endpoints, idle, progressing, proof
from agentrollouts.core.rollout.checks.recall import predecessor_known
from agentrollouts.core.rollout.decision import Decision, conclude
from agentrollouts.core.rollout.observation import Observation
from agentrollouts.core.rollout.situation import Situation, assess
from agentrollouts.core.states import is_pending, is_progressing

Check = Callable[[Situation], moves.Move | None]

PROGRESSING: Final[tuple[Check, ...]] = (
    progressing.rollback_in_progress,  # never reconsidered: not by new metrics, a new spec or a restart
    progressing.rollback_requested,  # needs no metric, no release object, no working Prometheus
    progressing.gate_failed,  # proof of harm outranks every wish to go on, wait or try something else
    progressing.cap_exceeded,  # so does a ceiling, which needs no comparison
    endpoints.canary_unreachable,  # a canary that nobody answers for is proof of harm as well
    progressing.superseded,  # nobody asks for this canary any more; its plan, pauses and gates do not matter
    progressing.plan_changed,  # before any hold, which would be about the old plan
    progressing.paused,  # a person's hold is named before any other
    progressing.agent_taken,  # nothing goes forward for two rollouts at once
    progressing.plan_invalid,  # what cannot be asked will not pass by waiting
    endpoints.stable_unreachable,  # without stable there is no way back, and no comparison
    progressing.gate_or_cap_holds,  # a reason to stop, though not to go back
    progressing.metrics_missing,  # without eyes nothing advances, and no clock runs for ever
    progressing.hold_cleared,  # every cause of a hold was just asked and is gone
    progressing.weights_not_applied,  # nothing is timed or judged at a weight that does not exist yet
    endpoints.endpoints_missing,  # a share of the requests gets no answer; it may come back within the grace
    progressing.metrics_returned,  # the weight is in effect and its metrics are there: time counts again
    progressing.first_release,  # with no stable there are no phases
    progressing.ramp_step_due,  # a ramp step comes due within the phase
    progressing.phase_running,  # only now does the clock matter
    progressing.inconclusive,  # time is over; only Pass advances
    progressing.awaiting_approval,  # a person is asked last, so that what they see has passed
    progressing.next_phase,
)

PENDING: Final[tuple[Check, ...]] = (
    predecessor_known,  # what a predecessor knew comes before all that would be done without knowing it
    idle.stable_rolls_back_first,  # what serves is going back: what waits can wait, whatever becomes of it
    idle.release_unknown,  # a name may be known again in a moment
    idle.superseded,  # nobody asks for it any more
    idle.start_attempt,
)

IDLE: Final[tuple[Check, ...]] = (
    predecessor_known,  # the same
    idle.rollback_latched,  # what the route says was taken back is not brought back
    idle.rollback_requested,  # the same; before the desired release, which may be missing
    proof.proved,  # what the last rollback at rest was for is known now
    idle.stable_failed,  # then what is measured of stable itself, where somebody asked for that
    idle.agent_taken,  # of two rollouts of one agent only the older one ships
    idle.release_unknown,  # nothing can be compared with a digest that is not known
    idle.not_permitted,  # what serves goes on, and no longer looks as if all were well
    idle.healthy,  # the common case: nothing to do
    proof.given_up,  # nothing was proved, but the same again would end the same
    proof.shared_cause,  # what everybody suffers from is waited out
    idle.quarantined,  # a resync, relabel or restart does not try again what failed
    idle.start_attempt,
)


def decide(obs: Observation) -> Decision:
    """What to do about one rollout. Never raises for what a user wrote; an exception from here is a bug."""
    situation = assess(obs)
    chain = _chain(situation.status)
    return conclude(situation, next(move for check in chain if (move := check(situation)) is not None))


def _chain(status: AgentRolloutStatus) -> tuple[Check, ...]:
    if is_progressing(status):
        return PROGRESSING
    return PENDING if is_pending(status) else IDLE
