"""The page in the cluster, tried over HTTP: each request has the rights of its token, and of no other."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, Final

import aiohttp
import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import unused_port

from agentrollouts.api.names import API_VERSION
from agentrollouts.dashboard.api import OURS
from agentrollouts.dashboard.app import Pages, application
from agentrollouts.dashboard.incluster.guard import COOKIE, Guard
from agentrollouts.dashboard.incluster.source import InCluster

HOST: Final = "page.example"
ORIGIN: Final = {"Origin": f"https://{HOST}"}
VERA: Final = {"Authorization": "Bearer vera"}
FORBIDDEN: Final = "agentrollouts is forbidden: vera cannot list them"


def rollout(namespace: str) -> dict[str, Any]:
    """A rollout as the API server has it."""
    return {
        "apiVersion": API_VERSION,
        "kind": "AgentRollout",
        "metadata": {"namespace": namespace, "name": "agent", "resourceVersion": "1"},
        "spec": {"agent": "agent", "releaseRef": {"name": "agent-1.0.0"}},
    }


class Cluster:
    """An API server that knows the tokens `vera` and `emil`; only Emil may list all namespaces."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, str]] = []
        """Token, method and path of each request."""
        self.revoked = set[str]()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """One request."""
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.calls.append((token, request.method, request.path))
        if token not in {"vera", "emil"} - self.revoked:
            return _status(HTTPStatus.UNAUTHORIZED, "Unauthorized")
        if "watch" in request.query:
            return web.Response()
        if request.path == f"{OURS}/agentrollouts" and token == "vera":  # noqa: S105 a name
            return _status(HTTPStatus.FORBIDDEN, FORBIDDEN)
        items = [rollout("support")] if request.path.endswith("/agentrollouts") else []
        if request.path.endswith("/agentrollouts/agent"):
            return web.json_response(rollout("support"))
        if items or request.path.endswith("s"):
            return web.json_response({"metadata": {"resourceVersion": "1"}, "items": items})
        return _status(HTTPStatus.NOT_FOUND, "not found")


def _status(code: int, message: str) -> web.Response:
    return web.json_response({"kind": "Status", "message": message}, status=code)


@asynccontextmanager
async def served(app: web.Application) -> AsyncIterator[str]:
    """A server, and its address."""
    port, runner = unused_port(), web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def opened(cluster: Cluster) -> AsyncIterator[ClientSession]:
    """A browser that calls the page by its host, and follows and keeps nothing."""
    behind = web.Application()
    behind.router.add_route("*", "/{path:.*}", cluster.answer)
    async with served(behind) as server, ClientSession(server) as session:
        app = application(Pages(InCluster(session)), Guard([HOST]).install)
        async with (
            served(app) as address,
            ClientSession(address, headers={"Host": HOST}, cookie_jar=aiohttp.DummyCookieJar()) as browser,
        ):
            yield browser


@pytest.mark.parametrize("path", ["/", "/support/agent", "/live.js", "/.events", "/nothing/of/this"])
async def test_without_a_token_there_is_one_field(path: str) -> None:
    """It says what to paste and how to get it; nothing reaches the API server."""
    cluster = Cluster()
    async with opened(cluster) as browser, browser.get(path) as answer:
        text = await answer.text()
        assert answer.status == HTTPStatus.UNAUTHORIZED
        assert text.count("<input") == 1
        assert "kubectl create token" in text
        assert "Content-Security-Policy" in answer.headers
    assert cluster.calls == []


async def test_a_pasted_token_becomes_a_cookie() -> None:
    """Out of reach of scripts, of other sites and of connections without TLS; then the same page opens."""
    cluster = Cluster()
    async with opened(cluster) as browser:
        form = {"token": " ve\nra "}
        async with browser.post(
            "/support/agent?request=x", data=form, headers=ORIGIN, allow_redirects=False
        ) as answer:
            cookie = answer.headers["Set-Cookie"]
            assert (answer.status, answer.headers["Location"]) == (303, "/support/agent?request=x")
            assert cookie.startswith(f"{COOKIE}=vera;")
            assert {"HttpOnly", "Secure", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
        assert cluster.calls == []
        async with browser.get("/support/agent", headers={"Cookie": f"{COOKIE}=vera"}) as answer:
            assert (answer.status, "support/agent" in await answer.text()) == (HTTPStatus.OK, True)
    assert {token for token, _, _ in cluster.calls} == {"vera"}


@pytest.mark.parametrize("path", ["//attacker.example/x", "/?namespace=/attacker.example"])
async def test_the_page_leads_to_no_other_host(path: str) -> None:
    """Neither after the form, nor to a namespace whose name someone else has chosen."""
    async with opened(Cluster()) as browser:
        async with browser.get("/.healthz") as answer:
            address = f"{answer.url.origin()}{path}"
        form = {"token": "vera"}
        async with browser.post(address, data=form, headers=ORIGIN, allow_redirects=False) as answer:
            assert answer.headers["Location"].startswith("/")
            assert not answer.headers["Location"].startswith("//")
        async with browser.get(address, headers=VERA, allow_redirects=False) as answer:
            assert not answer.headers.get("Location", "/").startswith(("//", "http"))


@pytest.mark.parametrize("token", ["a b\r\nc: d", "x\u00e9", "", "<b>", "a" * 4000])
async def test_what_is_not_a_token_is_refused(token: str) -> None:
    """Before it reaches a header; a token that no cookie can keep is named as that."""
    cluster = Cluster()
    async with (
        opened(cluster) as browser,
        browser.post("/", data={"token": token}, headers=ORIGIN, allow_redirects=False) as answer,
    ):
        is_kept = "Set-Cookie" in answer.headers
        assert (answer.status, is_kept) in {(401, False), (303, token.startswith("a b"))}
    assert cluster.calls == []


async def test_each_request_has_its_own_rights() -> None:
    """The header counts more than the cookie; what Emil has seen, Vera is not shown."""
    cluster = Cluster()
    async with opened(cluster) as browser:
        emil = {"Authorization": "Bearer emil", "Cookie": f"{COOKIE}=vera"}
        async with browser.get("/", headers=emil) as answer:
            assert (answer.status, "support/agent" in await answer.text()) == (HTTPStatus.OK, True)
        async with browser.get("/", headers=VERA) as answer:
            text = await answer.text()
            assert (answer.status, FORBIDDEN in text) == (HTTPStatus.FORBIDDEN, True)
            assert 'name="namespace"' in text
            assert "support/agent" not in text
        async with browser.get("/?namespace=support", headers=VERA) as answer:
            assert (answer.url.path, "support/agent" in await answer.text()) == ("/support", True)
    assert [call for call in cluster.calls if call[0] == "vera" and call[2] == f"{OURS}/agentrollouts"]


async def test_a_revoked_token_is_refused_at_once() -> None:
    """Nothing is remembered: the next request says so, on a page with the field, and no stream begins."""
    cluster = Cluster()
    async with opened(cluster) as browser:
        async with browser.get("/support/agent", headers=VERA) as answer:
            assert answer.status == HTTPStatus.OK
        cluster.revoked.add("vera")
        for path in ("/support/agent", "/support", "/support/agent/events", "/support/agent/attempts/1"):
            async with browser.get(path, headers=VERA) as answer:
                text = await answer.text()
                assert (path, answer.status) == (path, HTTPStatus.UNAUTHORIZED)
                assert "does not accept the token" in text
                assert "Unauthorized" not in text


@pytest.mark.parametrize("host", ["attacker.example", "page.example:8080", "127.0.0.1"])
async def test_another_host_is_refused(host: str) -> None:
    """Also with a token; the kubelet, which uses an address, gets one word and nothing else."""
    cluster = Cluster()
    async with opened(cluster) as browser:
        async with browser.get("/", headers={**VERA, "Host": host}) as answer:
            assert answer.status == HTTPStatus.FORBIDDEN
        async with browser.get("/.healthz", headers={"Host": host}) as answer:
            assert (answer.status, await answer.text()) == (HTTPStatus.OK, "ok")
    assert cluster.calls == []


@pytest.mark.parametrize("origin", [None, "null", "http://page.example", "https://attacker.example"])
async def test_a_form_of_another_page_is_refused(origin: str | None) -> None:
    """Neither an action nor a token of someone else is taken from it."""
    cluster = Cluster()
    sent = {"reason": "wrong refunds", "action": json.dumps({"type": "Hold"})}
    async with opened(cluster) as browser:
        for form in (sent, {"token": "emil"}):
            headers = VERA | ({"Origin": origin} if origin else {})
            async with browser.post("/support/agent", data=form, headers=headers) as answer:
                assert answer.status == HTTPStatus.FORBIDDEN
    assert cluster.calls == []


@pytest.mark.parametrize(
    "path",
    [
        "/..%2F..%2Fsecrets/x",
        "/support/..%2F..%2Fsecrets",
        "/kube-system/a%3Fwatch=1",
        "/support%2Fsecrets/x",
    ],
)
async def test_an_address_reaches_nothing_else(path: str) -> None:
    """Names that are not names end here: only permitted pairs of method and path are sent."""
    cluster = Cluster()
    async with opened(cluster) as browser:
        for end in ("", "/attempts/1", "/events"):
            async with browser.get(path + end, headers=VERA) as answer:
                assert answer.status in {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}, path + end
    assert [call for call in cluster.calls if "agentroll" not in call[2] and "agentrel" not in call[2]] == []
