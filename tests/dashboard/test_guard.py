"""Who may open the page, tried over HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

import pytest
from aiohttp import ClientSession, CookieJar, web
from aiohttp.test_utils import unused_port

from agentrollouts.dashboard.guard import Guard


async def hello(_: web.Request) -> web.Response:
    """What is behind the guard."""
    return web.Response(text="hello")


@asynccontextmanager
async def guarded() -> AsyncIterator[tuple[Guard, str, ClientSession]]:
    """A guarded server, its address, and a browser."""
    port = unused_port()
    guard, app = Guard(port), web.Application()
    guard.install(app)
    app.add_routes([web.get("/{path:.*}", hello), web.post("/{path:.*}", hello)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as browser:  # cookies of an address
            yield guard, f"http://127.0.0.1:{port}", browser
    finally:
        await runner.cleanup()


async def test_the_token_becomes_a_cookie_at_once() -> None:
    """The link leads to an address without it; the cookie is out of reach of scripts and of other sites."""
    async with guarded() as (guard, address, browser):
        async with browser.get(guard.link, allow_redirects=False) as answer:
            cookie = answer.headers["Set-Cookie"]
            assert (answer.status, answer.headers["Location"]) == (HTTPStatus.SEE_OTHER, "/")
            assert "HttpOnly" in cookie
            assert "SameSite=Strict" in cookie
            assert guard.link.partition("=")[2] not in cookie
        async with browser.get(address) as answer:
            assert (answer.status, await answer.text()) == (HTTPStatus.OK, "hello")


@pytest.mark.parametrize("link", ["/", "/?token=", "/?token=guessed", "/live.js"])
async def test_without_the_link_nothing_is_shown(link: str) -> None:
    """Not even a file of the page."""
    async with guarded() as (_, address, browser), browser.get(address + link) as answer:
        assert answer.status == HTTPStatus.UNAUTHORIZED
        assert "hello" not in await answer.text()


async def test_another_host_is_refused() -> None:
    """A name that leads to this machine is not enough, not even with the cookie."""
    async with guarded() as (guard, address, browser):
        await browser.get(guard.link)
        for host in ("attacker.example", "127.0.0.1", "127.0.0.1:1"):
            async with browser.get(address, headers={"Host": host}) as answer:
                assert answer.status == HTTPStatus.FORBIDDEN, host


@pytest.mark.parametrize("origin", [None, "null", "http://attacker.example", "https://127.0.0.1"])
async def test_a_form_of_another_page_is_refused(origin: str | None) -> None:
    """Also where the browser sends the cookie."""
    headers = {"Origin": origin} if origin else {}
    async with guarded() as (guard, address, browser):
        await browser.get(guard.link)
        async with browser.post(f"{address}/a/b", headers=headers) as answer:
            assert answer.status == HTTPStatus.FORBIDDEN
        async with browser.post(f"{address}/a/b", headers={"Origin": address}) as answer:
            assert answer.status == HTTPStatus.OK


async def test_every_answer_is_hardened() -> None:
    """Refusals too: nothing from elsewhere, no script in the page, in no frame, and nothing is kept."""
    async with guarded() as (guard, address, browser):
        for link in (address, guard.link):
            async with browser.get(link) as answer:
                policy = answer.headers["Content-Security-Policy"]
                assert policy.startswith("default-src 'none'; script-src 'self'; ")
                assert "unsafe" not in policy
                assert "frame-ancestors 'none'" in policy
                assert answer.headers["Cache-Control"] == "no-store"
