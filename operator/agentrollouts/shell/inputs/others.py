"""What other rollouts serve, where a release requires an agent or one answers in a detour, as it is known.

Nothing is read for it.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from agentrollouts.adapters.cluster.resources import Ref
from agentrollouts.api.release import AgentRelease
from agentrollouts.api.rollout import AgentRollout
from agentrollouts.core.containment.fallback import Lead, lead_of, named_by
from agentrollouts.core.recovery.group.requirements import Other, other_of
from agentrollouts.shell.cache import Cache
from agentrollouts.shell.index.requirements import REQUIRED
from agentrollouts.shell.relations import ROLLOUT

REMEMBERED: Final = 1024
"""Rollouts that are unpacked once for each version: a thousand can require one agent."""


class OtherRollouts:
    """The rollouts that a requirement or a fallback is about.

    Args:
        cache: Has them all, and knows which of them require an agent.
    """

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._version_of = lru_cache(maxsize=REMEMBERED)(self._unpacked)

    def around(self, rollout: AgentRollout, release: AgentRelease | None) -> tuple[Other, ...]:
        """Those of the agents that a rollout requires or would require, and those that require its agent.

        Args:
            rollout: The rollout.
            release: The release that it names.
        """
        namespace, cache = rollout.metadata.namespace, self._cache
        keys = {*cache.keys_of(REQUIRED, namespace, rollout.spec.agent)}
        for agent in set(_required(rollout, release)):
            keys.update(cache.keys_of(ROLLOUT, namespace, agent))
        others = (key for key in keys if key.kind == ROLLOUT and key.name != rollout.metadata.name)
        return tuple(self._version_of(key, cache.version(key)) for key in sorted(others))

    def fallback_of(self, rollout: AgentRollout) -> Lead | None:
        """What the rollout serves that answers in a detour; None if that is not known, or none does."""
        name = named_by(rollout.spec)
        key = Ref(ROLLOUT, rollout.metadata.namespace, name or "")
        return None if name is None or self._cache.is_outline(key) else lead_of(name, self._cache.get(key))

    def _unpacked(self, key: Ref, _: int | None) -> Other:
        return other_of(self._cache.get(key) or {"metadata": {"name": key.name}})


def _required(rollout: AgentRollout, release: AgentRelease | None) -> Iterator[str]:
    """The agents that a rollout requires now, would require, or required when it was healthy."""
    status = rollout.status
    holders = (status.stable, status.canary, release.spec if release else None, *status.history)
    return (each.agent for holder in holders if holder for each in holder.requires)
