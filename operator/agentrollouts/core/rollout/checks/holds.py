"""A hold as a value: why the attempt waits, what ends the wait, and when waiting is given up.

Every hold of the product answers the same three questions.
"""

from datetime import datetime, timedelta
from typing import Final

from agentrollouts.api.attempt import Trigger
from agentrollouts.api.people.action import Acknowledged
from agentrollouts.api.reasons import Reason
from agentrollouts.core.attempt import moves
from agentrollouts.core.attempt.fuses import holding, is_acknowledged
from agentrollouts.core.endings import with_way_out
from agentrollouts.core.history import is_returning
from agentrollouts.core.rollout.checks.fuses import burning
from agentrollouts.core.rollout.situation import Situation

UNLIMITED: Final = frozenset({Reason.PAUSED, Reason.HELD_BY_PERSON, Reason.FROZEN, Reason.RECORD_BEHIND})
"""Holds at whose end no release is rolled back: someone wants them, or they say nothing about it."""


def hold(s: Situation, reason: Reason, message: str) -> moves.Hold | moves.RollBack:
    """Stop here; or roll back, if the plan limits how long to wait for this.

    A fuse that burns meanwhile ends the wait too, whatever the reason of the hold; its end is another check.
    """
    acknowledged = _acknowledged(s, reason)
    until = _limit(s, reason, acknowledged)
    if until is not None and until <= s.now:
        limit = s.spec.rollback.after_hold_seconds
        span = (
            f"Held as long as {acknowledged.by} acknowledged"
            if acknowledged
            else f"Held for {limit} s, the limit of spec.rollback.afterHoldSeconds"
        )
        sentence = f"{span}; not quarantined, since nothing was proved against the release: {message}"
        return moves.RollBack(Trigger.TIMEOUT, Reason.TIMED_OUT, sentence)
    fuse = burning(s, s.status)
    ends = min((time for time in (until, fuse and fuse.until) if time), default=None)
    return moves.Hold(reason, with_way_out(reason, message), ends)


def _acknowledged(s: Situation, reason: Reason) -> Acknowledged | None:
    """Who knew of this hold and has it last longer."""
    current, acknowledged = s.attempt.hold, s.attempt.acknowledged
    is_known = current and current.reason == reason and acknowledged and current.since <= acknowledged.time
    return acknowledged if is_known else None


def _limit(s: Situation, reason: Reason, acknowledged: Acknowledged | None) -> datetime | None:
    """When the wait is given up by `afterHoldSeconds`; None if it has no limit.

    A pause, a freeze, a person's hold and a record that is behind have no time limit, and without a stable
    release there is no rollback. A return to an earlier release has no limit either, since its end would
    serve again what was rolled back. A person who acknowledged the hold has set the limit, but not for gates
    that fail since then.
    """
    limit, current = s.spec.rollback.after_hold_seconds, s.attempt.hold
    has_target = s.status.stable is not None and not is_returning(s.status.canary, s.status)
    if limit is None or reason in UNLIMITED or not has_target:
        return None
    if acknowledged is None:
        since = current.since if current and current.reason == reason else s.now
        return since + timedelta(seconds=limit)
    later = (gate for gate in holding(s.status) if not is_acknowledged(gate, acknowledged))
    begun = (gate.holding_start_time or s.now for gate in later if reason is Reason.GATE_FAILED)
    return min((acknowledged.until, *(since + timedelta(seconds=limit) for since in begun)))
