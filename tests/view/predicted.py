"""What happened first in a world, in the words of the view, and whether the view had predicted it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from agentrollouts.api.attempt import Attempt, AttemptKind, State
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.conditions import TRAFFIC_APPLIED, find_condition
from agentrollouts.core.rollout.decision import Decision
from agentrollouts.insight.view.shape import Next
from agentrollouts.insight.view.view import view
from agentrollouts.insight.view.words import Happens
from testkit.world import World

SECOND = timedelta(seconds=1)
MOVES = {
    State.HELD: Happens.HELD,
    State.AWAITING_APPROVAL: Happens.APPROVAL_AWAITED,
    State.BAKING: Happens.BAKE_STARTED,
    State.HEALTHY: Happens.HEALTHY,
    State.ROLLING_BACK: Happens.ROLLBACK_STARTED,
    State.VERIFYING: Happens.ROUTED,
    State.ROLLED_BACK: Happens.ENDED,
    State.SUPERSEDED: Happens.ENDED,
}
"""What the entry into a state is called."""


@dataclass(kw_only=True)
class Watched(World):
    """A world that notes the first event after a mark."""

    first: tuple[datetime, Happens] | None = None

    def store(self, decision: Decision) -> bool:
        """Each status is compared with the one before."""
        before = self.status
        stored = super().store(decision)
        what = happened(before, self.status)
        if what and self.first is None:
            self.first = self.now, what
        return stored

    def seen(self) -> tuple[Next, ...]:
        """What the view predicts now, and the mark."""
        self.first = None
        return view(self.rollout.copy_with(status=self.status), {}, self.now).next


def happened(before: AgentRolloutStatus, after: AgentRolloutStatus) -> Happens | None:
    """The event between two statuses; None if there is none that the view has a word for."""
    if after.detour and not before.detour:
        return Happens.SWITCHED_OFF
    old, new = before.attempt, after.attempt
    if new is None or old is None or old.number != new.number:
        return _begun(new) if new else None
    return _moved(old, new) if old.state is not new.state else _stayed(before, after)


def _stayed(before: AgentRolloutStatus, after: AgentRolloutStatus) -> Happens | None:
    old, new = before.attempt, after.attempt
    if old is None or new is None:
        return None
    if _is_late(after) and not _is_late(before):
        return Happens.ROLLBACK_LATE
    if after.last_drill != before.last_drill and new.kind is not AttemptKind.DRILL:
        return Happens.DRILL_STARTED
    outcomes = [status.last_rollback and status.last_rollback.outcome for status in (before, after)]
    if outcomes[0] != outcomes[1]:
        return Happens.VERIFIED
    return _within(old, new)


def _begun(new: Attempt) -> Happens:
    if new.kind is AttemptKind.DRILL:
        return Happens.DRILL_STARTED
    return Happens.ROLLBACK_STARTED if new.kind is AttemptKind.GO_BACK else Happens.ATTEMPT_STARTED


def _moved(old: Attempt, new: Attempt) -> Happens:
    if old.hold and new.state is old.hold.resumes:
        return Happens.RESUMED
    if old.state is State.PENDING and new.state is not State.SUPERSEDED:
        return Happens.ATTEMPT_STARTED
    return MOVES.get(new.state) or _within(old, new) or Happens.RESUMED


def _within(old: Attempt, new: Attempt) -> Happens | None:
    if old.hold and new.hold and old.hold.reason != new.hold.reason:
        return Happens.HELD
    if old.phase_name != new.phase_name:
        return Happens.PHASE_STARTED
    if old.weight != new.weight:
        return Happens.WEIGHT_RAISED
    if new.extensions > old.extensions:
        return Happens.EXTENDED
    if (old.clock_start_time is None) == (new.clock_start_time is None):
        return None
    return Happens.CLOCK_STOPPED if new.clock_start_time is None else Happens.CLOCK_STARTED


def _is_late(status: AgentRolloutStatus) -> bool:
    applied = find_condition(status.conditions, TRAFFIC_APPLIED)
    return applied is not None and applied.reason == "RollbackLate"


def tick(world: World) -> timedelta:
    """How often the operator looks, at most."""
    spec = world.rollout.spec
    watch = spec.watch.interval_seconds if spec.watch else 0
    return timedelta(seconds=max(spec.analysis.interval_seconds, watch, 10)) + SECOND


def is_predicted(first: tuple[datetime, Happens], predictions: tuple[Next, ...], one: timedelta) -> bool:
    """Whether that event was predicted, for that time."""
    at, event = first
    return any(each.event is event and _fits(each, at, one) for each in predictions)


def _fits(each: Next, at: datetime, one: timedelta) -> bool:
    latest = each.latest or each.time
    return (each.time is None or at >= each.time - SECOND) and (latest is None or at <= latest + one)


def deadline(predictions: tuple[Next, ...]) -> datetime | None:
    """When something has happened at the latest; a drill might not begin, and a report is no event."""
    optional = {Happens.DRILL_STARTED, Happens.ROLLBACK_LATE}
    times = (each.latest or each.time for each in predictions if each.event not in optional)
    return min((time for time in times if time), default=None)
