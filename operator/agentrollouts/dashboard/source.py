"""Where a page gets what it shows. Pages know only this, so they do not know where they run.

On someone's machine all requests share one desk, whose watches always stand. In the cluster each request
has a desk of its own, with the token that came with it.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from functools import partial
from typing import Final, NamedTuple, Protocol

from aiohttp import web

from agentrollouts.dashboard.api import Api, Manifest
from agentrollouts.dashboard.reading import Reading
from agentrollouts.dashboard.watched import Name, Problem, until

BEAT_SECONDS: Final = 15.0
"""Interval of the comments that keep a stream open, and find out that a tab is gone."""
FIRST_SECONDS: Final = 10.0
"""How long a page waits for the first answer of the API server."""


class Part(NamedTuple):
    """What a page shows, and so what its stream follows."""

    namespace: str | None = None
    """None for all namespaces that the reader may see."""
    name: str | None = None
    """The rollout; None for a list."""
    action: str | None = None
    """The action that the reader just created."""


class Listed(NamedTuple):
    """Rollouts."""

    rollouts: Sequence[Manifest]
    scope: str | None
    """Their namespace; None for all."""
    problem: Problem | None = None


class Found(NamedTuple):
    """A rollout, and the action that the reader just created."""

    rollout: Manifest | None
    action: Manifest | None
    problem: Problem | None = None


class Desk(Protocol):
    """What one reader may see and do, with their rights. Each method raises `ApiError` if it is refused."""

    api: Api
    reading: Reading

    async def list(self, namespace: str | None) -> Listed:
        """The rollouts of a namespace, or None for all."""

    async def find(self, name: Name, action: str | None) -> Found:
        """A rollout, and an action of it."""

    def changes(self, part: Part) -> AsyncGenerator[bool]:
        """Whether something has changed, now and then; the first one comes once that is observed."""


class Source(Protocol):
    """Who gives a request its desk."""

    def desk(self, request: web.Request) -> Desk:
        """The desk of who sent the request."""


async def follow(news: asyncio.Condition, shown: Callable[[], object]) -> AsyncGenerator[bool]:
    """Whether what is shown has changed: at once when it has, and False at each beat."""
    drawn = shown()
    yield False
    while True:
        is_new = await until(news, partial(_differs, shown, drawn), BEAT_SECONDS)
        drawn = shown()
        yield is_new


def version(manifest: Manifest | None) -> str:
    """What changes with an object; empty if there is none."""
    return str(manifest["metadata"]["resourceVersion"]) if manifest else ""


def _differs(shown: Callable[[], object], drawn: object) -> bool:
    return shown() != drawn
