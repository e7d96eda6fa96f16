"""Requests of a person by annotation: approve a phase, roll back, retry a release.

Each value names an attempt, so a stale one, or one that Git applies again, has no effect: the next attempt
has another number.
"""

from dataclasses import dataclass

from agentrollouts.api.attempt import Attempt
from agentrollouts.api.names import ANNOTATION_APPROVE, ANNOTATION_RETRY, ANNOTATION_ROLL_BACK
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.api.status import Quarantined


@dataclass(frozen=True, slots=True)
class Order:
    """An annotation that would be obeyed, with the one value that it must have."""

    annotation: str
    number: int
    """Number of the attempt that it speaks of."""
    name: str
    """The phase or the release that it speaks of."""

    @property
    def value(self) -> str:
        """The value of the annotation."""
        return f"{self.number}/{self.name}"

    def __str__(self) -> str:
        """As `kubectl annotate` takes it."""
        return f"{self.annotation}={self.value}"

    def command(self, rollout: AgentRollout) -> str:
        """The command that sets it, to be copied as it is."""
        where = f"{rollout.metadata.name} --namespace={rollout.metadata.namespace}"
        return f"kubectl annotate agentrollout {where} --overwrite {self}"

    def is_given(self, rollout: AgentRollout) -> bool:
        """Whether the rollout carries it."""
        return rollout.metadata.annotations.get(self.annotation) == self.value

    def stale(self, rollout: AgentRollout) -> str:
        """What the annotation says instead; empty if there is none."""
        value = rollout.metadata.annotations.get(self.annotation)
        return "" if value is None or self.is_given(rollout) else f" (its value is {value[:80]} now)"


def approve(attempt: Attempt, phase: str | None = None) -> Order:
    """To let the attempt go beyond this phase; by default, beyond the current one."""
    return Order(ANNOTATION_APPROVE, attempt.number, phase or attempt.phase_name or "")


def roll_back(attempt: Attempt, release: str) -> Order:
    """Roll back this release, which is the canary, or has been stable since before the attempt ended."""
    return Order(ANNOTATION_ROLL_BACK, attempt.number, release)


def force_back(attempt: Attempt, release: str) -> Order:
    """To roll this release back at rest although no healthy release before it has a ready endpoint."""
    return Order(ANNOTATION_ROLL_BACK, attempt.number, f"{release}/force")


def asks_back(attempt: Attempt, release: str, rollout: AgentRollout) -> bool:
    """Whether a person wants this release rolled back, by force or not."""
    return any(order(attempt, release).is_given(rollout) for order in (roll_back, force_back))


def retry(entry: Quarantined) -> Order:
    """To try a release again that was rolled back by this attempt."""
    return Order(ANNOTATION_RETRY, entry.attempt, entry.release)


def retry_of(attempt: Attempt, release: str) -> Order:
    """To try a release again whose attempt was rolled back without proof."""
    return Order(ANNOTATION_RETRY, attempt.number, release)
