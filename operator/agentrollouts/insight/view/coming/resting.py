"""What can happen next while no attempt has traffic: at rest, and while a release is pending."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from agentrollouts.api.gates import OnFail
from agentrollouts.api.reasons import Reason
from agentrollouts.api.rollback import LastResort
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.core.endings import ENDINGS
from agentrollouts.core.states import is_unproved
from agentrollouts.insight.view.coming.causes import alone_if
from agentrollouts.insight.view.headline import state_of
from agentrollouts.insight.view.shape import Next
from agentrollouts.insight.view.words import Happens

NOT_AGAIN: Final = frozenset({Reason.QUARANTINED, Reason.TIMED_OUT, Reason.ROUTE_MARKED, Reason.TERMINATING})
"""Reasons after which no attempt of that release begins by itself."""


def pending(rollout: AgentRollout) -> Iterator[Next]:
    """A release waits to begin."""
    yield _begins(rollout)
    yield from _alone(rollout)
    condition = "if stable has to be rolled back first, or Git names another release"
    yield Next(event=Happens.ENDED, sentence="the attempt ends", condition=condition, is_minor=True)


def at_rest(rollout: AgentRollout, now: datetime) -> Iterator[Next]:
    """Stable serves alone."""
    status, requested = rollout.status, rollout.spec.release_ref.name
    yield from _returns(rollout, now)
    is_stable = status.stable is not None and status.stable.release == requested
    if not is_stable and state_of(status) not in NOT_AGAIN:
        yield _begins(rollout)
    if is_unproved(status):
        sentence = "the operator knows whether the release that was rolled back is the cause"
        condition = "once the release that serves kept the limits for a whole window, or exceeds them too"
        yield Next(event=Happens.VERIFIED, sentence=sentence, condition=condition)
    if (due := status.next_drill_time) and status.stable:
        sentence = "a drill starts"
        condition = "if the rollout is Ready, at rest, and nothing is in its way"
        time = due if due > now else None
        yield Next(event=Happens.DRILL_STARTED, sentence=sentence, condition=condition, time=time)
    yield from _alone(rollout)


def _returns(rollout: AgentRollout, now: datetime) -> Iterator[Next]:
    """The time of a standby ends."""
    detour, stable = rollout.status.detour, rollout.status.stable
    if detour is None or detour.until is None or stable is None:
        return
    yield Next(
        event=Happens.SWITCHED_ON,
        sentence=f"{stable.release} gets the traffic again",
        condition="if its Service has a ready endpoint",
        time=detour.until if detour.until > now else None,
    )


def _begins(rollout: AgentRollout) -> Next:
    state = state_of(rollout.status)
    how = ENDINGS[Reason.of(state)].how if state in ENDINGS else "its preconditions are met"
    sentence = f"the attempt of {rollout.spec.release_ref.name} starts"
    return Next(event=Happens.ATTEMPT_STARTED, sentence=sentence, condition=f"after this: {how}")


def _alone(rollout: AgentRollout) -> Iterator[Next]:
    """What follows if stable fails while it serves alone."""
    status, spec = rollout.status, rollout.spec
    harm, off = alone_if(rollout, {OnFail.ROLL_BACK}), alone_if(rollout, {OnFail.SWITCH_OFF})
    is_stuck = state_of(status) == Reason.NO_HEALTHY_TARGET or bool(status.group and status.group.is_stuck)
    if status.stable and ((harm and spec.watch) or is_stuck):
        sentence = f"{status.stable.release} is rolled back to the newest healthy release before it"
        condition = "once that is possible" if is_stuck else f"immediately if {harm}"
        yield Next(event=Happens.ROLLBACK_STARTED, sentence=sentence, condition=condition)
    if spec.watch and spec.rollback.last_resort is LastResort.FALLBACK and harm:
        sentence = "all traffic goes to the fallback"
        condition = f"if {harm} and there is no release to roll back to"
        yield Next(event=Happens.SWITCHED_OFF, sentence=sentence, condition=condition, is_minor=True)
    if spec.watch and spec.standby and (less := alone_if(rollout, {OnFail.STANDBY})) and not status.detour:
        sentence, condition = "a standby serves in the place of stable", f"immediately if {less}"
        yield Next(event=Happens.STANDBY_STARTED, sentence=sentence, condition=condition)
    if spec.watch and off:
        sentence = "all traffic goes to the fallback"
        yield Next(event=Happens.SWITCHED_OFF, sentence=sentence, condition=f"immediately if {off}")
