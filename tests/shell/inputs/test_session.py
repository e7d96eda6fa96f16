"""Inputs: requests as kopf makes them. Outputs: which are lists, which are watches."""

from typing import Any

import aiohttp
import pytest

from agentrollouts.adapters.cluster.errors import UnavailableError
from agentrollouts.adapters.cluster.resources import Manifest
from agentrollouts.shell.inputs.resync import WATCHED
from agentrollouts.shell.inputs.session import EmptyList, InputSession
from agentrollouts.shell.inputs.stream import Stream
from tests.adapters.server import answer, serving

OURS = "/apis/agentrollouts.dev/v1alpha1"


def never(kind: str, verb: str, manifest: Manifest) -> None:
    """No change is expected."""
    raise AssertionError(f"{verb} {kind} {manifest}")


async def test_only_lists_of_what_is_watched_are_made_by_the_resync() -> None:
    """Single objects and all that kopf looks at besides go to the API server, and so do watches."""
    listed: list[tuple[str, str | None]] = []

    async def list_anew(kind: str, namespace: str | None) -> str:
        listed.append((kind, namespace))
        return "42"

    async with serving(answer(200, b"{}")) as server, aiohttp.ClientSession() as inner:
        session: Any = InputSession(inner, f"{server.url}/proxied", frozenset(WATCHED), list_anew, never)
        for path in (
            f"{OURS}/namespaces/a/agentrollouts/one",
            "/api/v1/namespaces?limit=50",
            "/api/v1/namespaces/a/pods",
            OURS,
        ):
            response = await session.request(method="get", url=f"{server.url}/proxied{path}")
            assert isinstance(response, aiohttp.ClientResponse)
            response.close()
        for query in ("watch=true&resourceVersion=1", "watch=true"):
            url = f"{server.url}/proxied{OURS}/agentrollouts?{query}"
            response = await session.request(method="get", url=url)
            assert isinstance(response, Stream)
            response.close()
        assert listed == []
        for path in (
            f"{OURS}/agentrollouts?limit=50",
            f"{OURS}/namespaces/a/agentreleases",
            "/api/v1/configmaps?labelSelector=x",
        ):
            response = await session.request(method="get", url=f"{server.url}/proxied{path}")
            assert isinstance(response, EmptyList)
            async with response:
                assert await response.json() == {"metadata": {"resourceVersion": "42"}, "items": []}
        assert session.closed is False
    assert listed == [("AgentRollout", None), ("AgentRelease", "a"), ("ConfigMap", None)]


async def test_a_list_that_fails_is_tried_again_by_kopf() -> None:
    """It is an error of the connection, which kopf repeats with pauses."""

    async def list_anew(kind: str, namespace: str | None) -> str:
        raise UnavailableError(f"{kind} {namespace}")

    async with aiohttp.ClientSession() as inner:
        session = InputSession(inner, "http://127.0.0.1:1", frozenset(WATCHED), list_anew, never)
        with pytest.raises(aiohttp.ClientConnectionError, match="ConfigMap None"):
            await session.request(method="get", url="http://127.0.0.1:1/api/v1/configmaps")
