"""Carries out the writes of decisions at a bounded pace, and remembers which failed.

Why a write failed is an input of the next observation of that object.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from agentrollouts.adapters.cluster.resources import Ref
from agentrollouts.core.effects import Effect, Problem
from agentrollouts.core.traffic.plain_writes import bare_forms
from agentrollouts.shell.effects.act import Actor
from agentrollouts.shell.effects.pace import PAUSE_LAST, Pace

PAUSE_ROLLBACK: Final = 1.85
"""Seconds between repetitions while a rollback can be among what is repeated: a policy that was removed can
refuse for another second (Kubernetes 1.36)."""


class PacedWrites:
    """The writes for all objects, each at its own pace."""

    def __init__(self, actor: Actor) -> None:
        self._actor = actor
        self._pace: Pace[Ref] = Pace(asyncio.get_running_loop().time)
        self._problems: dict[Ref, Problem] = {}

    def problem(self, key: Ref) -> Problem | None:
        """Why the last write for an object failed; None if it did not."""
        return self._problems.get(key)

    def is_too_soon(self, key: Ref, effects: Sequence[Effect]) -> bool:
        """Whether it is too soon to repeat this."""
        return self._pace.left(key, effects, longest=_longest(effects)) > 0

    async def write(self, key: Ref, effects: Sequence[Effect]) -> float:
        """Do what was decided, unless it is too soon to repeat it: then the seconds until it is not."""
        pause = self._pace.pause(key, effects, longest=_longest(effects))
        if not pause:
            problem = await self._actor.apply(effects)
            if problem is None:
                self._problems.pop(key, None)
            else:
                self._problems[key] = problem
        return pause

    def forget(self, key: Ref) -> None:
        """An object is gone or cannot be read."""
        self._problems.pop(key, None)
        self._pace.forget(key)


def _longest(effects: Sequence[Effect]) -> float:
    return PAUSE_ROLLBACK if any(map(bare_forms, effects)) else PAUSE_LAST
