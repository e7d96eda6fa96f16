"""The shares of stable and canary that a status stands for."""

from dataclasses import dataclass
from typing import Final

from agentrollouts.api.status import AgentRolloutStatus
from agentrollouts.core.traffic.latch import is_latched

FULL: Final = 100


@dataclass(frozen=True, slots=True)
class Weights:
    """Shares of traffic in percent; the only place where they are built, so their sum is 100 by type."""

    canary: int

    def __post_init__(self) -> None:
        if not 0 <= self.canary <= FULL:
            raise ValueError(f"A weight is 0 to 100 percent, not {self.canary}")

    @property
    def stable(self) -> int:
        """What the canary does not have."""
        return FULL - self.canary


ALL_STABLE: Final = Weights(canary=0)
"""The split of a rollback: a constant, so that no arithmetic can keep the canary in traffic."""


def desired_weights(status: AgentRolloutStatus) -> Weights | None:
    """The desired split of the status; None while there is nothing to serve."""
    attempt = status.attempt
    if status.canary is None or attempt is None or is_latched(status):
        return ALL_STABLE if status.stable else None
    if status.stable is None:
        return Weights(canary=FULL) if attempt.weight else None
    return Weights(canary=attempt.weight)
