"""A status on its way through one move: changed fields, and the Events that report them.

Every change of state is checked against the table of states.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agentrollouts.api.attempt import Attempt, State
from agentrollouts.api.reasons import Reason
from agentrollouts.api.rollout import AgentRolloutSpec
from agentrollouts.api.status import AgentRolloutStatus, HistoryEntry, Outcome
from agentrollouts.core.attempt.clocks import elapsed
from agentrollouts.core.effects import Event
from agentrollouts.core.history import kept
from agentrollouts.core.states import check_move


def next_number(status: AgentRolloutStatus) -> int:
    """Number of the attempt that would begin now."""
    known = [entry.number for entry in status.history] + [entry.attempt for entry in status.quarantined]
    return max(known + ([status.attempt.number] if status.attempt else []), default=0) + 1


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

    def then(self, *events: Event, **fields: Any) -> "Progress":
        """With these fields of the status changed and these Events added."""
        return Progress(self.spec, self.status.model_copy(update=fields), self.now, (*self.events, *events))

    def moved(self, state: State, **fields: Any) -> "Progress":
        """With the attempt in `state`, a legal move, and these of its fields changed."""
        check_move(self.attempt.state, state)
        return self.then(attempt=self.attempt.model_copy(update={"state": state, **fields}))

    def tell(self, reason: Reason, message: str, *, warn: bool = False) -> "Progress":
        """With one more Event."""
        return self.then(Event(reason, message, is_warning=warn))

    @property
    def stopped(self) -> dict[str, Any]:
        """The fields of an attempt whose clock stops now."""
        return {"elapsed_seconds": int(elapsed(self.attempt, self.now)), "clock_start_time": None}

    def ended(self, outcome: Outcome, reason: str, message: str) -> "Progress":
        """With the attempt over: remembered in the history, enough of it to serve the release again."""
        attempt, canary = self.attempt, self.status.canary
        ended = self.moved(State(outcome), hold=None, clock_start_time=None).then(canary=None)
        if canary is None:  # stood in line, never served
            return ended
        entry = HistoryEntry(
            number=attempt.number,
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
        )
        banned = {old.digest for old in self.status.quarantined}
        return ended.then(history=kept((entry, *self.status.history), self.spec, banned))
