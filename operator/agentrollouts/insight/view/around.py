"""What surrounds the attempt: a detour, hooks, the group, a freeze, drills, requirements, caps, people."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from agentrollouts.api.attempt import Attempt
from agentrollouts.api.objects import Condition
from agentrollouts.api.reasons import Reason
from agentrollouts.api.recovery.hooks import HookState
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.conditions import (
    DATA_RECOVERED,
    GROUP_CONSISTENT,
    READY,
    RECONCILING,
    RECORDED,
    REQUIREMENT_UNMET,
    ROLLBACK_READY,
    ROUTE_CONFLICT,
    STALLED,
    SWITCHED_OFF,
    TRAFFIC_APPLIED,
)
from agentrollouts.core.containment.fallback import leads_to
from agentrollouts.core.history import is_drill
from agentrollouts.core.states import is_under_way
from agentrollouts.insight.view.coming.overdue import overdue
from agentrollouts.insight.view.headline import is_for_a_person, is_wrong, state_of
from agentrollouts.insight.view.shape import Notice
from agentrollouts.insight.view.words import Needs, Topic

SUMMARIES: Final = frozenset({READY, RECONCILING, STALLED, SWITCHED_OFF})
"""Conditions that the headline, or the detour, says already."""
TOPICS: Final = {
    TRAFFIC_APPLIED: Topic.TRAFFIC,
    ROUTE_CONFLICT: Topic.TRAFFIC,
    ROLLBACK_READY: Topic.ROLLBACK,
    GROUP_CONSISTENT: Topic.GROUP,
    DATA_RECOVERED: Topic.HOOK,
    RECORDED: Topic.RECORD,
    REQUIREMENT_UNMET: Topic.REQUIREMENT,
    "AnnotationIgnored": Topic.PERSON,
}
"""What each condition is about; else the metrics."""
STOPS: Final = {
    Reason.FROZEN: Topic.FREEZE,
    Reason.REQUIREMENT_UNMET: Topic.REQUIREMENT,
    Reason.BREAKS_DEPENDENT: Topic.REQUIREMENT,
    Reason.RECORD_BEHIND: Topic.RECORD,
}
"""What can stop a rollout from outside of it."""
DONE: Final = frozenset({HookState.SUCCEEDED, HookState.NOT_NEEDED, HookState.WAIVED})


def around(rollout: AgentRollout, unread: tuple[str, ...], now: datetime) -> tuple[Notice, ...]:
    """All of it, what needs a person first."""
    late = overdue(rollout, now)
    notices = (*((late,) if late else ()), *_all(rollout), *(_unread(unread) if unread else ()))
    return tuple(sorted(notices, key=lambda notice: notice.needs is Needs.NOBODY))


def _all(rollout: AgentRollout) -> Iterator[Notice]:
    status = rollout.status
    if detour := status.detour:
        since = f"{detour.since:%Y-%m-%d %H:%M:%S} UTC"
        sentence = f"{leads_to(rollout, status, detour)} since {since}. {detour.message}"
        yield Notice(topic=Topic.DETOUR, state=detour.cause, sentence=sentence, needs=Needs.PERSON)
    if status.attempt and is_under_way(status):
        yield from _people(status.attempt)
    yield from _stops(status)
    yield from _hooks(status)
    yield from _drills(status)
    for cap in status.caps:
        state = "Exceeded" if cap.exceeded else "Kept"
        yield Notice(topic=Topic.CAP, state=state, sentence=f"{cap.name}: {cap.message}")
    if status.group:
        since = f"{status.group.since:%Y-%m-%d %H:%M:%S} UTC"
        yield Notice(
            topic=Topic.GROUP, state="Member", sentence=f"in group {status.group.name} since {since}"
        )
    for condition in status.conditions:
        if condition.type not in SUMMARIES and is_wrong(condition):
            yield _condition(condition)


def _people(attempt: Attempt) -> Iterator[Notice]:
    """What people said of the attempt, and until when a gate may fail."""
    if fuse := attempt.fuse:
        until = f"{fuse.until:%Y-%m-%d %H:%M:%S} UTC"
        sentence = f"{fuse.gate} fails; the canary is rolled back at {until} unless someone acknowledges"
        yield Notice(topic=Topic.FUSE, state="Burning", sentence=sentence, needs=Needs.PERSON)
    if held := attempt.held_by:
        sentence = f"{held.by} holds the attempt: {held.reason}"
        yield Notice(topic=Topic.PERSON, state="Held", sentence=sentence, needs=Needs.PERSON)
    if known := attempt.acknowledged:
        sentence = f"{known.by} acknowledged until {known.until:%Y-%m-%d %H:%M:%S} UTC: {known.reason}"
        yield Notice(topic=Topic.PERSON, state="Acknowledged", sentence=sentence)
    if promoted := attempt.promoted:
        sentence = f"{promoted.by} promoted phase {promoted.phase_name}: {promoted.reason}"
        yield Notice(topic=Topic.PERSON, state="Promoted", sentence=sentence)
    for given in attempt.approved_by:
        sentence = f"{given.by} approved phase {given.phase_name}: {given.reason}"
        yield Notice(topic=Topic.PERSON, state="Approved", sentence=sentence)


def _stops(status: AgentRolloutStatus) -> Iterator[Notice]:
    hold = status.attempt.hold if status.attempt else None
    ready = next((each for each in status.conditions if each.type == READY), None)
    reason, message = (
        (hold.reason, hold.message) if hold else (state_of(status), ready.message if ready else "")
    )
    topic = next((topic for stop, topic in STOPS.items() if stop == reason), None)
    if topic:
        yield Notice(topic=topic, state=reason, sentence=message, needs=_needs(reason))


def _hooks(status: AgentRolloutStatus) -> Iterator[Notice]:
    """Those of the last attempt, and those that are not over."""
    last = status.attempt.number if status.attempt else 0
    for hook in status.hooks:
        if hook.attempt != last and hook.state in DONE:
            continue
        why = f": {hook.message}" if hook.message else ""
        sentence = f"hook {hook.name} of attempt {hook.attempt}, {hook.at}{why}"
        needs = Needs.PERSON if hook.state is HookState.FAILED else Needs.NOBODY
        yield Notice(topic=Topic.HOOK, state=hook.state, sentence=sentence, needs=needs)


def _drills(status: AgentRolloutStatus) -> Iterator[Notice]:
    last = status.last_drill
    if last:
        is_running = is_drill(status) and is_under_way(status)
        state = "Running" if is_running else last.outcome or "Running"
        why = f": {last.message}" if last.message else ""
        sentence = f"drill of {last.target} at {last.time:%Y-%m-%d %H:%M:%S} UTC{why}"
        yield Notice(topic=Topic.DRILL, state=state, sentence=sentence)
    if status.next_drill_time:
        sentence = f"the next drill is due at {status.next_drill_time:%Y-%m-%d %H:%M:%S} UTC"
        yield Notice(topic=Topic.DRILL, state="Due", sentence=sentence)


def _condition(condition: Condition) -> Notice:
    topic = TOPICS.get(condition.type, Topic.METRICS)
    sentence = condition.message or condition.reason
    return Notice(topic=topic, state=condition.reason, sentence=sentence, needs=_needs(condition.reason))


def _needs(reason: str) -> Needs:
    return Needs.PERSON if is_for_a_person(reason) else Needs.NOBODY


def _unread(paths: tuple[str, ...]) -> Iterator[Notice]:
    sentence = f"this version cannot read {', '.join(paths)}; update it, or look at the object"
    yield Notice(topic=Topic.UNREAD, state="Unread", sentence=sentence)
