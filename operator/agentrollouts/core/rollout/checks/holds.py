"""A hold as a value: why the attempt waits, what ends the wait, and when waiting is given up.

Every hold of the product answers the same three questions.
"""

from datetime import timedelta
from typing import Final

from agentrollouts.api.reasons import Reason, Trigger
from agentrollouts.core.attempt import moves
from agentrollouts.core.endings import with_way_out
from agentrollouts.core.history import is_returning
from agentrollouts.core.rollout.situation import Situation

UNLIMITED: Final = frozenset({Reason.PAUSED, Reason.HELD_BY_PERSON, Reason.FROZEN, Reason.RECORD_BEHIND})
"""Holds at whose end no release is rolled back: someone wants them, or they say nothing about it."""


def hold(s: Situation, reason: Reason, message: str) -> moves.Hold | moves.RollBack:
    """Stop here; or roll back, if the plan limits how long to wait for this.

    A pause, a freeze, a person's hold and a record that is behind have no time limit, and without a stable
    release there is no rollback. A return to an earlier release has no limit either, since its end would
    serve again what was rolled back. A person who acknowledged the hold has set the limit.
    """
    current = s.attempt.hold
    since = current.since if current and current.reason == reason else s.now
    limit = s.spec.rollback.after_hold_seconds
    is_return = is_returning(s.status.canary, s.status)
    has_target = s.status.stable is not None and not is_return
    gives_up = limit is not None and reason not in UNLIMITED and has_target
    until = since + timedelta(seconds=limit) if gives_up and limit is not None else None
    acknowledged = current.acknowledged if current and current.reason == reason else None
    if until is not None and acknowledged is not None:
        until = acknowledged.until
    if until is not None and until <= s.now:
        span = (
            f"Held as long as {acknowledged.by} acknowledged"
            if acknowledged
            else f"Held for {limit} s, the limit of spec.rollback.afterHoldSeconds"
        )
        sentence = f"{span}; not quarantined, since nothing was proved against the release: {message}"
        return moves.RollBack(Trigger.TIMEOUT, Reason.TIMED_OUT, sentence)
    return moves.Hold(reason, with_way_out(reason, message), until)
