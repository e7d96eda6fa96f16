"""The shares of stable and canary that a status stands for."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from agentrollouts.api.release import ServiceRef
from agentrollouts.api.rollout import AgentRolloutSpec
from agentrollouts.api.status import AgentRolloutStatus, ReleaseRecord
from agentrollouts.core.containment.detour import on_standby, share_off, with_standby
from agentrollouts.core.containment.fallback import fallback_of
from agentrollouts.core.traffic.latch import is_latched

FULL: Final = 100

FINE: Final = 100
"""Parts of a percent in the weights of a route that sends only a share elsewhere."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Shares of traffic in percent; the only place where they are built, so their sum is 100 by type.

    In a detour, its share is part of that sum.
    """

    canary: int
    diverted: int = 0
    """Percent that no release gets, because of a detour."""

    def __post_init__(self) -> None:
        if not 0 <= self.diverted <= FULL:
            raise ValueError(f"A detour has 0 to 100 percent, not {self.diverted}")
        if not 0 <= self.canary <= FULL - self.diverted:
            raise ValueError(f"A weight is 0 to {FULL - self.diverted} percent, not {self.canary}")

    @property
    def stable(self) -> int:
        """What neither the canary nor a detour has."""
        return FULL - self.diverted - self.canary


ALL_STABLE: Final = Weights(canary=0)
"""The split of a rollback: a constant, so that no arithmetic can keep the canary in traffic."""


def desired_weights(status: AgentRolloutStatus) -> Weights | None:
    """The desired split of the status, in a detour of what is left; None while there is nothing to send.

    A standby has what stable and a canary would have.
    """
    if on_standby(status):
        return ALL_STABLE
    weights, diverted = _weights(status), share_off(status)
    if not diverted:
        return weights
    left = FULL - diverted
    return Weights((weights.canary if weights else 0) * left // FULL, diverted)


def _weights(status: AgentRolloutStatus) -> Weights | None:
    """The desired split without a detour; None while there is nothing to serve."""
    attempt = status.attempt
    if status.canary is None or attempt is None or is_latched(status):
        return ALL_STABLE if status.stable else None
    if status.stable is None:
        return Weights(canary=FULL) if attempt.weight else None
    return Weights(canary=attempt.weight)


def share_of(record: ReleaseRecord, weights: Iterable[tuple[str | None, int]]) -> int | None:
    """Percent of the requests that a release gets; None if it has no Service, or if no one gets any.

    Args:
        record: The release.
        weights: The backends, each as its key and its weight.
    """
    backends = tuple(weights)
    total = sum(weight for _, weight in backends)
    if record.service is None or not total:
        return None
    return -(-FULL * sum(weight for key, weight in backends if key == record.service.key) // total)


def is_shown_back(status: AgentRolloutStatus, share: Callable[[ReleaseRecord], int | None]) -> bool:
    """Whether an object gives nothing to the release that is tried or, at rest, to stable.

    Args:
        status: Says which release is tried, and which is stable.
        share: Percent of the traffic that the object gives to a release; None if that cannot be seen.
    """
    if status.canary is None or status.stable is None:
        return status.stable is not None and share(status.stable) == 0
    return (share(status.stable), share(status.canary)) == (FULL, 0)


@dataclass(frozen=True, slots=True)
class Split:
    """The shares that a status desires, and the releases that get them."""

    status: AgentRolloutStatus
    weights: Weights

    @property
    def sides(self) -> tuple[tuple[ReleaseRecord | None, int], ...]:
        """Stable and canary, each with its share."""
        return (self.status.stable, self.weights.stable), (self.status.canary, self.weights.canary)

    def backends(self, spec: AgentRolloutSpec) -> tuple[tuple[ServiceRef, int], ...]:
        """Each backend of the route with its weight; in a detour, the fallback has its share.

        If nothing is left for the releases, and there is a fallback, it is the only one.
        """
        ours = [(record.service, weight) for record, weight in self.sides if record and record.service]
        fallback = fallback_of(spec, self.status)
        if not self.weights.diverted or fallback is None:
            return tuple(ours)
        if self.weights.diverted == FULL:
            return ((fallback, FULL),)
        others = [(service, weight * FINE) for service, weight in ours if service != fallback]
        return (*others, (fallback, self.weights.diverted * FINE))

    @property
    def sharing(self) -> tuple[ReleaseRecord, ...]:
        """The releases that have a share."""
        return tuple(record for record, weight in self.sides if record and weight)


def desired_split(status: AgentRolloutStatus) -> Split | None:
    """The split that the status desires; None while there is nothing to serve."""
    weights = desired_weights(status)
    return None if weights is None else Split(with_standby(status), weights)
