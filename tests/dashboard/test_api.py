"""What the page sends to the API server: permitted pairs of method and path, and nothing else."""

import socket

import pytest
from aiohttp import ClientSession, web

from agentrollouts.dashboard.api import ACCESS_REVIEWS, OURS, SELF_REVIEWS, Api, ApiError
from tests.dashboard.test_incluster import served

HERE = f"{OURS}/namespaces/support"


@pytest.mark.parametrize(
    ("method", "path", "is_sent"),
    [
        ("GET", f"{OURS}/agentrollouts", True),
        ("GET", f"{HERE}/agentreleases/agent-1.0.0", True),
        ("GET", "/api/v1/namespaces/support/configmaps/agent-1cc7", True),
        ("POST", f"{HERE}/agentrolloutactions", True),
        ("POST", ACCESS_REVIEWS, True),
        ("POST", SELF_REVIEWS, True),
        ("POST", f"{HERE}/agentrollouts", False),
        ("POST", f"{HERE}/agentrolloutactions/x", False),
        ("GET", f"{HERE}/agentrollouts/x/status", False),
        ("GET", "/api/v1/namespaces/support/configmaps", False),
        ("GET", "/api/v1/namespaces/support/secrets/x", False),
        ("GET", f"{HERE}/agentrollouts/..%2F..", False),
        ("GET", f"{HERE}/agentrollouts/../../secrets", False),
        ("GET", f"{HERE}/agentrollouts/x?watch=1", False),
        ("GET", "/metrics", False),
    ],
)
async def test_only_permitted_pairs_are_sent(method: str, path: str, *, is_sent: bool) -> None:
    """All others end before a connection, as a refusal."""
    calls: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        calls.append(f"{request.method} {request.rel_url}")
        return web.json_response({})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with served(app) as server, ClientSession(server) as session:
        api = Api(session, "vera")
        try:
            await (api.get(path) if method == "GET" else api.create(path, {}))
        except ApiError as error:
            assert (error.code, is_sent) == (403, False)  # noqa: PT017 some are no refusal
    assert calls == ([f"{method} {path}"] if is_sent else [])


async def test_a_redirect_is_not_followed() -> None:
    """It would carry the token to where the API server's answer points."""
    calls: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        calls.append(request.path)
        raise web.HTTPFound("/elsewhere")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with served(app) as server, ClientSession(server) as session:
        with pytest.raises(ApiError):
            await Api(session, "vera").get(f"{OURS}/agentrollouts")
    assert calls == [f"{OURS}/agentrollouts"]


async def test_a_refused_connection_is_said_for_people() -> None:
    """Without the address and the words of the library."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
        async with ClientSession(address) as session:
            with pytest.raises(ApiError) as refused:
                await Api(session).get(f"{OURS}/agentrollouts")
    assert str(refused.value) == "The API server cannot be reached: Connection refused"
