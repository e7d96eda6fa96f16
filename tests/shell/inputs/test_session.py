"""Inputs: requests as kopf makes them. Outputs: which are lists, which are watches, and what fails."""

import json
import logging
from typing import Any

import aiohttp
import kopf
import pytest
from kopf._cogs.clients import auth, scanning
from kopf._cogs.structs import credentials, references

from agentrollouts.adapters.cluster.errors import ClusterError, NotServedError, UnavailableError
from agentrollouts.adapters.cluster.resources import KINDS, Manifest
from agentrollouts.shell.inputs.resync import WATCHED
from agentrollouts.shell.inputs.session import Answer, InputSession, discovery
from agentrollouts.shell.inputs.stream import Expired, Stream
from tests.adapters.server import answer, serving

OURS = "/apis/agentrollouts.dev/v1alpha1"


def never(kind: str, verb: str, manifest: Manifest) -> None:
    """No change is expected."""
    raise AssertionError(f"{verb} {kind} {manifest}")


class Lists:
    """Lists of the resync; each gives this version."""

    def __init__(self, version: int = 42, error: ClusterError | None = None) -> None:
        self.version = version
        self.error = error
        self.made: list[tuple[str, str | None]] = []

    async def anew(self, kind: str, namespace: str | None) -> str:
        """The version, or the error."""
        if self.error is not None:
            raise self.error
        self.made.append((kind, namespace))
        return str(self.version)

    async def has(self, _kind: str, _namespace: str | None, version: str) -> bool:
        """Whether that is the version, or a newer one."""
        if self.error is not None:
            raise self.error
        return self.version >= int(version)


async def test_only_lists_of_what_is_watched_are_made_by_the_resync() -> None:
    """Single objects and all that kopf looks at besides go to the API server, and so do watches."""
    lists = Lists()
    async with serving(answer(200, b"{}")) as server, aiohttp.ClientSession() as inner:
        session: Any = InputSession(inner, f"{server.url}/proxied", frozenset(WATCHED), lists, never)
        for path in (
            f"{OURS}/namespaces/a/agentrollouts/one",
            "/api/v1/namespaces?limit=50",
            "/api/v1/namespaces/a/pods",
            "/apis/apps/v1",
        ):
            response = await session.request(method="get", url=f"{server.url}/proxied{path}")
            assert isinstance(response, aiohttp.ClientResponse)
            response.close()
        for query in ("watch=true&resourceVersion=1", "watch=true"):
            url = f"{server.url}/proxied{OURS}/agentrollouts?{query}"
            response = await session.request(method="get", url=url)
            assert isinstance(response, Stream)
            response.close()
        assert lists.made == []
        for path in (
            f"{OURS}/agentrollouts?limit=50",
            f"{OURS}/namespaces/a/agentreleases",
            "/api/v1/configmaps?labelSelector=x",
        ):
            response = await session.request(method="get", url=f"{server.url}/proxied{path}")
            assert isinstance(response, Answer)
            async with response:
                assert await response.json() == {"metadata": {"resourceVersion": "42"}, "items": []}
        assert session.closed is False
    assert lists.made == [("AgentRollout", None), ("AgentRelease", "a"), ("ConfigMap", None)]


async def test_kopf_finds_every_kind_whatever_is_installed() -> None:
    """It reads the answers itself, and no request is made: a kind that is installed later is watched too."""
    settings, logger = kopf.OperatorSettings(), logging.getLogger()
    async with aiohttp.ClientSession() as inner:
        session: Any = InputSession(inner, "http://127.0.0.1:1", frozenset(WATCHED), Lists(), never)
        connection = kopf.AiohttpSession(server="http://127.0.0.1:1", aiohttp_session=session)
        auth.vault_var.set(credentials.Vault({"login": connection}))
        found = await scanning.scan_resources(settings=settings, logger=logger)
    named = {(each.group, each.version, each.plural): each for each in found}
    for kind in WATCHED:
        group, _, version = KINDS[kind].api_version.rpartition("/")
        resource = named[group, version, KINDS[kind].plural]
        assert (resource.kind, resource.namespaced, resource.preferred) == (kind, True, True)
        assert {"list", "watch"} <= resource.verbs
    for selector in (references.NAMESPACES, references.CRDS):
        assert len(selector.select(found)) == 1
    assert "/apis/core.openfeature.dev/v1beta1" in discovery(WATCHED)


@pytest.mark.parametrize(("query", "kind"), [("", Answer), ("?watch=true&resourceVersion=1", Expired)])
async def test_a_kind_that_is_gone_is_listed_again(query: str, kind: type) -> None:
    """The list waits until it is served; a watch would only fail again and again."""
    lists = Lists(error=NotServedError("no such kind")) if query else Lists()
    async with aiohttp.ClientSession() as inner:
        session = InputSession(inner, "http://127.0.0.1:1", frozenset(WATCHED), lists, never)
        response = await session.request(method="get", url=f"http://127.0.0.1:1/api/v1/configmaps{query}")
    assert isinstance(response, kind)


@pytest.mark.parametrize("query", ["", "?watch=true&resourceVersion=1"])
async def test_a_list_that_fails_is_tried_again_by_kopf(query: str) -> None:
    """It is an error of the connection, which kopf repeats with pauses; so is a look at the version."""
    lists = Lists(error=UnavailableError("not now"))
    async with aiohttp.ClientSession() as inner:
        session = InputSession(inner, "http://127.0.0.1:1", frozenset(WATCHED), lists, never)
        with pytest.raises(aiohttp.ClientConnectionError, match="not now"):
            await session.request(method="get", url=f"http://127.0.0.1:1/api/v1/configmaps{query}")


async def watched(status: int, version: int = 42) -> Any:  # noqa: ANN401 as far as kopf looks
    """What kopf gets for a watch, if the API server gives this status and has this version."""
    async with serving(answer(status, b"{}")) as server, aiohttp.ClientSession() as inner:
        session = InputSession(inner, server.url, frozenset(WATCHED), Lists(version), never)
        url = f"{server.url}{OURS}/namespaces/a/agentrollouts?watch=true&resourceVersion=7"
        return await session.request(method="get", url=url)


@pytest.mark.parametrize("status", [400, 403, 404, 429, 500, 503])
async def test_a_watch_that_is_refused_is_tried_again_by_kopf(status: int) -> None:
    """A namespace without its RoleBinding, or a kind without its CRD, does not end the process."""
    with pytest.raises(aiohttp.ClientConnectionError, match=f"HTTP {status} for the watch of AgentRollout"):
        await watched(status)


async def test_kopf_sees_that_it_must_log_in_again() -> None:
    """Only it can read its credentials again."""
    assert (await watched(401)).status == 401


@pytest.mark.parametrize(("status", "version"), [(410, 42), (200, 6)], ids=["too old", "restored"])
async def test_kopf_lists_again_where_a_watch_would_miss_changes(status: int, version: int) -> None:
    """Its version is too old, or so new that the API server was restored from a backup."""
    async with await watched(status, version) as response:
        lines = [line async for line in response.content.iter_chunked(1 << 20)]
    assert (response.status, [json.loads(line) for line in lines]) == (
        200,
        [{"type": "ERROR", "object": {"code": 410}}],
    )
