"""Tenants who do nothing wrong: one rollout in each namespace, and how long their way back takes.

Each figure ends at an onlooker's watch of the routes, so that the API server's work and the operator's are
both in it.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from campaigns.tenants.agents import Agent, Agents
from campaigns.tenants.manifests import (
    JUDGED,
    NEXT,
    STABLE,
    bare_route,
    namespace,
    path,
    release,
    rollout,
)
from sandbox.people.apiserver import ApiServer, Manifest, Onlooker

BARE: Final = "bare"
"""A namespace without rollouts."""
PATIENCE_SECONDS: Final = 120.0
"""A way back that takes longer counts as this long."""
SETTLING_SECONDS: Final = 180.0


class Victims:
    """So many rollouts, each in a namespace of its own.

    Args:
        server: Where they are.
        rollouts: Watches all rollouts.
        routes: Watches all routes.
        agents: Who counts their runs.
        size: How many.
    """

    def __init__(
        self, server: ApiServer, rollouts: Onlooker, routes: Onlooker, agents: Agents, size: int
    ) -> None:
        self._server = server
        self._rollouts = rollouts
        self._agents = agents
        self._routes = routes
        self.all: Final[tuple[Agent, ...]] = tuple((f"victim-{index:02}", "agent") for index in range(size))

    async def settle(self, spec: Mapping[str, Any] = JUDGED) -> None:
        """Make all of it and wait until every rollout is Healthy.

        Raises:
            TimeoutError: one was not in time.
        """
        for where, agent in self.all:
            self._agents.add((where, agent))
            for item in namespace(where):  # the namespace first
                await self._server.apply(*item)
            await self._server.apply_all(dict([release(where, agent, one) for one in (STABLE, NEXT)]))
        await self._server.apply_all(dict([rollout(where, agent, spec=spec) for where, agent in self.all]))
        await self._until(self.all, is_healthy)
        for item in namespace(BARE):
            await self._server.apply(*item)

    async def begin_canaries(self, victims: Sequence[Agent], apart: float = 0) -> None:
        """Ask for the next release of these and wait until it has its first share, and is judged.

        Args:
            victims: Whose canaries.
            apart: Seconds between two of them.

        Raises:
            TimeoutError: one was not in time.
        """
        for victim in victims:
            await self.ask(victim, NEXT)
            await asyncio.sleep(apart)
        await self._until(victims, in_canary)
        await asyncio.sleep(3)  # a few samples and answers of every attempt

    async def ask_back(self, victim: Agent) -> float:
        """Ask for the stable release again: seconds from the PATCH to the route."""
        began = time.monotonic()
        await self.ask(victim, STABLE)
        return await self._seen(victim, began) - began

    async def change_alone(self) -> float:
        """What the API server takes for a change and another one by which a client of its watch answers.

        As `ask_back`, but no operator is involved, and both objects are routes.
        """
        began = seen = time.monotonic()
        async with asyncio.TaskGroup() as answers:
            for name in ("asked", "answered"):
                answers.create_task(self._server.apply(*bare_route(BARE, name, str(seen))))
                seen = await self._routes.until(BARE, name, lambda _: True, since=seen)
        return seen - began

    async def breach(self, victim: Agent) -> float:
        """Have its canary do what it may never do: seconds from the first scrape of that to the route."""
        began = time.monotonic()
        self._agents.breached.add(victim)
        seen = await self._seen(victim, began)
        return seen - self._agents.shown.get(victim, began)

    async def in_canary(self, victim: Agent) -> None:
        """Wait until its canary has its share."""
        await self._rollouts.until(*victim, in_canary, seconds=SETTLING_SECONDS)

    async def at_rest(self, victims: Sequence[Agent], versions: Mapping[Agent, str] | None = None) -> None:
        """Wait until nothing is in progress for these, and they serve these versions, if any are given."""
        for victim in victims:
            looks = is_over if versions is None else partial(serves, versions[victim])
            await self._rollouts.until(*victim, looks, seconds=SETTLING_SECONDS)

    async def _seen(self, victim: Agent, began: float) -> float:
        try:
            return await self._routes.until(*victim, is_back, since=began, seconds=PATIENCE_SECONDS)
        except TimeoutError:
            return began + PATIENCE_SECONDS

    async def ask(self, victim: Agent, version: str) -> None:
        """Ask for a release."""
        where, agent = victim
        wish = {"spec": {"releaseRef": {"name": f"{agent}-{version}"}}}
        await self._server.merge(path("agentrollouts", where, agent), wish)

    async def _until(self, victims: Sequence[Agent], looks: Callable[[Manifest], bool]) -> None:
        for victim in victims:
            await self._rollouts.until(*victim, looks, seconds=SETTLING_SECONDS)


def is_back(route: Manifest) -> bool:
    """Whether a route sends everything to stable."""
    first, *others = [backend["weight"] for backend in route["spec"]["rules"][0]["backendRefs"]]
    return first == 100 and not any(others)  # noqa: PLR2004 all of it


def is_healthy(manifest: Manifest) -> bool:
    """Whether a rollout's last attempt has ended well."""
    return _attempt(manifest).get("state") == "Healthy"


def in_canary(manifest: Manifest) -> bool:
    """Whether a rollout's canary is seen to have its share."""
    weights = manifest.get("status", {}).get("weights") or {}
    return _attempt(manifest).get("state") == "Canary" and bool(weights.get("canary"))


def serves(version: str, manifest: Manifest) -> bool:
    """Whether a rollout has come to rest with a version as its stable release."""
    stable = (manifest.get("status", {}).get("stable") or {}).get("release") or ""
    return is_over(manifest) and stable.endswith(f"-{version}")


def is_over(manifest: Manifest) -> bool:
    """Whether a rollout's last attempt has ended."""
    return _attempt(manifest).get("state") in {"Healthy", "RolledBack", "Superseded"}


def _attempt(manifest: Manifest) -> dict[str, Any]:
    attempt: dict[str, Any] = manifest.get("status", {}).get("attempt") or {}
    return attempt
