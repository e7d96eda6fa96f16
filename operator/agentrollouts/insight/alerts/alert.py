"""An alert about a rollout, as a value.

It is identified by its labels. These never contain a number: the message can change all the time and causes
no second notification.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple


class AlertName(StrEnum):
    """The alerts about a rollout. Each has a page in docs/runbooks."""

    NEEDS_YOU = "AgentRolloutNeedsYou"
    ROLLED_BACK = "AgentReleaseRolledBack"
    ROLLBACK_LATE = "AgentRolloutRollbackLate"
    NOT_RECOVERED = "AgentRolloutNotRecovered"
    DEGRADED = "AgentReleaseDegraded"
    BLIND = "AgentRolloutBlind"
    SWITCHED_OFF = "AgentRolloutSwitchedOff"
    ON_STANDBY = "AgentRolloutOnStandby"
    HOOK_FAILED = "AgentRolloutHookFailed"
    GROUP_INCONSISTENT = "AgentRolloutGroupInconsistent"
    DRILL_FAILED = "AgentRolloutDrillFailed"
    STARTED = "AgentRolloutStarted"
    PROMOTED = "AgentReleasePromoted"


class AlertSeverity(StrEnum):
    """How much it matters."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert, as it is now."""

    name: AlertName
    severity: AlertSeverity
    namespace: str
    rollout: str
    agent: str
    release: str
    starts_at: datetime
    summary: str
    """What is wrong, in one sentence without numbers."""
    description: str
    """The message of the condition, with its numbers."""

    @property
    def labels(self) -> tuple[str, ...]:
        """What identifies it; two alerts with the same labels are one to Alertmanager."""
        return (self.name, self.severity, self.namespace, self.rollout, self.agent, self.release)


class Span(NamedTuple):
    """An alert, and the time in which it is true: from its start until `ends_at`, or without an end."""

    alert: Alert
    ends_at: datetime | None = None

    def is_over(self, now: datetime) -> bool:
        """Whether it will never be true again."""
        return self.ends_at is not None and self.ends_at <= now

    def is_true(self, now: datetime) -> bool:
        """Whether it is true at this moment."""
        return self.alert.starts_at <= now and not self.is_over(now)
