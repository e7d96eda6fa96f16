"""The freezes that cover a rollout, as they are known at this moment; nothing is read for them."""

from functools import lru_cache
from typing import Final

from pydantic import ValidationError

from agentrollouts.adapters.cluster.resources import Ref
from agentrollouts.api.objects import ObjectMeta
from agentrollouts.api.people.freeze import AgentFreeze, FreezeSpec
from agentrollouts.core.action.freeze import covers
from agentrollouts.shell.cache import Cache
from agentrollouts.shell.relations import FREEZE

REMEMBERED: Final = 1024
"""Freezes that are parsed once for each version; each decision needs all that may be about its rollout."""
UNREADABLE: Final = "this version of the operator cannot read the freeze"


class Freezes:
    """The freezes.

    Args:
        cache: Has them all, and knows whose are about others.
    """

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._version_of = lru_cache(maxsize=REMEMBERED)(self._parsed)

    def covering(self, rollout: ObjectMeta) -> tuple[AgentFreeze, ...]:
        """Those that are about a rollout, whether or not they are active."""
        cache = self._cache
        places = {rollout.namespace, cache.home} - {None}
        keys = sorted(key for place in places for key in cache.keys_of(FREEZE, place))
        freezes = (self._version_of(key, cache.version(key)) for key in keys)
        return tuple(freeze for freeze in freezes if covers(freeze, rollout, cache.home))

    def _parsed(self, key: Ref, _: int | None) -> AgentFreeze:
        """What cannot be read counts as active, and as being about everything in its reach."""
        try:
            return AgentFreeze.model_validate(self._cache.get(key))
        except ValidationError:
            metadata = ObjectMeta(name=key.name, namespace=key.namespace)
            return AgentFreeze(metadata=metadata, spec=FreezeSpec(reason=UNREADABLE))
