"""Inputs: the lines of a watch. Outputs: what is taken in, what kopf reads, and how soon."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, cast

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.adapters.cluster.resources import Manifest
from agentrollouts.shell.inputs import stream
from agentrollouts.shell.inputs.stream import Stream
from tests.shell.virtual import now, run

MANY = 300
BEGIN_AGAIN = {"type": "ERROR", "object": {"code": 410}}
"""The one error that kopf survives."""


@pytest.fixture(autouse=True)
def without_a_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next stream may begin at once."""
    monkeypatch.setattr(stream, "SHORTEST_SECONDS", 0.0)


class Answer:
    """A response that arrives in these parts."""

    def __init__(self, parts: list[bytes]) -> None:
        self.content = self
        self._parts = parts

    async def iter_chunked(self, _size: int) -> AsyncIterator[bytes]:
        """The parts."""
        for part in self._parts:
            await asyncio.sleep(0)
            yield part


def change(verb: str, version: int, name: str = "one") -> bytes:
    """One line, whose object has a line end in a text."""
    metadata = {"name": name, "resourceVersion": str(version)}
    return json.dumps({"type": verb, "object": {"metadata": metadata, "text": "a\nb"}}).encode()


async def read(parts: list[bytes], taken: list[tuple[str, Manifest]]) -> list[bytes]:
    """What kopf reads; what is taken in is noted."""
    response = cast("aiohttp.ClientResponse", Answer(parts))
    whole = Stream(response, lambda verb, manifest: taken.append((verb, manifest)))
    text = b"".join([part async for part in whole.content.iter_chunked(1 << 20)])
    return text.split(b"\n")


@given(st.lists(st.integers(0, 400), max_size=6))
def test_changes_are_taken_in_once_and_in_order(cuts: list[int]) -> None:
    """However the answer is cut into parts; kopf reads a bookmark for each, with its version."""
    lines = [change(verb, version) for version, verb in enumerate(("ADDED", "MODIFIED", "DELETED"))]
    text = b"".join(line + b"\n" for line in lines)
    ends = sorted({min(cut, len(text)) for cut in cuts} | {len(text)})
    parts = [text[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    taken: list[tuple[str, Manifest]] = []
    given_to_kopf = asyncio.run(read(parts, taken))
    assert [(verb, manifest["metadata"]["resourceVersion"]) for verb, manifest in taken] == [
        ("ADDED", "0"),
        ("MODIFIED", "1"),
        ("DELETED", "2"),
    ]
    assert [json.loads(line) for line in given_to_kopf if line] == [
        {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": str(version)}}}
        for version in range(3)
    ]


@pytest.mark.parametrize(
    "line", [b'{"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "7"}}}', b""]
)
async def test_kopf_reads_everything_else_as_it_is(line: bytes) -> None:
    """It remembers how far it has come."""
    taken: list[tuple[str, Manifest]] = []
    assert await read([line + b"\n" + line], taken) == [line, line]
    assert taken == []


@pytest.mark.parametrize(
    "line",
    [
        b'{"type": "ERROR", "object": {"code": 410, "metadata": {"resourceVersion": "1"}}}',
        b'{"type": "ERROR", "object": {"code": 500, "message": "failed to convert", "metadata": {}}}',
        b'{"type": "ERROR", "object": "what"}',
        b'{"type": "ADDED", "object": {"metadata"',
        b"<html>",
        b"[1]",
    ],
)
async def test_kopf_lists_again_after_an_error_and_after_what_makes_no_sense(line: bytes) -> None:
    """It would end over any error but one, and over half a line of a stream that was cut."""
    taken: list[tuple[str, Manifest]] = []
    for parts in ([line + b"\n"], [line]):
        assert [json.loads(each) for each in await read(parts, taken) if each] == [BEGIN_AGAIN]
    assert taken == []


async def test_the_last_change_needs_no_line_end() -> None:
    """It is taken in like any other."""
    taken: list[tuple[str, Manifest]] = []
    await read([change("ADDED", 1)], taken)
    assert [verb for verb, _ in taken] == ["ADDED"]


class Broken(Answer):
    """A response that breaks at its end."""

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        """The parts, and an error."""
        async for part in super().iter_chunked(size):
            yield part
        raise aiohttp.ClientPayloadError


@pytest.mark.parametrize("kind", [Answer, Broken])
def test_streams_that_end_at_once_are_opened_once_a_second(
    kind: type[Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy that closes each watch at once, or breaks it, is not asked as fast as the network is."""
    monkeypatch.undo()

    async def scenario() -> float:
        for _ in range(3):
            opened = Stream(cast("aiohttp.ClientResponse", kind([b"\n"])), lambda *_: None)
            with suppress(aiohttp.ClientPayloadError):
                async for _ in opened.content.iter_chunked(1 << 20):
                    pass
        return now()

    assert run(scenario()) == 3 * stream.SHORTEST_SECONDS


async def test_a_change_that_cannot_be_taken_in_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    """A bug with one object is logged, and the watch goes on."""
    seen: list[str] = []

    def take_in(_verb: str, manifest: Manifest) -> None:
        seen.append(manifest["metadata"]["name"])
        if len(seen) == 1:
            raise KeyError("spec")

    parts = [change("ADDED", 1, "bad") + b"\n" + change("ADDED", 2, "good") + b"\n"]
    whole = Stream(cast("aiohttp.ClientResponse", Answer(parts)), take_in)
    lines = [line async for line in whole.content.iter_chunked(1 << 20) if line]
    assert (seen, len(lines)) == (["bad", "good"], 2)
    assert "Failed to take in a change of bad" in caplog.text


async def test_a_change_that_is_too_deep_ends_no_watch() -> None:
    """A tenant nests a release as deeply as the API server permits; the changes of others are taken in."""
    deep = b'{"a":' * 9_990 + b"1" + b"}" * 9_990
    taken: list[tuple[str, Manifest]] = []
    bad = change("ADDED", 1).replace(b'"a\\nb"', deep)
    assert deep in bad

    lines = await read([bad + b"\n" + change("ADDED", 2, "good") + b"\n"], taken)

    assert [manifest["metadata"]["name"] for _, manifest in taken] == ["one", "good"]
    assert [json.loads(line)["type"] for line in lines if line] == ["BOOKMARK"] * 2


@pytest.mark.parametrize(("seconds", "least", "most"), [(60.0, 0, 10), (-1.0, MANY, 3 * MANY)])
async def test_a_change_waits_for_no_turn_of_the_loop_behind_others(
    monkeypatch: pytest.MonkeyPatch, seconds: float, least: int, most: int
) -> None:
    """Hundreds that arrived together are taken in at once, unless that takes too long."""
    monkeypatch.setattr(stream, "SLICE_SECONDS", seconds)
    turns, taken = [0], list[tuple[str, Manifest]]()

    async def turn() -> None:
        while True:
            turns[0] += 1
            await asyncio.sleep(0)

    turning: asyncio.Task[Any] = asyncio.create_task(turn())
    await read([b"".join(change("ADDED", version) + b"\n" for version in range(MANY))], taken)
    turning.cancel()
    assert len(taken) == MANY
    assert least <= turns[0] <= most
