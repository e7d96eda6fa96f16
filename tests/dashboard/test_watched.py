"""One watch keeps the objects current, through refusals, interruptions and old versions."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from aiohttp import web

from agentrollouts.dashboard.api import OURS, Api, proxied
from agentrollouts.dashboard.watched import Name, Selection, Watched, until

Json = dict[str, Any]
PATIENCE = 10.0


def rollout(name: str, version: int) -> Json:
    """An object in a version."""
    return {"metadata": {"namespace": "support", "name": name, "resourceVersion": str(version)}}


class Cluster:
    """An API server on a socket: a list, and watches that get what a test sends."""

    def __init__(self) -> None:
        self.items: list[Json] = []
        self.refuses: dict[str, int] = {}
        """Codes with which a path is refused."""
        self.calls: list[str] = []
        self.events: asyncio.Queue[Json | None] = asyncio.Queue()
        """What the open watch sends; None ends it in the middle of a line."""

    @asynccontextmanager
    async def serving(self, folder: Path) -> AsyncIterator[Api]:
        """The API server, and who speaks to it."""
        app = web.Application()
        app.add_routes([web.get("/{path:.*}", self._answer)])
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.UnixSite(runner, str(folder / "socket")).start()
        try:
            async with proxied(folder / "socket") as api:
                yield api
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.calls.append(request.path)
        if code := self.refuses.get(request.path):
            return web.json_response({"kind": "Status", "message": f"refused with {code}"}, status=code)
        if "watch" not in request.query:
            return web.json_response({"metadata": {"resourceVersion": "1"}, "items": self.items})
        response = web.StreamResponse()
        await response.prepare(request)
        while (event := await self.events.get()) is not None:
            await response.write(json.dumps(event).encode() + b"\n")
        await response.write(b'{"type": "ADD')
        return response


@asynccontextmanager
async def watching(
    cluster: Cluster, folder: Path, namespace: str | None = None
) -> AsyncIterator[tuple[Watched, Callable[[Callable[[], bool]], Any]]]:
    """What the page knows, and how to wait for it."""
    news = asyncio.Condition()
    async with cluster.serving(folder) as api:
        watched = Watched(api, Selection("agentrollouts", namespace), news, fallback="support")
        task = asyncio.create_task(watched.run())

        async def comes(is_due: Callable[[], bool]) -> None:
            assert await until(news, is_due, PATIENCE), (watched.objects, watched.problem, cluster.calls)

        try:
            yield watched, comes
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def test_objects_follow_the_watch(tmp_path: Path) -> None:
    """Added, changed and deleted, as the API server says, by one list and one watch."""
    cluster = Cluster()
    cluster.items = [rollout("a", 1)]
    a, b = Name("support", "a"), Name("support", "b")
    async with watching(cluster, tmp_path) as (watched, comes):
        await comes(lambda: watched.is_read)
        cluster.events.put_nowait({"type": "ADDED", "object": rollout("b", 2)})
        cluster.events.put_nowait({"type": "MODIFIED", "object": rollout("a", 3)})
        await comes(lambda: watched.objects == {a: rollout("a", 3), b: rollout("b", 2)})
        cluster.events.put_nowait({"type": "DELETED", "object": rollout("a", 4)})
        await comes(lambda: watched.objects == {b: rollout("b", 2)})
    assert len(cluster.calls) == 2


async def test_a_reader_of_one_namespace_sees_that_one(tmp_path: Path) -> None:
    """Who may not list all rollouts sees those of their own namespace, and no problem."""
    cluster = Cluster()
    cluster.refuses[f"{OURS}/agentrollouts"] = 403
    async with watching(cluster, tmp_path) as (watched, comes):
        await comes(lambda: watched.is_read)
        assert (watched.scope, watched.problem) == ("support", None)
    assert cluster.calls[:2] == [f"{OURS}/agentrollouts", f"{OURS}/namespaces/support/agentrollouts"]


async def test_an_interruption_is_named_and_ends(tmp_path: Path) -> None:
    """What was read stays, with the sentence of the API server; once it answers, everything is current."""
    cluster = Cluster()
    cluster.items = [rollout("a", 1)]
    async with watching(cluster, tmp_path, "support") as (watched, comes):
        await comes(lambda: watched.is_read)
        cluster.refuses[f"{OURS}/namespaces/support/agentrollouts"] = 500
        cluster.events.put_nowait(None)
        await comes(lambda: watched.problem is not None and watched.problem[1:] == ("refused with 500", 500))
        assert list(watched.objects) == [Name("support", "a")]
        cluster.refuses.clear()
        cluster.items = [rollout("b", 9)]
        await comes(lambda: list(watched.objects) == [Name("support", "b")])
        assert watched.problem is None


async def test_an_old_version_is_no_problem(tmp_path: Path) -> None:
    """The API server no longer has that version: everything is read again, and nothing is reported."""
    cluster = Cluster()
    async with watching(cluster, tmp_path) as (watched, comes):
        await comes(lambda: watched.is_read)
        cluster.items = [rollout("b", 9)]
        cluster.events.put_nowait({"type": "ERROR", "object": {"code": 410, "message": "too old"}})
        await comes(lambda: list(watched.objects) == [Name("support", "b")])
        assert watched.problem is None
