"""Conditions of any kind: what is true, since when, and for which generation of the spec.

The one rule that clients rely on: the time of a condition changes when its status changes and never because
its reason or message does.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from agentrollouts.api.objects import Condition, ConditionStatus
from agentrollouts.api.reasons import Reason

READY: Final = "Ready"
"""The one summary condition of either kind."""
RECONCILING: Final = "Reconciling"
"""With `STALLED` what kstatus reads first: whether the object is on its way."""
STALLED: Final = "Stalled"
"""Whether it is stuck until a person does something. Never true together with `RECONCILING` or `READY`."""
TRAFFIC_APPLIED: Final = "TrafficApplied"
"""Of a rollout: whether its weights are in effect."""
ROLLBACK_READY: Final = "RollbackReady"
"""Whether a healthy release could take over all traffic now, and how many points of a recovery hold."""

METRICS_CONDITION: Final = "MetricsAvailable"
"""Of a rollout whose gates are evaluated: whether its metrics can be used."""
GROUP_CONSISTENT: Final = "GroupConsistent"
"""Of a rollout in a group: whether each member could roll back what it shipped with a failed release."""
DATA_RECOVERED: Final = "DataRecovered"
"""Of a rollout with hooks after rollbacks: whether they have repaired what bad releases left behind."""
RECORDED: Final = "Recorded"
"""Of a rollout, there only while it is False: entries of its record cannot be written."""

ROUTE_CONFLICT: Final = "RouteConflict"
"""A warning, there only while it is True: another route has the same hostname at the same parent."""
SHARE_EXCEEDED: Final = "ShareExceeded"
"""A warning, there only while it is True: the namespace requests more than its share of Prometheus."""
ANNOTATION_IGNORED: Final = "AnnotationIgnored"
"""A warning, there only while it is True: an annotation requests what only an action can."""
REQUIREMENT_UNMET: Final = "RequirementUnmet"
"""A warning, there only while it is True: another agent does not serve what the stable release requires."""
SWITCHED_OFF: Final = "SwitchedOff"
"""There only while it is True: a detour sends traffic elsewhere."""
STANDBY_NOT_READY: Final = "StandbyNotReady"
"""A warning, there only while it is True: a standby could not serve in the place of stable."""
FALLBACK_NOT_READY: Final = "FallbackNotReady"
"""A warning, there only while it is True: the agent in `fallback.rollout` could not answer in a detour."""
WARNINGS: Final = frozenset(
    {
        ROUTE_CONFLICT,
        SHARE_EXCEEDED,
        ANNOTATION_IGNORED,
        REQUIREMENT_UNMET,
        SWITCHED_OFF,
        STANDBY_NOT_READY,
        FALLBACK_NOT_READY,
    }
)
"""Conditions whose True is what is wrong."""


def find_condition(conditions: Iterable[Condition], kind: str) -> Condition | None:
    """The condition of that type, if there is one."""
    return next((condition for condition in conditions if condition.type == kind), None)


def set_condition(conditions: tuple[Condition, ...], new: Condition) -> tuple[Condition, ...]:
    """`conditions` with `new` in the place of the one of its type, or at the end.

    Where the status stays what it was, the old time is kept: `new.last_transition_time` counts only for a
    change. A time that is still to come, by a clock that was put back, is not kept.
    """
    old = find_condition(conditions, new.type)
    if old is None:
        return (*conditions, new)
    if old.status is new.status:
        since = min(old.last_transition_time, new.last_transition_time)
        new = new.copy_with(last_transition_time=since)
    return tuple(new if condition is old else condition for condition in conditions)


def without_condition(conditions: tuple[Condition, ...], kind: str) -> tuple[Condition, ...]:
    """`conditions` without the one of that type."""
    return tuple(each for each in conditions if each.type != kind)


def condition(
    kind: str, status: ConditionStatus, reason: Reason, message: str, *, generation: int, now: datetime
) -> Condition:
    """A condition as of now, to be put in its place by `set_condition`."""
    return Condition(
        type=kind,
        status=status,
        reason=reason.value,
        message=message,
        observed_generation=generation,
        last_transition_time=now,
    )
