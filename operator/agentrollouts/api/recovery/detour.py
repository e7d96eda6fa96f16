"""Detours: traffic of an agent that is sent elsewhere, to no release or to a standby."""

from enum import StrEnum

from agentrollouts.api.model.base import ApiModel, DetourId, DnsLabel, Message, ObjectName, Percent, Time
from agentrollouts.api.people.person import Requester
from agentrollouts.api.recovery.standby import StandbyRelease, Trips


class DetourCause(StrEnum):
    """What sends the traffic elsewhere."""

    SWITCH_OFF = "SwitchOff"
    GATE = "Gate"
    CAP = "Cap"
    LAST_RESORT = "LastResort"
    STANDBY = "Standby"


class Detour(ApiModel):
    """A share of the traffic that is sent elsewhere: to no release, or to a standby."""

    id: DetourId
    """Identity of the detour. An action of type SwitchOn must name it."""
    cause: DetourCause
    """Cause: SwitchOff (an action), Gate, Cap, LastResort (`rollback.lastResort`), or Standby."""
    percent: Percent
    """Share of the traffic that is sent elsewhere, in percent."""
    gate: DnsLabel | None = None
    """Gate or cap that started it. Absent for other causes."""
    message: Message = ""
    """Explanation."""
    by: Requester | None = None
    """Who requested it. Absent if the operator decided alone."""
    action: ObjectName | None = None
    """Name of the AgentRolloutAction that requested it. Absent if the operator decided alone."""
    since: Time
    """Time at which it began."""
    standby: StandbyRelease | None = None
    """Release that serves in the place of stable. Absent if no release gets that share."""
    until: Time | None = None
    """Time at which it ends without a request. Absent for causes other than Standby, which SwitchOn ends."""
    trips: Trips | None = None
    """Number of this trip of the gate. Absent for causes other than Standby."""


class LastDetour(ApiModel):
    """The last detour that ended."""

    id: DetourId
    """Identity of the detour."""
    cause: DetourCause
    """Cause: SwitchOff, Gate, Cap, LastResort or Standby."""
    percent: Percent
    """Share of the traffic that was sent elsewhere, in percent."""
    gate: DnsLabel | None = None
    """Gate or cap that started it. Absent for other causes."""
    start_time: Time
    """Time at which it began."""
    end_time: Time
    """Time at which it ended."""
    by: Requester | None = None
    """Who ended it. Absent if the operator did: its time was over, or the standby no longer answered."""
    standby: StandbyRelease | None = None
    """Release that served in the place of stable. Absent if none did."""
    trips: Trips | None = None
    """Number of trips of the gate, each within a day of the end of the one before. Absent for causes other
    than Standby."""
