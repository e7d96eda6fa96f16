"""What the rest of the core and the shell need of a way to split traffic.

A router is created once for each decision, over the traffic as observed, so it reads each object once. Its
class methods need no observation: with them the shell finds the objects that concern a rollout.
"""

# ruff: noqa: ARG002, ARG003 a default looks at nothing

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar, Protocol

from agentrollouts.api.recovery.detour import Detour
from agentrollouts.api.release import ServiceRef
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.api.status import ReleaseRecord
from agentrollouts.core.effects import Deletion, Manifest, Patch, Problem, Write
from agentrollouts.core.traffic.latch import Latch
from agentrollouts.core.traffic.observed import Observed
from agentrollouts.core.traffic.weights import Split

Change = Write | Patch | Deletion
"""A write that moves traffic, or the deletion before it of an object that cannot be changed."""
Key = tuple[str, str]
"""Kind and name of an object in the namespace of the rollout."""
Find = Callable[[str, str], Manifest | None]
"""The object of that kind and name as the API server has it; None if there is none."""


class Router(Protocol):
    """One way to split traffic. A router must implement `changes`; the other methods have defaults.

    Args:
        obs: The traffic as observed.
    """

    kind: ClassVar[str]
    """Kind of the objects that carry the weights."""
    managed: ClassVar[tuple[str, ...]]
    """Where the weights are, as a path in `managedFields`."""
    obs: Observed

    def __init__(self, obs: Observed) -> None:
        self.obs = obs

    def obstacle(self, records: Iterable[ReleaseRecord | None], *, is_return: bool) -> Problem | None:
        """Why these releases cannot share the traffic; None if they can, and for a router not in use.

        Args:
            records: The releases.
            is_return: Whether this is a rollback, which only the impossible stops.
        """
        return None

    def changes(self, split: Split | None, *, is_blocked: bool) -> Iterator[Change]:
        """What the objects of this router do not show yet.

        Args:
            split: The desired split; None while nothing is served.
            is_blocked: Whether it must not be written, because of an obstacle.
        """

    def leftovers(self) -> Iterator[Manifest]:
        """Objects of ours that the spec no longer contains."""
        return iter(())

    def latches(self, number: int) -> Iterator[Latch]:
        """What the objects say about the rollback of this attempt."""
        return iter(())

    def detours(self) -> Iterator[Detour]:
        """The detours that the objects are marked with."""
        return iter(())

    def indivisible(self, fallback: ServiceRef) -> str | None:
        """Why no part of the traffic can be sent to a fallback, though all of it can; None if it can."""
        return None

    def share(self, record: ReleaseRecord) -> int | None:
        """Percent of the traffic that the objects give to a release; None if that cannot be seen."""
        return None

    def target(self) -> str | None:
        """Key of the backend that a rollback has given all traffic; None if that cannot be seen."""
        return None

    @classmethod
    def find(cls, rollout: AgentRollout, find: Find) -> Iterator[Manifest]:
        """The objects of this rollout; those that a rollout has claimed are found by `claimants`."""
        return iter(())

    @classmethod
    def made_for(cls, kind: str, name: str) -> Iterator[str]:
        """Names of the rollouts for which we would make an object of that kind and name."""
        return iter(())

    @classmethod
    def named(cls, traffic: Mapping[str, Any]) -> Iterator[Key]:
        """The objects of another owner that a `spec.traffic` names, as JSON that is not validated yet."""
        return iter(())

    @classmethod
    def claimants(cls, manifest: Manifest) -> Iterator[str]:
        """Names of the rollouts that have set something in an object of another owner."""
        return iter(())

    @classmethod
    def settle(cls, manifest: Manifest, rollout: str) -> Iterator[Patch]:
        """What removes a deleted rollout from an object that it has claimed."""
        return iter(())

    @classmethod
    def taken_by(cls, rollout: AgentRollout, others: Iterable[Manifest]) -> str | None:
        """An older rollout that sets the same weights; None if there is none.

        Args:
            rollout: The rollout that is decided on.
            others: Rollouts of its namespace that name the same objects.
        """
        return None
