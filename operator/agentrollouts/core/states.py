"""The states of an attempt, and every move between them.

This table is the one source: each move is checked against it, the tests walk it, the diagram in the docs is
drawn from it.

Rule 1. Everything that decides whether a move is legal is in this file. Rule 2. From every state in progress,
one move takes the canary's traffic away: `ROLLING_BACK` or `SUPERSEDED`. Rule 3. From `ROLLING_BACK`, the
only way leads to `VERIFYING` and `ROLLED_BACK`: the canary's weight never rises again in that attempt. Rule
4. An end is final. What follows is a new attempt with a new number.
"""

from collections.abc import Mapping
from typing import Final

from agentrollouts.api.attempt import Attempt, AttemptKind, State, Trigger
from agentrollouts.api.rollback import VerifyOutcome
from agentrollouts.api.rollout import BAKE
from agentrollouts.api.status import AgentRolloutStatus

_BACK: Final = frozenset({State.ROLLING_BACK, State.SUPERSEDED})

TRANSITIONS: Final[Mapping[State, frozenset[State]]] = {
    State.PENDING: frozenset({State.INITIAL, State.CANARY, State.BAKING, State.SUPERSEDED}),
    State.INITIAL: frozenset({State.BAKING, State.HELD, State.SUPERSEDED}),
    State.CANARY: frozenset({State.AWAITING_APPROVAL, State.HELD, State.BAKING}) | _BACK,
    State.AWAITING_APPROVAL: frozenset({State.CANARY, State.HELD, State.BAKING}) | _BACK,
    State.HELD: frozenset({State.INITIAL, State.CANARY, State.AWAITING_APPROVAL, State.BAKING}) | _BACK,
    State.BAKING: frozenset({State.HEALTHY, State.HELD}) | _BACK,
    State.HEALTHY: frozenset(),
    State.ROLLING_BACK: frozenset({State.VERIFYING}),
    State.VERIFYING: frozenset({State.ROLLED_BACK}),
    State.ROLLED_BACK: frozenset(),
    State.SUPERSEDED: frozenset(),
}

ENDS: Final = frozenset(state for state, moves in TRANSITIONS.items() if not moves)
"""States from which an attempt does not move."""

LATCHED: Final = frozenset({State.ROLLING_BACK, State.VERIFYING, State.ROLLED_BACK})
"""States in which the canary's weight is 0 whatever else is true."""

JUDGED: Final = frozenset({State.CANARY, State.AWAITING_APPROVAL, State.BAKING, State.HELD})
"""States in which gates are evaluated."""


class IllegalMoveError(Exception):
    """A move that the table does not have: a bug in the decision, never a user's fault."""


def check_move(origin: State, target: State) -> None:
    """Raise `IllegalMoveError` unless the table has the move; staying where one is needs no permission."""
    if origin is not target and target not in TRANSITIONS[origin]:
        raise IllegalMoveError(f"An attempt cannot go from {origin} to {target}")


def base_state(attempt: Attempt) -> State:
    """The attempt's state, or the one that it is held in."""
    return attempt.hold.resumes if attempt.hold else attempt.state


def current_phase(attempt: Attempt) -> str | None:
    """The phase that a person approves or promotes now; `bake` after the last one, None before the first."""
    return BAKE if base_state(attempt) in {State.INITIAL, State.BAKING} else attempt.phase_name


def is_under_way(status: AgentRolloutStatus) -> bool:
    """Whether an attempt is between its beginning and its end."""
    return status.attempt is not None and status.attempt.state not in ENDS


def is_pending(status: AgentRolloutStatus) -> bool:
    """Whether an attempt waits until its release can be served; it has had no traffic."""
    return status.attempt is not None and status.attempt.state is State.PENDING


def is_progressing(status: AgentRolloutStatus) -> bool:
    """Whether an attempt has begun to take traffic and is not over; else stable serves all by itself."""
    return is_under_way(status) and not is_pending(status)


def is_unproved(status: AgentRolloutStatus) -> bool:
    """Whether stable was rolled back at rest, and it is not yet known whether it was the cause."""
    attempt, rollback = status.attempt, status.last_rollback
    if attempt is None or rollback is None or attempt.trigger not in {Trigger.BREACH, Trigger.CAP}:
        return False
    if attempt.kind is AttemptKind.DRILL:
        return False
    is_at_rest = attempt.phase_name is None  # it had no phases
    is_open = is_at_rest and attempt.state in LATCHED and rollback.outcome in {None, VerifyOutcome.UNVERIFIED}
    return is_open and all(entry.digest != attempt.digest for entry in status.quarantined)
