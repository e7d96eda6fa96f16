"""What is overdue, judged by the status alone.

The operator cannot report that it does not run. Someone who looks sees a time that is over.
"""

from datetime import datetime
from typing import Final, NamedTuple

from agentrollouts.api.attempt import Attempt, State
from agentrollouts.api.objects import ConditionStatus
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.core.attempt.clocks import elapsed
from agentrollouts.core.conditions import METRICS_CONDITION, TRAFFIC_APPLIED, find_condition
from agentrollouts.core.history import is_drill, rollback_of
from agentrollouts.core.recovery.drill.plan import plan_of
from agentrollouts.insight.view.before import lasting
from agentrollouts.insight.view.plan import seconds_of
from agentrollouts.insight.view.shape import Notice
from agentrollouts.insight.view.words import Needs, Topic

SLACK_SECONDS: Final = 60
"""How late the operator can be: it restarts, or has a lot to do."""
SLACK_INTERVALS: Final = 12
"""How many of its intervals more: each of the ten steps of a ramp can wait for a result."""
CLOCKED: Final = frozenset({State.CANARY, State.BAKING, State.VERIFYING})
"""States that end by the clock of the attempt."""


class Late(NamedTuple):
    """Something that was due."""

    what: str
    seconds: float
    """Since it was due; negative if it still is."""


def overdue(rollout: AgentRollout, now: datetime) -> Notice | None:
    """That something is late, if it is so late that the operator may not run."""
    late = _late(rollout, now)
    slack = SLACK_SECONDS + SLACK_INTERVALS * rollout.spec.analysis.interval_seconds
    if late is None or late.seconds <= slack:
        return None
    metadata = rollout.metadata
    where = f" -n {metadata.namespace}" if metadata.namespace else ""
    sentence = (
        f"{late.what} was due {lasting(late.seconds)} ago: the operator does not run, or the clock here is "
        f"ahead; see kubectl agentrollout check {metadata.name}{where}"
    )
    return Notice(topic=Topic.OPERATOR, state="Overdue", sentence=sentence, needs=Needs.PERSON)


def _late(rollout: AgentRollout, now: datetime) -> Late | None:
    """The next event that waits for a time alone."""
    attempt = rollout.status.attempt
    if attempt is None:
        return None
    if attempt.state is State.ROLLING_BACK:
        return _rolling_back(rollout, now)
    if attempt.hold:
        until = attempt.hold.until
        return Late("the end of the hold", (now - until).total_seconds()) if until else None
    if attempt.state not in CLOCKED or attempt.clock_start_time is None or not _has_metrics(rollout):
        return None
    what, seconds = _by_clock(rollout, attempt)
    return Late(what, elapsed(attempt, now) - seconds)


def _rolling_back(rollout: AgentRollout, now: datetime) -> Late | None:
    """A rollback is over, or reported as late, once its time is."""
    applied, rollback = (
        find_condition(rollout.status.conditions, TRAFFIC_APPLIED),
        rollback_of(rollout.status),
    )
    if rollback is None or (applied and applied.status is not ConditionStatus.TRUE):
        return None
    seconds = (now - rollback.decided_time).total_seconds()
    return Late("the end of the rollback", seconds - rollout.spec.rollback.budget_seconds)


def _by_clock(rollout: AgentRollout, attempt: Attempt) -> tuple[str, int]:
    """What the clock of the attempt ends, and at how many seconds."""
    spec, verify = rollout.spec, rollout.spec.rollback.verify
    if attempt.state is State.VERIFYING:
        watched = 0 if is_drill(rollout.status) else verify.watch_seconds
        return "the end of the verification", max(verify.within_seconds, watched)
    if is_drill(rollout.status):
        return "the end of the drill", plan_of(spec).duration_seconds
    what = "the bake" if attempt.state is State.BAKING else "the phase"  # a step of a ramp waits for gates
    return f"the end of {what}", seconds_of(spec, attempt)


def _has_metrics(rollout: AgentRollout) -> bool:
    found = find_condition(rollout.status.conditions, METRICS_CONDITION)
    return found is None or found.status is not ConditionStatus.FALSE
