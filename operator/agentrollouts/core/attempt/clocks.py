"""The clocks of an attempt: how long a phase has run, when it ends, and what starts a clock."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from agentrollouts.api.attempt import Attempt, Hold, State
from agentrollouts.api.people.action import Acknowledged
from agentrollouts.api.rollout import AgentRolloutSpec
from agentrollouts.api.status import AgentRolloutStatus, WeightsStatus
from agentrollouts.api.verdict import GateStatus
from agentrollouts.core.states import JUDGED, base_state

ERROR_GRACE: Final = timedelta(seconds=600)
"""How long Prometheus may fail before the attempt is held (docs/metrics.md)."""
SILENCE_GRACE: Final = timedelta(seconds=300)
"""How long a metric may be missing or stale before the attempt is held."""


def elapsed(attempt: Attempt, now: datetime) -> float:
    """Seconds of the phase's clock: what was consumed before the last stop, and since then if it runs."""
    if attempt.clock_start_time is None:
        return attempt.elapsed_seconds
    running = (now - attempt.clock_start_time).total_seconds()
    return attempt.elapsed_seconds + max(0.0, running)


def on_time(attempt: Attempt, now: datetime) -> Attempt:
    """The attempt without times in the future: the clock was set back, so they restart.

    Otherwise nothing would be counted, and no clock would run, until the clock had caught up.
    """
    if all(time is None or time <= now for time in _times(attempt)):
        return attempt
    return attempt.copy_with(
        start_time=min(attempt.start_time, now),
        traffic_start_time=_not_after(now, attempt.traffic_start_time),
        phase_start_time=_not_after(now, attempt.phase_start_time),
        clock_start_time=_not_after(now, attempt.clock_start_time),
        counting_start_time=_not_after(now, attempt.counting_start_time),
        endpoints_lost_time=_not_after(now, attempt.endpoints_lost_time),
        hold=attempt.hold and _hold_on_time(attempt.hold, now),
        acknowledged=attempt.acknowledged and _acknowledged_on_time(attempt.acknowledged, now),
    )


def _times(attempt: Attempt) -> Iterator[datetime | None]:
    """Every time that has passed unless the clock was set back."""
    yield attempt.start_time
    yield attempt.traffic_start_time
    yield attempt.phase_start_time
    yield attempt.clock_start_time
    yield attempt.counting_start_time
    yield attempt.endpoints_lost_time
    yield attempt.hold.since if attempt.hold else None
    yield attempt.acknowledged.time if attempt.acknowledged else None


def _not_after(now: datetime, time: datetime | None) -> datetime | None:
    return time and min(time, now)


def _hold_on_time(hold: Hold, now: datetime) -> Hold:
    """A hold has as much time left as it had at its beginning, not more."""
    early = hold.since - now
    if early <= timedelta():
        return hold
    return hold.copy_with(since=now, until=hold.until and hold.until - early)


def _acknowledged_on_time(acknowledged: Acknowledged, now: datetime) -> Acknowledged:
    early = acknowledged.time - now
    if early <= timedelta():
        return acknowledged
    return acknowledged.copy_with(time=now, until=acknowledged.until - early)


def _gate_on_time(gate: GateStatus, now: datetime) -> GateStatus:
    since = gate.holding_start_time
    return gate if since is None or since <= now else gate.copy_with(holding_start_time=now)


def phase_seconds(spec: AgentRolloutSpec, attempt: Attempt) -> int:
    """How long the current phase, or the bake, lasts; all extensions together at most double it.

    Whole seconds, like the stopped clock that is compared with it.
    """
    is_baking = base_state(attempt) is State.BAKING
    duration = (spec.bake if is_baking else spec.phases[attempt.phase_index]).duration_seconds
    return duration + duration * attempt.extensions // max(1, spec.analysis.max_extensions)


def next_extensions(spec: AgentRolloutSpec, attempt: Attempt) -> int:
    """How many extensions the phase has after the next one, which lasts until another result is due.

    A step of a short phase is shorter than `analysis.intervalSeconds`; one after the other would be used up,
    each with an Event, without any new count between them.
    """
    most, now = spec.analysis.max_extensions, phase_seconds(spec, attempt)
    later = range(attempt.extensions + 1, most)
    longer = (n for n in later if _seconds_at(spec, attempt, n) - now >= spec.analysis.interval_seconds)
    return next(longer, most)


def _seconds_at(spec: AgentRolloutSpec, attempt: Attempt, extensions: int) -> int:
    return phase_seconds(spec, attempt.copy_with(extensions=extensions))


def due_time(attempt: Attempt, clock_seconds: float, now: datetime) -> datetime:
    """When the phase's running clock will show `clock_seconds`, at the earliest now."""
    return now + timedelta(seconds=max(0.0, clock_seconds - elapsed(attempt, now)))


def warmup_left(spec: AgentRolloutSpec, attempt: Attempt, counting_start: datetime) -> float:
    """Seconds after `counting_start` from which latency and cost count.

    The warm-up is once a phase, not once a step of a ramp.
    """
    warm = (attempt.phase_start_time or counting_start) + timedelta(seconds=spec.analysis.warmup_seconds)
    return max(0.0, (warm - counting_start).total_seconds())


def status_on_time(status: AgentRolloutStatus, now: datetime) -> AgentRolloutStatus:
    """The status without times of its attempt that are still to come."""
    attempt = status.attempt and on_time(status.attempt, now)
    gates = tuple(_gate_on_time(gate, now) for gate in status.gates)
    if attempt is status.attempt and gates == status.gates:
        return status
    return status.copy_with(attempt=attempt, gates=gates)


def confirmed(
    status: AgentRolloutStatus, weights: WeightsStatus, now: datetime, *, is_applied: bool
) -> AgentRolloutStatus:
    """The weights are on the route: runs are counted from now on. The phase's time waits for the gateway."""
    confirmed = status.copy_with(weights=weights)
    attempt = status.attempt
    if attempt and attempt.traffic_start_time is None and attempt.weight and status.canary:
        attempt = attempt.copy_with(traffic_start_time=now)
        confirmed = confirmed.copy_with(attempt=attempt)
    if attempt is None or attempt.state not in JUDGED or status.canary is None:
        return confirmed
    started = attempt if attempt.counting_start_time else attempt.copy_with(counting_start_time=now)
    if started.phase_start_time is None and is_applied:
        clock_start = started.clock_start_time if started.hold else now
        started = started.copy_with(phase_start_time=now, clock_start_time=clock_start)
    return confirmed if started is attempt else confirmed.copy_with(attempt=started)
