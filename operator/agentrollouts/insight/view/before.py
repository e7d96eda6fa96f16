"""What happened before: the last rollback and its result, its window, actions, and past attempts."""

from datetime import datetime
from typing import Final

from agentrollouts.api.attempt import Trigger
from agentrollouts.api.rollback import LastRollback
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.states import LATCHED
from agentrollouts.insight.view.gates import without_evidence
from agentrollouts.insight.view.past import Before, Past, Result, Rollback, Taken, Window

BY: Final = {
    Trigger.ACTION: "on request",
    Trigger.SPEC_REVERTED: "by a change in Git",
    Trigger.SWITCH_OFF: "because the agent was switched off",
    Trigger.GROUP: "with its group",
    Trigger.DRILL: "as a drill",
}
"""By what a release was rolled back; else automatically."""
UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def before(status: AgentRolloutStatus, now: datetime) -> Before:
    """The last rollback, and the actions."""
    rollback = status.last_rollback
    actions = tuple(
        Taken(
            name=each.name,
            type=each.type,
            by=each.by,
            time=each.time,
            result=each.result,
            sentence=each.message,
        )
        for each in status.actions
    )
    if rollback is None:
        return Before(actions=actions)
    outcome = f", {rollback.outcome}" if rollback.outcome else ""
    sentence = (
        f"{rollback.from_} was rolled back {ago(rollback.decided_time, now)}: {rollback.reason}{outcome}"
    )
    return Before(rollback=_rollback(rollback, status), sentence=sentence, actions=actions)


def ago(time: datetime, now: datetime) -> str:
    """How long ago, in one unit: 4 min ago."""
    return f"{lasting((now - time).total_seconds())} ago"


def lasting(seconds: float) -> str:
    """A duration in one unit: 4 min."""
    whole = max(0, int(seconds))
    size, unit = next(((size, unit) for size, unit in UNITS if whole >= size), UNITS[-1])
    return f"{whole // size} {unit}"


def _rollback(rollback: LastRollback, status: AgentRolloutStatus) -> Rollback:
    how = BY.get(rollback.trigger, "automatically")
    summary = f"{rollback.from_} was rolled back {how} at {rollback.decided_time:%H:%M:%S} UTC"
    seen = status.affected_window
    if seen and seen.release == rollback.from_ and seen.start_time <= rollback.decided_time:
        after = (rollback.decided_time - seen.start_time).total_seconds()
        summary += f", {after:,.1f} s after its first traffic"
    return Rollback(
        release=rollback.from_,
        to=rollback.to,
        trigger=rollback.trigger,
        reason=rollback.reason,
        summary=summary,
        sentence=rollback.message,
        decided_time=rollback.decided_time,
        routed_time=rollback.routed_time,
        outcome=rollback.outcome,
    )


def window(status: AgentRolloutStatus) -> Window | None:
    """The time during which the last bad release had traffic."""
    seen = status.affected_window
    if seen is None:
        return None
    served = f"{seen.runs:,} runs" if seen.runs is not None else "traffic"
    until = f"to {seen.end_time:%H:%M:%S} UTC" if seen.end_time else "until now"
    verb = "served" if seen.runs is not None else "had"
    since = f"from {seen.start_time:%Y-%m-%d %H:%M:%S} {until}"
    repair = "what it wrote or sent in that time may need repair"
    return Window(
        release=seen.release,
        start_time=seen.start_time,
        end_time=seen.end_time,
        runs=seen.runs,
        is_final=seen.is_final,
        sentence=f"{seen.release} {verb} {served} {since}; {repair}",
    )


def result(status: AgentRolloutStatus) -> Result | None:
    """Whether the last rollback helped."""
    rollback, attempt = status.last_rollback, status.attempt
    if rollback is None:
        return None
    if rollback.outcome is not None:
        return Result(
            outcome=rollback.outcome,
            sentence=without_evidence(rollback.verification),
            time=rollback.verified_time,
        )
    is_open = attempt is not None and attempt.state in LATCHED
    sentence = (
        "It is not yet known whether the rollback helped" if is_open else "The rollback was not verified"
    )
    return Result(outcome="Verifying" if is_open else "Unverified", sentence=sentence)


def history(status: AgentRolloutStatus) -> tuple[Past, ...]:
    """Past attempts."""
    return tuple(
        Past(
            number=each.number,
            release=each.release,
            outcome=each.outcome,
            kind=each.kind,
            reason=each.reason,
            sentence=each.message,
            start_time=each.start_time,
            end_time=each.end_time,
            trigger=each.trigger,
            runs=each.runs,
        )
        for each in status.history
    )
