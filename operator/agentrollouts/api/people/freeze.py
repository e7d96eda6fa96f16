"""AgentFreeze: a time in which no rollout that it covers goes forward. It never stops a rollback.

A freeze can be kept in Git, or created by hand when something is wrong; deleting it ends it. One in the
namespace of the operator covers all namespaces, or those that it names; any other covers its own alone.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, ClassVar, Final, Literal

from pydantic import ConfigDict, Field

from agentrollouts.api.model.base import (
    SECONDS_MAX,
    ApiModel,
    DnsLabel,
    ObjectName,
    ReleaseName,
    Time,
    WrittenTime,
)
from agentrollouts.api.model.marks import AGE, LIST_SET, Column, Resource, cel, rules
from agentrollouts.api.names import API_VERSION
from agentrollouts.api.objects import Conditions, ObjectMeta
from agentrollouts.api.people.person import Requester, WrittenReason

ACTIVE: Final = "Active"
"""The condition of a freeze: True, False, or Unknown, which counts as True."""

_FIELD: Final = "[0-9A-Za-z*,/#-]+"
SCHEDULE: Final = rf"^{_FIELD}( {_FIELD}){{4}}$"
"""Five fields. A sixth, for seconds, is not refused by the library that reads it."""

Schedule = Annotated[str, Field(max_length=128, pattern=SCHEDULE)]
TimeZone = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_+/-]+$")]
LabelValue = Annotated[str, Field(max_length=63)]


class When(StrEnum):
    """Whether the windows are the time that is frozen, or the time that is not."""

    IN_WINDOWS = "InWindows"
    OUTSIDE_WINDOWS = "OutsideWindows"


class InFlight(StrEnum):
    """What a freeze does to an attempt in progress."""

    HOLD = "Hold"
    CONTINUE = "Continue"


class FreezeWindow(ApiModel):
    """A span of time that comes again and again."""

    schedule: Schedule
    """When it begins, as five fields of cron: minute, hour, day of the month, month, day of the week, such as
    `0 16 * * FRI`."""
    duration_seconds: Annotated[int, Field(ge=60, le=SECONDS_MAX)]
    """How long it lasts, in seconds."""
    time_zone: TimeZone | None = None
    """Time zone of the schedule, by its name in the IANA database, such as Europe/Amsterdam. Defaults to
    UTC."""


class FreezeException(ApiModel):
    """What may go forward though it is frozen."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            cel(
                "has(self.namespace) || has(self.rollout) || has(self.release)",
                "an exception must name a `namespace`, a `rollout` or a `release`",
            )
        )
    )

    namespace: DnsLabel | None = None
    """Namespace of the rollout. If absent, any that the freeze covers."""
    rollout: ObjectName | None = None
    """Name of the AgentRollout. If absent, any."""
    release: ReleaseName | None = None
    """Name of the AgentRelease. If absent, any."""
    reason: WrittenReason
    """Why, in at least 8 characters."""


class FreezeSpec(ApiModel):
    """What is frozen, when, and why."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            cel(
                "!has(self.startTime) || !has(self.endTime) || self.startTime < self.endTime",
                "`endTime` must be later than `startTime`",
                "endTime",
            ),
            cel(
                f"self.when == '{When.IN_WINDOWS}' || has(self.windows)",
                f"`when: {When.OUTSIDE_WINDOWS}` needs `windows`, which are the time that is open",
                "when",
            ),
            cel(
                "!has(self.rollouts) || !has(self.selector)",
                "`selector` must be absent if `rollouts` is present",
                "selector",
            ),
        )
    )

    reason: WrittenReason
    """Why, in at least 8 characters. Each rollout that waits for the freeze shows it."""
    requested_by: Annotated[Requester, Field(min_length=1)] | None = None
    """User name of the writer of the freeze. The API server rejects any other name."""
    namespaces: (
        Annotated[tuple[DnsLabel, ...], Field(min_length=1, max_length=256, json_schema_extra=LIST_SET)]
        | None
    ) = None
    """Namespaces that a freeze in the namespace of the operator covers. If absent, all. A freeze in another
    namespace covers only that one."""
    rollouts: (
        Annotated[tuple[ObjectName, ...], Field(min_length=1, max_length=64, json_schema_extra=LIST_SET)]
        | None
    ) = None
    """Names of the AgentRollouts that it covers. If absent, all."""
    selector: Annotated[Mapping[str, LabelValue], Field(min_length=1, max_length=16)] | None = None
    """Labels of the AgentRollouts that it covers. Anyone who may edit a rollout may change its labels, so a
    freeze that must hold uses names, or neither."""
    start_time: WrittenTime | None = None
    """Time from which it is active. If absent, from its creation on."""
    end_time: WrittenTime | None = None
    """Time until which it is active. If absent, until it is deleted."""
    windows: Annotated[tuple[FreezeWindow, ...], Field(min_length=1, max_length=16)] | None = None
    """Spans of time that come again and again, between `startTime` and `endTime`. If absent, it is active all
    the time between these two. A window that cannot be read counts as active."""
    when: When = When.IN_WINDOWS
    """InWindows: it is active in its windows. OutsideWindows: it is active outside of them, so that only
    office hours are open. Defaults to InWindows."""
    in_flight: InFlight = InFlight.HOLD
    """What it does to an attempt in progress. Hold: the attempt keeps its weight, and its clocks stop.
    Continue: the attempt may finish, and only a new one waits. Defaults to Hold."""
    except_: Annotated[tuple[FreezeException, ...], Field(max_length=32, alias="except")] = ()
    """What may go forward nevertheless."""


class FreezeStatus(ApiModel):
    """What the freeze does now."""

    observed_generation: Annotated[int, Field(ge=0)] = 0
    """Generation of the spec that this status describes."""
    active_until: Time | None = None
    """Time until which it is active. Absent if it is not active, or has no known end."""
    conditions: Conditions = ()
    """Conditions: Active is True, False, or Unknown, which counts as True."""


def _active_column(name: str, field: str) -> Column:
    return Column(name, f'.status.conditions[?(@.type=="{ACTIVE}")].{field}')


class AgentFreeze(ApiModel):
    """A time in which nothing goes forward."""

    resource: ClassVar[Resource] = Resource(
        kind="AgentFreeze",
        plural="agentfreezes",
        short_name="afr",
        columns=(
            _active_column("Active", "status"),
            Column("Until", ".status.activeUntil"),
            Column("By", ".spec.requestedBy"),
            Column("Reason", ".spec.reason"),
            AGE,
        ),
    )

    api_version: Literal["agentrollouts.dev/v1alpha1"] = API_VERSION
    kind: Literal["AgentFreeze"] = "AgentFreeze"
    metadata: ObjectMeta
    spec: FreezeSpec
    """What is frozen, when, and why."""
    status: FreezeStatus = FreezeStatus()
    """What the freeze does now. Written only by the operator."""
