"""What can happen next without anyone's action: when or if, and what.

Not a second decision: only the ends of clocks, and what each chain of checks can lead to from here. A test in
virtual time compares it with what happens.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from agentrollouts.api.attempt import State
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.core.attempt.clocks import due_time
from agentrollouts.core.history import is_drill, rollback_of
from agentrollouts.core.recovery.drill.plan import plan_of
from agentrollouts.core.states import is_pending, is_under_way
from agentrollouts.insight.view.coming.causes import back_if, hold_if
from agentrollouts.insight.view.coming.forward import forward
from agentrollouts.insight.view.coming.resting import at_rest, pending
from agentrollouts.insight.view.shape import Next
from agentrollouts.insight.view.words import Happens

NOTHING: Final = Next(event=Happens.NOTHING, sentence="nothing happens automatically")


def upcoming(rollout: AgentRollout, now: datetime) -> tuple[Next, ...]:
    """In order of time; what can happen at any moment comes last, and what matters less after that."""
    found = sorted(
        _all(rollout, now),
        key=lambda each: (each.is_minor, each.time or datetime.max.replace(tzinfo=now.tzinfo)),
    )
    return tuple(found) or (NOTHING,)


def _all(rollout: AgentRollout, now: datetime) -> Iterator[Next]:
    status = rollout.status
    if not is_under_way(status):
        return at_rest(rollout, now)
    if is_pending(status):
        return pending(rollout)
    if status.attempt and status.attempt.state in {State.ROLLING_BACK, State.VERIFYING}:
        return _back(rollout, now)
    return _drilling(rollout, now) if is_drill(status) else forward(rollout, now)


def _back(rollout: AgentRollout, now: datetime) -> Iterator[Next]:
    """A rollback in progress: the route first, then whether it helped."""
    status, attempt, spec = rollout.status, rollout.status.attempt, rollout.spec.rollback
    rollback = rollback_of(status)
    if attempt is None:
        return
    if attempt.state is State.ROLLING_BACK:
        to = rollback.to if rollback else "stable"
        yield Next(
            event=Happens.ROUTED, sentence=f"{to} has all traffic", condition="once the route shows it"
        )
        late = rollback.decided_time + timedelta(seconds=spec.budget_seconds) if rollback else now
        if late > now:
            sentence, condition = "the rollback is reported as late", "if the route does not show it by then"
            yield Next(event=Happens.ROLLBACK_LATE, sentence=sentence, condition=condition, time=late)
        return
    seconds = (
        spec.verify.within_seconds
        if is_drill(status)
        else max(spec.verify.within_seconds, spec.verify.watch_seconds)
    )
    sentence = "the drill ends" if is_drill(status) else "the verification ends, and the result is reported"
    yield Next(
        event=Happens.ENDED,
        sentence=sentence,
        condition="once the last runs were seen and the metrics are as they were before",
        latest=due_time(attempt, seconds, now),
    )


def _drilling(rollout: AgentRollout, now: datetime) -> Iterator[Next]:
    """A drill with traffic: it is rolled back when its time is over, or sooner."""
    attempt, verify = rollout.status.attempt, rollout.spec.rollback.verify
    if attempt is None:
        return
    seconds, release = plan_of(rollout.spec).duration_seconds, _drilled(rollout)
    back = f"{release} is rolled back"
    if attempt.clock_start_time is None or attempt.phase_start_time is None:
        end = attempt.start_time + timedelta(seconds=verify.within_seconds + seconds)
        condition = "if the gateway does not have the weight by then"
        yield Next(event=Happens.ROLLBACK_STARTED, sentence=back, condition=condition, time=end)
        yield Next(
            event=Happens.CLOCK_STARTED,
            sentence="the clock starts",
            condition="once the route shows the weight",
        )
    else:
        yield Next(event=Happens.ROLLBACK_STARTED, sentence=back, time=due_time(attempt, seconds, now))
        yield Next(
            event=Happens.CLOCK_STOPPED,
            sentence="the clock stops",
            condition="if the route changes",
            is_minor=True,
        )
    harm = " or ".join(filter(None, (back_if(rollout), hold_if(rollout))))
    if harm:
        sentence = f"{back}, and the drill has failed"
        yield Next(event=Happens.ROLLBACK_STARTED, sentence=sentence, condition=f"immediately if {harm}")
    condition = "if anything else comes up, such as another release in Git"
    yield Next(event=Happens.ENDED, sentence="the drill is skipped", condition=condition, is_minor=True)


def _drilled(rollout: AgentRollout) -> str:
    canary = rollout.status.canary
    return canary.release if canary else "the release"
