"""Inputs: answers of an API server to a watch. Outputs: whether kopf, the real one, keeps watching."""

import asyncio
import json
from typing import Any

import kopf
import pytest
from kopf._cogs.clients import auth, watching
from kopf._cogs.structs import credentials, references

from agentrollouts.adapters.cluster.resources import Ref
from agentrollouts.shell.cache import Cache
from agentrollouts.shell.inputs import stream, watch
from agentrollouts.shell.inputs.intake import Intake
from agentrollouts.shell.workqueue import WorkQueue
from tests.adapters.server import answer, serving

REFUSED = json.dumps({"kind": "Status", "message": "no"}).encode()
ERROR = {"type": "ERROR", "object": {"kind": "Status", "code": 500, "message": "failed to convert"}}
ANSWERS = {
    "403": answer(403, REFUSED, "Content-Type: application/json"),
    "404": answer(404, REFUSED, "Content-Type: application/json"),
    "410": answer(410, REFUSED, "Content-Type: application/json"),
    "500": answer(500, b"<html>"),
    "503": answer(503, REFUSED, "Content-Type: application/json"),
    "429": answer(429, b""),
    "429, in an hour": answer(429, b"", "Retry-After: 3600"),
    "429, at a time": answer(429, b"", "Retry-After: Mon, 30 Nov 2026 12:00:00 GMT"),
    "429, in the past": answer(429, b"", "Retry-After: -1"),
    "an error in the stream": answer(200, json.dumps(ERROR).encode() + b"\n"),
    "half a line": answer(200, b'{"type":"ADDED","object":{"meta'),
    "a page": answer(200, b"<html>"),
    "nothing": answer(200, b""),
}
MANY = 8
"""More requests than kopf makes before it gives up."""


class Lists:
    """Lists of an API server that is otherwise healthy."""

    async def anew(self, *_: object) -> str:
        """A version."""
        return "1"

    async def has(self, *_: object) -> bool:
        """It is there."""
        return True


@pytest.mark.parametrize("name", ANSWERS)
async def test_kopf_keeps_watching_whatever_the_answer(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else its process would end, and with it the rollbacks of all namespaces, or wait for an hour."""
    monkeypatch.setattr(stream, "SHORTEST_SECONDS", 0.0)
    settings = kopf.OperatorSettings()
    watch.configure(settings)
    settings.networking.error_backoffs = (0.0,) * 4
    settings.watching.reconnect_backoff = 0
    resource = references.Resource("agentrollouts.dev", "v1alpha1", "agentrollouts", namespaced=True)
    requests, enough = 0, asyncio.Event()

    async def behave(writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        requests += 1
        if requests >= MANY:
            enough.set()
        await ANSWERS[name](writer)

    async def follow() -> None:
        async for _ in watching.infinite_watch(settings=settings, resource=resource, namespace=None):
            pass

    async with serving(behave) as server:
        connection = kopf.ConnectionInfo(server=server.url)
        monkeypatch.setattr(kopf, "login_via_client", lambda **_: connection)
        login = await logged_in()
        auth.vault_var.set(credentials.Vault({"login": login}))
        following = asyncio.create_task(follow())
        waiting = asyncio.create_task(enough.wait())
        async with asyncio.timeout(120):
            await asyncio.wait({following, waiting}, return_when=asyncio.FIRST_COMPLETED)
            has_ended = following.done()
            for task in (following, waiting):
                task.cancel()
            await asyncio.gather(following, waiting, return_exceptions=True)
            await login.aiohttp_session.close()
    assert not has_ended


async def logged_in() -> Any:  # noqa: ANN401 as kopf keeps it
    """What kopf has after the login of the operator."""
    registry, queue = kopf.OperatorRegistry(), WorkQueue[Ref](lambda: 0.0)
    cache = Cache()
    watch.register(registry, Intake(cache, queue), Lists())
    [handler] = registry._activities.get_all_handlers()  # noqa: SLF001 kopf has no other way
    log_in: Any = handler.fn
    return await log_in()
