"""A router with an object of its own, which only the operator writes."""

from abc import abstractmethod
from collections.abc import Iterator

from agentrollouts.api.names import FIELD_MANAGER
from agentrollouts.api.recovery.detour import Detour
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.api.status import ReleaseRecord
from agentrollouts.api.traffic import Traffic
from agentrollouts.core.effects import Manifest, Write
from agentrollouts.core.ownership import is_owned_by
from agentrollouts.core.traffic.latch import Latch, without_message
from agentrollouts.core.traffic.manifests import Objects, covers, detour_mark, is_ours, latch
from agentrollouts.core.traffic.routers.router import Change, Find, Router
from agentrollouts.core.traffic.weights import ALL_STABLE, FULL, Split, is_shown_back


class OwnedRouter(Router):
    """An object of the operator, as a function of the desired split."""

    @classmethod
    def name(cls, rollout: AgentRollout) -> str:
        """Name of the object."""
        return rollout.metadata.name

    @classmethod
    def is_wanted(cls, traffic: Traffic) -> bool:  # noqa: ARG003 a default looks at nothing
        """Whether the spec has this object; always, for one that no field names."""
        return True

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
    def shows(cls, current: Manifest | None, desired: Manifest) -> bool:
        """Whether an object is as it has to be.

        The sentence beside a latch does not count: the API server may have refused it.
        """
        return covers(current, without_message(desired))

    def changes(self, split: Split | None, *, is_blocked: bool) -> Iterator[Change]:  # noqa: ARG002 an object of ours blocks nothing
        """The whole object, if it is not as it has to be."""
        desired = self.render(self.obs.rollout, split, self.obs.traffic) if split else None
        if desired is not None and not self.shows(self._current(), desired):
            yield Write(desired, FIELD_MANAGER)

    def latches(self, number: int) -> Iterator[Latch]:
        """The mark on the object, if this very rollout made both and the traffic is as it says."""
        current, uid = self._current(), self.obs.rollout.metadata.uid
        mark = latch(current) if current and is_owned_by(current, uid) else None
        if mark and (mark.number, mark.uid) == (number, uid) and is_shown_back(self.obs.status, self.share):
            yield mark

    def detours(self) -> Iterator[Detour]:
        """The mark on the object, if this very rollout made both."""
        current, uid = self._current(), self.obs.rollout.metadata.uid
        mark = detour_mark(current, uid) if current and is_owned_by(current, uid) else None
        yield from [mark] if mark else []

    def share(self, record: ReleaseRecord) -> int | None:
        """By comparison: if the object is as it must be after a rollback of the canary."""
        status, current = self.obs.status, self._current()
        rolled_back = self.render(self.obs.rollout, Split(status, ALL_STABLE), self.obs.traffic)
        content = {key: value for key, value in (rolled_back or {}).items() if key != "metadata"}
        if not content or not covers(current, content) or record not in {status.stable, status.canary}:
            return None
        return 0 if record == status.canary else FULL

    def leftovers(self) -> Iterator[Manifest]:
        """The object, once the spec no longer has it."""
        left = self.unwanted(self.obs.rollout, self.obs.traffic)
        yield from [] if left is None else [left]

    @classmethod
    def unwanted(cls, rollout: AgentRollout, seen: Objects) -> Manifest | None:
        """An object of ours that the spec no longer has."""
        manifest = seen.get((cls.kind, cls.name(rollout)))
        if cls.is_wanted(rollout.spec.traffic) or manifest is None or not is_ours(manifest, rollout):
            return None
        return manifest

    @classmethod
    def made_for(cls, kind: str, name: str) -> Iterator[str]:
        """The rollout after which the object is named."""
        if kind == cls.kind:
            yield name

    @classmethod
    def find(cls, rollout: AgentRollout, find: Find) -> Iterator[Manifest]:
        """The object, if we made it."""
        manifest = find(cls.kind, cls.name(rollout))
        if manifest is not None and is_ours(manifest, rollout):
            yield manifest

    def _current(self) -> Manifest | None:
        return self.obs.traffic.get((self.kind, self.name(self.obs.rollout)))
