"""Inputs: what a server on loopback streams. Outputs: changes, and an error for what is no whole stream."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from agentrollouts.adapters.cluster import watch
from agentrollouts.adapters.cluster.errors import ClusterError, ForbiddenError, InvalidError, UnavailableError
from agentrollouts.adapters.cluster.watch import Change, WatchingCluster
from tests.adapters.cluster.test_client import kubeconfig
from tests.adapters.server import Behavior, Server, answer, hang, serving

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\n"
SLICES = "/apis/discovery.k8s.io/v1/endpointslices"


def event(verb: str, version: int, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 any JSON
    """One change as the API server writes it."""
    metadata = {"name": "a", "namespace": "support", "resourceVersion": str(version)}
    return {"type": verb, "object": {"metadata": metadata, **fields}}


def stream(*parts: bytes, ends: bool = True) -> Behavior:
    """Chunks, cut wherever the network pleases, and the end of the body or silence."""

    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD)
        for part in parts:
            writer.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
            await writer.drain()
        if not ends:
            await asyncio.Event().wait()
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    return behave


def lines(*events: dict[str, Any]) -> bytes:
    """Changes as lines."""
    return b"".join(json.dumps(one).encode() + b"\n" for one in events)


@asynccontextmanager
async def watching(folder: Path, behavior: Behavior) -> AsyncIterator[tuple[Server, WatchingCluster]]:
    """A server and a connection to it, with a deadline that only silence can miss."""
    async with serving(behavior) as server:
        cluster = await WatchingCluster.connect(
            kubeconfig(folder, server.url, {"token": "t"}), timeout_seconds=0.5 if behavior is hang else 30
        )
        try:
            yield server, cluster
        finally:
            await cluster.close()


async def changes(cluster: WatchingCluster, seconds: int = 30) -> list[Change]:
    """All that one stream tells."""
    stream_changes = cluster.changes("EndpointSlice", None, "a in (b,c)", version="7", seconds=seconds)
    return [change async for change in stream_changes]


def test_a_stream_is_its_changes_however_it_is_cut(tmp_path: Path) -> None:
    """Lines may come in any pieces, several at once, and be longer than a buffer."""
    events = [event("ADDED", 8), event("BOOKMARK", 9), event("MODIFIED", 10, text="x" * 300_000)]
    body = lines(*events)
    pieces: Sequence[bytes] = [body[:5], body[5:150], body[150:200_000], body[200_000:]]

    async def scenario() -> None:
        async with watching(tmp_path, stream(*pieces)) as (server, cluster):
            assert await changes(cluster) == [Change(one["type"], one["object"]) for one in events]
            [request] = server.requests
            path = request.line.split()[1]
            assert path.startswith(f"{SLICES}?watch=true&allowWatchBookmarks=true&labelSelector=a+in+(b,c)")
            assert path.endswith("&resourceVersion=7&timeoutSeconds=30")
            assert request.headers["authorization"] == "Bearer t"

    asyncio.run(scenario())


EXPIRED = {"kind": "Status", "code": 410, "message": "too old resource version", "reason": "Expired"}


@pytest.mark.parametrize(
    ("behavior", "error"),
    [
        (stream(lines({"type": "ERROR", "object": EXPIRED})), InvalidError),
        (stream(b"<html>\n"), UnavailableError),
        (stream(b'{"type": "ADDED"}\n'), UnavailableError),
        (answer(410, json.dumps(EXPIRED).encode()), InvalidError),
        (answer(403, b"{}"), ForbiddenError),
        (answer(503, b""), UnavailableError),
        (hang, UnavailableError),
    ],
)
def test_what_is_no_stream_is_an_error(behavior: Behavior, error: type[ClusterError], tmp_path: Path) -> None:
    """A version that is too old, a proxy's page, a missing right, an API server that does not answer."""

    async def scenario() -> None:
        async with watching(tmp_path, behavior) as (_, cluster):
            with pytest.raises(error):
                await changes(cluster)

    asyncio.run(scenario())


def test_a_stream_that_breaks_or_stalls_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was told before is told; silence does not last longer than was asked for."""
    monkeypatch.setattr(watch, "_MARGIN_SECONDS", 0.3)

    async def broken(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"5\r\n{")
        await writer.drain()
        writer.close()

    async def scenario() -> None:
        for behavior in (broken, stream(lines(event("ADDED", 8)), ends=False)):
            async with watching(tmp_path, behavior) as (_, cluster):
                started = time.monotonic()
                with pytest.raises(UnavailableError):
                    await changes(cluster, seconds=0)
                assert time.monotonic() - started < 30, "a stalled stream never ends by itself"

    asyncio.run(scenario())


def test_a_list_knows_the_version_to_watch_from(tmp_path: Path) -> None:
    """It may come in pages."""
    pages = [
        {"metadata": {"resourceVersion": "7", "continue": "more"}, "items": [event("", 1)["object"]]},
        {"metadata": {"resourceVersion": "7"}, "items": [event("", 2)["object"]]},
    ]
    left = list(pages)

    async def behave(writer: asyncio.StreamWriter) -> None:
        await answer(200, json.dumps(left.pop(0)).encode())(writer)

    async def scenario() -> None:
        async with watching(tmp_path, behave) as (server, cluster):
            listed, version = await cluster.listing("EndpointSlice", "support", "a in (b)")
            assert ([one["metadata"]["resourceVersion"] for one in listed], version) == (["1", "2"], "7")
            assert [("continue=more" in request.line) for request in server.requests] == [False, True]

    asyncio.run(scenario())


async def test_a_stream_follows_no_redirect(tmp_path: Path) -> None:
    """Another host's objects are not the API server's."""
    async with serving(stream(lines(event("ADDED", 1)))) as other:
        where = f"Location: http://127.0.0.1:{other.port}/"
        async with watching(tmp_path, answer(307, b"", where)) as (_, cluster):
            with pytest.raises(UnavailableError, match="a redirect, is not followed"):
                [one async for one in cluster.changes("EndpointSlice", None, "a=b", version="1", seconds=1)]
    assert other.connections == 0
