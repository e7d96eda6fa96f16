"""What a rollout can do next, as a closed union of values.

A decision picks exactly one. It becomes the next status and the Events that report it.
"""

from dataclasses import dataclass
from datetime import datetime

from agentrollouts.api.attempt import State, Trigger
from agentrollouts.api.reasons import Reason
from agentrollouts.api.recovery.detour import Detour, LastDetour
from agentrollouts.api.recovery.drill import DrillOutcome
from agentrollouts.api.rollback import VerifyOutcome
from agentrollouts.api.status import HistoryEntry, Quarantined, ReleaseRecord


@dataclass(frozen=True, slots=True)
class Rest:
    """There is no canary, and none begins; `problem`, if present, gives the reason."""

    reason: Reason
    message: str
    until: datetime | None = None
    """When to look again, where nothing that is watched would say so."""


@dataclass(frozen=True, slots=True)
class Recall:
    """The rollout was made again: what its predecessor left on the snapshots becomes its own."""

    stable: ReleaseRecord | None
    """What serves on; None if nothing changes."""
    history: tuple[HistoryEntry, ...]
    quarantined: tuple[Quarantined, ...]


@dataclass(frozen=True, slots=True)
class Wait:
    """The attempt stays as it is; looked at again at `until`, or when something changes."""

    message: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class StopClock:
    """Like `Wait`, and meanwhile no time of the phase passes: what was not seen was not watched."""

    message: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class StartClock:
    """The phase's time passes again."""


@dataclass(frozen=True, slots=True)
class Enqueue:
    """A new attempt is pending until its release can be served; checked again at `until`."""

    record: ReleaseRecord
    reason: Reason
    message: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Begin:
    """An attempt starts to take traffic: in phase 0, as the first release, or as a switch to a known one."""

    record: ReleaseRecord
    state: State


@dataclass(frozen=True, slots=True)
class EnterPhase:
    """On to phase `index`."""

    index: int


@dataclass(frozen=True, slots=True)
class Rise:
    """The next step of the ramp, with the desired weight `weight`."""

    weight: int


@dataclass(frozen=True, slots=True)
class Extend:
    """The phase is extended, since its gates are undecided."""

    message: str


@dataclass(frozen=True, slots=True)
class AskApproval:
    """The phase passed; an approval is needed before the canary gets more."""

    message: str


@dataclass(frozen=True, slots=True)
class Bake:
    """After the last phase: keep watching."""


@dataclass(frozen=True, slots=True)
class Promote:
    """The canary becomes stable."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Clocks stop, the weight stays; given up at `until`."""

    reason: Reason
    message: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Resume:
    """The hold's cause is gone: back to the state it came from."""


@dataclass(frozen=True, slots=True)
class Replan:
    """The plan changed in mid-attempt: clock and evidence of the phase restart at the current weight."""

    index: int


@dataclass(frozen=True, slots=True)
class Rewatch:
    """The plan changed when no phase was left, or there never was one: the bake and its evidence restart."""


@dataclass(frozen=True, slots=True)
class RollBack:
    """Stable 100, canary 0, permanently."""

    trigger: Trigger
    reason: Reason
    message: str
    is_unproved: bool = False
    """Whether nothing was there to compare the release with, so that it is not in quarantine yet."""


@dataclass(frozen=True, slots=True)
class RollBackStable:
    """No attempt is in progress, and stable itself is rolled back: an earlier release gets all traffic."""

    target: ReleaseRecord
    trigger: Trigger
    reason: Reason
    message: str
    ended: LastDetour | None = None
    """The detour that ends with it, since its standby was made from stable; None if there is none."""


@dataclass(frozen=True, slots=True)
class Divert:
    """All traffic is sent elsewhere; what is in progress is looked at in the next decision."""

    detour: Detour


@dataclass(frozen=True, slots=True)
class Return:
    """A standby has served its time, or no longer answers: stable gets the traffic again."""

    ended: LastDetour
    """The detour that it ends."""
    message: str


@dataclass(frozen=True, slots=True)
class ShipInstead:
    """A detour ends with another release: it begins as the first one, and stable is in quarantine."""

    record: ReleaseRecord
    ended: LastDetour
    """The detour that it ends."""


@dataclass(frozen=True, slots=True)
class Verify:
    """The route shows the rollback; next is whether the traffic follows, and whether it helped."""


@dataclass(frozen=True, slots=True)
class Conclude:
    """The rollback is over."""

    outcome: VerifyOutcome
    message: str = ""
    """Whether it helped, in a sentence; empty if it was not verified."""


@dataclass(frozen=True, slots=True)
class Prove:
    """At rest after a rollback: the release that serves since then shows whether the other was the cause."""

    outcome: VerifyOutcome
    message: str


@dataclass(frozen=True, slots=True)
class Supersede:
    """Another release was requested: this attempt ends without the canary."""

    message: str


@dataclass(frozen=True, slots=True)
class BeginDrill:
    """A drill begins: a release that was healthy before gets a small share for a short time."""

    record: ReleaseRecord
    weight: int
    seconds: int
    by: str | None = None
    """Who requested it; None if it was due."""


@dataclass(frozen=True, slots=True)
class EndDrill:
    """The drill is over: after its rollback, or at once, as something else comes first."""

    outcome: DrillOutcome
    message: str


@dataclass(frozen=True, slots=True)
class SkipDrill:
    """A drill that is due ends before it has an attempt; no one would answer its requests."""

    record: ReleaseRecord
    outcome: DrillOutcome
    message: str
    by: str | None = None


Move = (
    Rest
    | Recall
    | Wait
    | StopClock
    | StartClock
    | Enqueue
    | Begin
    | EnterPhase
    | Rise
    | Extend
    | AskApproval
    | Bake
    | Promote
    | Hold
    | Resume
    | Replan
    | Rewatch
    | RollBack
    | RollBackStable
    | Divert
    | Return
    | ShipInstead
    | Verify
    | Conclude
    | Prove
    | Supersede
    | BeginDrill
    | EndDrill
    | SkipDrill
)
