"""The source on someone's machine: one reader, and one watch for each kind, however many tabs are open."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from aiohttp import web

from agentrollouts.dashboard.api import Api
from agentrollouts.dashboard.reading import Reading
from agentrollouts.dashboard.source import FIRST_SECONDS, Found, Listed, Part, follow, version
from agentrollouts.dashboard.watched import Name, Selection, Watched, until


@dataclass(frozen=True, slots=True)
class Scope:
    """The namespaces that are shown."""

    only: str | None
    """The only one; None for all that the reader may see."""
    current: str
    """The one of the reader's context, if they may not see all."""


class Local:
    """Source and desk.

    Args:
        api: The API server.
        scope: What is shown.
        flags: Flags of kubectl with which it is reached.
    """

    def __init__(self, api: Api, scope: Scope, flags: Sequence[str] = ()) -> None:
        self.api = api
        self.reading = Reading(api, flags)
        self._news = asyncio.Condition()
        self._rollouts, self._actions = (
            Watched(api, Selection(kind, scope.only), self._news, fallback=scope.current)
            for kind in ("agentrollouts", "agentrolloutactions")
        )

    async def watch(self) -> None:
        """Keep everything current until this is canceled."""
        await asyncio.gather(self._rollouts.run(), self._actions.run())

    def desk(self, _: web.Request) -> "Local":
        """The same for all."""
        return self

    async def list(self, namespace: str | None) -> Listed:
        """From what is watched."""
        await self._first()
        objects = self._rollouts.objects.items()
        fitting = [each for name, each in objects if namespace in {None, name.namespace}]
        return Listed(fitting, namespace or self._rollouts.scope, self._rollouts.problem)

    async def find(self, name: Name, action: str | None) -> Found:
        """The same."""
        await self._first()
        own = self._actions.objects.get(Name(name.namespace, action)) if action else None
        return Found(self._rollouts.objects.get(name), own, self._rollouts.problem)

    def changes(self, part: Part) -> AsyncGenerator[bool]:
        """The same."""
        namespace, name, action = part

        def shown() -> object:
            rollouts = self._rollouts.objects
            if namespace is None or name is None:
                fitting = (each for each in rollouts.items() if namespace in {None, each[0].namespace})
                return self._rollouts.problem, tuple(version(each) for _, each in fitting)
            own = self._actions.objects.get(Name(namespace, action or ""))
            return self._rollouts.problem, version(rollouts.get(Name(namespace, name))), version(own)

        return follow(self._news, shown)

    async def _first(self) -> None:
        """Wait until there is something to show."""
        watched = self._rollouts
        await until(self._news, lambda: watched.is_read or watched.problem is not None, FIRST_SECONDS)
