"""A status on its way through one move: changed fields, and the Events that report them.

Every change of state is checked against the table of states.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypedDict, Unpack

from agentrollouts.api.attempt import Attempt, AttemptKind, Hold, RequiredApproval, State, Trigger
from agentrollouts.api.people.action import Promotion
from agentrollouts.api.reasons import Reason
from agentrollouts.api.record.course import Look
from agentrollouts.api.recovery.detour import Detour, LastDetour
from agentrollouts.api.recovery.drill import LastDrill
from agentrollouts.api.recovery.hooks import HookState
from agentrollouts.api.rollback import AffectedWindow, LastRollback
from agentrollouts.api.rollout import AgentRolloutSpec
from agentrollouts.api.status import (
    AgentRolloutStatus,
    HistoryEntry,
    Outcome,
    Quarantined,
    ReleaseRecord,
    WeightsStatus,
)
from agentrollouts.api.verdict import CapStatus, GateStatus
from agentrollouts.core.attempt.clocks import elapsed
from agentrollouts.core.effects import Event
from agentrollouts.core.history import kept, rollback_of
from agentrollouts.core.states import check_move

NO_INPUT: Final = frozenset({HookState.SUCCEEDED, HookState.NOT_NEEDED, HookState.WAIVED})
"""States of a hook that does not read the history entry of its attempt again."""


class StatusChanges(TypedDict, total=False):
    """What a move can change in the status."""

    stable: ReleaseRecord | None
    canary: ReleaseRecord | None
    attempt: Attempt
    weights: WeightsStatus
    gates: tuple[GateStatus, ...]
    course: tuple[Look, ...]
    last_rollback: LastRollback | None
    affected_window: AffectedWindow | None
    last_drill: LastDrill | None
    quarantined: tuple[Quarantined, ...]
    history: tuple[HistoryEntry, ...]
    detour: Detour | None
    last_detour: LastDetour
    watched: tuple[GateStatus, ...]
    caps: tuple[CapStatus, ...]


class ClockChanges(TypedDict, total=False):
    """What stopping or starting the clock changes in the attempt."""

    clock_start_time: datetime | None
    elapsed_seconds: int


class AttemptChanges(ClockChanges, total=False):
    """What a move can change in the attempt, besides its state."""

    kind: AttemptKind
    plan_hash: str
    phase_index: int
    phase_name: str
    step: int
    weight: int
    start_time: datetime
    phase_start_time: datetime | None
    counting_start_time: datetime | None
    extensions: int
    outlook: str | None
    trigger: Trigger
    approvals: tuple[RequiredApproval, ...]
    hold: Hold | None
    promoted: Promotion | None


def next_number(status: AgentRolloutStatus) -> int:
    """Number of the attempt that would begin now."""
    numbers = [entry.number for entry in status.history] + [entry.attempt for entry in status.quarantined]
    return max(numbers + ([status.attempt.number] if status.attempt else []), default=0) + 1


@dataclass(frozen=True, slots=True)
class Progress:
    """A status on its way through one move."""

    spec: AgentRolloutSpec
    status: AgentRolloutStatus
    now: datetime
    events: tuple[Event, ...] = ()

    @property
    def attempt(self) -> Attempt:
        """The attempt in progress; a bug in the decision if there is none."""
        if self.status.attempt is None:
            raise ValueError("This move needs an attempt in progress")
        return self.status.attempt

    def then(self, *events: Event, **changes: Unpack[StatusChanges]) -> "Progress":
        """With these fields of the status changed and these Events added.

        An equal attempt stays the one that it was, so that neither traffic nor queries are worked out again.
        """
        if changes.get("attempt") == self.status.attempt:
            changes.pop("attempt", None)
        return Progress(self.spec, self.status.copy_with(**changes), self.now, (*self.events, *events))

    def moved(self, state: State, **changes: Unpack[AttemptChanges]) -> "Progress":
        """With the attempt in `state`, a legal move, and these of its fields changed."""
        check_move(self.attempt.state, state)
        return self.then(attempt=self.attempt.copy_with(state=state, **changes))

    def tell(self, reason: Reason, message: str, *, warn: bool = False) -> "Progress":
        """With one more Event."""
        return self.then(Event(reason, message, is_warning=warn))

    @property
    def stopped(self) -> ClockChanges:
        """The fields of an attempt whose clock stops now."""
        return {"elapsed_seconds": int(elapsed(self.attempt, self.now)), "clock_start_time": None}

    def ended(self, outcome: Outcome, reason: str, message: str) -> "Progress":
        """With the attempt over: remembered in the history, enough of it to serve the release again."""
        attempt, canary = self.attempt, self.status.canary
        ended = self.moved(State(outcome), hold=None, clock_start_time=None).then(canary=None)
        if canary is None:  # stood in line, never served
            return ended
        window = self.status.affected_window
        is_ours = window is not None and window.attempt == attempt.number
        entry = HistoryEntry(
            number=attempt.number,
            kind=attempt.kind,
            release=canary.release,
            version=canary.version,
            digest=canary.digest,
            service=canary.service,
            snapshot=canary.snapshot,
            outcome=outcome,
            reason=reason,
            message=message,
            start_time=attempt.start_time,
            end_time=self.now,
            requires=canary.requires if outcome is Outcome.HEALTHY else (),
            trigger=attempt.trigger,
            traffic_start_time=attempt.traffic_start_time,
            traffic_end_time=window.end_time if window and is_ours else None,
            runs=window.runs if window and is_ours else None,
        )
        rollback = rollback_of(self.status)
        if outcome is Outcome.ROLLED_BACK and rollback:
            entry = entry.copy_with(decided_time=rollback.decided_time)
        banned = {old.digest for old in self.status.quarantined}
        repaired = {hook.attempt for hook in self.status.hooks if hook.state not in NO_INPUT}
        return ended.then(history=kept((entry, *self.status.history), self.spec, banned, repaired))
