"""The source in the cluster: each request reads with its own token, and nothing is kept for the next one."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from ssl import create_default_context
from typing import Final

import aiohttp
from aiohttp import web

from agentrollouts.dashboard.api import ABSENT, CALL_SECONDS, Api, ApiError, Manifest
from agentrollouts.dashboard.incluster.guard import token
from agentrollouts.dashboard.reading import Reading
from agentrollouts.dashboard.source import BEAT_SECONDS, FIRST_SECONDS, Found, Listed, Part, follow, version
from agentrollouts.dashboard.watched import Name, Selection, Watched, path_of, until

REFUSED: Final = frozenset({401, 403})
"""Answers after which a stream ends: someone took the right away, or the token."""
LIST_SECONDS: Final = 0.02
"""Least time between two changes of a list, for each rollout in it: a tab reads all of them each time."""
LONGEST_SECONDS: Final = BEAT_SECONDS
"""That time at the most."""
ROLLOUTS: Final = "agentrollouts"
ACTIONS: Final = "agentrolloutactions"


class Desk:
    """One request of one reader."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.reading = Reading(api)

    async def list(self, namespace: str | None) -> Listed:
        """Read now."""
        listed = await self.api.get(path_of(ROLLOUTS, namespace))
        return Listed(listed.get("items") or (), namespace)

    async def find(self, name: Name, action: str | None) -> Found:
        """The same."""
        rollout, own = await asyncio.gather(
            self._one(ROLLOUTS, name), self._one(ACTIONS, Name(name.namespace, action or ""))
        )
        return Found(rollout, own)

    async def _one(self, kind: str, name: Name) -> Manifest | None:
        path = f"{path_of(kind, name.namespace)}/{name.name}"
        return await self.api.find(path, ABSENT) if name.name else None

    async def changes(self, part: Part) -> AsyncGenerator[bool]:
        """Watches of their own, of versions alone, which end with the stream."""
        news = asyncio.Condition()
        watches = [Watched(self.api, selection, news, is_whole=False) for selection in _selections(part)]
        tasks = [asyncio.create_task(each.run()) for each in watches]
        try:
            await until(news, lambda: all(each.is_read or each.problem for each in watches), FIRST_SECONDS)
            _check(watches)
            async for is_new in follow(news, lambda: [_shown(each) for each in watches]):
                yield is_new
                _check(watches)
                if is_new and part.name is None:
                    await asyncio.sleep(min(LONGEST_SECONDS, LIST_SECONDS * len(watches[0].objects)))
        finally:
            for each in tasks:
                each.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


class InCluster:
    """The source.

    Args:
        session: Connections to the API server, without credentials.
    """

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    def desk(self, request: web.Request) -> Desk:
        """A desk for this request. Its guard has seen that there is a token."""
        return Desk(Api(self._session, token(request) or "none"))


@asynccontextmanager
async def in_cluster(server: str, ca_file: Path) -> AsyncIterator[InCluster]:
    """Connect to the API server, with any number of connections, since each open tab has a watch."""
    connector = aiohttp.TCPConnector(ssl=create_default_context(cafile=str(ca_file)), limit=0)
    limit = aiohttp.ClientTimeout(total=CALL_SECONDS)
    async with aiohttp.ClientSession(
        server, connector=connector, timeout=limit, cookie_jar=aiohttp.DummyCookieJar()
    ) as session:
        yield InCluster(session)


def _selections(part: Part) -> list[Selection]:
    selected = [Selection(ROLLOUTS, part.namespace, part.name)]
    return selected + ([Selection(ACTIONS, part.namespace, part.action)] if part.action else [])


def _shown(watched: Watched) -> object:
    return watched.problem, [version(each) for each in watched.objects.values()]


def _check(watches: list[Watched]) -> None:
    """Raise a refusal of the API server; a watch that has no answer is tried again."""
    for each in watches:
        if each.problem and each.problem.code in REFUSED:
            raise ApiError(each.problem.sentence, each.problem.code)
