"""The words of the view: each has one meaning, and the faces have a sign or a color for it."""

from enum import StrEnum


class Needs(StrEnum):
    """Who has to do something before the rollout continues, or before customers are served well."""

    NOBODY = "Nobody"
    PERSON = "Person"


class Role(StrEnum):
    """What a backend is to the rollout."""

    STABLE = "Stable"
    CANARY = "Canary"
    DETOUR = "Detour"
    """What answers instead of any release."""


class Progress(StrEnum):
    """Where an attempt is, relative to a step of its plan."""

    DONE = "Done"
    CURRENT = "Current"
    TO_COME = "ToCome"


class StepKind(StrEnum):
    """What a step of the plan is."""

    PHASE = "Phase"
    RAMP = "Ramp"
    BAKE = "Bake"
    DRILL = "Drill"


class Mark(StrEnum):
    """How a verdict is marked; each face has its own sign for it."""

    GOOD = "Good"
    BAD = "Bad"
    OPEN = "Open"
    WARNING = "Warning"


class Happens(StrEnum):
    """An event that the view predicts."""

    NOTHING = "Nothing"
    ATTEMPT_STARTED = "AttemptStarted"
    WEIGHT_RAISED = "WeightRaised"
    PHASE_STARTED = "PhaseStarted"
    BAKE_STARTED = "BakeStarted"
    HEALTHY = "Healthy"
    APPROVAL_AWAITED = "ApprovalAwaited"
    EXTENDED = "Extended"
    HELD = "Held"
    RESUMED = "Resumed"
    CLOCK_STOPPED = "ClockStopped"
    CLOCK_STARTED = "ClockStarted"
    ROLLBACK_STARTED = "RollbackStarted"
    ROUTED = "Routed"
    ROLLBACK_LATE = "RollbackLate"
    ENDED = "Ended"
    VERIFIED = "Verified"
    DRILL_STARTED = "DrillStarted"
    SWITCHED_OFF = "SwitchedOff"
    STANDBY_STARTED = "StandbyStarted"
    SWITCHED_ON = "SwitchedOn"


class Topic(StrEnum):
    """What surrounds an attempt."""

    DETOUR = "Detour"
    HOOK = "Hook"
    GROUP = "Group"
    FREEZE = "Freeze"
    DRILL = "Drill"
    REQUIREMENT = "Requirement"
    FUSE = "Fuse"
    CAP = "Cap"
    TRAFFIC = "Traffic"
    METRICS = "Metrics"
    ROLLBACK = "Rollback"
    RECORD = "Record"
    PERSON = "Person"
    OPERATOR = "Operator"
    UNREAD = "Unread"


class Allowed(StrEnum):
    """Whether the reader may do it; the view does not know, so a face that does fills it in."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"
