"""Who may open the page: someone who has the link that the command printed, in a browser on this machine.

The link has a random token, which is exchanged for a cookie at once, so that it leaves the history of the
browser. `Host` is checked against DNS rebinding, and `Origin` against forms of other pages.
"""

import hmac
import secrets
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web
from yarl import URL

from agentrollouts.insight.render.page import STYLE_SOURCE

TOKEN: Final = "token"  # noqa: S105 the name of a parameter
POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        f"style-src 'self' {STYLE_SOURCE}",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


Check = Callable[[web.Request, Handler], Awaitable[web.StreamResponse]]


def install(app: web.Application, check: Check) -> None:
    """Stand before every handler, and harden every answer."""

    @web.middleware
    async def checked(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await check(request, handler)

    app.middlewares.append(checked)
    app.on_response_prepare.append(_hardened)


class Guard:
    """Lets the requests of one reader through.

    Args:
        port: Where the page is served, on this machine only.
    """

    def __init__(self, port: int) -> None:
        self._token = secrets.token_urlsafe(32)
        self._session = secrets.token_urlsafe(32)
        self._hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost")}
        self._cookie = f"agentrollouts-{port}"
        self.link = f"http://127.0.0.1:{port}/?{TOKEN}={self._token}"
        """What the reader opens."""

    def install(self, app: web.Application) -> None:
        """Stand before every handler of the page."""
        install(app, self._checked)

    async def _checked(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.host not in self._hosts:
            raise web.HTTPForbidden(text=f"This page is not {request.host}")
        if _is_same(request.query.get(TOKEN, ""), self._token):
            return self._exchange(request.rel_url)
        if not _is_same(request.cookies.get(self._cookie, ""), self._session):
            raise web.HTTPUnauthorized(text="Open the link that `kubectl agentrollout dashboard` printed")
        if (
            request.method not in {"GET", "HEAD"}
            and request.headers.get("Origin") != f"http://{request.host}"
        ):
            raise web.HTTPForbidden(text="Only a form of this page may send this")
        return await handler(request)

    def _exchange(self, address: URL) -> web.Response:
        response = web.Response(status=303, headers={"Location": str(address.without_query_params(TOKEN))})
        response.set_cookie(self._cookie, self._session, httponly=True, samesite="Strict")
        return response


def _is_same(given: str, known: str) -> bool:
    return hmac.compare_digest(given.encode(), known.encode())


async def _hardened(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)
