"""The rollout in one line: are customers safe, what has to change, and by whom."""

from collections.abc import Iterator, Mapping
from typing import Final

from agentrollouts.api.attempt import State
from agentrollouts.api.objects import Condition, ConditionStatus
from agentrollouts.api.reasons import Reason
from agentrollouts.api.rollback import VerifyOutcome
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.conditions import (
    DATA_RECOVERED,
    GROUP_CONSISTENT,
    READY,
    STALLED,
    TRAFFIC_APPLIED,
    WARNINGS,
    find_condition,
)
from agentrollouts.core.containment.fallback import leads_to
from agentrollouts.core.endings import ENDINGS, NEEDS_A_PERSON, EndedBy
from agentrollouts.core.history import is_drill
from agentrollouts.core.states import is_pending, is_progressing, is_under_way
from agentrollouts.insight.view.running import FULL
from agentrollouts.insight.view.shape import Headline
from agentrollouts.insight.view.words import Needs

DECIDES: Final = frozenset({Reason.GATE_FAILED, Reason.CAP_EXCEEDED, Reason.INCONCLUSIVE})
"""Holds that can end by themselves, and about which someone should decide before they do."""
AT_REST: Final = frozenset(
    {Reason.GATE_FAILED, Reason.CAP_EXCEEDED, Reason.NO_HEALTHY_TARGET, Reason.SHARED_CAUSE}
)
"""Reasons of a rollout at rest that are about the release that serves."""
NOT_BACK: Final = frozenset({Reason.NOT_ROLLED_BACK, Reason.ROLLBACK_LATE})
"""Reasons because of which a bad release still has traffic."""
ROLLED_BACK: Final = frozenset({Reason.QUARANTINED, Reason.TIMED_OUT, Reason.ROUTE_MARKED, Reason.UNPROVED})
"""Reasons of a rollout at rest whose requested release was rolled back."""
REQUESTS: Final[Mapping[str, str]] = {
    **dict.fromkeys(ROLLED_BACK, "which was rolled back"),
    Reason.RELEASE_NOT_FOUND: "which does not exist",
    Reason.RELEASE_NOT_READY: "which is not Ready",
    Reason.AGENT_MISMATCH: "which is of another agent",
    Reason.SERVICE_MISSING: "which names no Service",
    Reason.SERVICE_SHARED: "which shares its Service with stable",
}
"""What is wrong with the release that Git requests."""


def headline(rollout: AgentRollout) -> Headline:
    """The line."""
    status = rollout.status
    ready, attempt = find_condition(status.conditions, READY), status.attempt
    is_named = attempt is not None and is_under_way(status) and status.canary is not None
    hold = attempt.hold if attempt else None
    return Headline(
        state=state_of(status),
        needs=needs(status),
        sentence=_sentence(rollout),
        why=ready.message if ready else "",
        attempt=attempt.number if attempt else None,
        release=status.canary.release if is_named and status.canary else rollout.spec.release_ref.name,
        since=hold.since if hold else ready.last_transition_time if ready else None,
        is_stale=rollout.metadata.generation > status.observed_generation,
    )


def state_of(status: AgentRolloutStatus) -> str:
    """The reason of the summary, as one word."""
    ready = find_condition(status.conditions, READY)
    if ready is not None:
        return ready.reason
    return status.attempt.state if status.attempt else Reason.PENDING


def needs(status: AgentRolloutStatus) -> Needs:
    """Whether something waits for a person."""
    attempt = status.attempt
    is_burning = attempt is not None and attempt.fuse is not None
    stalled = find_condition(status.conditions, STALLED)
    is_stalled = stalled is not None and stalled.status is ConditionStatus.TRUE
    waits = any(is_for_a_person(reason) for reason in _reasons(status))
    return Needs.PERSON if is_burning or is_stalled or waits or not_recovered(status) else Needs.NOBODY


def is_for_a_person(reason: str) -> bool:
    """Whether someone has to end it, or should decide before it ends."""
    ending = ENDINGS.get(Reason.of(reason)) if reason in set(Reason) else None
    return reason in DECIDES or (ending is not None and ending.by is EndedBy.PERSON)


def _reasons(status: AgentRolloutStatus) -> Iterator[str]:
    """Everything that a person might have to end."""
    if status.attempt and status.attempt.state is State.AWAITING_APPROVAL:
        yield Reason.AWAITING_APPROVAL
    if status.attempt and status.attempt.hold:
        yield status.attempt.hold.reason
    for kind in (READY, TRAFFIC_APPLIED, DATA_RECOVERED, GROUP_CONSISTENT):
        condition = find_condition(status.conditions, kind)
        if condition and is_wrong(condition):
            yield condition.reason


def is_wrong(condition: Condition) -> bool:
    """Whether a condition says that something is not as it should be."""
    if condition.type in WARNINGS:
        return condition.status is ConditionStatus.TRUE
    is_open = condition.type == DATA_RECOVERED or condition.reason == Reason.NO_GATEWAY
    return condition.status is ConditionStatus.FALSE or (
        is_open and condition.status is ConditionStatus.UNKNOWN
    )


def not_recovered(status: AgentRolloutStatus) -> bool:
    """Whether the last attempt was rolled back, and that did not help."""
    attempt, rollback = status.attempt, status.last_rollback
    is_last = attempt is not None and attempt.state is State.ROLLED_BACK and not is_drill(status)
    return is_last and rollback is not None and rollback.outcome is VerifyOutcome.NOT_RECOVERED


def _sentence(rollout: AgentRollout) -> str:
    """What customers get, and what has to change; each part stands for itself."""
    safe, change = safety(rollout), _change(rollout)
    you = "needs you: " if needs(rollout.status) is Needs.PERSON else ""
    return f"{safe}; {you}{change}" if change else safe


def safety(rollout: AgentRollout) -> str:  # noqa: PLR0911 one line for each case
    """What customers get."""
    status = rollout.status
    attempt, stable, canary, rollback = status.attempt, status.stable, status.canary, status.last_rollback
    applied = find_condition(status.conditions, TRAFFIC_APPLIED)
    if state_of(status) in NOT_BACK or (applied and applied.reason in NOT_BACK):
        return f"customers are not safe: {canary.release if canary else 'a bad release'} still has traffic"
    if status.detour:
        return leads_to(rollout, status, status.detour)
    if attempt and attempt.state is State.ROLLING_BACK and rollback:
        return f"traffic is moving from {rollback.from_} to {rollback.to}"
    if canary and attempt and is_progressing(status) and attempt.weight:
        has = "has" if applied is None or applied.status is ConditionStatus.TRUE else "is about to have"
        share = f"{canary.release} {has} {_share(attempt.weight)}"
        return f"{share}, {stable.release} the rest" if stable and attempt.weight < FULL else share
    if stable is None:
        return "no release serves yet"
    serves = f"{stable.release} serves all traffic"
    if not_recovered(status) or (not is_progressing(status) and state_of(status) in AT_REST):
        return f"customers can be affected: {serves} and is not healthy"
    is_there = status.weights is None or status.weights.stable == FULL
    if state_of(status) == Reason.HEALTHY:
        return serves
    return f"customers are safe: {serves}" if is_there else f"{stable.release} should serve all traffic"


def _share(weight: int) -> str:
    return f"{weight}%" if weight < FULL else "all traffic"


def _change(rollout: AgentRollout) -> str:
    """What has to change; empty if nothing has to."""
    return _of_attempt(rollout.status) or _of_git(rollout) or _of_reasons(rollout)


def _of_attempt(status: AgentRolloutStatus) -> str:
    attempt = status.attempt
    if attempt and attempt.fuse:
        return f"{attempt.fuse.gate} fails, which rolls back at {attempt.fuse.until:%H:%M:%S} UTC"
    if attempt and attempt.state is State.AWAITING_APPROVAL and not status.detour:
        return f"phase {attempt.phase_name} passed and waits for approval"
    return ""


def _of_git(rollout: AgentRollout) -> str:
    wrong = REQUESTS.get(state_of(rollout.status))
    if not wrong or is_progressing(rollout.status):
        return ""
    return f"Git requests {rollout.spec.release_ref.name}, {wrong}"


def _of_reasons(rollout: AgentRollout) -> str:
    """What would end what stops it, first what a person has to do."""
    status = rollout.status
    reasons = [Reason.of(reason) for reason in _reasons(status) if reason in ENDINGS]
    reasons.sort(key=lambda reason: (not is_for_a_person(reason), reason not in NEEDS_A_PERSON))
    if reasons:
        is_held = status.attempt is not None and status.attempt.hold is not None
        held = f"it is held for {reasons[0]}; " if is_held else ""
        how = ENDINGS[reasons[0]].how
        return f"{held}{how}" if needs(status) is Needs.PERSON else f"{held}what ends this: {how}"
    if not_recovered(status):
        return "the last rollback did not help, so the cause is elsewhere"
    return f"{rollout.spec.release_ref.name} has not begun" if is_pending(status) else ""
