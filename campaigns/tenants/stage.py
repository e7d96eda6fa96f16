"""The real parts of the campaign put together: an API server, a Prometheus, an operator, and its victims."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Self

from campaigns.scraping import scraped
from campaigns.tenants.agents import Agent, Agents
from campaigns.tenants.manifests import JUDGED, ROLLOUTS, ROUTES, STABLE, namespace, release, rollout
from campaigns.tenants.victims import Victims
from sandbox.operator import OperatorProcess
from sandbox.people.apiserver import ApiServer, Manifest, Onlooker
from sandbox.stack import Stack

PATIENCE_SECONDS: Final = 180.0

FindSource = Callable[[Stack], AbstractAsyncContextManager[dict[str, Any]]]


@dataclass
class Stage:
    """Everything there is; an attack gets it."""

    stack: Stack
    server: ApiServer
    """With an administrator's rights."""
    operator: OperatorProcess
    agents: Agents
    victims: Victims
    is_brief: bool
    """Whether attacks are to be small, for a test."""

    @classmethod
    @asynccontextmanager
    async def set_up(
        cls,
        size: int,
        settings: Mapping[str, Any] | None = None,
        *,
        spec: Mapping[str, Any] = JUDGED,
        source: FindSource | None = None,
        is_brief: bool = False,
    ) -> AsyncIterator[Self]:
        """A stack of its own, whose operator serves so many victims.

        Args:
            size: How many.
            settings: The operator's, beside the address of Prometheus.
            spec: Fields of every victim's rollout.
            source: Puts something in front of Prometheus, and gives the settings of that source.
            is_brief: Whether the attacks are to be small.
        """
        stack = await asyncio.to_thread(_started)
        async with AsyncExitStack() as exits:
            exits.callback(stack.close)
            chosen = dict(settings or {})
            if source is not None:
                chosen["prometheus"] = [await exits.enter_async_context(source(stack))]
            operator = OperatorProcess(stack, values={"settings": chosen})
            await asyncio.to_thread(operator.start)
            exits.callback(operator.stop)
            server = await exits.enter_async_context(ApiServer.of(stack))
            agents = Agents()
            await exits.enter_async_context(scraped(stack, agents.exposition))
            routes = await exits.enter_async_context(Onlooker(server, ROUTES))
            rollouts = await exits.enter_async_context(Onlooker(server, ROLLOUTS))
            victims = Victims(server, rollouts, routes, agents, size)
            await victims.settle(spec)
            yield cls(stack, server, operator, agents, victims, is_brief)

    async def make(self, manifests: Iterable[tuple[str, Manifest]]) -> None:
        """Apply many objects, some at a time, in any order."""
        by_path = dict(manifests)
        spaces = {path: one for path, one in by_path.items() if one["kind"] == "Namespace"}
        await self.server.apply_all(spaces)  # nothing can be in them before
        await self.server.apply_all({path: one for path, one in by_path.items() if path not in spaces})

    async def make_rollouts(self, where: str, count: int, brief: int, *versions: str) -> list[str]:
        """A namespace with rollouts of the stable release, each with one more release of each version.

        Args:
            where: The namespace.
            count: How many there are.
            brief: How many if the attacks are to be small.
            versions: Of the other releases.

        Returns:
            Their names.
        """
        names = [f"mine-{index:03}" for index in range(brief if self.is_brief else count)]
        await self.make(namespace(where))
        await self.make(release(where, name, version) for name in names for version in (STABLE, *versions))
        await self.make(rollout(where, name) for name in names)
        return names

    async def until(self, agents: Iterable[Agent], looks: Callable[[Manifest], bool]) -> None:
        """Wait until the rollouts of these agents look so."""
        async with asyncio.timeout(PATIENCE_SECONDS), Onlooker(self.server, ROLLOUTS) as onlooker:
            for agent in agents:
                await onlooker.until(*agent, looks, seconds=PATIENCE_SECONDS)


def _started() -> Stack:
    stack = Stack(with_gateway=False, quiet=True)
    stack.start()
    return stack
