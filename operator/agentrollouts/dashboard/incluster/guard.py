"""Who may open the page in the cluster: someone with a token. The API server decides what it permits.

A proxy that signs people in puts it into the header `Authorization`. Without such a proxy, people paste one
into a form, and their browser keeps it in a cookie that no script and no other site can use.
"""

import re
from collections.abc import Collection
from http import HTTPStatus
from typing import Final

from aiohttp import web

from agentrollouts.dashboard.guard import Handler, install
from agentrollouts.dashboard.incluster.signing_in import FIELD, sign_in

COOKIE: Final = "__Host-agentrollouts"
"""The prefix has browsers refuse a cookie of this name that another host of the same domain sets."""
HEALTH: Final = "/.healthz"
"""Path that the kubelet requests. No namespace can have this name."""
MOST_CHARACTERS: Final = 3800
"""Browsers drop a cookie of more than 4,096 bytes."""
TOKEN: Final = re.compile("[A-Za-z0-9._~+/-]+=*")
"""What RFC 6750 allows as a token."""
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
"""Hosts to which `kubectl port-forward` leads, without TLS."""


class Guard:
    """Lets requests through that have a token.

    Args:
        hosts: What browsers call this page, with a port if that is not the usual one.
    """

    def __init__(self, hosts: Collection[str]) -> None:
        self._hosts = frozenset(each.lower() for each in hosts)

    def install(self, app: web.Application) -> None:
        """Stand before every handler of the page."""
        install(app, self._checked)

    async def _checked(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == HEALTH:
            return web.Response(text="ok")
        if request.host.lower() not in self._hosts:
            raise web.HTTPForbidden(text=f"This page is not {request.host}; dashboard.hosts names its hosts")
        if request.method not in {"GET", "HEAD"}:
            if request.headers.get("Origin") != _origin(request.host):
                raise web.HTTPForbidden(text="Only a form of this page may send this")
            if pasted := (await request.post()).get(FIELD):
                return _signed_in(request, "".join(str(pasted).split()))
        if token(request) is None:
            return _page("")
        response = await handler(request)
        if response.status == HTTPStatus.UNAUTHORIZED and not response.prepared:
            return _page("The API server does not accept the token: it is wrong, revoked or has expired.")
        return response


def token(request: web.Request) -> str | None:
    """The token that came with a request; None if there is none."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    found = given.strip() if scheme.lower() == "bearer" else request.cookies.get(COOKIE, "")
    return found if TOKEN.fullmatch(found) else None


def _origin(host: str) -> str:
    """What a browser calls the origin of a page of this host."""
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    return f"{'http' if name in LOOPBACK else 'https'}://{host}"


def _signed_in(request: web.Request, pasted: str) -> web.Response:
    if not TOKEN.fullmatch(pasted):
        return _page("This is not a token: it has characters that no token has.")
    if len(pasted) > MOST_CHARACTERS:
        return _page(f"The token has more than {MOST_CHARACTERS} characters, which a cookie cannot keep.")
    here = f"/{str(request.rel_url).lstrip('/')}"  # two slashes would begin the name of another host
    response = web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": here})
    response.set_cookie(COOKIE, pasted, httponly=True, secure=True, samesite="Strict", path="/")
    return response


def _page(sentence: str) -> web.Response:
    page = sign_in(sentence)
    return web.Response(text=page, content_type="text/html", status=HTTPStatus.UNAUTHORIZED)
