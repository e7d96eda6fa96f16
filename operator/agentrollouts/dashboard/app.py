"""The server of the page: routes, and the streams that say when to draw again."""

from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import Final
from urllib.parse import quote

from aiohttp import web

from agentrollouts.dashboard.acting import WrongFormError, create, request_of
from agentrollouts.dashboard.api import ApiError
from agentrollouts.dashboard.comparing import compared
from agentrollouts.dashboard.markup import Markup
from agentrollouts.dashboard.pages.difference import difference
from agentrollouts.dashboard.pages.frame import unanswered
from agentrollouts.dashboard.pages.listing import listing
from agentrollouts.dashboard.pages.rollout import Reader, rollout_page
from agentrollouts.dashboard.pages.sorry import elsewhere, sorry
from agentrollouts.dashboard.reading import requested
from agentrollouts.dashboard.source import Part, Source
from agentrollouts.dashboard.watched import Name, Problem
from agentrollouts.insight.render.page import STYLE
from agentrollouts.insight.view.view import view

ACTION: Final = "request"
"""Parameter that names the action that the reader just created."""
NAMESPACE: Final = "namespace"
"""Parameter of the form that leads to the list of a namespace."""
STREAM: Final = {"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
"""Headers of a stream; an nginx before the page must not keep it for later."""
AGAIN_SECONDS: Final = "5"
"""After so many seconds the browser loads a page again that has nothing to show yet."""
STATIC: Final = files("agentrollouts.dashboard") / "static"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Pages:
    """The handlers."""

    source: Source

    def routes(self) -> list[web.RouteDef]:
        """Where each is. No name of a namespace contains a dot."""
        namespace, name = "{namespace:[a-z0-9][-a-z0-9]*}", "{name:[a-z0-9][-a-z0-9.]*}"
        rollout, release = f"/{namespace}/{name}", name.replace("name:", "before:")
        return [
            web.get("/", self.list),
            web.get("/style.css", _style),
            web.get("/live.js", _script),
            web.get("/.events", self.events),
            web.get(f"/{namespace}.events", self.events),
            web.get(f"/{namespace}", self.list),
            web.get(rollout, self.show),
            web.post(rollout, self.act),
            web.get(f"{rollout}/events", self.events),
            web.get(f"{rollout}/attempts/{{number:[0-9]+}}", self.attempt),
            web.get(f"/{namespace}/releases/{release}...{release.replace('before', 'after')}", self.compare),
        ]

    async def list(self, request: web.Request) -> web.Response:
        """All rollouts, or those of a namespace."""
        if chosen := request.query.get(NAMESPACE):
            raise web.HTTPSeeOther(f"/{quote(chosen.strip(), safe='')}")
        namespace = request.match_info.get("namespace")
        try:
            listed = await self.source.desk(request).list(namespace)
        except ApiError as error:
            if error.code == web.HTTPForbidden.status_code:
                return _page(elsewhere(str(error)), error.code)
            raise
        now = datetime.now(UTC)
        views = [view(each, {}, now) for each in listed.rollouts]
        events = f"/{namespace or ''}.events"
        return _page(listing(views, scope=listed.scope, problem=_old(listed.problem), events=events))

    async def show(self, request: web.Request) -> web.Response:
        """One rollout."""
        return await self._show(request, Reader())

    async def act(self, request: web.Request) -> web.Response:
        """A button was pressed."""
        name, form, desk = _name(request), await request.post(), self.source.desk(request)
        rollout = (await desk.find(name, None)).rollout
        if rollout is None:
            return await self._show(request, Reader())
        reason = str(form.get("reason", ""))
        try:
            created = await create(desk.api, request_of(form, name), rollout)
        except WrongFormError as error:
            return await self._show(request, Reader(reason=reason, refusal=str(error)), code=400)
        except ApiError as error:
            return await self._show(request, Reader(reason=reason, refusal=str(error)), code=error.code)
        raise web.HTTPSeeOther(request.rel_url.with_query({ACTION: created}))

    async def attempt(self, request: web.Request) -> web.Response:
        """The report of an attempt."""
        number = int(request.match_info["number"])
        document = await self.source.desk(request).reading.report(_name(request), number)
        if document is None:
            return _page(sorry(f"There is no record of attempt {number}"), 404)
        return _page(document)

    async def compare(self, request: web.Request) -> web.Response:
        """Two releases."""
        namespace, before, after = (request.match_info[each] for each in ("namespace", "before", "after"))
        found = await compared(self.source.desk(request).api, namespace, before, after)
        return _page(difference(namespace, before, after, found))

    async def events(self, request: web.Request) -> web.StreamResponse:
        """When to draw a page again."""
        found = request.match_info
        part = Part(found.get("namespace"), found.get("name"), request.query.get(ACTION))
        async with aclosing(self.source.desk(request).changes(part)) as changes:
            await anext(changes)  # a refusal is an answer without a stream
            response = web.StreamResponse(headers=STREAM)
            await response.prepare(request)
            with suppress(ConnectionError, ApiError):  # the tab is gone, or a right that the reader had
                async for is_new in changes:
                    await response.write(b"data: changed\n\n" if is_new else b": still here\n\n")
        return response

    async def _show(self, request: web.Request, reader: Reader, code: int = 200) -> web.Response:
        name, desk = _name(request), self.source.desk(request)
        rollout, own, problem = await desk.find(name, request.query.get(ACTION))
        if rollout is None and problem:  # nothing was read, so it is unknown what there is
            return _page(sorry(_old(problem)), problem.code, again=True)
        if rollout is None:
            return _page(sorry(f"There is no AgentRollout {name.name} in namespace {name.namespace}"), 404)
        query = f"?{request.query_string}" if request.query_string else ""
        seen = await desk.reading.of(name, rollout, reader)
        page = rollout_page(
            seen.view,
            seen.reader,
            chart=seen.chart,
            requested=requested(own) if own else None,
            problem=_old(problem),
            query=query,
        )
        return _page(page, code)


def application(handlers: Pages, guard: Callable[[web.Application], None]) -> web.Application:
    """The server, behind its guard."""
    app = web.Application(client_max_size=64 * 1024)
    guard(app)
    app.middlewares.append(_refused)
    app.add_routes(handlers.routes())
    return app


@web.middleware
async def _refused(request: web.Request, handler: Handler) -> web.StreamResponse:
    """What the API server refused is a page with its sentence."""
    try:
        return await handler(request)
    except ApiError as error:
        is_away = error.code == web.HTTPServiceUnavailable.status_code
        sentence = _old(Problem(datetime.now(UTC), str(error), error.code)) if is_away else str(error)
        return _page(sorry(sentence), error.code, again=is_away)


async def _style(_: web.Request) -> web.Response:
    return web.Response(text=STYLE + (STATIC / "page.css").read_text("utf-8"), content_type="text/css")


async def _script(_: web.Request) -> web.Response:
    return web.Response(text=(STATIC / "live.js").read_text("utf-8"), content_type="text/javascript")


def _page(text: str, code: int = 200, *, again: bool = False) -> web.Response:
    headers = {"Refresh": AGAIN_SECONDS} if again else None
    return web.Response(text=text, content_type="text/html", status=code, headers=headers)


def _old(problem: Problem | None) -> Markup | None:
    return unanswered(problem.since, problem.sentence) if problem else None


def _name(request: web.Request) -> Name:
    return Name(request.match_info["namespace"], request.match_info["name"])
