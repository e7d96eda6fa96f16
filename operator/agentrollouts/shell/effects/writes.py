"""Carries out the writes of decisions at a bounded pace, and remembers which failed.

Why a write failed is an input of the next observation of that object.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Final

from agentrollouts.adapters.cluster.errors import ConflictError
from agentrollouts.adapters.cluster.resources import Ref
from agentrollouts.api.reasons import Reason
from agentrollouts.core.effects import Effect, Problem
from agentrollouts.core.traffic.plain_writes import bare_forms
from agentrollouts.shell.effects.act import Actor
from agentrollouts.shell.effects.pace import PAUSE_LAST, Pace

PAUSE_ROLLBACK: Final = 1.85
"""Seconds between repetitions while a rollback can be among what is repeated: a policy that was removed can
refuse for another second (Kubernetes 1.36)."""
CONFLICTS: Final = 4
"""Conflicts in a row after which they are why a rollback failed: something writes faster than we do."""


class PacedWrites:
    """The writes for all objects, each at its own pace."""

    def __init__(self, actor: Actor) -> None:
        self._actor = actor
        self._pace: Pace[Ref] = Pace(asyncio.get_running_loop().time)
        self._problems: dict[Ref, Problem] = {}
        self._conflicts: Counter[Ref] = Counter()

    def problem(self, key: Ref) -> Problem | None:
        """Why the last write for an object failed; None if it did not."""
        return self._problems.get(key)

    def is_too_soon(self, key: Ref, effects: Sequence[Effect]) -> bool:
        """Whether it is too soon to repeat this."""
        return self._pace.left(key, effects, longest=_longest(effects)) > 0

    async def write(self, key: Ref, effects: Sequence[Effect]) -> float:
        """Do what was decided, unless it is too soon to repeat it: then the seconds until it is not.

        Raises:
            ConflictError: what was decided rests on an object that has changed; observe and decide again.
        """
        pause = self._pace.pause(key, effects, longest=_longest(effects))
        if not pause:
            problem = await self._applied(key, effects)
            if problem is None:
                self._problems.pop(key, None)
            else:
                self._problems[key] = problem
        return pause

    def forget(self, key: Ref) -> None:
        """An object is gone or cannot be read."""
        self._problems.pop(key, None)
        self._conflicts.pop(key, None)
        self._pace.forget(key)

    async def _applied(self, key: Ref, effects: Sequence[Effect]) -> Problem | None:
        try:
            problem = await self._actor.apply(effects)
        except ConflictError as error:
            self._conflicts[key] += 1
            if self._conflicts[key] >= CONFLICTS and _is_rollback(effects):
                return Problem(Reason.WRITE_FAILED, str(error))
            raise
        self._conflicts.pop(key, None)
        return problem


def _longest(effects: Sequence[Effect]) -> float:
    return PAUSE_ROLLBACK if _is_rollback(effects) else PAUSE_LAST


def _is_rollback(effects: Sequence[Effect]) -> bool:
    return any(map(bare_forms, effects))
