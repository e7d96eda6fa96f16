"""Inputs: what the API server reports to kopf. Outputs: what the cache knows, and what kopf does."""

import json
from typing import Any

import aiohttp
import kopf
import pytest

from agentrollouts.adapters.cluster.resources import KINDS, Ref
from agentrollouts.core.traffic.manifests import FEATURE_FLAG, GRPC_ROUTE
from agentrollouts.shell.cache import Cache
from agentrollouts.shell.inputs import watch
from agentrollouts.shell.inputs.intake import Intake
from agentrollouts.shell.inputs.watch import configure, log_in, register
from agentrollouts.shell.relations import ACTION, CONFIG_MAP, FREEZE, RELEASE, ROLLOUT, ROUTE
from agentrollouts.shell.workqueue import WorkQueue
from tests.adapters.server import answer, serving
from tests.shell.virtual import now, run

WATCHED = (RELEASE, ROLLOUT, ACTION, FREEZE, CONFIG_MAP, ROUTE, GRPC_ROUTE, FEATURE_FLAG)


def an_event(verb: str, version: int) -> bytes:
    """What a watch says of an object."""
    metadata = {"name": "one", "namespace": "support", "resourceVersion": str(version)}
    event = {"type": verb, "object": {"metadata": metadata, "spec": {"agent": "support"}}}
    return json.dumps(event).encode() + b"\n"


class NothingListed:
    """Lists without objects."""

    async def anew(self, kind: str, namespace: str | None) -> str:
        """The version of such a list."""
        assert kind in WATCHED
        assert namespace is None
        return "1"

    async def has(self, *_: object) -> bool:
        """Whatever kopf has seen is there."""
        return True


def registered(cache: Cache) -> kopf.OperatorRegistry:
    """What kopf is told to do."""
    registry = kopf.OperatorRegistry()
    register(registry, Intake(cache, WorkQueue(lambda: 0.0)), NothingListed())
    return registry


@pytest.mark.parametrize("kind", WATCHED)
async def test_every_change_of_our_kinds_reaches_the_cache(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Added, changed or deleted: the object is taken in under its own kind, or dropped."""
    cache, key, cached = Cache(), Ref(kind, "support", "one"), []
    for version, verb in enumerate(("ADDED", "MODIFIED", "DELETED", "ADDED"), start=1):
        async with serving(answer(200, an_event(verb, version))) as server:
            connection = kopf.ConnectionInfo(server=server.url)
            monkeypatch.setattr(kopf, "login_via_client", lambda _at=connection, **_: _at)
            [log_in_handler] = registered(cache)._activities.get_all_handlers()  # noqa: SLF001 as below
            login: Any = log_in_handler.fn
            session = (await login()).aiohttp_session
            url = f"{server.url}{KINDS[kind].path(None)}?watch=true"
            async with await session.request(method="get", url=url) as response:
                lines = [line async for line in response.content.iter_chunked(1 << 20) if line]
            await session.close()
            assert json.loads(lines[0])["type"] == "BOOKMARK"
        manifest = cache.get(key)
        cached.append(
            manifest and (manifest["kind"], manifest["apiVersion"], manifest["metadata"]["resourceVersion"])
        )
    delivered = [(kind, KINDS[kind].api_version, version) for version in ("1", "2", "4")]
    assert cached == [delivered[0], delivered[1], None, delivered[2]]


def test_nothing_else_is_watched() -> None:
    """Seven kinds, one handler for each; no timer, daemon or finalizer."""
    handlers = registered(Cache())._watching.get_all_handlers()  # noqa: SLF001 kopf has no other way
    assert {str(each.id) for each in handlers} == {f"watch-{KINDS[kind].plural}" for kind in WATCHED}


def test_kopf_is_bounded_and_writes_nothing() -> None:
    """No peering, no Events of its own, no call without an end; only our ConfigMaps and routes are read."""
    settings = kopf.OperatorSettings()
    configure(settings)
    assert (settings.peering.standalone, settings.posting.enabled) == (True, False)
    assert settings.networking.request_timeout == 30
    assert settings.scanning.disabled is True
    ours = "app.kubernetes.io/managed-by=agentrollouts"
    assert {*settings.watching.label_selectors.values()} == {ours}


async def test_kopf_follows_no_redirect(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its session has kopf's own credentials, and nothing comes from another host."""
    async with serving(answer(200, b"{}")) as other:
        where = f"Location: http://127.0.0.1:{other.port}/"
        async with serving(answer(307, b"", where)) as server:
            connection = kopf.ConnectionInfo(server=server.url, token="t")  # noqa: S106 it protects nothing
            monkeypatch.setattr(kopf, "login_via_client", lambda **_: connection)
            logged_in = await log_in()
            assert logged_in is not None
            async with logged_in.aiohttp_session as session:
                with pytest.raises(aiohttp.ClientConnectionError, match="HTTP 307, a redirect"):
                    await session.get(f"{logged_in.server}/apis")
    assert [request.headers["authorization"] for request in server.requests] == ["Bearer t"]
    assert other.connections == 0


@pytest.mark.parametrize(
    ("status", "header"),
    [(429, "Retry-After: 3600"), (429, "Retry-After: Mon, 30 Nov 2026 12:00:00 GMT"), (503, ""), (500, "")],
)
async def test_kopf_decides_itself_when_to_try_again(
    status: int, header: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would wait for an hour because a server says so, and end over a date or a few answers of 500."""
    async with serving(answer(status, b"", *filter(None, [header]))) as server:
        connection = kopf.ConnectionInfo(server=server.url)
        monkeypatch.setattr(kopf, "login_via_client", lambda **_: connection)
        logged_in = await log_in()
        assert logged_in is not None
        async with logged_in.aiohttp_session as session:
            with pytest.raises(aiohttp.ClientConnectionError, match=f"HTTP {status}"):
                await session.get(f"{logged_in.server}/apis")


def test_a_token_that_is_refused_is_not_read_as_fast_as_the_network_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After each 401, kopf logs in again at once, without an end."""
    monkeypatch.setattr(watch, "log_in", nothing)

    async def scenario() -> list[float]:
        [handler] = registered(Cache())._activities.get_all_handlers()  # noqa: SLF001 as above
        again: Any = handler.fn
        times = []
        for _ in range(3):
            await again()
            times.append(now())
        return times

    assert run(scenario()) == [0, watch.LOGIN_SECONDS, 2 * watch.LOGIN_SECONDS]


async def nothing(**_: object) -> None:
    """No credentials."""
