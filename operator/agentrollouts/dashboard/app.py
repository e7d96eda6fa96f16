"""The server of the page: routes, and the streams that say when to draw again."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.resources import files
from typing import Final

from aiohttp import web

from agentrollouts.dashboard.acting import WrongFormError, create, request_of
from agentrollouts.dashboard.api import Api, ApiError, Manifest
from agentrollouts.dashboard.guard import Guard
from agentrollouts.dashboard.markup import element
from agentrollouts.dashboard.pages.frame import frame
from agentrollouts.dashboard.pages.listing import listing
from agentrollouts.dashboard.pages.rollout import Reader, rollout_page
from agentrollouts.dashboard.reading import Reading, requested
from agentrollouts.dashboard.watched import Name, Watched, until
from agentrollouts.insight.render.page import STYLE
from agentrollouts.insight.view.view import view

ACTION: Final = "request"
"""Parameter that names the action that the reader just created."""
BEAT_SECONDS: Final = 15.0
"""Interval of the comments that keep a stream open, and find out that a tab is gone."""
FIRST_SECONDS: Final = 10.0
"""How long the first page waits for the first answer of the API server."""
STATIC: Final = files("agentrollouts.dashboard") / "static"


@dataclass(frozen=True, slots=True)
class Scope:
    """The namespaces that are shown."""

    only: str | None
    """The only one; None for all that the reader may see."""
    current: str
    """The one of the reader's context, if they may not see all."""


@dataclass(frozen=True, slots=True)
class Pages:
    """The handlers."""

    api: Api
    rollouts: Watched
    actions: Watched
    reading: Reading
    news: asyncio.Condition

    def routes(self) -> list[web.RouteDef]:
        """Where each is."""
        return [
            web.get("/", self.list),
            web.get("/events", self.list_events),
            web.get("/style.css", _style),
            web.get("/live.js", _script),
            web.get("/{namespace}/{name}", self.show),
            web.post("/{namespace}/{name}", self.act),
            web.get("/{namespace}/{name}/events", self.events),
            web.get("/{namespace}/{name}/attempts/{number:[0-9]+}", self.attempt),
        ]

    async def watch(self) -> None:
        """Keep everything current until this is canceled."""
        await asyncio.gather(self.rollouts.run(), self.actions.run())

    async def list(self, _: web.Request) -> web.Response:
        """All rollouts."""
        await self._first()
        now = datetime.now(UTC)
        views = [view(each, {}, now) for each in self.rollouts.objects.values()]
        return _page(listing(views, scope=self.rollouts.scope, problem=self.rollouts.problem))

    async def show(self, request: web.Request) -> web.Response:
        """One rollout."""
        return await self._show(request, Reader())

    async def act(self, request: web.Request) -> web.Response:
        """A button was pressed."""
        name, form = _name(request), await request.post()
        rollout = self.rollouts.objects.get(name)
        if rollout is None:
            return await self._show(request, Reader())
        reason = str(form.get("reason", ""))
        try:
            created = await create(self.api, request_of(form, name), rollout)
        except WrongFormError as error:
            return await self._show(request, Reader(reason=reason, refusal=str(error)), code=400)
        except ApiError as error:
            return await self._show(request, Reader(reason=reason, refusal=str(error)), code=error.code)
        raise web.HTTPSeeOther(request.rel_url.with_query({ACTION: created}))

    async def attempt(self, request: web.Request) -> web.Response:
        """The report of an attempt."""
        number = int(request.match_info["number"])
        try:
            document = await self.reading.report(_name(request), number)
        except ApiError as error:
            return _sorry(str(error), error.code)
        if document is None:
            return _sorry(f"There is no record of attempt {number}", 404)
        return _page(document)

    async def list_events(self, request: web.Request) -> web.StreamResponse:
        """When to draw the list again."""
        return await self._stream(request, self._all_versions)

    async def events(self, request: web.Request) -> web.StreamResponse:
        """When to draw a rollout again."""
        name, action = _name(request), request.query.get(ACTION, "")

        def versions() -> object:
            rollout = self.rollouts.objects.get(name)
            return _version(rollout), _version(self._action(name, action))

        return await self._stream(request, versions)

    async def _show(self, request: web.Request, reader: Reader, code: int = 200) -> web.Response:
        await self._first()
        name = _name(request)
        rollout = self.rollouts.objects.get(name)
        if rollout is None:
            return _sorry(f"There is no AgentRollout {name.name} in namespace {name.namespace}", 404)
        own = self._action(name, request.query.get(ACTION, ""))
        query = f"?{request.query_string}" if request.query_string else ""
        seen = await self.reading.of(name, rollout, reader)
        page = rollout_page(
            seen.view,
            seen.reader,
            chart=seen.chart,
            requested=requested(own) if own else None,
            problem=self.rollouts.problem,
            query=query,
        )
        return _page(page, code)

    async def _first(self) -> None:
        """Wait until there is something to show."""
        watched = self.rollouts
        await until(self.news, lambda: watched.is_read or bool(watched.problem), FIRST_SECONDS)

    async def _stream(self, request: web.Request, versions: Callable[[], object]) -> web.StreamResponse:
        """A message whenever the versions of what is shown change, or the watch breaks or stands again."""

        def shown() -> object:
            return self.rollouts.problem, versions()

        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        drawn = shown()
        while True:
            is_new = await until(self.news, partial(_differs, shown, drawn), BEAT_SECONDS)
            drawn = shown()
            try:
                await response.write(b"data: changed\n\n" if is_new else b": still here\n\n")
            except ConnectionError:
                return response

    def _all_versions(self) -> object:
        return tuple(_version(each) for each in self.rollouts.objects.values())

    def _action(self, name: Name, action: str) -> Manifest | None:
        return self.actions.objects.get(Name(name.namespace, action))


def pages(api: Api, scope: Scope) -> Pages:
    """The handlers, and the watches that they need, which `Pages.watch` keeps."""
    news = asyncio.Condition()
    rollouts, actions = (
        Watched(api, kind, scope.only, scope.current, news)
        for kind in ("agentrollouts", "agentrolloutactions")
    )
    return Pages(api, rollouts, actions, Reading(api), news)


def application(handlers: Pages, guard: Guard) -> web.Application:
    """The server, behind its guard."""
    app = web.Application(client_max_size=64 * 1024)
    guard.install(app)
    app.add_routes(handlers.routes())
    return app


async def _style(_: web.Request) -> web.Response:
    return web.Response(text=STYLE + (STATIC / "page.css").read_text("utf-8"), content_type="text/css")


async def _script(_: web.Request) -> web.Response:
    return web.Response(text=(STATIC / "live.js").read_text("utf-8"), content_type="text/javascript")


def _page(text: str, code: int = 200) -> web.Response:
    return web.Response(text=text, content_type="text/html", status=code)


def _sorry(sentence: str, code: int) -> web.Response:
    body = element("p", sentence)
    return _page(frame("Nothing to show", [("Rollouts", "/"), ("Nothing to show", None)], body), code)


def _name(request: web.Request) -> Name:
    return Name(request.match_info["namespace"], request.match_info["name"])


def _differs(shown: Callable[[], object], drawn: object) -> bool:
    return shown() != drawn


def _version(manifest: Manifest | None) -> str:
    return str(manifest["metadata"]["resourceVersion"]) if manifest else ""
