"""The decision: one observation in, one `Decision` out; pure and total.

The three chains below are the product. Their checks are asked in order and the first that answers decides;
the comment at each line says why it stands there. Going back stands before all that could be missing or
wrong.
"""

from collections.abc import Callable
from typing import Final

from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core import beginning, on_trial, proof, reach
from agentrollouts.core.attempt import moves
from agentrollouts.core.observation import Decision, Observation
from agentrollouts.core.recall import remembered
from agentrollouts.core.situation import Situation, assess
from agentrollouts.core.states import is_in_line, is_on_trial
from agentrollouts.core.summary import conclude

Check = Callable[[Situation], moves.Move | None]

ON_TRIAL: Final[tuple[Check, ...]] = (
    on_trial.latched,  # a rollback is never reconsidered: not by new metrics, a new spec or a restart
    on_trial.asked_to_go_back,  # a person's word needs no metric, no release object, no working Prometheus
    on_trial.breached,  # proof of harm outranks every wish to go on, wait or try something else
    on_trial.over_cap,  # so does a ceiling, which needs no comparison
    reach.deserted,  # a canary that nobody answers for is proof of harm as well
    on_trial.superseded,  # nobody asks for this canary any more; its plan, pauses and gates do not matter
    on_trial.plan_changed,  # before any hold, which would be about the old plan
    on_trial.paused,  # a person's hold is named before any other
    on_trial.taken,  # nothing goes forward for two rollouts at once
    on_trial.unservable,  # what cannot be asked will not pass by waiting
    reach.stranded,  # without stable there is no way back, and no comparison
    on_trial.worrying,  # a reason to stop, though not to go back
    on_trial.blind,  # without eyes nothing advances, and no clock runs for ever
    on_trial.released,  # every cause of a hold was just asked and is gone
    on_trial.not_in_effect,  # nothing is timed or judged at a weight that does not exist yet
    reach.missing,  # a share of the requests gets no answer; it may come back within the grace
    on_trial.seen_again,  # the weight is in effect and its metrics are there: time counts again
    on_trial.first_release,  # with no stable there are no phases
    on_trial.rising,  # a ramp step comes due within the phase
    on_trial.too_soon,  # only now does the clock matter
    on_trial.undecided,  # time is over; only Pass advances
    on_trial.unapproved,  # a person is asked last, so that what they see has passed
    on_trial.onward,
)

IN_LINE: Final[tuple[Check, ...]] = (
    remembered,  # what a predecessor knew comes before all that would be done without knowing it
    beginning.stable_first,  # what serves is going back: what waits can wait, whatever becomes of it
    beginning.unknown,  # a name may be known again in a moment
    beginning.unwanted,  # nobody asks for it any more
    beginning.begin,
)

AT_REST: Final[tuple[Check, ...]] = (
    remembered,  # the same
    beginning.gone_back,  # what the route says was taken back is not brought back
    beginning.asked_to_go_back,  # a person's word again: before what the spec asks for, which may be missing
    proof.proved,  # what the last rollback at rest was for is known now
    beginning.harmful,  # then what is measured of stable itself, where somebody asked for that
    beginning.taken,  # of two rollouts of one agent only the older one ships
    beginning.unknown,  # nothing can be compared with a digest that is not known
    beginning.refused,  # what serves goes on, and no longer looks as if all were well
    beginning.serving,  # the common case: nothing to do
    proof.given_up,  # nothing was proved, but the same again would end the same
    proof.shared_cause,  # what everybody suffers from is waited out
    beginning.quarantined,  # a resync, relabel or restart does not try again what failed
    beginning.begin,
)


def decide(obs: Observation) -> Decision:
    """What to do about one rollout. Never raises for what a user wrote; an exception from here is a bug."""
    situation = assess(obs)
    chain = _chain(situation.status)
    return conclude(situation, next(move for check in chain if (move := check(situation)) is not None))


def _chain(status: AgentRolloutStatus) -> tuple[Check, ...]:
    if is_on_trial(status):
        return ON_TRIAL
    return IN_LINE if is_in_line(status) else AT_REST
