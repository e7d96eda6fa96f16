"""Whether a status is worth a write: it differs by more than numbers, or its numbers are due again.

What changes with every result of Prometheus is not a reason to write, nor to decide again.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

from agentrollouts.api.objects import Condition
from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.api.verdict import CapStatus, Counts, GateStatus
from agentrollouts.core.conditions import GROUP_CONSISTENT, ROLLBACK_READY, SWITCHED_OFF, WARNINGS
from agentrollouts.core.endings import UNVARYING
from agentrollouts.core.rollout.observation import Observation
from agentrollouts.core.rollout.reporting.progress import steady
from agentrollouts.core.rollout.situation import Situation
from agentrollouts.core.states import is_progressing

NUMBERS_TICKS: Final = 6
"""Numbers alone are written at every sixth tick: 500 attempts at 30 s then write 2.8 statuses a second."""

REMARKS: Final = WARNINGS - {SWITCHED_OFF} | {ROLLBACK_READY, GROUP_CONSISTENT}
"""Conditions that stop nothing and that no decision reads."""

_NO_TIME: Final = datetime.min.replace(tzinfo=UTC)
_NO_COUNTS: Final = Counts()

_Part = TypeVar("_Part", GateStatus, CapStatus, Condition)


def is_news(s: Situation, status: AgentRolloutStatus) -> bool:
    """Whether the status differs by more than numbers."""
    return _is_other(s, s.obs.status, status)


def is_minor(s: Situation, status: AgentRolloutStatus) -> bool:
    """Whether the status differs by nothing but numbers and what stops nothing.

    Others can bring that and take it away as often as they like, such as another route at the same hostname.
    """
    return not _is_other(s, _without_remarks(s.obs.status), _without_remarks(status))


def _without_remarks(status: AgentRolloutStatus) -> AgentRolloutStatus:
    return status.copy_with(conditions=tuple(c for c in status.conditions if c.type not in REMARKS))


def _is_other(s: Situation, old: AgentRolloutStatus, status: AgentRolloutStatus) -> bool:
    if old == status:
        return False
    has_numbers = status.caps or status.watched or s.analysis.gates_at(status)
    return (
        not has_numbers
        or _differ(old.gates, status.gates, _gate_without_numbers)
        or _differ(old.watched, status.watched, _gate_without_numbers)
        or _differ(old.caps, status.caps, _cap_without_numbers)
        or _differ(old.conditions, status.conditions, _condition_without_numbers)
        or _without_numbers(old) != _without_numbers(status)
    )


def are_numbers_due(obs: Observation, status: AgentRolloutStatus) -> bool:
    """Whether the status differs, and its numbers are due to be shown again; at rest they never are.

    A tick is the interval at which Prometheus is really queried.
    """
    old = obs.status
    if old == status or not is_progressing(status):
        return False
    result = obs.poll_result
    tick = max(obs.rollout.spec.analysis.interval_seconds, (result and result.interval_seconds) or 0.0)
    pause = timedelta(seconds=NUMBERS_TICKS * tick)
    shown, newest = _newest_sample(old), _newest_sample(status)
    return newest is not None and (shown is None or newest - shown >= pause)


def _newest_sample(status: AgentRolloutStatus) -> datetime | None:
    times = [gate.last_sample_time for gate in status.gates] + [cap.time for cap in status.caps]
    return max((time for time in times if time), default=None)


def _differ(old: Sequence[_Part], new: Sequence[_Part], without_numbers: Callable[[_Part], _Part]) -> bool:
    """Whether parts of a status differ by more than numbers; most of them do not differ at all."""
    return len(old) != len(new) or any(
        a != b and without_numbers(a) != without_numbers(b) for a, b in zip(old, new, strict=True)
    )


def _without_numbers(status: AgentRolloutStatus) -> AgentRolloutStatus:
    """What is left of the status, without what changes at every answer of Prometheus."""
    attempt = status.attempt
    if attempt and attempt.hold and attempt.hold.reason not in UNVARYING:
        attempt = attempt.copy_with(hold=attempt.hold.copy_with(message=""))
    return status.copy_with(gates=(), watched=(), caps=(), query=None, attempt=attempt, conditions=())


def _condition_without_numbers(condition: Condition) -> Condition:
    is_steady = condition.reason in UNVARYING
    return condition.copy_with(message=steady(condition.message) if is_steady else "")


def _cap_without_numbers(cap: CapStatus) -> CapStatus:
    return cap.copy_with(value=0.0, message="", time=_NO_TIME)


def _gate_without_numbers(gate: GateStatus) -> GateStatus:
    return gate.copy_with(
        message=_counts(gate),
        canary=_NO_COUNTS,
        stable=_NO_COUNTS,
        evidence=None,
        ratio=None,
        present=None,
        recent=None,
        mix=None,
        last_sample_time=None,
    )


def _counts(gate: GateStatus) -> str:
    """Whether the gate has counts at last: until then `Ready` says what it is waiting for."""
    return "" if gate.present else "none yet"
