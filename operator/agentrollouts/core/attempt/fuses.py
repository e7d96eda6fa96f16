"""The fuse of a gate that fails and only holds: how long that may last, and who has it last longer.

It burns from when the gate began to fail. A person who acknowledges that sets another end, for the gates that
fail at that time; a gate that fails later has its own. Nothing else stops it: not a freeze, not a pause, and
not Prometheus, which may be silent about a gate that failed.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from agentrollouts.api.attempt import Attempt, Fuse
from agentrollouts.api.people.action import Acknowledged
from agentrollouts.api.reasons import Reason
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.api.verdict import GateStatus
from agentrollouts.core.attempt.status_draft import Progress
from agentrollouts.core.gates.gate import ResolvedGate
from agentrollouts.core.states import JUDGED

LAST_CALL: Final = timedelta(minutes=5)
"""How long before the end the last Warning Event is sent."""


def burning(status: AgentRolloutStatus, gates: Iterable[ResolvedGate]) -> Fuse | None:
    """The fuse that ends first; None if none burns.

    Args:
        status: Since when which gates have failed.
        gates: Those that are judged at this stage.
    """
    attempt = status.attempt
    if attempt is None or attempt.state not in JUDGED:
        return None
    by_name = {gate.name: gate for gate in status.gates}
    fuses = (
        _fuse(attempt.acknowledged, by_name[gate.name], gate.fuse_seconds)
        for gate in gates
        if gate.name in by_name
    )
    return min(filter(None, fuses), key=lambda fuse: (fuse.until, fuse.gate), default=None)


def _fuse(acknowledged: Acknowledged | None, gate: GateStatus, seconds: int | None) -> Fuse | None:
    since = gate.holding_start_time
    if since is None or seconds is None:
        return None
    if acknowledged and is_acknowledged(gate, acknowledged):
        return Fuse(gate=gate.name, since=acknowledged.time, until=acknowledged.until)
    return Fuse(gate=gate.name, since=since, until=since + timedelta(seconds=seconds))


def is_acknowledged(gate: GateStatus, acknowledged: Acknowledged) -> bool:
    """Whether a person knew that the gate fails; one that recovered and fails again is news."""
    since = gate.holding_start_time
    return since is not None and gate.name in acknowledged.gates and since <= acknowledged.time


def holding(status: AgentRolloutStatus) -> tuple[GateStatus, ...]:
    """The gates that fail and hold, with or without a fuse."""
    return tuple(gate for gate in status.gates if gate.holding_start_time)


def warnings(fuse: Fuse) -> tuple[datetime, ...]:
    """When its end is announced: at half time, and shortly before; in order, and never at its beginning."""
    half = fuse.since + (fuse.until - fuse.since) / 2
    return tuple(sorted({time for time in (half, fuse.until - LAST_CALL) if time > fuse.since}))


def next_time(fuse: Fuse, now: datetime) -> datetime:
    """When something is due next: a Warning Event, or the end."""
    return min((time for time in warnings(fuse) if time > now), default=fuse.until)


def noted(progress: Progress, fuse: Fuse | None, command: str) -> Progress:
    """The status with the fuse that burns now, and the Warning Event that is due.

    What was announced is persisted, so that no restart repeats it. Another end has announcements of its own.

    Args:
        progress: The status after the move.
        fuse: What burns then.
        command: How to acknowledge it.
    """
    attempt = progress.status.attempt
    if attempt is None:
        return progress
    before, due = attempt.fuse, 0
    if fuse is not None:
        due = sum(time <= progress.now for time in warnings(fuse))
        told = before.warned if before and before.until == fuse.until else 0
        fuse = fuse.copy_with(warned=max(due, told))
        if due > told:
            progress = progress.tell(Reason.FUSE_BURNING, announcement(fuse, command), warn=True)
    waits = fuse is not None or attempt.hold is not None
    acknowledged = attempt.acknowledged if waits else None
    if (fuse, acknowledged) == (before, attempt.acknowledged):
        return progress
    return progress.then(attempt=attempt.copy_with(fuse=fuse, acknowledged=acknowledged))


def announcement(fuse: Fuse, command: str) -> str:
    """What happens when, and what prevents it."""
    return f"{fuse.gate} fails; the canary is {sentence(fuse.until, command)}"


def sentence(until: datetime, command: str) -> str:
    """When a wait ends, and the command that has it last longer."""
    return f"rolled back at {until:%Y-%m-%d %H:%M:%S} UTC unless someone acknowledges: {command}"


def until_of(attempt: Attempt) -> datetime | None:
    """When the attempt is rolled back if nothing changes; None if it is not."""
    times = (attempt.fuse and attempt.fuse.until, attempt.hold and attempt.hold.until)
    return min((time for time in times if time), default=None)
