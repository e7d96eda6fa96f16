"""How a detour begins, is replaced and ends in a status. There is one at a time, and its share only rises."""

import hashlib
from datetime import datetime
from typing import Final

from agentrollouts.api.recovery.detour import Detour, DetourCause, LastDetour
from agentrollouts.api.status import AgentRolloutStatus, ReleaseRecord

ALL: Final = 100
"""Percent of everything."""
_DIGITS: Final = 8


def id_of(uid: str) -> str:
    """The identity of the detour that an action starts: the same however often the action is taken."""
    digits = "".join(letter for letter in uid.lower() if letter in "0123456789abcdef")
    return digits[:_DIGITS] if len(digits) >= _DIGITS else _hashed(uid)


def id_at(rollout_uid: str, cause: DetourCause, now: datetime) -> str:
    """The identity of a detour that the operator decides on alone."""
    return _hashed(f"{rollout_uid}/{cause}/{now.isoformat()}")


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def share_off(status: AgentRolloutStatus) -> int:
    """Percent of the traffic that no release gets; 0 while a standby serves."""
    return status.detour.percent if status.detour and status.detour.standby is None else 0


def on_standby(status: AgentRolloutStatus) -> ReleaseRecord | None:
    """The release that serves in the place of stable; None without one."""
    standby = status.detour.standby if status.detour else None
    return ReleaseRecord(**dict(standby)) if standby else None


def with_standby(status: AgentRolloutStatus) -> AgentRolloutStatus:
    """The status as the traffic has to show it: with the standby in the place of stable.

    A canary that is the same release is not named beside it: no object lists one Service twice.
    """
    standby, canary = on_standby(status), status.canary
    if standby is None:
        return status
    is_same = canary is not None and canary.digest == standby.digest
    return status.copy_with(stable=standby, canary=None if is_same else canary)


def is_off(status: AgentRolloutStatus) -> bool:
    """Whether no release gets any traffic."""
    return share_off(status) == ALL


def begun(status: AgentRolloutStatus, detour: Detour) -> AgentRolloutStatus:
    """The status with that detour, unless as much is off already.

    A detour that is raised is another one: who wants to end the smaller one did not mean this. Any other
    replaces a standby, and a standby only a standby.
    """
    current = status.detour
    if detour.standby is None:
        return status if detour.percent <= share_off(status) else status.copy_with(detour=detour)
    is_newer = current is None or (current.standby is not None and current.since < detour.since)
    return status.copy_with(detour=detour) if is_newer else status


def begins(before: AgentRolloutStatus, after: AgentRolloutStatus) -> bool:
    """Whether the next status sends traffic elsewhere and the persisted one does not, or to another place."""
    old, new = before.detour, after.detour
    is_moved = new is not None and new.standby is not None and (old is None or old.id != new.id)
    return is_moved or share_off(after) > share_off(before)


def ended(status: AgentRolloutStatus, by: str | None, now: datetime) -> AgentRolloutStatus:
    """The status without its detour, which it remembers; what was measured before it proves nothing now."""
    detour = status.detour
    if detour is None:
        return status
    last = LastDetour(
        id=detour.id,
        cause=detour.cause,
        percent=detour.percent,
        gate=detour.gate,
        start_time=detour.since,
        end_time=now,
        by=by,
        standby=detour.standby,
        trips=detour.trips,
    )
    return status.copy_with(detour=None, last_detour=last, watched=(), caps=())


def adopted(status: AgentRolloutStatus, marked: Detour | None) -> AgentRolloutStatus:
    """The status with the detour that a traffic object is marked with, if the status does not know of it.

    The process ended between the route and the status, or the status is an older one. Not the mark of a
    detour that has ended since: it is on its way out.
    """
    last = status.last_detour
    if marked is None or (last is not None and last.id == marked.id):
        return status
    return begun(status, marked)
