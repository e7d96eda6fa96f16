"""When the next drill is due, and with how much traffic. Time is given.

The time is in the status, so a rollout at rest is looked at again only then. The first drill of a rollout is
at a place in the interval that follows from its UID: ten thousand rollouts that get `spec.drill` by one
commit are drilled one after the other.
"""

import hashlib
from datetime import datetime, timedelta
from typing import Final

from agentrollouts.api.recovery.drill import YEAR, Drill
from agentrollouts.api.rollout import AgentRollout, AgentRolloutSpec
from agentrollouts.api.status import AgentRolloutStatus

ON_REQUEST: Final = Drill(every_seconds=YEAR)
"""By what a drill on request is made if the plan has none."""


def plan_of(spec: AgentRolloutSpec) -> Drill:
    """The weight and the duration of a drill."""
    return spec.drill or ON_REQUEST


def next_time(rollout: AgentRollout, status: AgentRolloutStatus, now: datetime) -> datetime | None:
    """From when on the next drill is due; None if only on request.

    Args:
        rollout: With the persisted status.
        status: The next status.
        now: The time.
    """
    drill, last, known = rollout.spec.drill, status.last_drill, status.next_drill_time
    if drill is None:
        return None
    every = timedelta(seconds=drill.every_seconds)
    if last and last is not rollout.status.last_drill:  # it began, or ended, now
        return last.time + every
    if known is None:
        soon = now + every * place(rollout.metadata.uid)
        return max(soon, last.time + every) if last else soon.replace(microsecond=0)
    return min(known, now + every)


def place(uid: str) -> float:
    """A place in the interval, from 0 to 1, the same for the same UID."""
    return int.from_bytes(hashlib.sha256(uid.encode()).digest()[:4]) / 2**32


def is_due(spec: AgentRolloutSpec, status: AgentRolloutStatus, now: datetime) -> bool:
    """Whether a drill is due by its interval, whether or not it can begin."""
    return spec.drill is not None and status.next_drill_time is not None and status.next_drill_time <= now
