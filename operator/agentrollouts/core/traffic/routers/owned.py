"""A router with an object of its own, which only the operator writes."""

from abc import abstractmethod
from collections.abc import Iterator

from agentrollouts.api.names import FIELD_MANAGER
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.core.effects import Manifest, Write
from agentrollouts.core.traffic.latch import Latch, without_message
from agentrollouts.core.traffic.manifests import Objects, covers, is_ours, is_owned_by, latch
from agentrollouts.core.traffic.routers.router import Find, Router
from agentrollouts.core.traffic.weights import Split


class OwnedRouter(Router):
    """An object of the operator, as a function of the desired split."""

    @classmethod
    def name(cls, rollout: AgentRollout) -> str:
        """Name of the object."""
        return rollout.metadata.name

    @classmethod
    @abstractmethod
    def render(cls, rollout: AgentRollout, split: Split, seen: Objects) -> Manifest | None:
        """The whole object as it has to be; None if there must be none.

        Args:
            rollout: Its spec and its name.
            split: The desired split.
            seen: The traffic objects as the API server has them.
        """

    @classmethod
    def shows(cls, found: Manifest | None, desired: Manifest) -> bool:
        """Whether an object is as it has to be.

        The sentence beside a latch does not count: the API server may have refused it.
        """
        return covers(found, without_message(desired))

    def changes(self, split: Split | None, *, is_blocked: bool) -> Iterator[Write]:  # noqa: ARG002 an object of ours blocks nothing
        """The whole object, if it is not as it has to be."""
        desired = self.render(self.obs.rollout, split, self.obs.traffic) if split else None
        if desired is not None and not self.shows(self._found(), desired):
            yield Write(desired, FIELD_MANAGER)

    def latches(self, number: int) -> Iterator[Latch]:
        """The mark on the object, if this very rollout made it."""
        found = self._found()
        mark = latch(found) if found and is_owned_by(found, self.obs.rollout.metadata.uid) else None
        if mark and mark.number == number:
            yield mark

    @classmethod
    def find(cls, rollout: AgentRollout, find: Find) -> Iterator[Manifest]:
        """The object, if we made it."""
        found = find(cls.kind, cls.name(rollout))
        if found is not None and is_ours(found, rollout):
            yield found

    def _found(self) -> Manifest | None:
        return self.obs.traffic.get((self.kind, self.name(self.obs.rollout)))
