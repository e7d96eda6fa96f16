"""A hold as a value: why the attempt waits, what would release it, and when waiting is given up.

Used by the checks in `on_trial`, so that every hold of the product answers the same three questions.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from agentrollouts.api.reasons import Reason, Trigger
from agentrollouts.core import moves
from agentrollouts.core.asked import is_going_back
from agentrollouts.core.situation import Situation

RELEASED_BY: Final[Mapping[Reason, str]] = {
    Reason.METRIC_MISSING: "goes on by itself once the metric exists",
    Reason.METRICS_STALE: "goes on by itself once there are new samples",
    Reason.METRICS_UNAVAILABLE: "goes on by itself once Prometheus answers",
    Reason.INVALID_GATE: "correct what is named",
    Reason.INCONCLUSIVE: "goes on by itself once the gates pass; more traffic would decide sooner",
    Reason.GATE_FAILED: "goes on by itself if the gate recovers; else ship a fix or go back",
    Reason.SHARED_CAUSE: "goes on by itself once stable is as it was",
    Reason.TRAFFIC_MISMATCH: "goes on by itself once the traffic follows the weight",
    Reason.CAP_EXCEEDED: "goes on by itself once the cap is kept",
    Reason.NO_HEALTHY_TARGET: "ship a fix",
}
"""What would release a hold, where its own message does not say so."""


def hold(s: Situation, reason: Reason, message: str) -> moves.Hold | moves.RollBack:
    """Stop here; or go back, where the plan gives up waiting for this.

    A person who pauses may take all the time, and without a stable release there is nowhere to go back to.
    A return to an earlier release is not given up either: that would serve again what was rolled back.
    """
    known = s.attempt.hold
    since = known.since if known and known.reason == reason else s.now
    limit = s.spec.rollback.after_hold_seconds
    is_return = is_going_back(s.status.canary, s.status)
    has_way_back = s.status.stable is not None and not is_return
    gives_up = limit is not None and reason is not Reason.PAUSED and has_way_back
    until = since + timedelta(seconds=limit) if gives_up and limit is not None else None
    if until is not None and until <= s.now:
        told = f"Held for {limit} s, which is as long as spec.rollback.afterHoldSeconds allows: {message}"
        return moves.RollBack(Trigger.TIMEOUT, Reason.TIMED_OUT, told)
    way_out = RELEASED_BY.get(reason)
    return moves.Hold(reason, f"{message}; {way_out}" if way_out else message, until)
