"""Drills: how a plan configures them, and what a status records of the last one."""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import ConfigDict, Field

from agentrollouts.api.attempt import Weight
from agentrollouts.api.model.base import ApiModel, Digest, Message, ReleaseName, Time
from agentrollouts.api.model.marks import cel, rules
from agentrollouts.api.people.action import RoutedSeconds
from agentrollouts.api.people.person import Requester
from agentrollouts.api.rollback import LastRollback

YEAR: Final = 366 * 24 * 3600


class Drill(ApiModel):
    """How often the operator rehearses a rollback, and with how much traffic."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            cel(
                "self.durationSeconds * 2 <= self.everySeconds",
                "`everySeconds` must be at least twice `durationSeconds`",
                "everySeconds",
            ),
        )
    )

    every_seconds: Annotated[int, Field(ge=600, le=YEAR)]
    """Time from the start of one drill to the next, in seconds, at most 366 days. The first drill comes at a
    time within this interval that follows from the UID of the rollout."""
    weight: Annotated[int, Field(ge=1, le=50)] = 1
    """Share of the traffic for the release that is drilled, in percent. Defaults to 1."""
    duration_seconds: Annotated[int, Field(ge=10, le=3600)] = 120
    """How long that release has its share, in seconds. Defaults to 120."""


class DrillOutcome(StrEnum):
    """What a drill showed."""

    PASSED = "Passed"
    FAILED = "Failed"
    SKIPPED = "Skipped"


class LastDrill(ApiModel):
    """The last drill: a short canary of the release that a rollback at rest would choose."""

    time: Time
    """Time at which it began."""
    target: ReleaseName
    """Release that was drilled."""
    digest: Digest
    """Identity of its behavior."""
    attempt: Annotated[int, Field(ge=1, le=2_147_483_647)] | None = None
    """Number of the attempt. Absent if the drill ended before it had any traffic."""
    weight: Weight = 0
    """Share of the traffic that it was given, in percent."""
    runs: Annotated[int, Field(ge=0, le=2_147_483_647)] | None = None
    """Runs of that release that were counted. Absent if none were."""
    decided_to_routed_seconds: RoutedSeconds | None = None
    """Seconds from the decision to roll back until the route was written. Absent before that."""
    decided_to_last_run_seconds: RoutedSeconds | None = None
    """Seconds from that decision to the newest sample with a further run. Absent if no gate counts runs, or
    if their end was not seen within `rollback.verify.withinSeconds`."""
    outcome: DrillOutcome | None = None
    """Outcome: Passed, Failed (the release is not a rollback target until a drill of it passes) or Skipped.
    Absent while nothing is decided."""
    message: Message = ""
    """Explanation of the outcome."""
    requested_by: Requester | None = None
    """Who requested the drill. Absent if it was due."""
    rollback: LastRollback | None = None
    """Rollback with which the drill ends. Absent before that. `status.lastRollback` does not change."""
