"""Freezes: whether one is active at a time and until when, and what it covers. Time is given."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from agentrollouts.api.model.base import LAST_TIME
from agentrollouts.api.objects import ConditionStatus, ObjectMeta
from agentrollouts.api.people.freeze import (
    ACTIVE,
    AgentFreeze,
    FreezeException,
    FreezeSpec,
    FreezeStatus,
    InFlight,
    When,
)
from agentrollouts.api.reasons import Reason
from agentrollouts.core.action.windows import InvalidWindow, next_start, reach
from agentrollouts.core.conditions import condition, set_condition


@dataclass(frozen=True, slots=True)
class Activity:
    """What a freeze does at a time."""

    status: ConditionStatus
    """Whether it is active; Unknown counts as active."""
    reason: Reason
    edge: datetime | None = None
    """When that ends, or has to be looked at again; None if it lasts."""
    problem: str = ""
    """What in it cannot be read."""

    @property
    def is_active(self) -> bool:
        """Whether what it covers is frozen: certainly, or by doubt."""
        return self.status is not ConditionStatus.FALSE

    @property
    def until(self) -> datetime | None:
        """The end of the freeze; None if it has none, or is not active."""
        return self.edge if self.is_active else None


def activity(spec: FreezeSpec, now: datetime) -> Activity:
    """What a freeze does now."""
    if spec.end_time and now >= spec.end_time:
        return Activity(ConditionStatus.FALSE, Reason.OVER)
    if spec.start_time and now < spec.start_time:
        return Activity(ConditionStatus.FALSE, Reason.NOT_BEGUN, spec.start_time)
    if not spec.windows:
        return Activity(ConditionStatus.TRUE, Reason.NO_WINDOWS, spec.end_time)
    try:
        end = reach(spec.windows, now)
        edge = end or next_start(spec.windows, now)
    except InvalidWindow as invalid:
        return Activity(ConditionStatus.UNKNOWN, Reason.INVALID_WINDOW, spec.end_time, str(invalid))
    is_in = end is not None
    is_active = is_in == (spec.when is When.IN_WINDOWS)
    return Activity(
        ConditionStatus.TRUE if is_active else ConditionStatus.FALSE,
        Reason.IN_WINDOW if is_in else Reason.OUTSIDE_WINDOWS,
        min((time for time in (edge, spec.end_time) if time), default=None),
    )


def covers(freeze: AgentFreeze, rollout: ObjectMeta, home: str | None) -> bool:
    """Whether a freeze is about a rollout.

    Args:
        freeze: The freeze.
        rollout: Metadata of the rollout.
        home: Namespace of the operator, whose freezes cover others; None if it has none.
    """
    spec, place = freeze.spec, freeze.metadata.namespace
    is_near = rollout.namespace == place
    if place == home:
        is_near = not spec.namespaces or rollout.namespace in spec.namespaces
    is_named = not spec.rollouts or rollout.name in spec.rollouts
    return is_near and is_named and (spec.selector or {}).items() <= rollout.labels.items()


def is_excepted(freeze: AgentFreeze, rollout: ObjectMeta, release: str) -> bool:
    """Whether a release may go forward though the freeze covers its rollout."""
    return _exception(freeze, rollout, release) is not None


def _exception(freeze: AgentFreeze, rollout: ObjectMeta, release: str) -> FreezeException | None:
    return next((each for each in freeze.spec.except_ if _is_about(each, rollout, release)), None)


def excepted_from(
    freezes: Iterable[AgentFreeze], rollout: ObjectMeta, release: str, now: datetime
) -> str | None:
    """Despite which freezes a release goes forward now, and why, as a sentence; None if none is active."""
    found = [
        f"AgentFreeze {_name(freeze)} ({exception.reason})"
        for freeze in sorted(freezes, key=_name)
        if (exception := _exception(freeze, rollout, release)) and activity(freeze.spec, now).is_active
    ]
    return f"Excepted from {', '.join(found)}" if found else None


def _is_about(exception: FreezeException, rollout: ObjectMeta, release: str) -> bool:
    """What an exception does not name may be anything."""
    given = (rollout.namespace, rollout.name, release)
    named = (exception.namespace, exception.rollout, exception.release)
    return all(wanted in {None, real} for wanted, real in zip(named, given, strict=True))


def frozen_by(
    freezes: Iterable[AgentFreeze], rollout: ObjectMeta, release: str, now: datetime, *, is_in_flight: bool
) -> str | None:
    """Which freeze keeps a release from going forward, as a sentence; of several, the one that ends last.

    Args:
        freezes: Those that cover the rollout.
        rollout: Metadata of the rollout.
        release: The release that is to go forward.
        now: The time.
        is_in_flight: Whether it has traffic, so that some freezes let it finish.
    """
    active = [
        (what.until or LAST_TIME, _name(freeze), freeze, what)
        for freeze in freezes
        if not (is_in_flight and freeze.spec.in_flight is InFlight.CONTINUE)
        and not is_excepted(freeze, rollout, release)
        and (what := activity(freeze.spec, now)).is_active
    ]
    if not active:
        return None
    _, name, freeze, what = max(active, key=lambda each: each[:2])
    return f"AgentFreeze {name} is active {_how_long(what)}: {freeze.spec.reason}"


def next_edge(freezes: Iterable[AgentFreeze], now: datetime) -> datetime | None:
    """When any of them may change what it does."""
    edges = (activity(freeze.spec, now).edge for freeze in freezes)
    return min((edge for edge in edges if edge), default=None)


def status_of(freeze: AgentFreeze, home: str | None, now: datetime) -> FreezeStatus:
    """The status that a freeze is to have; written once for each change and each edge."""
    what, generation = activity(freeze.spec, now), freeze.metadata.generation
    message = f"Active {_how_long(what)}" if what.is_active else _not_active(what)
    if freeze.spec.namespaces and freeze.metadata.namespace != home:
        message += "; `namespaces` has no effect outside of the namespace of the operator"
    news = condition(ACTIVE, what.status, what.reason, message, generation=generation, now=now)
    known = tuple(each for each in freeze.status.conditions if each.type == ACTIVE)  # others: it was invalid
    return FreezeStatus(
        observed_generation=generation, active_until=what.until, conditions=set_condition(known, news)
    )


def _how_long(what: Activity) -> str:
    end = f"until {what.edge:%Y-%m-%d %H:%M:%S} UTC" if what.edge else "until it is deleted"
    return f"{end}, as {what.problem}" if what.problem else end


def _not_active(what: Activity) -> str:
    return f"Not active before {what.edge:%Y-%m-%d %H:%M:%S} UTC" if what.edge else "Not active"


def _name(freeze: AgentFreeze) -> str:
    return f"{freeze.metadata.namespace}/{freeze.metadata.name}"
