"""What an attempt can do next: when its clock ends, when a wait ends, and at any moment."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from agentrollouts.api.analysis import OnTimeout
from agentrollouts.api.attempt import Attempt, State
from agentrollouts.api.objects import ConditionStatus
from agentrollouts.api.reasons import Reason
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.core.action.people import of_phase
from agentrollouts.core.attempt.approvals import needed
from agentrollouts.core.attempt.clocks import ERROR_GRACE, SILENCE_GRACE, due_time
from agentrollouts.core.attempt.schedule import rises_left, steps_of
from agentrollouts.core.conditions import METRICS_CONDITION, find_condition
from agentrollouts.core.endings import ENDINGS
from agentrollouts.core.history import is_returning
from agentrollouts.core.states import base_state
from agentrollouts.insight.view.coming.causes import back_if, hold_if
from agentrollouts.insight.view.plan import seconds_of
from agentrollouts.insight.view.shape import Next
from agentrollouts.insight.view.words import Happens

PASSES: Final = "if every gate passes"
Step = tuple[Happens, str]
"""What follows, as a word and as a clause."""


def forward(rollout: AgentRollout, now: datetime) -> Iterator[Next]:
    """Everything that an attempt with traffic can lead to."""
    attempt = rollout.status.attempt
    if attempt is None:
        return
    yield from _waits(rollout, attempt) if attempt.hold else _by_clock(rollout, attempt, now)
    yield from _until(rollout, attempt)
    yield from _at_any_moment(rollout, attempt)


def _by_clock(rollout: AgentRollout, attempt: Attempt, now: datetime) -> Iterator[Next]:
    """What the clock of the phase, or of the bake, leads to."""
    step, rises = following(rollout, attempt), rises_left(rollout.spec, attempt)
    if attempt.state is State.INITIAL:
        yield _next(step, "once the route has the weight")
        return
    if attempt.promoted:
        yield _next(step, f"once nothing else stops it, as {attempt.promoted.by} promoted the phase")
        return
    if attempt.state is State.AWAITING_APPROVAL:
        yield _next(step, f"once phase {attempt.phase_name} is approved")
        return
    limit = seconds_of(rollout.spec, attempt)
    is_ramp = attempt.state is State.CANARY and bool(rises)
    due = rises[0].due_seconds if is_ramp else limit
    if attempt.clock_start_time is None:
        left = max(0, due - attempt.elapsed_seconds)
        yield Next(event=Happens.CLOCK_STARTED, sentence="the clock starts", condition=_stopped(rollout))
        yield _next(step, f"{left:,.0f} s after the clock starts, {PASSES}")
        return
    end = due_time(attempt, limit, now)
    yield _next(step, PASSES, due_time(attempt, due, now), end if is_ramp else None)
    yield from _undecided(rollout, attempt, end)
    sentence, condition = "the clock stops", "if metrics are missing, or the route does not have the weight"
    yield Next(event=Happens.CLOCK_STOPPED, sentence=sentence, condition=condition, is_minor=True)


def following(rollout: AgentRollout, attempt: Attempt) -> Step:
    """The step that comes after this one, or the approval that it needs."""
    spec, base = rollout.spec, base_state(attempt)
    if base is State.INITIAL:
        return Happens.BAKE_STARTED, "the bake starts"
    if base is State.BAKING:
        return Happens.HEALTHY, f"{_canary(rollout)} becomes stable and gets all traffic"
    if attempt.state is State.CANARY and _unapproved(rollout, attempt):
        return Happens.APPROVAL_AWAITED, f"phase {attempt.phase_name} waits for approval"
    if rises := rises_left(spec, attempt):
        return Happens.WEIGHT_RAISED, f"the canary gets {rises[0].weight}%"
    if attempt.phase_index + 1 < len(spec.phases):
        index = attempt.phase_index + 1
        phase, weight = spec.phases[index], steps_of(spec, index)[0].weight
        ramp = f" of a ramp to {phase.weight}%" if phase.ramp_seconds else ""
        return Happens.PHASE_STARTED, f"phase {phase.name} starts: the canary gets {weight}%{ramp}"
    return Happens.BAKE_STARTED, f"the bake of {spec.bake.duration_seconds:,} s starts"


def _unapproved(rollout: AgentRollout, attempt: Attempt) -> bool:
    due = needed(rollout.spec, attempt)
    return any(len(of_phase(attempt.approved_by, each.phase_name)) < each.count for each in due)


def _undecided(rollout: AgentRollout, attempt: Attempt, end: datetime) -> Iterator[Next]:
    """What follows if a gate is undecided when the time is over."""
    analysis, condition = rollout.spec.analysis, "if a gate is undecided"
    left, then = analysis.max_extensions - attempt.extensions, _timeout(rollout)
    if left > 0 and seconds_of(rollout.spec, attempt):
        times = "once more" if left == 1 else f"at most {left} times"
        what = "the bake" if base_state(attempt) is State.BAKING else "the phase"
        sentence = f"{what} is extended, {times}; then {then[1]}"
        yield Next(event=Happens.EXTENDED, sentence=sentence, condition=condition, time=end)
    else:
        yield _next(then, condition, end)


def _timeout(rollout: AgentRollout) -> Step:
    attempt = rollout.status.attempt
    match rollout.spec.analysis.on_timeout:
        case OnTimeout.ROLL_BACK if not is_returning(rollout.status.canary, rollout.status):
            return Happens.ROLLBACK_STARTED, f"{_canary(rollout)} is rolled back"
        case OnTimeout.PROMOTE if attempt:
            event, sentence = following(rollout, attempt)
            return event, f"{sentence} anyway"
        case _:
            return Happens.HELD, "it is held until someone decides"


def _stopped(rollout: AgentRollout) -> str:
    metrics = find_condition(rollout.status.conditions, METRICS_CONDITION)
    is_missing = metrics is not None and metrics.status is ConditionStatus.FALSE
    return "once metrics are available" if is_missing else "once the route has the weight"


def _waits(rollout: AgentRollout, attempt: Attempt) -> Iterator[Next]:
    """How a hold ends."""
    hold = attempt.hold
    if hold is None:
        return
    ending = ENDINGS[Reason.of(hold.reason)].how if hold.reason in ENDINGS else "its cause is gone"
    resumes = ending.removeprefix("resumes ")
    condition = resumes if resumes != ending else f"after this: {ending}"
    yield Next(event=Happens.RESUMED, sentence="the attempt resumes", condition=condition)
    if hold.until:
        condition = "if it is still held"
        sentence = f"{_canary(rollout)} is rolled back"
        yield Next(event=Happens.ROLLBACK_STARTED, sentence=sentence, condition=condition, time=hold.until)
    if attempt.promoted:
        yield _next(following(rollout, attempt), "once nothing else stops it, as the phase was promoted")


def _until(rollout: AgentRollout, attempt: Attempt) -> Iterator[Next]:
    """What becomes due although the clock of the phase may be stopped."""
    back = f"{_canary(rollout)} is rolled back"
    if fuse := attempt.fuse:
        condition = f"if {fuse.gate} still fails and no one acknowledges it"
        yield Next(event=Happens.ROLLBACK_STARTED, sentence=back, condition=condition, time=fuse.until)
    if (lost := attempt.endpoints_lost_time) and rollout.status.stable:
        condition = "if the canary has no ready endpoint by then"
        time = lost + timedelta(seconds=rollout.spec.analysis.endpoint_grace_seconds)
        yield Next(event=Happens.ROLLBACK_STARTED, sentence=back, condition=condition, time=time)
    metrics = find_condition(rollout.status.conditions, METRICS_CONDITION)
    if metrics and metrics.status is ConditionStatus.FALSE and attempt.hold is None:
        is_down = metrics.reason == Reason.METRICS_UNAVAILABLE
        time = metrics.last_transition_time + (ERROR_GRACE if is_down else SILENCE_GRACE)
        yield Next(
            event=Happens.HELD,
            sentence="it is held",
            condition="if metrics are missing until then",
            time=time,
        )


def _at_any_moment(rollout: AgentRollout, attempt: Attempt) -> Iterator[Next]:
    """What gates, caps and endpoints can do at once."""
    stable, back, held = rollout.status.stable, back_if(rollout), hold_if(rollout)
    if back and stable:
        sentence = f"{_canary(rollout)} is rolled back to {stable.release}"
        yield Next(event=Happens.ROLLBACK_STARTED, sentence=sentence, condition=f"immediately if {back}")
    elif back:
        sentence = "it is held, as there is no release to roll back to"
        yield Next(event=Happens.HELD, sentence=sentence, condition=f"immediately if {back}")
    if attempt.hold:
        sentence, condition = "it is held for that reason instead", "if something else stops it"
        yield Next(event=Happens.HELD, sentence=sentence, condition=condition, is_minor=True)
    else:
        other = "metrics are missing for minutes, or anything else stops it"
        condition = f"if {held}, {other}" if held else f"if {other}"
        yield Next(event=Happens.HELD, sentence="it is held", condition=condition, is_minor=not held)
    if rollout.status.stable is None:
        sentence, condition = (
            "all traffic goes to the fallback",
            "if a gate or cap with `action: SwitchOff` fails",
        )
        yield Next(event=Happens.SWITCHED_OFF, sentence=sentence, condition=condition, is_minor=True)


def _canary(rollout: AgentRollout) -> str:
    return rollout.status.canary.release if rollout.status.canary else "the canary"


def _next(step: Step, condition: str, time: datetime | None = None, latest: datetime | None = None) -> Next:
    return Next(event=step[0], sentence=step[1], condition=condition, time=time, latest=latest)
