"""The decision: one observation in, one `Decision` out; pure and total.

The two chains below are the product. Their checks are asked in order and the first that answers decides; the
comment at each line says why it stands there. Going back stands before all that could be missing or wrong.
"""

from collections.abc import Callable
from typing import Final

from agentrollouts.core import beginning, moves, under_way
from agentrollouts.core.observation import Decision, Observation
from agentrollouts.core.situation import Situation, assess
from agentrollouts.core.states import is_under_way
from agentrollouts.core.summary import conclude

Check = Callable[[Situation], moves.Move | None]

UNDER_WAY: Final[tuple[Check, ...]] = (
    under_way.latched,  # a rollback is never reconsidered: not by new metrics, a new spec or a restart
    under_way.asked_to_go_back,  # a person's word needs no metric, no release object, no working Prometheus
    under_way.breached,  # proof of harm outranks every wish to go on, wait or try something else
    under_way.over_cap,  # so does a ceiling, which needs no comparison
    under_way.superseded,  # nobody asks for this canary any more; its plan, pauses and gates do not matter
    under_way.standing_in_line,  # it takes no traffic yet, so there is nothing to pause, judge or time
    under_way.plan_changed,  # before any hold, which would be about the old plan
    under_way.paused,  # a person's hold is named before any other
    under_way.unservable,  # what cannot be asked will not pass by waiting
    under_way.worrying,  # a reason to stop, though not to go back
    under_way.blind,  # without eyes nothing advances, and no clock runs for ever
    under_way.released,  # every cause of a hold was just asked and is gone
    under_way.not_in_effect,  # nothing is timed or judged at a weight that does not exist yet
    under_way.seen_again,  # the weight is in effect and its metrics are there: time counts again
    under_way.first_release,  # with no stable there are no phases
    under_way.rising,  # a ramp step comes due within the phase
    under_way.too_soon,  # only now does the clock matter
    under_way.undecided,  # time is over; only Pass advances
    under_way.unapproved,  # a person is asked last, so that what they see has passed
    under_way.onward,
)

AT_REST: Final[tuple[Check, ...]] = (
    beginning.gone_back,  # what the route says was taken back is not brought back
    beginning.asked_to_go_back,  # a person's word again: before what the spec asks for, which may be missing
    beginning.harmful,  # then what is measured of stable itself, where somebody asked for that
    beginning.unknown,  # nothing can be compared with a digest that is not known
    beginning.serving,  # the common case: nothing to do
    beginning.quarantined,  # a resync, relabel or restart does not try again what failed
    beginning.begin,
)


def decide(obs: Observation) -> Decision:
    """What to do about one rollout. Never raises for what a user wrote; an exception from here is a bug."""
    situation = assess(obs)
    chain = UNDER_WAY if is_under_way(situation.status) else AT_REST
    return conclude(situation, next(move for check in chain if (move := check(situation)) is not None))
