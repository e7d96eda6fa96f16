"""How a detour begins, is replaced and ends in a status. There is one at a time, and its share only rises."""

import hashlib
from datetime import datetime
from typing import Final

from agentrollouts.api.rollout import AgentRollout
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.api.traffic import Detour, DetourCause, LastDetour

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
    """Percent of the traffic that no release gets."""
    return status.detour.percent if status.detour else 0


def where(rollout: AgentRollout, percent: int) -> str:
    """What becomes of that share, as a clause."""
    share, spec = "all traffic" if percent == ALL else f"{percent}% of the traffic", rollout.spec
    if spec.fallback:
        return f"{share} goes to Service {spec.fallback.service.name}"
    if spec.traffic.by_route:
        return f"{share} goes to no Service, so the gateway answers with an error"
    name = rollout.metadata.name
    told = f"ConfigMap {name}-traffic" if spec.traffic.by_config_map else f"FeatureFlag {name}"
    return f"{share} is off, as {told} tells the agents"


def is_off(status: AgentRolloutStatus) -> bool:
    """Whether no release gets any traffic."""
    return share_off(status) == ALL


def begun(status: AgentRolloutStatus, detour: Detour) -> AgentRolloutStatus:
    """The status with that detour, unless as much is off already.

    A detour that is raised is another one: who wants to end the smaller one did not mean this.
    """
    return status if detour.percent <= share_off(status) else status.copy_with(detour=detour)


def ended(status: AgentRolloutStatus, by: str, now: datetime) -> AgentRolloutStatus:
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
